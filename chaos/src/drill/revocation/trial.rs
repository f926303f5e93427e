//! One right, taken once: on one instance, and watched on the two others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use gapless_client::http::{Body, EventStream, Request};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::post::post;
use crate::history::Micros;
use crate::schedule::INSTANCES;
use crate::stage::{PASSWORD, Person, Stage, Token};

/// A right that still stands after this has not been taken.
const GIVE_UP: Duration = Duration::from_secs(3);
/// How often it is tried.
const TRIED_EVERY: Duration = Duration::from_millis(20);

/// Which right is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Ban,
    Mute,
    Demotion,
    LogOut,
    PasswordChange,
    Archive,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ban => "ban",
            Self::Mute => "mute",
            Self::Demotion => "demotion",
            Self::LogOut => "log-out",
            Self::PasswordChange => "password change",
            Self::Archive => "archive",
        })
    }
}

/// What one of the other instances showed, in microseconds since the ruling was sent.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The stream ended, or said what changed.
    pub stream: Micros,
    /// The first refusal was read.
    pub refusal: Micros,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Ban, Self::Mute, Self::Demotion, Self::LogOut, Self::PasswordChange, Self::Archive];

    /// Each kind has somebody of its own, whom nobody else judges.
    fn victim(self, stage: &Stage) -> &Arc<Person> {
        match self {
            // The first victims are admins.
            Self::Demotion => &stage.victims[0],
            Self::Ban => &stage.victims[2],
            Self::Mute => &stage.victims[3],
            Self::LogOut => &stage.victims[4],
            Self::PasswordChange => &stage.victims[5],
            Self::Archive => &stage.tabbed[0],
        }
    }

    /// What takes the right away; by whom is `by`.
    fn ruling(self, subject: Uuid, room: Uuid, by: &Token) -> Request<'_> {
        let (method, path, body) = match self {
            Self::Ban => ("POST", format!("/users/{subject}/ban"), Body::Json(json!({ "reason": "drill" }))),
            Self::Mute => {
                ("POST", format!("/users/{subject}/mute"), Body::Json(json!({ "seconds": 600, "reason": "drill" })))
            }
            Self::Demotion => ("PATCH", format!("/users/{subject}"), Body::Json(json!({ "role": "user" }))),
            Self::LogOut => ("POST", "/auth/logout".into(), Body::Json(json!({ "refresh_token": &*by.refresh }))),
            Self::PasswordChange => {
                let body = json!({ "current_password": PASSWORD, "new_password": PASSWORD });
                ("PUT", "/auth/password".into(), Body::Json(body))
            }
            Self::Archive => ("POST", format!("/rooms/{room}/archive"), Body::None),
        };
        Request { method, path, token: Some(&by.access), body }
    }

    /// What gives it back, where that takes an admin.
    fn pardon(self, subject: Uuid, room: Uuid, by: &Token) -> Option<Request<'_>> {
        let (method, path, body) = match self {
            Self::Ban => ("POST", format!("/users/{subject}/unban"), Body::None),
            Self::Mute => ("POST", format!("/users/{subject}/unmute"), Body::None),
            Self::Demotion => ("PATCH", format!("/users/{subject}"), Body::Json(json!({ "role": "admin" }))),
            Self::Archive => ("POST", format!("/rooms/{room}/restore"), Body::None),
            Self::LogOut | Self::PasswordChange => return None,
        };
        Some(Request { method, path, token: Some(&by.access), body })
    }

    /// Whether an event of the stream shows that the right is gone.
    fn is_shown_by(self, name: &str, data: &str) -> bool {
        match self {
            Self::Ban | Self::LogOut | Self::PasswordChange => name == "bye" && data.contains("revoked"),
            // A pardon that came late says something else.
            Self::Mute => name == "user.changed" && !data.contains(r#""muted_until":null"#),
            Self::Demotion => name == "user.changed" && data.contains(r#""role":"user""#),
            Self::Archive => name == "room.archived",
        }
    }

    const fn is_refusal(self, status: u16) -> bool {
        match self {
            Self::Ban | Self::LogOut | Self::PasswordChange => matches!(status, 401 | 403),
            Self::Mute | Self::Demotion => status == 403,
            Self::Archive => status == 409,
        }
    }
}

/// Takes the right on the instance whose turn it is, and gives it back. Answers what each of the others showed.
pub async fn attempt(stage: &Arc<Stage>, kind: Kind, number: usize) -> anyhow::Result<Vec<Seen>> {
    let victim = Arc::clone(kind.victim(stage));
    // Rooms of its own for what closes a room.
    let (spare, common) = stage.rooms.split_last().context("there are no rooms")?;
    let room = if kind == Kind::Archive { *spare } else { common[number % common.len()] };
    let ruled = number % INSTANCES;
    let token = sign_in(stage, &victim).await?;
    let by = match kind {
        Kind::LogOut => token.clone(),
        // The session that changes the password is the one that stays.
        Kind::PasswordChange => sign_in(stage, &victim).await?,
        _ => stage.judge.token(stage).await.context("the judge has no token")?,
    };

    let mut watching = JoinSet::new();
    for other in (0..INSTANCES).filter(|other| *other != ruled) {
        let query = format!("room={room}&access_token={}", token.access);
        let address = stage.cluster.instances[other].streams.address;
        let mut stream = EventStream::open(address, &query, None, None)
            .await
            .map_err(|refused| anyhow::anyhow!("the victim's stream was refused: {refused:?}"))?;
        stream.next().await.context("the stream ended before its greeting")?;
        honour(stage, kind, &victim, room, &token, other).await?;
        let (stage, victim, token) = (Arc::clone(stage), Arc::clone(&victim), token.clone());
        watching.spawn(async move {
            let (stream, refusal) = tokio::join!(
                tokio::time::timeout(GIVE_UP, watch(&stage, kind, stream)),
                tokio::time::timeout(GIVE_UP, refuse(&stage, kind, &victim, room, &token, other)),
            );
            // What was never seen was not seen until now.
            let now = stage.history.now();
            (stream.unwrap_or(now), refusal.unwrap_or(now))
        });
    }

    let sent = stage.history.now();
    let answer = stage.ask(ruled, &kind.ruling(victim.id, room, &by)).await?;
    ensure!(answer.is_success(), "the ruling was answered with {}", answer.status);
    let seen = watching.join_all().await;
    if let Some(pardon) = kind.pardon(victim.id, room, &by) {
        let answer = stage.ask(ruled, &pardon).await?;
        ensure!(answer.is_success(), "the pardon was answered with {}", answer.status);
    }
    let since = |at: Micros| at.saturating_sub(sent).max(1);
    Ok(seen.into_iter().map(|(stream, refusal)| Seen { stream: since(stream), refusal: since(refusal) }).collect())
}

/// A session of its own. An instance that has not heard of a pardon yet is asked again.
async fn sign_in(stage: &Stage, person: &Person) -> anyhow::Result<Token> {
    for _ in 0..100 {
        if let Some(token) = person.sign_in(stage).await {
            return Ok(token);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{} cannot sign in", person.name)
}

/// Until the stream shows it; an end without a word shows nothing.
async fn watch(stage: &Stage, kind: Kind, mut stream: EventStream) -> Micros {
    while let Ok(event) = stream.next().await {
        if kind.is_shown_by(&event.name, &event.data) {
            return stage.history.now();
        }
    }
    std::future::pending().await
}

/// Waits until the right is honoured on an instance that may still have to hear of the last pardon.
async fn honour(
    stage: &Stage,
    kind: Kind,
    victim: &Person,
    room: Uuid,
    token: &Token,
    on: usize,
) -> anyhow::Result<()> {
    for _ in 0..100 {
        if matches!(tried(stage, kind, victim, room, token, on).await, 200..=299) {
            return Ok(());
        }
        tokio::time::sleep(TRIED_EVERY).await;
    }
    bail!("instance {on} does not grant the right")
}

async fn refuse(stage: &Stage, kind: Kind, victim: &Person, room: Uuid, token: &Token, on: usize) -> Micros {
    while !kind.is_refusal(tried(stage, kind, victim, room, token, on).await) {
        tokio::time::sleep(TRIED_EVERY).await;
    }
    stage.history.now()
}

/// Makes use of the right once, and answers the status; 0 where there was no answer.
async fn tried(stage: &Stage, kind: Kind, victim: &Person, room: Uuid, token: &Token, on: usize) -> u16 {
    let path = match kind {
        Kind::Mute | Kind::Archive => {
            let connection = &mut None;
            return post(stage, victim, room, &token.access, on, connection).await.0;
        }
        Kind::Demotion => "/users?limit=1",
        Kind::Ban | Kind::LogOut | Kind::PasswordChange => "/users/me",
    };
    stage.ask(on, &Request::get(path).by(&token.access)).await.map_or(0, |answer| answer.status)
}

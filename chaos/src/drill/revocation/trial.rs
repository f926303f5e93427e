//! One trial: a right is revoked on one instance, and its effect is observed on the two others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use gapless_client::http::{Body, EventStream, Request};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::super::post::post;
use crate::environment::{Account, Environment, PASSWORD, Token};
use crate::history::{Micros, RightsChange};
use crate::moderation::request;
use crate::schedule::INSTANCES;

/// Time after which a revocation counts as without effect.
const GIVE_UP: Duration = Duration::from_secs(3);
/// Interval of requests that need the right.
const REQUEST_EVERY: Duration = Duration::from_millis(20);

/// Kind of revocation.
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

/// Delays at one of the other instances, in microseconds since the revocation was sent.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// Time until the stream ended or announced the change.
    pub stream: Micros,
    /// Time until the first refusal was received.
    pub refusal: Micros,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Ban, Self::Mute, Self::Demotion, Self::LogOut, Self::PasswordChange, Self::Archive];

    /// Returns the victim of this kind. Each kind has a different one.
    fn victim(self, env: &Environment) -> &Arc<Account> {
        match self {
            // The first victims are admins.
            Self::Demotion => &env.victims[0],
            Self::Ban => &env.victims[2],
            Self::Mute => &env.victims[3],
            Self::LogOut => &env.victims[4],
            Self::PasswordChange => &env.victims[5],
            Self::Archive => &env.two_tab_users[0],
        }
    }

    /// Returns the request that revokes the right.
    fn revocation(self, subject: Uuid, room: Uuid, by: &Token) -> Request<'_> {
        match self {
            Self::Ban => request(RightsChange::Ban, subject, by),
            Self::Mute => request(RightsChange::Mute, subject, by),
            Self::Demotion => request(RightsChange::Demote, subject, by),
            Self::LogOut => request(RightsChange::LogOut, subject, by),
            Self::PasswordChange => {
                let body = Body::Json(json!({ "current_password": PASSWORD, "new_password": PASSWORD }));
                Request { method: "PUT", path: "/auth/password".into(), token: Some(&by.access), body }
            }
            Self::Archive => request(RightsChange::Archive, room, by),
        }
    }

    /// Returns the request by which an admin restores the right, if it needs one.
    fn restoration(self, subject: Uuid, room: Uuid, by: &Token) -> Option<Request<'_>> {
        match self {
            Self::Ban => Some(request(RightsChange::Unban, subject, by)),
            Self::Mute => Some(request(RightsChange::Unmute, subject, by)),
            Self::Demotion => Some(request(RightsChange::Promote, subject, by)),
            Self::Archive => Some(request(RightsChange::Restore, room, by)),
            Self::LogOut | Self::PasswordChange => None,
        }
    }

    /// Returns whether an event of the stream shows the revocation.
    fn is_shown_by(self, name: &str, data: &str) -> bool {
        match self {
            Self::Ban | Self::LogOut | Self::PasswordChange => name == "bye" && data.contains("revoked"),
            // The event of a previous restoration may arrive late.
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

/// Revokes a right on one instance and restores it. Returns the delays at each of the others.
pub async fn perform_trial(env: &Arc<Environment>, kind: Kind, number: usize) -> anyhow::Result<Vec<Delays>> {
    let victim = Arc::clone(kind.victim(env));
    // Archives have a separate room, since they affect all other kinds.
    let (archived, others) = env.rooms.split_last().context("there are no rooms")?;
    let room = if kind == Kind::Archive { *archived } else { others[number % others.len()] };
    let instance = number % INSTANCES;
    let token = sign_in(env, &victim).await?;
    let by = match kind {
        Kind::LogOut => token.clone(),
        // A password change ends all other sessions.
        Kind::PasswordChange => sign_in(env, &victim).await?,
        _ => env.moderator.token(env).await.context("the moderator has no token")?,
    };

    let mut observers = JoinSet::new();
    for other in (0..INSTANCES).filter(|other| *other != instance) {
        let query = format!("room={room}&access_token={}", token.access);
        let mut stream = env
            .open_stream(other, &query)
            .await
            .map_err(|refused| anyhow::anyhow!("the victim's stream was refused: {refused:?}"))?;
        stream.next().await.context("the stream ended before its greeting")?;
        wait_until_granted(env, kind, &victim, room, &token, other).await?;
        let (env, victim, token) = (Arc::clone(env), Arc::clone(&victim), token.clone());
        observers.spawn(async move {
            let (stream, refusal) = tokio::join!(
                tokio::time::timeout(GIVE_UP, wait_for_event(&env, kind, stream)),
                tokio::time::timeout(GIVE_UP, wait_for_refusal(&env, kind, &victim, room, &token, other)),
            );
            // Without an effect, the delay is the time until now.
            let now = env.history.now();
            (stream.unwrap_or(now), refusal.unwrap_or(now))
        });
    }

    let sent = env.history.now();
    let answer = env.ask(instance, &kind.revocation(victim.id, room, &by)).await?;
    ensure!(answer.is_success(), "the revocation was answered with {}", answer.status);
    let times = observers.join_all().await;
    if let Some(request) = kind.restoration(victim.id, room, &by) {
        let answer = env.ask(instance, &request).await?;
        ensure!(answer.is_success(), "the restoration was answered with {}", answer.status);
    }
    let since = |at: Micros| at.saturating_sub(sent).max(1);
    Ok(times.into_iter().map(|(stream, refusal)| Delays { stream: since(stream), refusal: since(refusal) }).collect())
}

/// Creates a new session; retries while an instance has not applied the previous restoration.
async fn sign_in(env: &Environment, account: &Account) -> anyhow::Result<Token> {
    for _ in 0..100 {
        if let Some(token) = account.sign_in(env).await {
            return Ok(token);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{} cannot sign in", account.name)
}

/// Waits until the stream shows the revocation; an end of the stream without `bye` does not.
async fn wait_for_event(env: &Environment, kind: Kind, mut stream: EventStream) -> Micros {
    while let Ok(event) = stream.next().await {
        if kind.is_shown_by(&event.name, &event.data) {
            return env.history.now();
        }
    }
    std::future::pending().await
}

/// Waits until an instance, which may not have applied the previous restoration, grants the right.
async fn wait_until_granted(
    env: &Environment,
    kind: Kind,
    victim: &Account,
    room: Uuid,
    token: &Token,
    on: usize,
) -> anyhow::Result<()> {
    for _ in 0..100 {
        if matches!(use_right(env, kind, victim, room, token, on).await, 200..=299) {
            return Ok(());
        }
        tokio::time::sleep(REQUEST_EVERY).await;
    }
    bail!("instance {on} does not grant the right")
}

async fn wait_for_refusal(
    env: &Environment,
    kind: Kind,
    victim: &Account,
    room: Uuid,
    token: &Token,
    on: usize,
) -> Micros {
    while !kind.is_refusal(use_right(env, kind, victim, room, token, on).await) {
        tokio::time::sleep(REQUEST_EVERY).await;
    }
    env.history.now()
}

/// Sends a request that needs the right; returns its status, or 0 if there was no answer.
async fn use_right(env: &Environment, kind: Kind, victim: &Account, room: Uuid, token: &Token, on: usize) -> u16 {
    let path = match kind {
        Kind::Mute | Kind::Archive => {
            let connection = &mut None;
            return post(env, victim, room, &token.access, on, connection).await.status;
        }
        Kind::Demotion => "/users?limit=1",
        Kind::Ban | Kind::LogOut | Kind::PasswordChange => "/users/me",
    };
    env.status(on, &Request::get(path).by(&token.access)).await
}

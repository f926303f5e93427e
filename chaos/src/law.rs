//! What admins do to rooms and people while everything else goes on; and who tries to get round it.

use std::sync::Arc;
use std::time::Duration;

use gapless_client::http::{Body, Request};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::authors::marks_in;
use crate::history::{Record, Ruling};
use crate::schedule::INSTANCES;
use crate::stage::{DEPUTIES, Person, Phase, Stage, Token};

/// How long a ruling is tried.
const GIVE_UP: Duration = Duration::from_secs(20);
/// How long a right that was taken is tried, and how often.
const PROBED_FOR: Duration = Duration::from_millis(2500);
const PROBED_EVERY: Duration = Duration::from_millis(60);

/// Archives a room and restores it, until the storm is over; it is restored in the end.
pub async fn contest(stage: Arc<Stage>, room: Uuid) {
    let mut dice = stage.dice();
    while stage.phase() == Phase::Storm {
        let pause = Duration::from_millis(dice.random_range(800..3500));
        stage.sleep(pause).await;
        if rule(&stage, &mut dice, Ruling::Archive, room).await {
            let pause = Duration::from_millis(dice.random_range(300..2000));
            stage.sleep(pause).await;
        }
        rule(&stage, &mut dice, Ruling::Restore, room).await;
    }
}

/// Takes a victim's rights away and gives them back, until the storm is over.
pub async fn judge(stage: Arc<Stage>, place: usize) {
    let mut dice = stage.dice();
    let victim = Arc::clone(&stage.victims[place]);
    let is_deputy = place < DEPUTIES;
    while stage.phase() == Phase::Storm {
        // Rights are timed when all is whole; now and then they are taken in a storm.
        let pause = Duration::from_millis(dice.random_range(700..2200));
        stage.sleep(pause).await;
        if !stage.active_faults.none_for(&stage.history, 500_000) && !dice.random_bool(0.15) {
            continue;
        }
        let Some(token) = victim.token(&stage).await else { continue };
        if is_deputy {
            if rule(&stage, &mut dice, Ruling::Demote, victim.id).await {
                probe(&stage, &token, "/users?limit=1").await;
            }
            rule(&stage, &mut dice, Ruling::Promote, victim.id).await;
            continue;
        }
        let ruling = *[Ruling::Ban, Ruling::EndSessions, Ruling::LogOut].choose(&mut dice).expect("three");
        let done = match ruling {
            Ruling::LogOut => log_out(&stage, &mut dice, &victim, &token).await,
            _ => rule(&stage, &mut dice, ruling, victim.id).await,
        };
        victim.forget(token.session).await;
        if done {
            probe(&stage, &token, "/users/me").await;
        }
        if ruling == Ruling::Ban {
            rule(&stage, &mut dice, Ruling::Unban, victim.id).await;
        }
    }
    // Whatever was given up in a storm, everybody is to hear the end.
    rule(&stage, &mut dice, if is_deputy { Ruling::Promote } else { Ruling::Unban }, victim.id).await;
}

/// Answers whether it was done for certain.
async fn rule(stage: &Stage, dice: &mut StdRng, ruling: Ruling, subject: Uuid) -> bool {
    let (method, path, body) = match ruling {
        Ruling::Ban => ("POST", format!("/users/{subject}/ban"), json!({ "reason": "chaos" })),
        Ruling::Unban => ("POST", format!("/users/{subject}/unban"), json!({})),
        Ruling::EndSessions => ("POST", format!("/users/{subject}/end-sessions"), json!({})),
        Ruling::Demote => ("PATCH", format!("/users/{subject}"), json!({ "role": "user" })),
        Ruling::Promote => ("PATCH", format!("/users/{subject}"), json!({ "role": "admin" })),
        Ruling::Archive => ("POST", format!("/rooms/{subject}/archive"), json!({})),
        Ruling::Restore => ("POST", format!("/rooms/{subject}/restore"), json!({})),
        Ruling::LogOut => unreachable!("nobody logs somebody else out"),
    };
    let has_body = matches!(ruling, Ruling::Ban | Ruling::Demote | Ruling::Promote);
    let body = if has_body { Body::Json(body) } else { Body::None };
    let began = Instant::now();
    while began.elapsed() < GIVE_UP {
        if let Some(token) = stage.judge.token(stage).await {
            let request = Request { method, path: path.clone(), token: Some(&token.access), body: body.clone() };
            let status = attempt(stage, dice, ruling, subject, &request).await;
            match status {
                200..=299 => return true,
                401 => stage.judge.forget(token.session).await,
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn log_out(stage: &Stage, dice: &mut StdRng, victim: &Person, token: &Token) -> bool {
    let began = Instant::now();
    while began.elapsed() < GIVE_UP {
        let request = Request::post("/auth/logout", json!({ "refresh_token": &*token.refresh })).by(&token.access);
        match attempt(stage, dice, Ruling::LogOut, victim.id, &request).await {
            // A repeat of a sign-out whose answer was lost finds its token gone.
            200..=299 | 401 => return true,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    false
}

async fn attempt(stage: &Stage, dice: &mut StdRng, ruling: Ruling, subject: Uuid, request: &Request<'_>) -> u16 {
    let began = stage.history.now();
    let instance = dice.random_range(0..INSTANCES);
    let status = stage.ask(instance, request).await.map_or(0, |answer| answer.status);
    stage.history.record(Record::Law { began, at: stage.history.now(), ruling, subject, status });
    status
}

/// Tries a right that was taken on every instance, until each has refused.
async fn probe(stage: &Arc<Stage>, token: &Token, path: &'static str) {
    let mut probes = JoinSet::new();
    for instance in 0..INSTANCES {
        let (stage, token) = (Arc::clone(stage), token.clone());
        probes.spawn(async move {
            let first = Instant::now();
            while first.elapsed() < PROBED_FOR {
                let began = stage.history.now();
                let request = Request::get(path).by(&token.access);
                let status = stage.ask(instance, &request).await.map_or(0, |answer| answer.status);
                let at = stage.history.now();
                stage.history.record(Record::Probe { began, at, instance, session: token.session, status });
                if matches!(status, 401 | 403) {
                    return;
                }
                tokio::time::sleep(PROBED_EVERY).await;
            }
        });
    }
    probes.join_all().await;
}

/// Reads whatever a person may read, and looks for other people's mail in it.
pub async fn pry(stage: Arc<Stage>) {
    let mut dice = stage.dice();
    while stage.phase() == Phase::Storm {
        let pause = Duration::from_millis(dice.random_range(100..500));
        stage.sleep(pause).await;
        let people: Vec<_> = stage.tabbed.iter().chain(&stage.authors).chain(&stage.admins).collect();
        let person = *people.choose(&mut dice).expect("there are people");
        let Some(token) = person.token(&stage).await else { continue };
        let path = match dice.random_range(0..5) {
            0 => "/direct-messages?limit=200".to_owned(),
            1 => "/direct-messages/conversations".to_owned(),
            2 => format!("/messages?room_id={}&limit=50", stage.rooms.choose(&mut dice).expect("there are rooms")),
            3 => "/rooms".to_owned(),
            _ => {
                let other = people.choose(&mut dice).expect("there are people").id;
                format!("/direct-messages?with={other}")
            }
        };
        let Ok(answer) = stage.ask(dice.random_range(0..INSTANCES), &Request::get(&path).by(&token.access)).await
        else {
            continue;
        };
        for (sender, recipient) in marks_in(&String::from_utf8_lossy(&answer.body)) {
            if person.id != sender && person.id != recipient {
                let (at, user) = (stage.history.now(), Some(person.id));
                stage.history.record(Record::Leak { at, user, path: path.clone(), sender, recipient });
            }
        }
    }
}

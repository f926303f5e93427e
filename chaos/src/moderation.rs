//! Simulated moderation: rooms are archived and restored, rights are taken away and given back, and removed rights
//! and private data are requested.

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

use crate::environment::{ADMIN_VICTIMS, Account, Environment, Phase, Token};
use crate::history::{Record, RightsChange};
use crate::schedule::INSTANCES;
use crate::submit::record_leaks;

/// Time for which a change is retried.
const GIVE_UP: Duration = Duration::from_secs(20);
/// Time for which a removed right is requested, and the interval.
const PROBE_FOR: Duration = Duration::from_millis(2500);
const PROBE_EVERY: Duration = Duration::from_millis(60);

/// Archives and restores a room until the phase of faults is over; the room is restored in the end.
pub async fn archive_and_restore(env: Arc<Environment>, room: Uuid) {
    let mut rng = env.rng();
    while env.phase() == Phase::Faults {
        let pause = Duration::from_millis(rng.random_range(800..3500));
        env.sleep(pause).await;
        if apply(&env, &mut rng, RightsChange::Archive, room).await {
            let pause = Duration::from_millis(rng.random_range(300..2000));
            env.sleep(pause).await;
        }
        apply(&env, &mut rng, RightsChange::Restore, room).await;
    }
}

/// Takes a victim's rights away and gives them back until the phase of faults is over.
pub async fn revoke_and_restore(env: Arc<Environment>, number: usize) {
    let mut rng = env.rng();
    let victim = Arc::clone(&env.victims[number]);
    let is_admin = number < ADMIN_VICTIMS;
    while env.phase() == Phase::Faults {
        // Revocations are timed only without faults, so most of them happen then.
        let pause = Duration::from_millis(rng.random_range(700..2200));
        env.sleep(pause).await;
        if !env.active_faults.none_for(&env.history, 500_000) && !rng.random_bool(0.15) {
            continue;
        }
        let Some(token) = victim.token(&env).await else { continue };
        if is_admin {
            if apply(&env, &mut rng, RightsChange::Demote, victim.id).await {
                probe(&env, &token, "/users?limit=1").await;
            }
            apply(&env, &mut rng, RightsChange::Promote, victim.id).await;
            continue;
        }
        let change =
            *[RightsChange::Ban, RightsChange::EndSessions, RightsChange::LogOut].choose(&mut rng).expect("three");
        let done = match change {
            RightsChange::LogOut => log_out(&env, &mut rng, &victim, &token).await,
            _ => apply(&env, &mut rng, change, victim.id).await,
        };
        victim.forget(token.session).await;
        if done {
            probe(&env, &token, "/users/me").await;
        }
        if change == RightsChange::Ban {
            apply(&env, &mut rng, RightsChange::Unban, victim.id).await;
        }
    }
    // An earlier attempt may have failed; the victim's readers must reach the end of the log.
    apply(&env, &mut rng, if is_admin { RightsChange::Promote } else { RightsChange::Unban }, victim.id).await;
}

/// Returns the request for a change; `subject` is a user or a room.
pub fn request(change: RightsChange, subject: Uuid, by: &Token) -> Request<'_> {
    let (method, path, body) = match change {
        RightsChange::Ban => ("POST", format!("/users/{subject}/ban"), Body::Json(json!({ "reason": "chaos" }))),
        RightsChange::Unban => ("POST", format!("/users/{subject}/unban"), Body::None),
        RightsChange::Mute => {
            let body = json!({ "seconds": 600, "reason": "chaos" });
            ("POST", format!("/users/{subject}/mute"), Body::Json(body))
        }
        RightsChange::Unmute => ("POST", format!("/users/{subject}/unmute"), Body::None),
        RightsChange::EndSessions => ("POST", format!("/users/{subject}/end-sessions"), Body::None),
        RightsChange::LogOut => ("POST", "/auth/logout".into(), Body::Json(json!({ "refresh_token": &*by.refresh }))),
        RightsChange::Demote => ("PATCH", format!("/users/{subject}"), Body::Json(json!({ "role": "user" }))),
        RightsChange::Promote => ("PATCH", format!("/users/{subject}"), Body::Json(json!({ "role": "admin" }))),
        RightsChange::Archive => ("POST", format!("/rooms/{subject}/archive"), Body::None),
        RightsChange::Restore => ("POST", format!("/rooms/{subject}/restore"), Body::None),
    };
    Request { method, path, token: Some(&by.access), body }
}

/// Retries a change as the moderator; returns whether it was acknowledged.
async fn apply(env: &Environment, rng: &mut StdRng, change: RightsChange, subject: Uuid) -> bool {
    let began = Instant::now();
    while began.elapsed() < GIVE_UP {
        if let Some(token) = env.moderator.token(env).await {
            match attempt(env, rng, change, subject, &token).await {
                200..=299 => return true,
                401 => env.moderator.forget(token.session).await,
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

async fn log_out(env: &Environment, rng: &mut StdRng, victim: &Account, token: &Token) -> bool {
    let began = Instant::now();
    while began.elapsed() < GIVE_UP {
        match attempt(env, rng, RightsChange::LogOut, victim.id, token).await {
            // 401: an earlier attempt, whose answer was lost, ended the session.
            200..=299 | 401 => return true,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    false
}

async fn attempt(env: &Environment, rng: &mut StdRng, change: RightsChange, subject: Uuid, by: &Token) -> u16 {
    let began = env.history.now();
    let instance = rng.random_range(0..INSTANCES);
    let status = env.status(instance, &request(change, subject, by)).await;
    env.history.record(Record::RightsChange { began, at: env.history.now(), change, subject, status });
    status
}

/// Requests `path` with a revoked token on every instance until each has refused.
async fn probe(env: &Arc<Environment>, token: &Token, path: &'static str) {
    let mut probes = JoinSet::new();
    for instance in 0..INSTANCES {
        let (env, token) = (Arc::clone(env), token.clone());
        probes.spawn(async move {
            let first = Instant::now();
            while first.elapsed() < PROBE_FOR {
                let began = env.history.now();
                let request = Request::get(path).by(&token.access);
                let status = env.status(instance, &request).await;
                let at = env.history.now();
                env.history.record(Record::Probe { began, at, instance, session: token.session, status });
                if matches!(status, 401 | 403) {
                    return;
                }
                tokio::time::sleep(PROBE_EVERY).await;
            }
        });
    }
    probes.join_all().await;
}

/// Requests the data that an account may read, and looks in it for direct messages between other users.
pub async fn look_for_leaks(env: Arc<Environment>) {
    let mut rng = env.rng();
    while env.phase() == Phase::Faults {
        let pause = Duration::from_millis(rng.random_range(100..500));
        env.sleep(pause).await;
        let accounts: Vec<_> = env.two_tab_users.iter().chain(&env.authors).chain(&env.admins).collect();
        let account = *accounts.choose(&mut rng).expect("there are accounts");
        let Some(token) = account.token(&env).await else { continue };
        let path = match rng.random_range(0..5) {
            0 => "/direct-messages?limit=200".to_owned(),
            1 => "/direct-messages/conversations".to_owned(),
            2 => format!("/messages?room_id={}&limit=50", env.rooms.choose(&mut rng).expect("there are rooms")),
            3 => "/rooms".to_owned(),
            _ => {
                let other = accounts.choose(&mut rng).expect("there are accounts").id;
                format!("/direct-messages?with={other}")
            }
        };
        let Ok(answer) = env.ask(rng.random_range(0..INSTANCES), &Request::get(&path).by(&token.access)).await else {
            continue;
        };
        record_leaks(&env, Some(account.id), &path, &String::from_utf8_lossy(&answer.body));
    }
}

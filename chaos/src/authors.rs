//! Simulated authors: messages, direct messages, edits, deletions, and some invalid input.
//!
//! An author retries until it knows the result of a submit, as a good client does: with the same `client_id`, on
//! any instance that answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gapless_client::http::{Body, Connection, Request};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::environment::{Account, Environment, Phase};
use crate::history::{Action, Record};
use crate::schedule::INSTANCES;
use crate::submit::{Submit, marker};

/// Shares of all submits: sent twice at once, invalid, edits, deletions.
const DUPLICATED: f64 = 0.05;
const INVALID: f64 = 0.02;
const EDITED: f64 = 0.03;
const DELETED: f64 = 0.02;
/// Share of posts to the rooms that are archived and restored meanwhile.
const CONTESTED: f64 = 0.2;
/// An author stops retrying after this time; the result of the submit is then unknown.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Number of recent messages from which an author chooses one to edit or delete.
const RECENT: usize = 50;

/// See the [module](self).
pub struct Author {
    env: Arc<Environment>,
    account: Arc<Account>,
    rng: StdRng,
    connections: [Option<Connection>; INSTANCES],
    /// The author's own messages that may be edited or deleted.
    recent: VecDeque<Uuid>,
}

impl Author {
    pub fn new(env: Arc<Environment>, account: Arc<Account>) -> Self {
        let rng = env.rng();
        Self { env, account, rng, connections: [const { None }; INSTANCES], recent: VecDeque::new() }
    }

    /// Posts, edits and deletes messages in rooms until the phase of faults is over.
    pub async fn write_in_rooms(mut self) {
        let authors = f64::from(u32::try_from(self.env.authors.len()).expect("few"));
        let pause = Duration::from_secs_f64(authors / self.env.workload.rate);
        let mut due = Instant::now();
        while self.env.phase() == Phase::Faults {
            // A late author shortens its next pause, but does not send everything that an outage prevented.
            due = (due + pause.mul_f64(self.rng.random_range(0.2..1.8))).max(Instant::now() - pause);
            tokio::time::sleep_until(due).await;
            let roll: f64 = self.rng.random();
            if roll < INVALID {
                self.send_invalid_input().await;
            } else if roll < INVALID + EDITED + DELETED
                && let Some(&message) = self.recent.iter().collect::<Vec<_>>().choose(&mut self.rng)
            {
                let message = *message;
                let action = if roll < INVALID + EDITED { Action::Edit } else { Action::Delete };
                self.submit(action, message).await;
                if action == Action::Delete {
                    self.recent.retain(|other| *other != message);
                }
            } else {
                let contested = self.rng.random_bool(CONTESTED);
                let rooms = if contested { self.env.contested_rooms() } else { &self.env.rooms };
                let room = *rooms.choose(&mut self.rng).expect("there are rooms");
                if let Some(message) = self.submit(Action::Post, room).await {
                    self.recent.push_back(message);
                    if self.recent.len() > RECENT {
                        self.recent.pop_front();
                    }
                }
            }
        }
    }

    /// Sends direct messages to the users with two tabs until the phase of faults is over.
    pub async fn write_direct_messages(mut self) {
        while self.env.phase() == Phase::Faults {
            let pause = Duration::from_millis(self.rng.random_range(200..1000));
            self.env.sleep(pause).await;
            let recipient = self.env.two_tab_users.choose(&mut self.rng).expect("there are some").id;
            self.submit(Action::Direct, recipient).await;
        }
    }

    /// Retries a submit until it is accepted or rejected. Returns the message's id.
    async fn submit(&mut self, action: Action, target: Uuid) -> Option<Uuid> {
        let number = self.env.next_submit();
        let body = self.body(action, target, number);
        let client_id = Uuid::now_v7();
        let submit = Submit { number, action, target, client_id, body };
        submit.record(&self.env, self.account.id);
        let began = Instant::now();
        let mut duplicate = matches!(action, Action::Post | Action::Direct) && self.rng.random_bool(DUPLICATED);
        while began.elapsed() < GIVE_UP {
            let Some(token) = self.account.token(&self.env).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let instance = self.env.choose_instance(&mut self.rng);
            let attempt = if std::mem::take(&mut duplicate) {
                let other = (instance + 1) % INSTANCES;
                let (mut here, mut there) = (self.connections[instance].take(), self.connections[other].take());
                let (first, second) = tokio::join!(
                    submit.attempt(&self.env, &token.access, instance, &mut here),
                    submit.attempt(&self.env, &token.access, other, &mut there)
                );
                self.connections[instance] = here;
                self.connections[other] = there;
                if first.is_success() { first } else { second }
            } else {
                submit.attempt(&self.env, &token.access, instance, &mut self.connections[instance]).await
            };
            match attempt.status {
                200..=299 => return attempt.message,
                401 => self.account.forget(token.session).await,
                400..=499 => return None,
                _ => {}
            }
            let pause = self.rng.random_range(20..300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        None
    }

    /// Returns a body that no other message has; that of a direct message begins with its marker.
    fn body(&mut self, action: Action, target: Uuid, number: u64) -> String {
        const WORDS: [&str; 8] = ["good", "morning", "🦀", "naïve", "line\nbreak", "עברית", "{\"a\":1}", "data: x"];
        let length = if self.rng.random_bool(0.01) { 500 } else { self.rng.random_range(1..12) };
        let words: Vec<&str> = (0..length).map(|_| *WORDS.choose(&mut self.rng).expect("there are words")).collect();
        let is_direct = action == Action::Direct;
        let marker = if is_direct { format!("{} ", marker(self.account.id, target)) } else { String::new() };
        format!("{marker}s{number} {}", words.join(" "))
    }

    /// Sends a request that must be rejected under any fault.
    async fn send_invalid_input(&mut self) {
        let Some(token) = self.account.token(&self.env).await else { return };
        let room = self.env.rooms[0];
        let long = "x".repeat(4_001);
        let (what, body) = match self.rng.random_range(0..7) {
            0 => ("no body", Body::Json(json!({ "room_id": room }))),
            1 => ("an empty body", Body::Json(json!({ "room_id": room, "body": " \n " }))),
            2 => ("too long", Body::Json(json!({ "room_id": room, "body": long }))),
            3 => ("an unknown field", Body::Json(json!({ "room_id": room, "body": "x", "colour": 1 }))),
            4 => ("a NUL", Body::Json(json!({ "room_id": room, "body": "a\u{0}b" }))),
            5 => ("no JSON", Body::Raw("{\"room_id\": ")),
            _ => ("an unknown room", Body::Json(json!({ "room_id": Uuid::nil(), "body": "x" }))),
        };
        let instance = self.env.choose_instance(&mut self.rng);
        let request = Request { method: "POST", path: "/messages".into(), token: Some(&token.access), body };
        let status = self.env.status(instance, &request).await;
        let at = self.env.history.now();
        self.env.history.record(Record::InvalidInput { at, instance, what: what.to_owned(), status });
    }
}

//! Those who write: messages, direct messages, edits, deletions, and some nonsense.
//!
//! An author tries until it is told what became of a submit, as a good client does: under the same `client_id`, on
//! whichever instance answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gapless_client::http::{Answer, Body, Connection, Request, ask_over};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::history::{Deed, Record};
use crate::schedule::INSTANCES;
use crate::stage::{PATIENCE, Person, Phase, Stage, Token};

/// Of a hundred submits: sent twice at once, nonsense, edits, deletions.
const DOUBLED: f64 = 0.05;
const BAD: f64 = 0.02;
const EDITED: f64 = 0.03;
const DELETED: f64 = 0.02;
/// Contested rooms are hammered while they are archived and restored.
const CONTESTED: f64 = 0.2;
/// After this long an author gives up, and what became of the submit is not known.
const GIVE_UP: Duration = Duration::from_secs(30);
/// An author changes only what they wrote of late.
const REMEMBERED: usize = 50;

#[derive(Deserialize)]
struct Numbers {
    id: Uuid,
    pos: i64,
    #[serde(default)]
    seq: Option<i64>,
}

/// What is to be done, once.
#[derive(Debug, Clone)]
struct Submit {
    number: u64,
    deed: Deed,
    target: Uuid,
    client_id: Uuid,
    body: String,
}

impl Submit {
    fn request<'a>(&self, token: &'a str) -> Request<'a> {
        let Self { target, client_id, body, .. } = self;
        let (method, path, body) = match self.deed {
            Deed::Post => {
                ("POST", "/messages".into(), json!({ "room_id": target, "body": body, "client_id": client_id }))
            }
            Deed::Direct => (
                "POST",
                "/direct-messages".into(),
                json!({ "recipient_id": target, "body": body, "client_id": client_id }),
            ),
            Deed::Edit => ("PATCH", format!("/messages/{target}"), json!({ "body": body })),
            Deed::Delete => {
                return Request {
                    method: "DELETE",
                    path: format!("/messages/{target}"),
                    token: Some(token),
                    body: Body::None,
                };
            }
        };
        Request { method, path, token: Some(token), body: Body::Json(body) }
    }
}

/// How an attempt ended.
enum Tried {
    Done(Option<Uuid>),
    /// For good.
    Refused,
    /// The token does not hold.
    Unauthorized,
    /// Not now, or nobody knows.
    Again,
}

/// See the [module](self).
pub struct Author {
    stage: Arc<Stage>,
    person: Arc<Person>,
    dice: StdRng,
    connections: [Option<Connection>; INSTANCES],
    /// Own messages that may be changed.
    recent: VecDeque<Uuid>,
}

impl Author {
    pub fn new(stage: Arc<Stage>, person: Arc<Person>) -> Self {
        let dice = stage.dice();
        Self { stage, person, dice, connections: [const { None }; INSTANCES], recent: VecDeque::new() }
    }

    /// Posts into rooms until the storm is over.
    pub async fn write(mut self) {
        let authors = f64::from(u32::try_from(self.stage.authors.len()).expect("few"));
        let pause = Duration::from_secs_f64(authors / self.stage.cast.rate);
        let mut due = Instant::now();
        while self.stage.phase() == Phase::Storm {
            // Late for the next one, an author hurries, but does not make up for what an outage took.
            due = (due + pause.mul_f64(self.dice.random_range(0.2..1.8))).max(Instant::now() - pause);
            tokio::time::sleep_until(due).await;
            let roll: f64 = self.dice.random();
            if roll < BAD {
                self.send_nonsense().await;
            } else if roll < BAD + EDITED + DELETED
                && let Some(&message) = self.recent.iter().collect::<Vec<_>>().choose(&mut self.dice)
            {
                let message = *message;
                let deed = if roll < BAD + EDITED { Deed::Edit } else { Deed::Delete };
                self.submit(deed, message).await;
                if deed == Deed::Delete {
                    self.recent.retain(|other| *other != message);
                }
            } else {
                let contested = self.dice.random_bool(CONTESTED);
                let rooms = if contested { self.stage.contested_rooms() } else { &self.stage.rooms };
                let room = *rooms.choose(&mut self.dice).expect("there are rooms");
                if let Some(message) = self.submit(Deed::Post, room).await {
                    self.recent.push_back(message);
                    if self.recent.len() > REMEMBERED {
                        self.recent.pop_front();
                    }
                }
            }
        }
    }

    /// Writes direct messages to those who have two tabs open.
    pub async fn whisper(mut self) {
        while self.stage.phase() == Phase::Storm {
            let pause = Duration::from_millis(self.dice.random_range(200..1000));
            self.stage.sleep(pause).await;
            let to = self.stage.tabbed.choose(&mut self.dice).expect("there are some").id;
            self.submit(Deed::Direct, to).await;
        }
    }

    /// Tries until it is done or refused. Answers the message's id.
    async fn submit(&mut self, deed: Deed, target: Uuid) -> Option<Uuid> {
        let number = self.stage.next_submit();
        let body = self.body(deed, target, number);
        let client_id = Uuid::now_v7();
        let submit = Submit { number, deed, target, client_id, body };
        let at = self.stage.history.now();
        let user = self.person.id;
        self.stage.history.record(Record::Submit {
            at,
            submit: number,
            deed,
            user,
            target,
            client_id,
            body: submit.body.clone(),
        });
        let began = Instant::now();
        let mut doubled = matches!(deed, Deed::Post | Deed::Direct) && self.dice.random_bool(DOUBLED);
        while began.elapsed() < GIVE_UP {
            let Some(token) = self.person.token(&self.stage).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let instance = self.stage.choose_instance(&mut self.dice);
            let tried = if std::mem::take(&mut doubled) {
                let other = (instance + 1) % INSTANCES;
                let (mut here, mut there) = (self.connections[instance].take(), self.connections[other].take());
                let (first, second) = tokio::join!(
                    attempt(&self.stage, &submit, &token, instance, &mut here),
                    attempt(&self.stage, &submit, &token, other, &mut there)
                );
                self.connections[instance] = here;
                self.connections[other] = there;
                if matches!(first, Tried::Done(_)) { first } else { second }
            } else {
                attempt(&self.stage, &submit, &token, instance, &mut self.connections[instance]).await
            };
            match tried {
                Tried::Done(message) => return message,
                Tried::Refused => return None,
                Tried::Unauthorized => self.person.forget(token.session).await,
                Tried::Again => {}
            }
            let pause = self.dice.random_range(20..300);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        None
    }

    /// Never written before; a direct message's names those who may read it.
    fn body(&mut self, deed: Deed, target: Uuid, number: u64) -> String {
        const WORDS: [&str; 8] = ["good", "morning", "🦀", "naïve", "line\nbreak", "עברית", "{\"a\":1}", "data: x"];
        let length = if self.dice.random_bool(0.01) { 500 } else { self.dice.random_range(1..12) };
        let words: Vec<&str> = (0..length).map(|_| *WORDS.choose(&mut self.dice).expect("there are words")).collect();
        let mark = if deed == Deed::Direct { format!("{} ", mark_of(self.person.id, target)) } else { String::new() };
        format!("{mark}s{number} {}", words.join(" "))
    }

    /// What must be refused, whatever else is broken.
    async fn send_nonsense(&mut self) {
        let Some(token) = self.person.token(&self.stage).await else { return };
        let room = self.stage.rooms[0];
        let long = "x".repeat(4_001);
        let (what, body) = match self.dice.random_range(0..7) {
            0 => ("no body", Body::Json(json!({ "room_id": room }))),
            1 => ("an empty body", Body::Json(json!({ "room_id": room, "body": " \n " }))),
            2 => ("too long", Body::Json(json!({ "room_id": room, "body": long }))),
            3 => ("an unknown field", Body::Json(json!({ "room_id": room, "body": "x", "colour": 1 }))),
            4 => ("a NUL", Body::Json(json!({ "room_id": room, "body": "a\u{0}b" }))),
            5 => ("no JSON", Body::Raw("{\"room_id\": ")),
            _ => ("an unknown room", Body::Json(json!({ "room_id": Uuid::nil(), "body": "x" }))),
        };
        let instance = self.stage.choose_instance(&mut self.dice);
        let request = Request { method: "POST", path: "/messages".into(), token: Some(&token.access), body };
        let status = self.stage.ask(instance, &request).await.map_or(0, |answer| answer.status);
        let at = self.stage.history.now();
        self.stage.history.record(Record::Bad { at, instance, what: what.to_owned(), status });
    }
}

/// What every direct message begins with: whoever else sees it has read somebody's mail.
pub fn mark_of(sender: Uuid, recipient: Uuid) -> String {
    format!("dm:{}:{}", sender.simple(), recipient.simple())
}

/// The marks in a text.
pub fn marks_in(text: &str) -> impl Iterator<Item = (Uuid, Uuid)> {
    text.match_indices("dm:").filter_map(|(place, _)| {
        let mark = text.get(place + 3..place + 3 + 65)?;
        let (sender, recipient) = mark.split_once(':')?;
        Some((sender.parse().ok()?, recipient.parse().ok()?))
    })
}

/// One attempt at an instance, over the connection kept to it.
async fn attempt(
    stage: &Stage,
    submit: &Submit,
    token: &Token,
    instance: usize,
    kept: &mut Option<Connection>,
) -> Tried {
    let began = stage.history.now();
    let request = submit.request(&token.access);
    let address = stage.cluster.instances[instance].posts.address;
    let asking = ask_over(kept, address, &request);
    let answer = tokio::time::timeout(PATIENCE, asking).await.ok().and_then(Result::ok);
    let numbers = answer.as_ref().filter(|answer| answer.is_success()).and_then(|answer| answer.json::<Numbers>().ok());
    stage.history.record(Record::Answer {
        began,
        at: stage.history.now(),
        submit: submit.number,
        instance,
        status: answer.as_ref().map_or(0, |answer| answer.status),
        id: numbers.as_ref().map(|numbers| numbers.id),
        pos: numbers.as_ref().map(|numbers| numbers.pos),
        seq: numbers.as_ref().and_then(|numbers| numbers.seq),
    });
    match answer {
        Some(answer) if answer.is_success() => Tried::Done(numbers.map(|numbers| numbers.id)),
        Some(Answer { status: 401, .. }) => Tried::Unauthorized,
        Some(Answer { status: 400..=499, .. }) => Tried::Refused,
        _ => Tried::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_anything() {
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        let text = format!("{{\"body\":\"{} s1 dm:no\"}} dm:", mark_of(a, b));
        assert_eq!(marks_in(&text).collect::<Vec<_>>(), [(a, b)]);
    }
}

//! Submits: requests that create, edit or delete a message, each attempt of which is recorded in the history.

use std::fmt::Display;

use gapless_client::http::{Body, Connection, Request, ask_over};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::environment::{Environment, REQUEST_TIMEOUT};
use crate::history::{Action, Record};

/// One submit; retries repeat it with the same `client_id`.
#[derive(Debug, Clone)]
pub struct Submit {
    pub number: u64,
    pub action: Action,
    /// The room, recipient or message.
    pub target: Uuid,
    pub client_id: Uuid,
    pub body: String,
}

/// Result of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// 0: no answer.
    pub status: u16,
    /// The answer has `Retry-After`.
    pub retry_after: bool,
    pub message: Option<Uuid>,
}

#[derive(Deserialize)]
struct Accepted {
    id: Uuid,
    pos: i64,
    /// Direct messages have none.
    #[serde(default)]
    seq: Option<i64>,
}

impl Attempt {
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Submit {
    /// Records the submit before its first attempt.
    pub fn record(&self, env: &Environment, user: Uuid) {
        let Self { number, action, target, client_id, ref body } = *self;
        let (at, body) = (env.history.now(), body.clone());
        env.history.record(Record::Submit { at, submit: number, action, user, target, client_id, body });
    }

    /// Sends the submit once to an instance, over the connection kept to it, and records the answer.
    pub async fn attempt(
        &self,
        env: &Environment,
        access: &str,
        instance: usize,
        kept: &mut Option<Connection>,
    ) -> Attempt {
        let began = env.history.now();
        let request = self.request(access);
        let asking = ask_over(kept, env.cluster.instances[instance].requests.address, &request);
        let answer = tokio::time::timeout(REQUEST_TIMEOUT, asking).await.ok().and_then(Result::ok);
        let accepted = answer.as_ref().filter(|answer| answer.is_success()).and_then(|answer| answer.json().ok());
        let (id, pos, seq) =
            accepted.map_or_else(Default::default, |Accepted { id, pos, seq }| (Some(id), Some(pos), seq));
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let at = env.history.now();
        env.history.record(Record::Answer { began, at, submit: self.number, instance, status, id, pos, seq });
        Attempt { status, retry_after: answer.is_some_and(|answer| answer.retry_after), message: id }
    }

    fn request<'a>(&self, token: &'a str) -> Request<'a> {
        let Self { target, client_id, body, .. } = self;
        let (method, path, body) = match self.action {
            Action::Post => {
                let body = json!({ "room_id": target, "body": body, "client_id": client_id });
                ("POST", "/messages".into(), Body::Json(body))
            }
            Action::Direct => {
                let body = json!({ "recipient_id": target, "body": body, "client_id": client_id });
                ("POST", "/direct-messages".into(), Body::Json(body))
            }
            Action::Edit => ("PATCH", format!("/messages/{target}"), Body::Json(json!({ "body": body }))),
            Action::Delete => ("DELETE", format!("/messages/{target}"), Body::None),
        };
        Request { method, path, token: Some(token), body }
    }
}

/// Returns the marker at the beginning of a direct message's body: a response to a third user must not contain it.
pub fn marker(sender: Uuid, recipient: Uuid) -> String {
    format!("dm:{}:{}", sender.simple(), recipient.simple())
}

/// Records each direct message in `text`, a response to `user`, that is between other users.
pub fn record_leaks(env: &Environment, user: Option<Uuid>, path: impl Display, text: &str) {
    for (sender, recipient) in markers_in(text) {
        if user != Some(sender) && user != Some(recipient) {
            let at = env.history.now();
            env.history.record(Record::Leak { at, user, path: path.to_string(), sender, recipient });
        }
    }
}

/// Returns sender and recipient of each marker in a text.
fn markers_in(text: &str) -> impl Iterator<Item = (Uuid, Uuid)> {
    text.match_indices("dm:").filter_map(|(start, _)| {
        let marker = text.get(start + 3..start + 3 + 65)?;
        let (sender, recipient) = marker.split_once(':')?;
        Some((sender.parse().ok()?, recipient.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_found_anywhere_in_a_text() {
        let (a, b) = (Uuid::new_v4(), Uuid::new_v4());
        let text = format!("{{\"body\":\"{} s1 dm:no\"}} dm:", marker(a, b));
        assert_eq!(markers_in(&text).collect::<Vec<_>>(), [(a, b)]);
    }
}

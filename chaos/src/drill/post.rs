//! A message like any other, written down like any other, from somebody who does not try again.

use gapless_client::http::{Connection, Request, ask_over};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::history::{Deed, Record};
use crate::stage::{PATIENCE, Person, Stage};

#[derive(Deserialize)]
struct Numbers {
    id: Uuid,
    pos: i64,
    seq: i64,
}

/// Posts on an instance, over the connection kept to it. Answers the status (0 where there was no answer), and whether
/// it said when to come back.
pub async fn post(
    stage: &Stage,
    author: &Person,
    room: Uuid,
    access: &str,
    on: usize,
    kept: &mut Option<Connection>,
) -> (u16, bool) {
    let (submit, client_id) = (stage.next_submit(), Uuid::now_v7());
    let body = format!("s{submit} of a drill");
    let request = json!({ "room_id": room, "body": body, "client_id": client_id });
    let request = Request::post("/messages", request).by(access);
    let history = &stage.history;
    let began = history.now();
    let user = author.id;
    history.record(Record::Submit { at: began, submit, deed: Deed::Post, user, target: room, client_id, body });
    let asking = ask_over(kept, stage.cluster.instances[on].posts.address, &request);
    let answer = tokio::time::timeout(PATIENCE, asking).await.ok().and_then(Result::ok);
    let numbers = answer.as_ref().filter(|answer| answer.is_success()).and_then(|answer| answer.json::<Numbers>().ok());
    let status = answer.as_ref().map_or(0, |answer| answer.status);
    history.record(Record::Answer {
        began,
        at: history.now(),
        submit,
        instance: on,
        status,
        id: numbers.as_ref().map(|numbers| numbers.id),
        pos: numbers.as_ref().map(|numbers| numbers.pos),
        seq: numbers.as_ref().map(|numbers| numbers.seq),
    });
    (status, answer.is_some_and(|answer| answer.retry_after))
}

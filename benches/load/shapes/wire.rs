//! Bytes on the wire: one message in each format, and an hour of a room.

use std::time::Duration;

use serde_json::json;

use crate::Options;
use crate::http::Connection;
use crate::listener::Listener;
use crate::stage::Stage;
use crate::table::{Goal, Row, Table};

/// Length of the text of a message.
const TEXT_BYTES: usize = 180;
const TEXT: &str = "an ordinary message,";
const SECOND: Duration = Duration::from_secs(1);

pub fn wire(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let room = &stage.hot_room[0];
    let open = |more: &str| Listener::open(stage.server.address(), &format!("room={room}{more}"));
    let (mut json, mut compact) = (open("")?, open("&format=compact")?);
    let mut server = Connection::open(stage.server.address())?;
    let mut post = || {
        let body =
            json!({ "room_id": room, "body": TEXT.repeat(TEXT_BYTES / TEXT.len()), "client_id": uuid::Uuid::now_v7() });
        server.post("/messages", Some(&stage.accounts.users[0]), &body)?.success()
    };
    let (mut json_frame, mut compact_frame) = (0, 0);
    post()?;
    json.until(|frame| is_message(frame.event, frame.raw, &mut json_frame))?;
    compact.until(|frame| is_message(frame.event, frame.raw, &mut compact_frame))?;

    let (mut json_bytes, mut compact_bytes, mut seconds) = (0, 0, 0);
    while seconds < stage.phase.as_secs().max(1) {
        post()?;
        json_bytes += json.listen(SECOND / 2)?;
        compact_bytes += compact.listen(SECOND / 2)?;
        seconds += 1;
    }
    let megabytes_an_hour = |bytes: u64| bytes as f64 * 3_600.0 / seconds as f64 / 1e6;
    for (what, bytes, goal) in [
        ("one message of 180 B, compact", compact_frame, Goal::AtMost { good: 300.0, aim: 300.0 }),
        ("one message of 180 B, JSON", json_frame, Goal::None),
    ] {
        table.add(Row { shape: "wire", what, unit: "B", value: bytes as f64, baseline: None, goal });
    }
    table.add(Row {
        shape: "wire",
        what: "a message a second, compact",
        unit: "MB/h",
        value: megabytes_an_hour(compact_bytes),
        baseline: Some(megabytes_an_hour(json_bytes)),
        goal: Goal::None,
    });
    table.note("wire", format!("over {seconds} s, heartbeats and counts included; texts of {TEXT_BYTES} bytes"));
    Ok(())
}

/// Returns whether a frame is the message, and stores its length on the wire.
fn is_message(event: &[u8], raw: &[u8], length: &mut usize) -> bool {
    let is_message = matches!(event, b"" | b"message.posted");
    if is_message {
        *length = raw.len() + 1;
    }
    is_message
}

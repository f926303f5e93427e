//! Checks one reader's stream for missing, repeated and reordered messages.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::frame;
use gapless_client::frame::Frame;

/// The position of one reader in the log and in its room.
#[derive(Default)]
pub struct Follower {
    /// The newest event id, which a browser sends when it reconnects.
    cursor: Vec<u8>,
    pos: u64,
    next_seq: Option<u64>,
}

/// The meaning of a frame for the reader.
pub enum Heard {
    Hello,
    Message {
        number: u64,
    },
    /// The server ends the stream, with a reason.
    Bye(String),
    Other,
}

impl Follower {
    /// The newest event id; empty before the first.
    pub fn cursor(&self) -> &[u8] {
        &self.cursor
    }

    /// # Errors
    ///
    /// When the frame violates the guarantee of the stream: every event of the room once, in order of `pos`.
    pub fn hear(&mut self, frame: &Frame) -> anyhow::Result<Heard> {
        let durable = !matches!(frame.event, b"hello" | b"heartbeat");
        if let Some(id) = frame.id {
            let pos = frame::pos(id).context("an event id has no position")?;
            let ordered = if durable { pos > self.pos } else { pos >= self.pos };
            ensure!(ordered || self.cursor.is_empty(), "received pos {pos} after {}", self.pos);
            self.pos = pos;
            self.cursor.clear();
            self.cursor.extend_from_slice(id);
        }
        match frame.event {
            b"message.posted" | b"" => {
                let seq = frame::seq(frame).context("a message has no seq")?;
                let due = self.next_seq.context("a message arrived before hello")?;
                ensure!(seq == due, "expected seq {due}, received {seq}");
                self.next_seq = Some(due + 1);
                let number = frame::number(frame).context("a message was not sent by this benchmark")?;
                Ok(Heard::Message { number })
            }
            b"hello" => {
                let hello: Value = serde_json::from_slice(frame.data).context("hello is not JSON")?;
                if self.next_seq.is_none() {
                    let head = hello["rooms"][0]["head_seq"].as_u64().context("hello lacks the room's head")?;
                    self.next_seq = Some(head + 1);
                }
                Ok(Heard::Hello)
            }
            b"reset" => bail!("the stream was reset: {}", String::from_utf8_lossy(frame.data)),
            b"bye" => Ok(Heard::Bye(String::from_utf8_lossy(frame.data).into_owned())),
            _ => Ok(Heard::Other),
        }
    }
}

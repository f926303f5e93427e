//! What one reader believes about its stream, and the objections it raises.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::frame;
use gapless_client::frame::Frame;

/// The place of one reader in the log and in its room.
#[derive(Default)]
pub struct Follower {
    /// The newest event id, which is what a browser sends when it comes back.
    cursor: Vec<u8>,
    pos: u64,
    next_seq: Option<u64>,
}

/// What a frame was to the reader.
pub enum Heard {
    Hello,
    Message {
        number: u64,
    },
    /// The server ends the stream, for a reason it names.
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
    /// When the frame breaks the promise of the stream: every event of the room once, in order of `pos`.
    pub fn hear(&mut self, frame: &Frame) -> anyhow::Result<Heard> {
        let durable = !matches!(frame.event, b"hello" | b"heartbeat");
        if let Some(id) = frame.id {
            let pos = frame::pos(id).context("an event id has no position")?;
            let ordered = if durable { pos > self.pos } else { pos >= self.pos };
            ensure!(ordered || self.cursor.is_empty(), "pos {pos} came after {}", self.pos);
            self.pos = pos;
            self.cursor.clear();
            self.cursor.extend_from_slice(id);
        }
        match frame.event {
            b"message.posted" => {
                let seq = frame::seq(frame).context("a message has no seq")?;
                let due = self.next_seq.context("a message came before hello")?;
                ensure!(seq == due, "seq {seq} came where {due} was due");
                self.next_seq = Some(due + 1);
                let number = frame::number(frame).context("a message is not one of ours")?;
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

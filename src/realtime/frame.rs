//! Events as the bytes of a `text/event-stream` (WHATWG HTML, section 9.2).
//!
//! A frame is encoded once, and all its readers share the bytes. JSON escapes CR, LF and NUL, so `data` is always one
//! line, and text from a user cannot end a field or begin another.

use std::io::Write as _;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::cursor::Cursor;
use crate::event::{Author, Event, Online};
use crate::id::{Pos, RoomId, Seq};
use crate::store::events::{Compact, Redact, Removed};

/// Encodes a frame with an `id`, from which a reader can resume.
pub fn with_id(name: &str, epoch: &str, pos: Pos, data: &impl Serialize) -> Bytes {
    let mut frame = Vec::with_capacity(512);
    frame.extend_from_slice(format!("event: {name}\nid: {epoch}.{pos}\ndata: ").as_bytes());
    finish(frame, data)
}

/// Encodes a frame that does not change the position from which a reader resumes.
pub fn without_id(name: &str, data: &impl Serialize) -> Bytes {
    finish(format!("event: {name}\ndata: ").into_bytes(), data)
}

fn finish(mut frame: Vec<u8>, data: &impl Serialize) -> Bytes {
    serde_json::to_writer(&mut frame, data).expect("these types have string keys and write to memory");
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// Encodes a durable event; returns `None` if no client receives it.
pub fn of_event(epoch: &str, event: &Event) -> Option<Bytes> {
    let told = event.told.as_ref()?;
    Some(encoded(&told.name, epoch, event.pos, &told.data))
}

fn encoded(name: &str, epoch: &str, pos: Pos, data: &RawValue) -> Bytes {
    let data = data.get();
    let mut frame = Vec::with_capacity(64 + name.len() + data.len());
    write!(frame, "event: {name}\nid: {epoch}.{pos}\ndata: ").expect("writing to memory");
    frame.extend_from_slice(data.as_bytes());
    frame.extend_from_slice(b"\n\n");
    frame.into()
}

/// Returns the same frame without what was removed.
pub fn without(frame: &Bytes, redact: Redact, removed: Removed) -> Option<Bytes> {
    let (name, cursor, data) = fields(frame)?;
    Some(encoded(name, &cursor.epoch, cursor.pos, &redact(data, removed)?))
}

/// Returns the short form of a durable frame, without optional spaces. `None` if it has none.
pub fn shortened(frame: &Bytes, compact: &Compact) -> Option<Bytes> {
    let (_, cursor, data) = fields(frame)?;
    let data = (compact.data)(data, cursor.pos)?;
    let mut frame = Vec::with_capacity(64 + compact.name.len() + data.len());
    if !compact.name.is_empty() {
        writeln!(frame, "event:{}", compact.name).expect("writing to memory");
    }
    write!(frame, "id:{cursor}\ndata:{data}\n\n").expect("writing to memory");
    Some(frame.into())
}

/// Returns the name, the position and the data of a durable frame.
fn fields(frame: &Bytes) -> Option<(&str, Cursor, &str)> {
    let mut lines = std::str::from_utf8(frame).ok()?.lines();
    let name = lines.next()?.strip_prefix("event: ")?;
    let cursor = lines.next()?.strip_prefix("id: ")?.parse().ok()?;
    Some((name, cursor, lines.next()?.strip_prefix("data: ")?))
}

/// Returns the room and the `seq` of the message in a frame, which may be part of an inbox item.
pub fn message_place(frame: &Bytes) -> Option<(RoomId, Seq)> {
    #[derive(serde::Deserialize)]
    struct Place {
        room_id: RoomId,
        seq: Seq,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Data {
        Message(Place),
        Item { message: Place },
    }
    let data = std::str::from_utf8(frame).ok()?.lines().find_map(|line| line.strip_prefix("data: "))?;
    let (Data::Message(place) | Data::Item { message: place }) = serde_json::from_str(data).ok()?;
    Some((place.room_id, place.seq))
}

/// The first event of a stream, for its reader only.
#[derive(Debug, Serialize)]
pub struct Hello {
    /// Position at which this stream begins: events after it follow.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    /// Requested rooms that are unknown or archived.
    pub missing: Vec<RoomId>,
    /// Rooms that the stream follows; absent if it did not request any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<Vec<RoomHead>>,
    pub user: Option<crate::event::User>,
    pub heartbeat_secs: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
}

/// A room and the `seq` of its newest message.
#[derive(Debug, Serialize)]
pub struct RoomHead {
    pub id: RoomId,
    pub head_seq: Seq,
}

impl Hello {
    /// `retry_ms`: the time that a browser waits before it reconnects; random per connection, so that streams that were
    /// cut at the same time do not reconnect at the same time.
    pub fn encode(&self, retry_ms: u64) -> Bytes {
        let hello = with_id("hello", &self.cursor.epoch, self.cursor.pos, self);
        [format!("retry: {retry_ms}\n").as_bytes(), &hello].concat().into()
    }
}

/// Tells a reader that it has received all its events up to `pos`.
pub fn heartbeat(epoch: &str, pos: Pos) -> Bytes {
    #[derive(Serialize)]
    struct Empty {}
    with_id("heartbeat", epoch, pos, &Empty {})
}

/// The online count of a room that the reader subscribed to.
pub fn presence(room_id: RoomId, online: Online) -> Bytes {
    #[derive(Serialize)]
    struct Presence {
        room_id: RoomId,
        users: u32,
        guests: u32,
    }
    without_id("presence", &Presence { room_id, users: online.users, guests: online.guests })
}

/// A user types in a room that the reader subscribed to.
pub fn typing(room_id: RoomId, user: &Author) -> Bytes {
    #[derive(Serialize)]
    struct Typing<'a> {
        room_id: RoomId,
        user: &'a Author,
    }
    without_id("typing", &Typing { room_id, user })
}

/// Maximum size of a `lobby` frame: two packets.
const LOBBY_MOST_BYTES: usize = 3 * 1024;
const LOBBY_START: &[u8] = b"event: lobby\ndata: {\"rooms\":[";
const LOBBY_END: &[u8] = b"]}\n\n";
/// Bytes of a `lobby` frame beside its items.
pub const LOBBY_FRAME_BYTES: usize = LOBBY_START.len() + LOBBY_END.len();

/// The summary of a room that the reader does not read: an item of a `lobby` frame.
pub fn lobby_item(id: RoomId, head_seq: Seq, online: Online) -> Bytes {
    #[derive(Serialize)]
    struct Summary {
        id: RoomId,
        head_seq: Seq,
        users: u32,
        guests: u32,
    }
    let summary = Summary { id, head_seq, users: online.users, guests: online.guests };
    serde_json::to_vec(&summary).expect("writing to memory").into()
}

/// Appends `lobby` frames with these items. Items are shared by all their readers; only a frame's few bytes around them
/// are made for each.
pub fn push_lobby(items: &[Bytes], frames: &mut Vec<Bytes>) {
    let mut rest = items;
    while !rest.is_empty() {
        let mut frame = Vec::with_capacity(LOBBY_MOST_BYTES.min(LOBBY_FRAME_BYTES + rest.len() * 100));
        frame.extend_from_slice(LOBBY_START);
        let mut count = 0;
        for item in rest {
            if count > 0 && frame.len() + 1 + item.len() + LOBBY_END.len() > LOBBY_MOST_BYTES {
                break;
            }
            if count > 0 {
                frame.push(b',');
            }
            frame.extend_from_slice(item);
            count += 1;
        }
        frame.extend_from_slice(LOBBY_END);
        frames.push(frame.into());
        rest = &rest[count..];
    }
}

/// Reason for skipping events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetReason {
    /// The cursor belongs to another history of the database.
    Epoch,
    /// More events were missed than the client wanted replayed.
    ReplayLimit,
    /// The cursor is beyond the end of this history.
    UnknownCursor,
}

/// Events were skipped: reload, the stream is live from `pos`.
pub fn reset(epoch: &str, pos: Pos, reason: ResetReason) -> Bytes {
    #[derive(Serialize)]
    struct Reset {
        reason: ResetReason,
    }
    with_id("reset", epoch, pos, &Reset { reason })
}

/// The access token is about to expire.
pub fn expiring(expires_at: OffsetDateTime) -> Bytes {
    #[derive(Serialize)]
    struct Expiring {
        #[serde(with = "time::serde::rfc3339")]
        expires_at: OffsetDateTime,
    }
    without_id("expiring", &Expiring { expires_at })
}

/// This instance is shutting down; reconnect to another one after `retry_ms`.
pub fn drain(retry_ms: u64) -> Bytes {
    #[derive(Serialize)]
    struct Drain {
        retry_ms: u64,
    }
    let drain = without_id("drain", &Drain { retry_ms });
    [format!("retry: {retry_ms}\n").as_bytes(), &drain].concat().into()
}

/// Reason for ending a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ByeReason {
    Expired,
    Revoked,
    Slow,
    Shutdown,
    Busy,
}

impl ByeReason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Slow => "slow",
            Self::Shutdown => "shutdown",
            Self::Busy => "busy",
        }
    }
}

/// The last event of a stream.
pub fn bye(reason: ByeReason) -> Bytes {
    #[derive(Serialize)]
    struct Bye {
        reason: ByeReason,
    }
    without_id("bye", &Bye { reason })
}

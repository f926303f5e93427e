//! Read marks: delivered to their user only, on all of the user's streams.
//!
//! The log keeps the values themselves, unlike for other kinds: the number of unread messages is true at the event's
//! position, and later events of the room change it from there. The `detail` of an entry is the data itself.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Audit, Kind, Of, Row};
use crate::event::{Audience, Event, Level, Membership};
use crate::id::{Pos, RoomId, Seq, UserId};

const READ: Kind = Kind::new("room.read", Audit::No)
    .telling::<Marked>("The caller's read mark or level in a room was changed. Delivered to that user only.");

pub const KINDS: &[Kind] = &[READ];

/// `data` of `room.read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RoomReadData)]
struct Marked {
    room_id: RoomId,
    /// Messages up to this `seq` are read.
    read_seq: Seq,
    /// Number of messages of others after `read_seq` that are not deleted, at this event; 1,000 means 1,000 or more.
    #[schema(minimum = 0, maximum = 1_000)]
    unread: i64,
    /// Number of unread messages that mention the user or reply to them, at this event.
    #[serde(default)]
    #[schema(required = true, minimum = 0, maximum = 1_000)]
    mentions: i64,
    level: Level,
}

/// Returns the event of a mark or level that was just set.
pub fn read_by(user: UserId, room_id: RoomId, pos: Pos, at: OffsetDateTime, membership: Membership) -> Event {
    let Membership { read_seq, unread, mentions, level } = membership;
    let data = Marked { room_id, read_seq, unread, mentions, level };
    Event::silent(pos, at, READ.name).told_to(Audience::User(user), &data)
}

/// An entry without its values belongs to an erased user: nobody receives it.
pub(super) fn read(rows: &Of<'_>) -> Vec<Event> {
    let event = |(row, kind): &(&Row, &'static Kind)| {
        let Some(detail) = row.detail.clone() else { return Some(row.event(kind)) };
        let data: Marked = serde_json::from_value(detail).ok()?;
        Some(row.event(kind).told_to(Audience::User(row.user_id?), &data))
    };
    rows.iter().filter_map(event).collect()
}

//! Trims: a room's oldest messages were deleted by age. Delivered to the readers of the room.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Audit, Kind, Of};
use crate::event::{Audience, Effect, Event};
use crate::id::{RoomId, Seq};

pub const KINDS: &[Kind] = &[Kind::new("room.trimmed", Audit::No)
    .telling::<Trimmed>("The oldest messages of a room were deleted because of their age: all before `first_seq`.")];

/// `data` of `room.trimmed`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomTrimmedData)]
struct Trimmed {
    room_id: RoomId,
    /// `seq` of the oldest message that is left, or of the next one if none is.
    first_seq: Seq,
}

/// Returns the events. In an archived room, clients receive nothing: they reload the room's page when it is restored.
pub(super) fn read(rows: &Of<'_>) -> Vec<Event> {
    let event = |(row, kind): &(&super::Row, &'static Kind)| {
        let (room_id, detail) = (row.room_id?, row.detail.as_ref()?);
        let first_seq = Seq(detail["first_seq"].as_i64()?);
        let event = row.event(kind).with_effect(Effect::Trimmed { room: room_id, first_seq });
        let is_silent = detail["archived"] == true;
        let told = Trimmed { room_id, first_seq };
        Some(if is_silent { event } else { event.told_to(Audience::Room(room_id), &told) })
    };
    rows.iter().filter_map(event).collect()
}

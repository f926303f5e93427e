//! Rooms: created, changed, archived, restored. Delivered to everyone, as part of the lobby.

use std::collections::HashMap;

use super::{Audit, Kind, Of, Row, ids};
use crate::event::{Audience, Effect, Event, Room};
use crate::id::RoomId;
use crate::store::{Db, rooms};

pub const KINDS: &[Kind] = &[
    changing("room.created", "A room was created."),
    changing("room.renamed", "A room was renamed."),
    changing("room.archived", "A room was archived."),
    changing("room.restored", "An archived room was restored."),
    changing("room.retention_set", "The retention period of a room was changed."),
    changing("room.topic_set", "The topic of a room was changed."),
    changing("room.landing_set", "A room became the landing room; no other room is the landing room any more."),
    changing("room.indexable_set", "Search engines are asked to list a room, or not to list it."),
];

const fn changing(name: &'static str, about: &'static str) -> Kind {
    Kind::new(name, Audit::Yes).telling::<Room>(about).for_everyone()
}

/// Returns whether the room is archived after an event of this kind; `None` if the kind does not change that.
fn archives(kind: &Kind) -> Option<bool> {
    match kind.name {
        "room.archived" => Some(true),
        "room.created" | "room.restored" => Some(false),
        _ => None,
    }
}

pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rooms = rooms::find_all(db, &ids(rows.iter().map(|(row, _)| row.room_id))).await?;
    let rooms: HashMap<RoomId, Room> = rooms.into_iter().map(|room| (room.id, room)).collect();

    let event = |(row, kind): &(&Row, &'static Kind)| {
        let room = rooms.get(&row.room_id?)?;
        // The room's current state, except for this event's own change.
        let is_archived = archives(kind);
        let room = Room { is_archived: is_archived.unwrap_or(room.is_archived), ..room.clone() };
        let effect = Effect::Room { room: room.id, is_archived };
        Some(row.event(kind).told_to(Audience::Everyone, &room).with_effect(effect))
    };
    Ok(rows.iter().filter_map(event).collect())
}

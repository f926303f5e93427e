//! Items of inboxes: delivered to their user only, on all of the user's streams.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Audit, Kind, Of, Removed, Row, ids};
use crate::event::inbox::{InboxItem, InboxKind, InboxMessage};
use crate::event::{Audience, Event, Message, Room};
use crate::id::{MessageId, Pos, RoomId};
use crate::store::{Db, messages, rooms};

const ADDED: Kind = Kind::new("inbox.added", Audit::No)
    .telling::<InboxItem>(
        "A message that mentions the caller, or replies to one of theirs, was posted, or an edit added the mention. Delivered \
         to that user only.",
    )
    .redacted_by(redacted);

pub const KINDS: &[Kind] = &[ADDED];

/// The `detail` of an entry.
#[derive(Deserialize)]
struct Added {
    kind: InboxKind,
    pos: Pos,
}

/// A deleted message leaves the inbox, so nothing is left of its event.
fn redacted(data: &str, removed: Removed) -> Option<Box<RawValue>> {
    let item: InboxItem = serde_json::from_str(data).ok()?;
    match (removed, item.message) {
        (Removed::Body(_), _) | (_, InboxMessage::Direct(_)) => None,
        (_, InboxMessage::Public(message)) => {
            to_raw_value(&InboxItem { message: InboxMessage::Public(removed.from(message)), ..item }).ok()
        }
    }
}

pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let messages = messages::find_all(db, &ids(rows.iter().map(|(row, _)| row.message_id))).await?;
    let messages: HashMap<MessageId, Message> = messages.into_iter().map(|message| (message.id, message)).collect();
    let rooms = rooms::find_all(db, &ids(messages.values().map(|message| Some(message.room_id)))).await?;
    let rooms: HashMap<RoomId, Room> = rooms.into_iter().map(|room| (room.id, room)).collect();

    let event = |(row, kind): &(&Row, &'static Kind)| {
        let event = row.event(kind);
        let message = messages.get(&row.message_id?).filter(|message| message.deleted_at.is_none());
        // Deleted since.
        let Some(message) = message else { return Some(event) };
        // Removed by an edit.
        let Some(detail) = row.detail.clone() else { return Some(event) };
        let Added { kind, pos } = serde_json::from_value(detail).ok()?;
        let item = InboxItem::of_room(kind, message.clone(), rooms.get(&message.room_id)?, pos, row.at);
        let quoted = message.reply_to.as_ref().and_then(|quote| quote.id);
        let event = event.told_to(Audience::User(row.user_id?), &item);
        Some(Event { message: Some(message.id), quoted, ..event })
    };
    Ok(rows.iter().filter_map(event).collect())
}

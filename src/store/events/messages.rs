//! Public messages: posted, edited, deleted, pinned. Delivered to the readers of their room.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use super::{Audit, Compact, Kind, Of, Removed, ids};
use crate::event::{Audience, Effect, Event, Message, compact};
use crate::id::{MessageId, Pos, RoomId, Seq};
use crate::store::{Db, messages};

const POSTED: Kind = Kind::new("message.posted", Audit::No)
    .telling::<Message>("A message was posted.")
    .redacted_by(redacted)
    .shortened_by(&Compact { name: "", data: compact::message });
const EDITED: Kind = Kind::new("message.edited", Audit::No)
    .telling::<Message>("A message was edited.")
    .redacted_by(redacted)
    .shortened_by(&Compact { name: "edited", data: compact::message });
/// A deletion by age or with the author is logged without an actor, and not audited.
const DELETED: Kind = Kind::new("message.deleted", Audit::ToOthers).telling::<Deleted>("A message was deleted.");

const PINNED: Kind =
    Kind::new("message.pinned", Audit::Yes).telling::<Message>("A message was pinned.").redacted_by(redacted);
const UNPINNED: Kind = Kind::new("message.unpinned", Audit::Yes)
    .telling::<Message>("A message was unpinned. Deleting a pinned message unpins it without this event.")
    .redacted_by(redacted);

pub const KINDS: &[Kind] = &[POSTED, EDITED, DELETED, PINNED, UNPINNED];

/// `data` of `message.deleted`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageDeletedData)]
struct Deleted {
    id: MessageId,
    room_id: RoomId,
    seq: Seq,
    /// Position of the deletion.
    pos: Pos,
}

/// Returns the event of a message that was just posted.
pub fn posted(message: &Message) -> Event {
    let effect = Effect::RoomHead { room: message.room_id, seq: message.seq };
    carrying(Event::silent(message.pos, message.created_at, POSTED.name), message).with_effect(effect)
}

fn carrying(event: Event, message: &Message) -> Event {
    let quoted = message.reply_to.as_ref().and_then(|quote| quote.id);
    Event { message: Some(message.id), quoted, ..event.told_to(Audience::Room(message.room_id), message) }
}

/// Returns the event of a deletion. In an archived room, clients receive nothing: they reload the room's page when it
/// is restored.
fn deleted(event: Event, message: &Message, is_silent: bool) -> Event {
    let &Message { id, room_id, seq, .. } = message;
    let pos = event.pos;
    let event = event.with_effect(Effect::BodyDeleted { message: id });
    if is_silent { event } else { event.told_to(Audience::Room(room_id), &Deleted { id, room_id, seq, pos }) }
}

fn redacted(data: &str, removed: Removed) -> Option<Box<RawValue>> {
    let message: Message = serde_json::from_str(data).ok()?;
    to_raw_value(&removed.from(message)).ok()
}

pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let messages = messages::find_all(db, &ids(rows.iter().map(|(row, _)| row.message_id))).await?;
    let messages: HashMap<MessageId, Message> = messages.into_iter().map(|message| (message.id, message)).collect();

    let event = |(row, kind): &(&super::Row, &'static Kind)| {
        let message = messages.get(&row.message_id?)?;
        let event = row.event(kind);
        Some(match kind.name {
            "message.posted" => posted(message),
            "message.deleted" => {
                let is_silent = row.detail.as_ref().is_some_and(|detail| detail["archived"] == true);
                deleted(event, message, is_silent)
            }
            _ => carrying(event, message),
        })
    };
    Ok(rows.iter().filter_map(event).collect())
}

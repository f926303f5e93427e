//! Reactions: delivered to the readers of the message's room.
//!
//! The log keeps the numbers and the changes of each entry, so that a replay tells what happened in order. A message that
//! was deleted since has no reactions, in earlier events either.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Audit, Kind, Of, Removed, ids};
use crate::event::{Audience, Event};
use crate::id::{MessageId, Pos, RoomId, Seq};
use crate::store::Db;
use crate::store::reactions::{Change, Count};

const REACTIONS: Kind = Kind::new("message.reactions", Audit::No)
    .telling::<Changed>("Reactions to a message were added or removed. At most once a second for a message.")
    .redacted_by(without_reactions);

pub const KINDS: &[Kind] = &[REACTIONS];

/// `data` of `message.reactions`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = MessageReactionsData)]
pub struct Changed {
    /// The message.
    pub id: MessageId,
    pub room_id: RoomId,
    /// `seq` of the message.
    pub seq: Seq,
    /// All reactions to the message, in the order of their first use. Empty if the message was deleted since.
    #[schema(max_items = 20)]
    pub reactions: Vec<Count>,
    /// The changes since the message's previous event, in order, by which clients know which reactions are their user's.
    pub changes: Vec<Change>,
}

/// `detail` of an entry of the log.
#[derive(Deserialize)]
struct Detail {
    reactions: Vec<Count>,
    changes: Vec<Change>,
    #[serde(default)]
    archived: bool,
}

/// Returns the event of reactions that were just changed.
pub fn changed(pos: Pos, at: OffsetDateTime, data: Changed) -> Event {
    telling(Event::silent(pos, at, REACTIONS.name), &data)
}

fn telling(event: Event, data: &Changed) -> Event {
    Event { message: Some(data.id), ..event.told_to(Audience::Room(data.room_id), data) }
}

fn without_reactions(data: &str, _: Removed) -> Option<Box<RawValue>> {
    let data: Changed = serde_json::from_str(data).ok()?;
    to_raw_value(&Changed { reactions: Vec::new(), changes: Vec::new(), ..data }).ok()
}

/// Events of trimmed messages are left out, which makes their entries unreadable.
pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let messages: Vec<(MessageId, RoomId, Seq, bool)> = sqlx::query_as(
        "select m.id, m.room_id, m.seq, m.deleted_at is not null
         from messages m join rooms r on r.id = m.room_id and r.first_seq <= m.seq
         where m.id = any($1)",
    )
    .bind(ids(rows.iter().map(|(row, _)| row.message_id)))
    .fetch_all(db)
    .await?;
    let messages: HashMap<MessageId, _> = messages.into_iter().map(|message| (message.0, message)).collect();

    let event = |(row, kind): &(&super::Row, &'static Kind)| {
        let &(id, room_id, seq, is_deleted) = messages.get(&row.message_id?)?;
        let Detail { reactions, changes, archived } = serde_json::from_value(row.detail.clone()?).ok()?;
        if archived {
            return Some(row.event(kind));
        }
        let (reactions, changes) = if is_deleted { Default::default() } else { (reactions, changes) };
        Some(telling(row.event(kind), &Changed { id, room_id, seq, reactions, changes }))
    };
    Ok(rows.iter().filter_map(event).collect())
}

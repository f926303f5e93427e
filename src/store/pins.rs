//! Pinned messages. The function is in `migrations/0038_pins.sql`.

use super::{Db, messages};
use crate::event::Message;
use crate::id::{MessageId, RoomId, UserId};
use crate::outcome::Outcome;

/// The pinned messages of a room.
pub struct Pins {
    pub is_archived: bool,
    /// Newest pin first.
    pub messages: Vec<Message>,
}

/// Returns the room's pins, `None` if there is no such room. Marks the reactions of `caller`.
pub async fn of_room(db: &Db, room: RoomId, caller: Option<UserId>) -> sqlx::Result<Option<Pins>> {
    let found: Option<(bool, Vec<MessageId>)> = sqlx::query_as(
        "select r.is_archived, array(select p.message_id from pins p where p.room_id = r.id order by p.pos desc)
         from rooms r where r.id = $1",
    )
    .bind(room)
    .fetch_optional(db)
    .await?;
    let Some((is_archived, ids)) = found else { return Ok(None) };
    let mut messages = messages::find_for(db, &ids, caller).await?;
    messages.retain(|message| message.deleted_at.is_none());
    messages.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    Ok(Some(Pins { is_archived, messages }))
}

/// Pins or unpins a message.
pub async fn set(db: &Db, message: MessageId, actor: UserId, is_pinned: bool) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_pin($1, $2, $3)");
    super::outcome(query.bind(message).bind(actor).bind(is_pinned).fetch_one(db).await?, "message")
}

//! Direct messages: delivered to sender and recipient only.

use std::collections::HashMap;

use sqlx::{FromRow, Row as _};

use super::{Audit, Kind, Of, Row, ids};
use crate::event::{Audience, DirectMessage, Event};
use crate::id::MessageId;
use crate::store::Db;
use crate::store::direct_messages::DirectMessageRow;

const POSTED: Kind = Kind::new("direct.posted", Audit::No)
    .telling::<DirectMessage>("A direct message was sent. Delivered to its sender and recipient only.");

pub const KINDS: &[Kind] = &[POSTED];

/// Returns the event of a direct message that was just sent.
pub fn posted(message: &DirectMessage) -> Event {
    let between = Audience::Pair(message.sender.id, message.recipient.id);
    Event::silent(message.pos, message.created_at, POSTED.name).told_to(between, message)
}

pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query(
        "select d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at,
                s.username as sender, r.username as recipient,
                coalesce(s.erased_at, r.erased_at) is not null as is_forgotten
         from direct_messages d
         join users s on s.id = d.sender_id
         join users r on r.id = d.recipient_id
         where d.id = any($1)",
    )
    .bind(ids(rows.iter().map(|(row, _)| row.message_id)))
    .fetch_all(db)
    .await?;
    // `None` if sender or recipient was erased: the message is not delivered any more.
    let mut messages: HashMap<MessageId, Option<DirectMessage>> = HashMap::with_capacity(found.len());
    for row in found {
        let message = if row.try_get("is_forgotten")? { None } else { Some(DirectMessageRow::from_row(&row)?.into()) };
        messages.insert(row.try_get("id")?, message);
    }

    let event = |(row, kind): &(&Row, &'static Kind)| {
        Some(match messages.get(&row.message_id?)? {
            Some(message) => posted(message),
            None => row.event(kind),
        })
    };
    Ok(rows.iter().filter_map(event).collect())
}

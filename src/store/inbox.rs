//! Inboxes: messages that mention a user or reply to them, and direct messages to them. The functions are in
//! `migrations/0040_inbox.sql`.

use std::collections::HashMap;

use sqlx::FromRow;
use time::OffsetDateTime;

use super::direct_messages::DirectMessageRow;
use super::{Db, messages, rooms};
use crate::event::inbox::{InboxItem, InboxKind};
use crate::event::{DirectMessage, Message, Room};
use crate::id::{MessageId, Pos, RoomId, UserId};

/// A page of an inbox, and the position before which the next one begins; `None` at the end.
pub struct Page {
    /// Newest first.
    pub items: Vec<InboxItem>,
    pub next: Option<Pos>,
}

#[derive(FromRow)]
struct ItemRow {
    pos: Pos,
    kind: String,
    message_id: MessageId,
    at: OffsetDateTime,
    is_read: bool,
}

/// Returns the user's newest items before a position. A page may have fewer than `limit` although others follow: of
/// messages that are deleted meanwhile there is no item.
pub async fn page(db: &Db, user: UserId, before: Option<Pos>, limit: i64) -> sqlx::Result<Page> {
    let mut rows: Vec<ItemRow> =
        sqlx::query_as("select pos, kind, message_id, at, is_read from inbox_page($1, $2, $3)")
            .bind(user)
            .bind(before.unwrap_or(Pos(i64::MAX)))
            .bind(limit + 1)
            .fetch_all(db)
            .await?;
    let limit = usize::try_from(limit).unwrap_or_default();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| has_more).map(|row| row.pos);

    let (direct, public): (Vec<&ItemRow>, Vec<&ItemRow>) = rows.iter().partition(|row| row.kind == "direct");
    let ids = |rows: &[&ItemRow]| -> Vec<MessageId> { rows.iter().map(|row| row.message_id).collect() };
    let mut directs: HashMap<MessageId, DirectMessage> = HashMap::new();
    if !direct.is_empty() {
        let found = directs_by_id(db, &ids(&direct)).await?;
        directs.extend(found.into_iter().map(|message| (message.id, message)));
    }
    let mut publics: HashMap<MessageId, Message> = HashMap::new();
    let mut of_rooms: HashMap<RoomId, Room> = HashMap::new();
    if !public.is_empty() {
        let found = messages::find_for(db, &ids(&public), Some(user)).await?;
        let mut ids: Vec<RoomId> = found.iter().map(|message| message.room_id).collect();
        ids.sort_unstable();
        ids.dedup();
        of_rooms.extend(rooms::find_all(db, &ids).await?.into_iter().map(|room| (room.id, room)));
        publics.extend(found.into_iter().map(|message| (message.id, message)));
    }
    let item = |row: &ItemRow| {
        if let Some(message) = directs.remove(&row.message_id) {
            return Some(InboxItem { read: row.is_read, ..InboxItem::of_direct(message) });
        }
        let message = publics.remove(&row.message_id).filter(|message| message.deleted_at.is_none())?;
        let room = of_rooms.get(&message.room_id)?;
        let kind = if row.kind == "reply" { InboxKind::Reply } else { InboxKind::Mention };
        Some(InboxItem { read: row.is_read, ..InboxItem::of_room(kind, message, room, row.pos, row.at) })
    };
    Ok(Page { items: rows.iter().filter_map(item).collect(), next })
}

async fn directs_by_id(db: &Db, ids: &[MessageId]) -> sqlx::Result<Vec<DirectMessage>> {
    let rows: Vec<DirectMessageRow> = sqlx::query_as(
        "select d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at,
                s.username as sender, r.username as recipient
         from direct_messages d
         join users s on s.id = d.sender_id and s.erased_at is null
         join users r on r.id = d.recipient_id and r.erased_at is null
         where d.id = any($1)",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(DirectMessage::from).collect())
}

/// Marks everything up to a position as read; a mark never moves back.
pub async fn mark_read(db: &Db, user: UserId, pos: Pos) -> sqlx::Result<()> {
    sqlx::query("select mark_inbox_read($1, $2)").bind(user).bind(pos).execute(db).await.map(drop)
}

/// Forgets the mark and at most `most` items of an erased user. Returns the number of deleted items.
pub async fn forget(db: &Db, user: UserId, most: i32) -> sqlx::Result<u64> {
    let deleted = sqlx::query(
        "with marks as (delete from inbox_marks where user_id = $1)
         delete from inbox_items i where i.user_id = $1 and i.pos = any(
             array(select o.pos from inbox_items o where o.user_id = $1 order by o.pos limit $2))",
    )
    .bind(user)
    .bind(most)
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}

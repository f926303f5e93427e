//! Messages: read in pages, edited and deleted one by one. Posting is the log's: see [`super::log`].

use std::sync::Arc;

use sqlx::{FromRow, Row};
use time::OffsetDateTime;

use super::Db;
use crate::event::{Author, Message};
use crate::id::{ClientId, MessageId, Pos, RoomId, Seq, UserId};

/// Which part of a room to read.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Only what is older than this.
    pub before: Option<Seq>,
    /// Only what is newer than this; the page then begins there instead of ending at the newest.
    pub after: Option<Seq>,
    pub limit: i64,
}

/// Part of a room, and what it was part of: one statement, one snapshot.
pub struct Page {
    /// Everything up to here is in this page or in the others.
    pub pos: Pos,
    pub head_seq: Seq,
    pub is_archived: bool,
    /// Ascending `seq`.
    pub messages: Vec<Message>,
}

/// What became of an edit or a deletion: `pos` where it took one.
#[derive(Debug, FromRow)]
pub struct Changed {
    pub outcome: Outcome,
    pub pos: Option<Pos>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// The same words, or deleted before.
    Unchanged,
    Unknown,
    /// Its room is archived.
    Archived,
    NotAuthor,
    /// Nothing is left to edit.
    Deleted,
    Banned,
    Muted,
}

/// A page of a room, or `None` where there is no such room.
pub async fn page(db: &Db, room: RoomId, range: Range) -> sqlx::Result<Option<Page>> {
    let newest = "
        select h.pos as head_pos, r.head_seq, r.is_archived, m.*
        from log_head h
        join rooms r on r.id = $1
        left join lateral (
            select m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, u.username,
                   m.body, m.created_at, m.edited_at, m.deleted_at
            from messages m join users u on u.id = m.author_id
            where m.room_id = r.id and m.seq > $2 and m.seq < $3
            order by m.seq desc limit $4
        ) m on true
        order by m.seq";
    let oldest = "
        select h.pos as head_pos, r.head_seq, r.is_archived, m.*
        from log_head h
        join rooms r on r.id = $1
        left join lateral (
            select m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, u.username,
                   m.body, m.created_at, m.edited_at, m.deleted_at
            from messages m join users u on u.id = m.author_id
            where m.room_id = r.id and m.seq > $2 and m.seq < $3
            order by m.seq limit $4
        ) m on true
        order by m.seq";
    let rows = sqlx::query(if range.after.is_some() { oldest } else { newest })
        .bind(room)
        .bind(range.after.unwrap_or(Seq(0)))
        .bind(range.before.unwrap_or(Seq(i64::MAX)))
        .bind(range.limit)
        .fetch_all(db)
        .await?;

    let Some(first) = rows.first() else { return Ok(None) };
    let mut page = Page {
        pos: first.try_get("head_pos")?,
        head_seq: first.try_get("head_seq")?,
        is_archived: first.try_get("is_archived")?,
        messages: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        // An empty page still answers one row, for the room.
        if row.try_get::<Option<MessageId>, _>("id")?.is_some() {
            page.messages.push(MessageRow::from_row(&row)?.into());
        }
    }
    Ok(Some(page))
}

/// The message as it is now.
pub async fn find(db: &Db, id: MessageId) -> sqlx::Result<Option<Message>> {
    let row = sqlx::query_as::<_, MessageRow>(
        "select m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, u.username,
                m.body, m.created_at, m.edited_at, m.deleted_at
         from messages m join users u on u.id = m.author_id
         where m.id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(Message::from))
}

/// Gives the message other words.
pub async fn edit(db: &Db, id: MessageId, actor: UserId, body: &str) -> sqlx::Result<Changed> {
    sqlx::query_as("select outcome, pos from edit_message($1, $2, $3)").bind(id).bind(actor).bind(body).fetch_one(db).await
}

/// Forgets the message's words; its place stays.
pub async fn delete(db: &Db, id: MessageId, actor: UserId) -> sqlx::Result<Changed> {
    sqlx::query_as("select outcome, pos from delete_message($1, $2)").bind(id).bind(actor).fetch_one(db).await
}

/// A row of `messages` with its author's name.
#[derive(FromRow)]
struct MessageRow {
    id: MessageId,
    room_id: RoomId,
    pos: Pos,
    seq: Seq,
    client_id: ClientId,
    author_id: UserId,
    username: String,
    body: Option<String>,
    created_at: OffsetDateTime,
    edited_at: Option<OffsetDateTime>,
    deleted_at: Option<OffsetDateTime>,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.id,
            room_id: row.room_id,
            pos: row.pos,
            seq: row.seq,
            client_id: row.client_id,
            author: Author { id: row.author_id, username: row.username.into() },
            body: row.body.map(Arc::from),
            created_at: row.created_at,
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
        }
    }
}

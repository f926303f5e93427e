//! Public messages: pages, edits and deletions. Posting is in [`super::log`].

use std::sync::Arc;

use sqlx::types::Json;
use sqlx::{FromRow, Row};
use time::OffsetDateTime;

use super::Db;
use super::references::{self, References};
use crate::event::{Author, Message, Reaction};
use crate::id::{ClientId, MessageId, Pos, RoomId, Seq, UserId};
use crate::outcome::Outcome;
use crate::store::reactions::Count;

/// The part of a room's messages to read.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Only messages older than this.
    pub before: Option<Seq>,
    /// Only messages newer than this; the page then begins there instead of ending at the newest.
    pub after: Option<Seq>,
    /// Half of the page before this and half from it on, instead of the two above.
    pub around: Option<Seq>,
    pub limit: i64,
}

/// Messages of a room and the room's state, read by one statement and so from one snapshot.
pub struct Page {
    /// Position of the snapshot: all pages include changes up to here.
    pub pos: Pos,
    pub head_seq: Seq,
    /// `seq` of the oldest message that is kept.
    pub first_seq: Seq,
    pub is_archived: bool,
    /// Ascending `seq`.
    pub messages: Vec<Message>,
}

/// The query for a page: the room's state, and the messages that `$selection` returns.
macro_rules! page_of {
    ($selection:expr) => {
        concat!(
            "select h.pos as head_pos, r.head_seq, r.first_seq, r.is_archived,
                    m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, m.username,
                    m.body, m.created_at, m.edited_at, m.deleted_at, m.reactions, m.mine,
                    m.reply_to, m.quoted_id, m.quoted_author, m.quoted_name, m.excerpt, m.mentions, m.names
             from log_head h
             join rooms r on r.id = $1
             left join lateral (",
            $selection,
            ") m on true
             order by m.seq"
        )
    };
}

/// The reactions to a message `m`, and which of them are the caller's. Looked up only where there are any: `case` skips
/// the subqueries of other messages.
macro_rules! reactions_for {
    ($caller:literal) => {
        concat!(
            "case when m.reacted then (select c.counts from reaction_counts c where c.message_id = m.id) end as reactions,
             case when m.reacted then array(
                select x.emoji from reactions x where x.message_id = m.id and x.user_id = ",
            $caller,
            ") end as mine"
        )
    };
}

/// Messages of the room `r` for which `$condition` holds.
macro_rules! messages_where {
    ($condition:literal) => {
        concat!(
            "select m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, u.username,
                    m.body, m.created_at, m.edited_at, m.deleted_at, ",
            reactions_for!("$5"),
            ", ",
            references::columns!(),
            " from messages m join users u on u.id = m.author_id ",
            references::joins!(),
            " where m.room_id = r.id and m.seq >= r.first_seq and ",
            $condition
        )
    };
}

/// Returns a page of a room's messages, or `None` if there is no such room. Marks the reactions of `caller`.
pub async fn page(db: &Db, room: RoomId, range: Range, caller: Option<UserId>) -> sqlx::Result<Option<Page>> {
    let newest = page_of!(messages_where!("m.seq > $2 and m.seq < $3 order by m.seq desc limit $4"));
    let oldest = page_of!(messages_where!("m.seq > $2 and m.seq < $3 order by m.seq limit $4"));
    let around = page_of!(concat!(
        "(",
        messages_where!("m.seq < $2 order by m.seq desc limit $3"),
        ") union all (",
        messages_where!("m.seq >= $2 order by m.seq limit $4"),
        ")"
    ));
    let (after, before) = (range.after.unwrap_or(Seq(0)).0, range.before.unwrap_or(Seq(i64::MAX)).0);
    let (query, bounds) = match range.around {
        Some(seq) => (around, [seq.0, range.limit / 2, range.limit - range.limit / 2]),
        None if range.after.is_some() => (oldest, [after, before, range.limit]),
        None => (newest, [after, before, range.limit]),
    };
    let query = bounds.into_iter().fold(sqlx::query(query).bind(room), sqlx::query::Query::bind);
    let rows = query.bind(caller).fetch_all(db).await?;

    let Some(first) = rows.first() else { return Ok(None) };
    let mut page = Page {
        pos: first.try_get("head_pos")?,
        head_seq: first.try_get("head_seq")?,
        first_seq: first.try_get("first_seq")?,
        is_archived: first.try_get("is_archived")?,
        messages: Vec::with_capacity(rows.len()),
    };
    for row in rows {
        // An empty page still has one row, with the room's columns.
        if row.try_get::<Option<MessageId>, _>("id")?.is_some() {
            page.messages.push(MessageRow::from_row(&row)?.into());
        }
    }
    Ok(Some(page))
}

/// Returns the `seq` of the room's first message posted at or after a time, `None` if there is none. Times ascend with
/// `seq`, so it is found by bisection: an index by time would be written with every post and read by crawlers only.
pub async fn first_since(db: &Db, room: RoomId, time: OffsetDateTime) -> sqlx::Result<Option<Seq>> {
    sqlx::query_scalar(
        "with recursive bounds as (
             select first_seq as low, head_seq + 1 as high from rooms where id = $1
             union all
             select case when m.created_at < $2 then b.low + (b.high - b.low) / 2 + 1 else b.low end,
                    case when m.created_at < $2 then b.high else b.low + (b.high - b.low) / 2 end
             from bounds b
             join messages m on m.room_id = $1 and m.seq = b.low + (b.high - b.low) / 2
             where b.low < b.high
         )
         select b.low from bounds b join rooms r on r.id = $1
         where b.low = b.high and b.low <= r.head_seq",
    )
    .bind(room)
    .bind(time)
    .fetch_optional(db)
    .await
}

/// Returns the message in its current state. Marks the reactions of `caller`.
pub async fn find(db: &Db, id: MessageId, caller: Option<UserId>) -> sqlx::Result<Option<Message>> {
    Ok(find_for(db, &[id], caller).await?.pop())
}

/// Returns the current state of those of these messages that exist, in no particular order. Trimmed ones do not.
pub async fn find_all(db: &Db, ids: &[MessageId]) -> sqlx::Result<Vec<Message>> {
    find_for(db, ids, None).await
}

/// Like [`find_all`], and marks the reactions of `caller`.
pub(super) async fn find_for(db: &Db, ids: &[MessageId], caller: Option<UserId>) -> sqlx::Result<Vec<Message>> {
    let rows = sqlx::query_as::<_, MessageRow>(concat!(
        "select m.id, m.room_id, m.pos, m.seq, m.client_id, m.author_id, u.username,
                m.body, m.created_at, m.edited_at, m.deleted_at, ",
        reactions_for!("$2"),
        ", ",
        references::columns!(),
        " from messages m
          join users u on u.id = m.author_id
          join rooms r on r.id = m.room_id and r.first_seq <= m.seq ",
        references::joins!(),
        " where m.id = any($1)",
    ))
    .bind(ids)
    .bind(caller)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// Replaces the message's body and the users that it mentions; `None` keeps those whose token the new body contains.
pub async fn edit(
    db: &Db,
    id: MessageId,
    actor: UserId,
    body: &str,
    mentions: Option<&[UserId]>,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from edit_message($1, $2, $3, $4)");
    super::outcome(query.bind(id).bind(actor).bind(body).bind(mentions).fetch_one(db).await?, "message")
}

/// Deletes the message's body; its `seq` and `pos` stay.
pub async fn delete(db: &Db, id: MessageId, actor: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from delete_message($1, $2)");
    super::outcome(query.bind(id).bind(actor).fetch_one(db).await?, "message")
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
    reactions: Option<Json<Vec<Count>>>,
    mine: Option<Vec<String>>,
    #[sqlx(flatten)]
    references: References,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let mine = row.mine.unwrap_or_default();
        let reaction = |Count { emoji, count }| Reaction { mine: mine.contains(&emoji), emoji, count };
        let counts = row.reactions.map(|Json(counts)| counts).unwrap_or_default();
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
            reply_to: row.references.quote(),
            mentions: row.references.mentions(),
            reactions: counts.into_iter().map(reaction).collect(),
        }
    }
}

#[cfg(test)]
mod tests;

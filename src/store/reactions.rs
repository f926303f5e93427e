//! Reactions to messages. The functions are in `migrations/0034_reactions.sql`; messages are read with their reactions in
//! [`super::messages`].

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Db;
use super::events::reactions::{self, Changed};
use crate::event::{Author, Event};
use crate::id::{MessageId, Pos, RoomId, Seq, UserId};
use crate::input::Emoji;
use crate::outcome::Outcome;

/// A reaction to add or to remove.
#[derive(Debug, Clone, Copy)]
pub struct NewReaction {
    pub user: UserId,
    pub message: MessageId,
    pub emoji: Emoji,
    pub is_added: bool,
}

/// Number of users who chose an emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReactionCount)]
pub struct Count {
    #[schema(example = "👍")]
    pub emoji: String,
    #[schema(minimum = 1)]
    pub count: i64,
}

/// Users who chose an emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReactionUsers)]
pub struct Users {
    #[schema(example = "👍")]
    pub emoji: String,
    #[schema(minimum = 1)]
    pub count: i64,
    /// By name; at most 50 of them.
    #[schema(max_items = 50)]
    pub users: Vec<Author>,
}

/// The reactions to a message, with names.
#[derive(Debug)]
pub struct OfMessage {
    pub is_archived: bool,
    /// In the order of first use.
    pub reactions: Vec<Users>,
}

/// One user's reaction that was added or removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReactionChange)]
pub struct Change {
    pub user_id: UserId,
    #[schema(example = "👍")]
    pub emoji: String,
    pub added: bool,
}

/// Result of a batch.
#[derive(Debug)]
pub struct Committed {
    /// One for each reaction, in order.
    pub outcomes: Vec<Outcome<()>>,
    /// One for each message that changed.
    pub events: Vec<Event>,
}

#[derive(FromRow)]
struct Row {
    ord: Option<i64>,
    outcome: Option<String>,
    message_id: Option<MessageId>,
    pos: Option<Pos>,
    at: Option<OffsetDateTime>,
    room_id: Option<RoomId>,
    seq: Option<Seq>,
    reactions: Option<Json<Vec<Count>>>,
    changes: Option<Json<Vec<Change>>>,
}

impl Row {
    fn event(self) -> Option<Event> {
        let (Json(reactions), Json(changes)) = (self.reactions?, self.changes?);
        let (id, room_id, seq) = (self.message_id?, self.room_id?, self.seq?);
        Some(reactions::changed(self.pos?, self.at?, Changed { id, room_id, seq, reactions, changes }))
    }
}

fn outcome_of(word: &str) -> sqlx::Result<Outcome<()>> {
    match word {
        "done" | "unchanged" => Ok(Ok(())),
        word => super::refusal(word, "message").map(Err),
    }
}

/// Commits a batch, in order. The changes of one message are one event.
///
/// # Errors
/// When the database is unavailable. Repeating the batch is safe.
pub async fn set(db: &Db, batch: &[NewReaction]) -> sqlx::Result<Committed> {
    let rows: Vec<Row> = sqlx::query_as(
        "select ord, outcome, message_id, pos, at, room_id, seq, reactions, changes
         from set_reactions($1, $2, $3, $4) order by ord, pos",
    )
    .bind(batch.iter().map(|reaction| reaction.message).collect::<Vec<_>>())
    .bind(batch.iter().map(|reaction| reaction.user).collect::<Vec<_>>())
    .bind(batch.iter().map(|reaction| reaction.emoji.as_str()).collect::<Vec<_>>())
    .bind(batch.iter().map(|reaction| reaction.is_added).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    let mut committed = Committed { outcomes: Vec::with_capacity(batch.len()), events: Vec::new() };
    for row in rows {
        match (row.ord, &row.outcome) {
            (Some(_), Some(word)) => committed.outcomes.push(outcome_of(word)?),
            _ => committed.events.push(row.event().ok_or_else(|| {
                sqlx::Error::Protocol("reactions were changed, but the values of their event are missing".into())
            })?),
        }
    }
    if committed.outcomes.len() != batch.len() {
        let outcomes = committed.outcomes.len();
        return Err(sqlx::Error::Protocol(format!("{} reactions got {outcomes} outcomes", batch.len())));
    }
    Ok(committed)
}

/// Maximum number of names for each emoji.
const MOST_NAMED: i64 = 50;

#[derive(FromRow)]
struct Named {
    is_archived: bool,
    emoji: Option<String>,
    count: Option<i64>,
    ids: Option<Vec<UserId>>,
    names: Option<Vec<String>>,
}

/// Returns who reacted to a message; `None` if there is no such message.
pub async fn of_message(db: &Db, message: MessageId) -> sqlx::Result<Option<OfMessage>> {
    let rows: Vec<Named> = sqlx::query_as(
        "with named as materialized (
            select w.emoji, array_agg(u.id order by u.username) as ids, array_agg(u.username order by u.username) as names
            from (
                select x.emoji, x.user_id, row_number() over (partition by x.emoji order by x.user_id) as ord
                from reactions x where x.message_id = $1
            ) w
            -- One look-up for each name, however many accounts there are.
            cross join lateral (select u.id, u.username from users u where u.id = w.user_id limit 1) u
            where w.ord <= $2 group by w.emoji
         )
         select r.is_archived, k.item ->> 'emoji' as emoji, (k.item ->> 'count')::bigint as count, n.ids, n.names
         from messages m
         join rooms r on r.id = m.room_id and r.first_seq <= m.seq
         left join reaction_counts c on c.message_id = m.id
         left join lateral jsonb_array_elements(c.counts) with ordinality as k (item, ord) on true
         left join named n on n.emoji = k.item ->> 'emoji'
         where m.id = $1 order by k.ord",
    )
    .bind(message)
    .bind(MOST_NAMED)
    .fetch_all(db)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let is_archived = first.is_archived;
    let users = |row: Named| {
        let (ids, names) = (row.ids.unwrap_or_default(), row.names.unwrap_or_default());
        let users = ids.into_iter().zip(names).map(|(id, name)| Author { id, username: name.into() }).collect();
        Some(Users { emoji: row.emoji?, count: row.count?, users })
    };
    Ok(Some(OfMessage { is_archived, reactions: rows.into_iter().filter_map(users).collect() }))
}

/// Removes the reactions of an erased user from at most `most` messages. Returns the number of messages, and the position
/// of the last event.
pub async fn forget(db: &Db, user: UserId, most: i32) -> sqlx::Result<(i64, Option<Pos>)> {
    sqlx::query_as("select passed, pos from forget_reactions($1, $2)").bind(user).bind(most).fetch_one(db).await
}

/// Removes an erased user from at most `most` entries of the log after a position. Returns the position to continue
/// after, `None` at the end.
pub async fn forget_changes(db: &Db, user: UserId, after: Pos, most: i32) -> sqlx::Result<Option<Pos>> {
    let step = sqlx::query_scalar("select forget_reaction_changes($1, $2, $3)");
    step.bind(user).bind(after).bind(most).fetch_one(db).await
}

#[cfg(test)]
mod tests;

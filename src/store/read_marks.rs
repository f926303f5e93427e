//! Read marks: how far a user has read each room, and which of its messages notify them. The functions are in
//! `migrations/0029_read_marks.sql` and `0040_inbox.sql`.

use std::collections::HashMap;

use sqlx::FromRow;
use time::OffsetDateTime;

use super::Db;
use super::events::reads;
use crate::event::{Event, Level, Membership, Room};
use crate::id::{Pos, RoomId, Seq, UserId};
use crate::outcome::Outcome;

/// A change of one user's mark or level in one room.
#[derive(Debug, Clone, Copy)]
pub struct NewMark {
    pub user: UserId,
    pub room: RoomId,
    pub change: Change,
}

/// See [`NewMark`].
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Messages up to `seq`, but not beyond the newest, are read. Only a forced mark moves back.
    Read {
        seq: Seq,
        is_forced: bool,
    },
    Level(Level),
}

#[derive(FromRow)]
struct SetRow {
    outcome: String,
    pos: Option<Pos>,
    at: Option<OffsetDateTime>,
    read_seq: Option<Seq>,
    unread: Option<i64>,
    level: Option<String>,
    mentions: Option<i64>,
}

impl SetRow {
    fn outcome_of(self, mark: &NewMark) -> sqlx::Result<Outcome<Option<Event>>> {
        Ok(match self.outcome.as_str() {
            "unchanged" => Ok(None),
            "done" => {
                let (Some(pos), Some(at), Some(read_seq), Some(unread), Some(mentions), Some(level)) =
                    (self.pos, self.at, self.read_seq, self.unread, self.mentions, self.level)
                else {
                    return Err(sqlx::Error::Protocol("a read mark was set, but its values are missing".into()));
                };
                let membership = Membership { read_seq, unread, mentions, level: parse(level)? };
                Ok(Some(reads::read_by(mark.user, mark.room, pos, at, membership)))
            }
            word => Err(super::refusal(word, "room")?),
        })
    }
}

pub(super) fn parse(level: String) -> sqlx::Result<Level> {
    Level::try_from(level).map_err(|reason| sqlx::Error::Decode(format!("a level {reason}").into()))
}

/// Commits a batch of changes, in order, and returns an outcome for each: its event, `None` if nothing changed.
///
/// # Errors
/// When the database is unavailable. Repeating the batch is safe.
pub async fn set(db: &Db, batch: &[NewMark]) -> sqlx::Result<Vec<Outcome<Option<Event>>>> {
    let seq = |mark: &NewMark| if let Change::Read { seq, .. } = mark.change { Some(seq) } else { None };
    let is_forced = |mark: &NewMark| matches!(mark.change, Change::Read { is_forced: true, .. });
    let level = |mark: &NewMark| if let Change::Level(level) = mark.change { Some(level.as_str()) } else { None };
    let rows: Vec<SetRow> = sqlx::query_as(
        "select outcome, pos, at, read_seq, unread, level, mentions from set_room_marks($1, $2, $3, $4, $5) order by ord",
    )
    .bind(batch.iter().map(|mark| mark.user).collect::<Vec<_>>())
    .bind(batch.iter().map(|mark| mark.room).collect::<Vec<_>>())
    .bind(batch.iter().map(seq).collect::<Vec<_>>())
    .bind(batch.iter().map(is_forced).collect::<Vec<_>>())
    .bind(batch.iter().map(level).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    if rows.len() != batch.len() {
        return Err(sqlx::Error::Protocol(format!("{} read marks got {} outcomes", batch.len(), rows.len())));
    }
    batch.iter().zip(rows).map(|(mark, row)| row.outcome_of(mark)).collect()
}

/// Returns the user's membership in each of these rooms. Counts messages up to the `head_seq` of each, so that events
/// after the position of the list continue from these numbers.
pub async fn of_rooms(db: &Db, user: UserId, rooms: &[Room]) -> sqlx::Result<HashMap<RoomId, Membership>> {
    let rows: Vec<(RoomId, Seq, i64, i64, String)> = sqlx::query_as(
        "select m.room_id, m.read_seq, m.unread, mentions_between($1, m.room_id, m.read_seq, h.head_seq), m.level
         from memberships($1, $2, $3) m
         join unnest($2, $3) as h (room_id, head_seq) on h.room_id = m.room_id",
    )
    .bind(user)
    .bind(rooms.iter().map(|room| room.id).collect::<Vec<_>>())
    .bind(rooms.iter().map(|room| room.head_seq).collect::<Vec<_>>())
    .fetch_all(db)
    .await?;
    let membership = |(room, read_seq, unread, mentions, level): (_, _, _, _, String)| {
        Ok((room, Membership { read_seq, unread, mentions, level: parse(level)? }))
    };
    rows.into_iter().map(membership).collect()
}

/// Forgets the marks of an erased user and, after a position, the values of at most `most` entries of the log. Returns
/// the position to continue after, `None` at the end.
pub async fn forget(db: &Db, user: UserId, after: Pos, most: i32) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select forget_reads($1, $2, $3)").bind(user).bind(after).bind(most).fetch_one(db).await
}

#[cfg(test)]
mod tests;

//! People of a room: those who are there, and those to mention, who wrote lately or whose names begin with some letters.

use super::{Db, user_search};
use crate::event::{Role, User};
use crate::id::{RoomId, UserId};

/// Number of the room's newest messages whose authors come first: reading them takes about a millisecond.
const MESSAGES: i64 = 1_000;

/// A message to the whole room notifies those who were there within this time.
const LATELY_DAYS: i32 = 30;

/// Maximum number of users whom one message notifies: each costs a row of the log, written while other posts wait.
const AUDIENCE: i64 = 1_000;

/// Returns these users, admins first and then by name, at most `limit`. Banned and erased users are left out.
pub async fn named(db: &Db, ids: &[UserId], limit: i64) -> sqlx::Result<Vec<User>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(UserId, String, bool)> = sqlx::query_as(
        "select u.id, u.username, u.role = 'admin' from users u
         where u.id = any($1) and u.banned_at is null and u.erased_at is null
         order by (u.role = 'admin') desc, u.username limit $2",
    )
    .bind(ids)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(person).collect())
}

fn person((id, username, is_admin): (UserId, String, bool)) -> User {
    User { id, username: username.into(), role: if is_admin { Role::Admin } else { Role::User } }
}

/// Returns the users whom a message of `author` to the whole room notifies: those who wrote in the room or read it
/// lately, the latest first. The function is in `migrations/0041_inbox_of_edits.sql`.
pub async fn audience(db: &Db, room: RoomId, author: UserId) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar("select room_audience($1, $2, $3, $4)")
        .bind(room)
        .bind(author)
        .bind(LATELY_DAYS)
        .bind(AUDIENCE)
        .fetch_all(db)
        .await
}

/// Returns people whose name begins with `part` (lower case; may be empty): those who wrote one of the room's last
/// messages, latest first, and then other accounts in the order of their names, if `part` is not empty. Banned and
/// erased users are left out.
pub async fn of_room(db: &Db, room: RoomId, part: &str, limit: i64) -> sqlx::Result<Vec<User>> {
    let rows: Vec<(UserId, String, bool)> = sqlx::query_as(
        "with lately as materialized (
            select m.author_id, m.seq from messages m where m.room_id = $1 order by m.seq desc limit $4
         ), authors as materialized (
            select l.author_id, max(l.seq) as seq from lately l group by l.author_id
         )
         select u.id, u.username, u.role = 'admin'
         from authors a
         cross join lateral (
             select u.id, u.username, u.role from users u
             where u.id = a.author_id and u.banned_at is null and u.erased_at is null
         ) u
         -- Not `like`, where an underscore has a meaning.
         where starts_with(u.username, $2)
         order by a.seq desc limit $3",
    )
    .bind(room)
    .bind(part)
    .bind(limit)
    .bind(MESSAGES)
    .fetch_all(db)
    .await?;
    let mut people: Vec<User> = rows.into_iter().map(person).collect();

    let most = usize::try_from(limit).unwrap_or_default();
    if !part.is_empty() && people.len() < most {
        let others = user_search::beginning_with(db, part, "", 2 * limit).await?;
        let others = others.into_iter().filter(|account| account.banned_at.is_none()).map(|account| account.user);
        let others: Vec<User> = others.filter(|other| people.iter().all(|person| person.id != other.id)).collect();
        people.extend(others.into_iter().take(most - people.len()));
    }
    Ok(people)
}

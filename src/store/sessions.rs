//! Sessions and their chains of refresh tokens. Next: `migrations/0012_sessions.sql`, `0013_refresh.sql` and
//! `0025_token_families.sql`, which define the rules.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use time::OffsetDateTime;

use crate::event::{Role, User};
use crate::id::{Generation, Pos, SessionClaim, SessionId, UserId};

use super::Db;

/// Period after a refresh during which the spent token yields the same successor again. It is longer than a client
/// tries one refresh, including retries and its other tabs.
const GRACE: Duration = Duration::from_mins(1);

/// A new session and the digest of its first refresh token.
#[derive(Clone, Copy)]
pub struct NewSession<'a> {
    pub id: SessionId,
    pub opened_at: OffsetDateTime,
    pub token_hash: &'a [u8],
    pub token_expires_at: OffsetDateTime,
}

/// Opens a session for `user`, whose password was checked against `password_hash`. Returns `None` if the password
/// has changed since, or the user is banned by now.
pub async fn open(
    db: &Db,
    user: UserId,
    password_hash: &str,
    session: NewSession<'_>,
) -> sqlx::Result<Option<SessionClaim>> {
    let generation: Option<Generation> = sqlx::query_scalar("select open_session_v2($1, $2, $3, $4, $5, $6)")
        .bind(session.id)
        .bind(user)
        .bind(password_hash)
        .bind(session.opened_at)
        .bind(session.token_hash)
        .bind(session.token_expires_at)
        .fetch_one(db)
        .await?;
    Ok(generation.map(|generation| SessionClaim { id: session.id, generation: Some(generation) }))
}

/// Ends the least recently used sessions of an account that has more than a hundred open, and returns the position of
/// that in the log.
pub async fn end_surplus(db: &Db, user: UserId) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select end_surplus_sessions($1)").bind(user).fetch_one(db).await
}

/// A refresh token as it was presented.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    pub digest: &'a [u8],
    /// Digest of the token's family; `None` if it has none, because an earlier release created it.
    pub family: Option<&'a [u8]>,
}

/// A candidate successor of a refresh token.
#[derive(Clone, Copy)]
pub struct Offer<'a> {
    /// Nonce from which the successor was derived.
    pub nonce: &'a [u8],
    pub digest: &'a [u8],
    pub family: &'a [u8],
    pub expires_at: OffsetDateTime,
    /// True if the previous successor, if any, cannot be derived again: this one replaces it.
    pub replaces: bool,
}

/// Result of using a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Exchanged for the successor with this digest, derived from this nonce: the offered one, or the one given before.
    Done { session: SessionClaim, user: User, nonce: Vec<u8>, digest: Vec<u8> },
    /// The token is unknown or expired, or its session has ended.
    Invalid,
    /// A successor had already been used; its session was ended for that, at this position.
    Reused { session: SessionId, user: UserId, ended_at: Option<Pos> },
    /// Another use of the token, or of its successor, interfered: retry.
    Raced,
}

/// Exchanges a token for its successor.
pub async fn rotate(db: &Db, token: Presented<'_>, now: OffsetDateTime, offer: Offer<'_>) -> sqlx::Result<Rotation> {
    #[derive(sqlx::FromRow)]
    struct Row {
        outcome: String,
        pos: Option<Pos>,
        session_id: Option<SessionId>,
        generation: Option<Generation>,
        user_id: Option<UserId>,
        username: Option<String>,
        is_admin: Option<bool>,
        nonce: Option<Vec<u8>>,
        successor_hash: Option<Vec<u8>>,
    }

    let grace = PgInterval::try_from(GRACE).expect("a minute is an interval");
    let row: Row = sqlx::query_as(
        "select outcome, pos, session_id, generation, user_id, username, is_admin, nonce, successor_hash
         from refresh_session_v2($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(token.digest)
    .bind(token.family)
    .bind(now)
    .bind(grace)
    .bind(offer.nonce)
    .bind(offer.digest)
    .bind(offer.family)
    .bind(offer.expires_at)
    .bind(offer.replaces)
    .fetch_one(db)
    .await?;
    Ok(match (row.outcome.as_str(), row.session_id, row.user_id) {
        ("done", Some(id), Some(user)) => {
            let role = if row.is_admin == Some(true) { Role::Admin } else { Role::User };
            Rotation::Done {
                session: SessionClaim { id, generation: row.generation },
                user: User { id: user, username: row.username.unwrap_or_default().into(), role },
                nonce: row.nonce.unwrap_or_default(),
                digest: row.successor_hash.unwrap_or_default(),
            }
        }
        ("reused", Some(session), Some(user)) => Rotation::Reused { session, user, ended_at: row.pos },
        ("raced", ..) => Rotation::Raced,
        _ => Rotation::Invalid,
    })
}

/// A user's ban.
#[derive(Debug, PartialEq, Eq)]
pub struct Ban {
    /// Reason, if an admin gave one.
    pub reason: Option<String>,
}

/// Returns the ban of the user to whom this token was issued, if there is one. Sessions of banned users are kept until
/// their access tokens have expired; afterwards the token is unknown.
pub async fn ban_of_holder(db: &Db, token: Presented<'_>, now: OffsetDateTime) -> sqlx::Result<Option<Ban>> {
    let reason: Option<Option<String>> = sqlx::query_scalar(
        "select nullif(u.ban_reason, '')
         from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id
         where t.token_hash = $1 and t.expires_at > $2 and u.banned_at is not null and u.erased_at is null",
    )
    .bind(token.digest)
    .bind(now)
    .fetch_optional(db)
    .await?;
    Ok(reason.map(|reason| Ban { reason }))
}

/// Ends the session of `user` that this refresh token belongs to, if there is one; a spent token is accepted too.
/// Returns the position in the log; `None` if there was no open session.
pub async fn end_by_token(db: &Db, user: UserId, token: Presented<'_>) -> sqlx::Result<Option<Pos>> {
    let ended: Option<Option<Pos>> = sqlx::query_scalar(
        "select e.pos
         from (select t.session_id from refresh_tokens t where t.token_hash = $1
               union
               select t.session_id from refresh_tokens t where t.family_hash = $2) t
         join sessions s on s.id = t.session_id,
         lateral end_sessions(s.user_id, s.user_id, p_session => s.id) e
         where s.user_id = $3",
    )
    .bind(token.digest)
    .bind(token.family)
    .bind(user)
    .fetch_optional(db)
    .await?;
    Ok(ended.flatten())
}

/// Ends all sessions of `user`, at the user's own request.
pub async fn end_all(db: &Db, user: UserId) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select pos from end_sessions($1, $1)").bind(user).fetch_one(db).await
}

/// Deletes up to `most` expired refresh tokens and returns their number. A session that is no longer refreshed would
/// otherwise keep its last ones for ever.
pub async fn remove_expired_tokens(db: &Db, now: OffsetDateTime, most: i32) -> sqlx::Result<i64> {
    sqlx::query_scalar("select remove_expired_tokens($1, $2)").bind(now).bind(most).fetch_one(db).await
}

/// Deletes some rows of sessions that ended before, of at most `most` sessions; returns the number of rows.
pub async fn remove_ended(db: &Db, before: OffsetDateTime, most: i32) -> sqlx::Result<i64> {
    sqlx::query_scalar("select remove_ended_sessions($1, $2)").bind(before).bind(most).fetch_one(db).await
}

/// Checks up to `most` sessions after `after`, and deletes those of an earlier generation or without refresh tokens.
/// Returns where to continue; `None` at the end.
pub async fn remove_dead(
    db: &Db,
    after: SessionId,
    before: OffsetDateTime,
    most: i32,
) -> sqlx::Result<Option<SessionId>> {
    sqlx::query_scalar("select next_after from remove_dead_sessions($1, $2, $3)")
        .bind(after)
        .bind(before)
        .bind(most)
        .fetch_one(db)
        .await
}

/// Deletes some rows of an erased user's sessions; returns their number.
pub async fn remove_of(db: &Db, user: UserId, most: i32) -> sqlx::Result<i64> {
    sqlx::query_scalar("select remove_sessions_of($1, $2)").bind(user).bind(most).fetch_one(db).await
}

#[cfg(test)]
mod tests;

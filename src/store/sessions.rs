//! Sessions and their chains of refresh tokens. Next: `migrations/0004_sessions.sql`, where the rules are.

use time::OffsetDateTime;

use crate::event::{Role, User};
use crate::id::{Pos, SessionId, UserId};

use super::Db;

/// A new session and the digest of its first refresh token.
#[derive(Clone, Copy)]
pub struct NewSession<'a> {
    pub id: SessionId,
    pub opened_at: OffsetDateTime,
    pub token_hash: &'a [u8],
    pub token_expires_at: OffsetDateTime,
}

/// Opens a session for `user`, who showed to know the password behind `password_hash`. Answers `false`
/// where that is the password no more, or the user is banned by now.
pub async fn open(db: &Db, user: UserId, password_hash: &str, session: NewSession<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar("select open_session($1, $2, $3, $4, $5, $6)")
        .bind(session.id)
        .bind(user)
        .bind(password_hash)
        .bind(session.opened_at)
        .bind(session.token_hash)
        .bind(session.token_expires_at)
        .fetch_one(db)
        .await
}

/// What became of a refresh token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Spent for the next one.
    Done { session: SessionId, user: User },
    /// Unknown, expired, or of a session that has ended.
    Invalid,
    /// It had been spent before; its session ended for that, now (at this position) or earlier.
    Reused { session: SessionId, user: UserId, ended_at: Option<Pos> },
}

/// Spends the token with this digest and puts the next in its place.
pub async fn rotate(
    db: &Db,
    token_hash: &[u8],
    now: OffsetDateTime,
    next_hash: &[u8],
    next_expires_at: OffsetDateTime,
) -> sqlx::Result<Rotation> {
    #[derive(sqlx::FromRow)]
    struct Row {
        outcome: String,
        pos: Option<Pos>,
        session_id: Option<SessionId>,
        user_id: Option<UserId>,
        username: Option<String>,
        is_admin: Option<bool>,
    }

    let row: Row = sqlx::query_as("select * from rotate_refresh_token($1, $2, $3, $4)")
        .bind(token_hash)
        .bind(now)
        .bind(next_hash)
        .bind(next_expires_at)
        .fetch_one(db)
        .await?;
    Ok(match (row.outcome.as_str(), row.session_id, row.user_id) {
        ("done", Some(session), Some(id)) => {
            let role = if row.is_admin == Some(true) { Role::Admin } else { Role::User };
            Rotation::Done { session, user: User { id, username: row.username.unwrap_or_default().into(), role } }
        }
        ("reused", Some(session), Some(user)) => Rotation::Reused { session, user, ended_at: row.pos },
        _ => Rotation::Invalid,
    })
}

/// Ends the session of `user` that the refresh token with this digest belongs to, if there is one. Answers
/// where that stands in the log; `None` where nothing was left to end.
pub async fn end_by_token(db: &Db, user: UserId, token_hash: &[u8]) -> sqlx::Result<Option<Pos>> {
    let ended: Option<Option<Pos>> = sqlx::query_scalar(
        "select e.pos
         from refresh_tokens t
         join sessions s on s.id = t.session_id,
         lateral end_sessions(s.user_id, s.user_id, p_session => s.id) e
         where t.token_hash = $1 and s.user_id = $2",
    )
    .bind(token_hash)
    .bind(user)
    .fetch_optional(db)
    .await?;
    Ok(ended.flatten())
}

/// Ends all sessions of `user`, at the user's own wish.
pub async fn end_all(db: &Db, user: UserId) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select pos from end_sessions($1, $1)").bind(user).fetch_one(db).await
}

/// Removes refresh tokens that expired, and answers how many: a session that nobody refreshes any more
/// would otherwise keep its last ones for ever.
pub async fn remove_expired_tokens(db: &Db, now: OffsetDateTime) -> sqlx::Result<u64> {
    let removed = sqlx::query("delete from refresh_tokens where expires_at <= $1").bind(now).execute(db).await?;
    Ok(removed.rows_affected())
}

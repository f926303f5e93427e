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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::store::users;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
    const MONTH: Duration = Duration::from_hours(30 * 24);

    fn session(token: &[u8]) -> NewSession<'_> {
        NewSession { id: SessionId::new(), opened_at: NOW, token_hash: token, token_expires_at: NOW + MONTH }
    }

    async fn ali(db: &Db) -> UserId {
        let id = UserId::new();
        users::create(db, id, "ali", "hash", Role::User).await.unwrap();
        id
    }

    async fn admin(db: &Db) -> UserId {
        let id = UserId::new();
        users::create(db, id, "admin", "hash", Role::Admin).await.unwrap();
        id
    }

    async fn rotate_to(db: &Db, token: &[u8], next: &[u8]) -> Rotation {
        rotate(db, token, NOW, next, NOW + MONTH).await.unwrap()
    }

    async fn is_open(db: &Db, session: SessionId) -> bool {
        sqlx::query_scalar("select ended_at is null from sessions where id = $1")
            .bind(session)
            .fetch_one(db)
            .await
            .unwrap()
    }

    /// Waits until a statement of this database waits for a lock.
    async fn somebody_waits(db: &Db) {
        let waiting = async {
            while !sqlx::query_scalar::<_, bool>(
                "select exists (select from pg_stat_activity
                                where datname = current_database() and wait_event_type = 'Lock')",
            )
            .fetch_one(db)
            .await
            .unwrap()
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("nobody waits, so nothing was locked");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_refresh_token_is_good_for_one_use_and_using_it_again_ends_the_session(db: Db) {
        let ali = ali(&db).await;
        let first = session(b"1");
        assert!(open(&db, ali, "hash", first).await.unwrap());
        let other = session(b"other");
        assert!(open(&db, ali, "hash", other).await.unwrap());

        let user = User { id: ali, username: "ali".into(), role: Role::User };
        assert_eq!(rotate_to(&db, b"1", b"2").await, Rotation::Done { session: first.id, user: user.clone() });
        assert_eq!(rotate_to(&db, b"2", b"3").await, Rotation::Done { session: first.id, user: user.clone() });

        let reused = rotate_to(&db, b"1", b"4").await;
        assert_eq!(reused, Rotation::Reused { session: first.id, user: ali, ended_at: Some(Pos(1)) });
        assert!(!is_open(&db, first.id).await);
        assert_eq!(rotate_to(&db, b"3", b"5").await, Rotation::Invalid, "whoever holds the newest is out as well");
        let again = rotate_to(&db, b"1", b"6").await;
        assert_eq!(again, Rotation::Reused { session: first.id, user: ali, ended_at: None });
        assert_eq!(rotate_to(&db, b"other", b"7").await, Rotation::Done { session: other.id, user });
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn of_many_uses_at_once_one_passes_and_the_session_ends(db: Db) {
        let ali = ali(&db).await;
        let session = session(b"1");
        assert!(open(&db, ali, "hash", session).await.unwrap());
        let nexts: Vec<[u8; 2]> = (0..8).map(|n| [b'n', n]).collect();
        let rotations = futures_util::future::join_all(nexts.iter().map(|next| rotate_to(&db, b"1", next))).await;

        let passed: Vec<_> = (0..8).filter(|n| matches!(rotations[*n], Rotation::Done { .. })).collect();
        assert_eq!(passed.len(), 1, "{rotations:?}");
        let ended = rotations.iter().filter(|rotation| matches!(rotation, Rotation::Reused { ended_at: Some(_), .. }));
        assert_eq!(ended.count(), 1, "{rotations:?}");
        assert!(!is_open(&db, session.id).await);
        assert_eq!(rotate_to(&db, &nexts[passed[0]], b"2").await, Rotation::Invalid);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn an_expired_or_unknown_token_is_refused_and_ends_nothing(db: Db) {
        let ali = ali(&db).await;
        let session = session(b"1");
        assert!(open(&db, ali, "hash", session).await.unwrap());
        let late = NOW + MONTH;
        assert_eq!(rotate(&db, b"1", late, b"2", late + MONTH).await.unwrap(), Rotation::Invalid);
        assert_eq!(rotate_to(&db, b"unknown", b"2").await, Rotation::Invalid);
        assert!(is_open(&db, session.id).await);
        assert_eq!(remove_expired_tokens(&db, NOW).await.unwrap(), 0);
        assert_eq!(remove_expired_tokens(&db, late).await.unwrap(), 1);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_token_ends_the_session_of_its_own_user_only(db: Db) {
        let (ali, admin) = (ali(&db).await, admin(&db).await);
        let session = session(b"1");
        assert!(open(&db, ali, "hash", session).await.unwrap());
        assert_eq!(end_by_token(&db, admin, b"1").await.unwrap(), None);
        assert!(is_open(&db, session.id).await);
        assert_eq!(end_by_token(&db, ali, b"unknown").await.unwrap(), None);
        // The admin's role took position 1.
        assert_eq!(end_by_token(&db, ali, b"1").await.unwrap(), Some(Pos(2)));
        assert_eq!(end_by_token(&db, ali, b"1").await.unwrap(), None);
        assert_eq!(rotate_to(&db, b"1", b"2").await, Rotation::Invalid);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn all_sessions_end_at_one_position(db: Db) {
        let ali = ali(&db).await;
        for token in [b"1", b"2", b"3"] {
            assert!(open(&db, ali, "hash", session(token)).await.unwrap());
        }
        assert_eq!(end_all(&db, ali).await.unwrap(), Some(Pos(1)));
        assert_eq!(end_all(&db, ali).await.unwrap(), None);
        for token in [b"1", b"2", b"3"] {
            assert_eq!(rotate_to(&db, token, b"next").await, Rotation::Invalid);
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn no_session_opens_behind_a_ban_or_a_new_password(db: Db) {
        let (ali, admin) = (ali(&db).await, admin(&db).await);
        assert!(!open(&db, ali, "former hash", session(b"1")).await.unwrap());
        users::set_ban(&db, ali, admin, true, None).await.unwrap();
        assert!(!open(&db, ali, "hash", session(b"2")).await.unwrap());
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_session_that_opens_during_a_ban_waits_for_it_and_does_not_open(db: Db) {
        let (ali, admin) = (ali(&db).await, admin(&db).await);
        let mut ban = db.begin().await.unwrap();
        sqlx::query("select set_ban($1, $2, true, null)").bind(ali).bind(admin).execute(&mut *ban).await.unwrap();
        let opening = tokio::spawn({
            let db = db.clone();
            async move { open(&db, ali, "hash", session(b"1")).await }
        });
        somebody_waits(&db).await;
        ban.commit().await.unwrap();
        assert!(!opening.await.unwrap().unwrap());
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_ban_waits_for_a_session_that_is_opening_and_ends_it(db: Db) {
        let (ali, admin) = (ali(&db).await, admin(&db).await);
        let opened = SessionId::new();
        let mut opening = db.begin().await.unwrap();
        sqlx::query("select open_session($1, $2, 'hash', now(), '\\x01', now() + interval '1 day')")
            .bind(opened)
            .bind(ali)
            .execute(&mut *opening)
            .await
            .unwrap();
        let ban = tokio::spawn({
            let db = db.clone();
            async move { users::set_ban(&db, ali, admin, true, None).await }
        });
        somebody_waits(&db).await;
        opening.commit().await.unwrap();
        assert!(matches!(ban.await.unwrap().unwrap(), users::Outcome::Done(_)));
        assert!(!is_open(&db, opened).await);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_refresh_during_a_sign_out_waits_for_it_and_is_refused(db: Db) {
        let ali = ali(&db).await;
        assert!(open(&db, ali, "hash", session(b"1")).await.unwrap());
        let mut ending = db.begin().await.unwrap();
        sqlx::query("select end_sessions($1, $1)").bind(ali).execute(&mut *ending).await.unwrap();
        let refreshing = tokio::spawn({
            let db = db.clone();
            async move { rotate_to(&db, b"1", b"2").await }
        });
        somebody_waits(&db).await;
        ending.commit().await.unwrap();
        assert_eq!(refreshing.await.unwrap(), Rotation::Invalid);
    }
}

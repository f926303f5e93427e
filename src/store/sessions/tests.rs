//! Sessions and refresh tokens, including two connections that compete for the same row.

use std::time::Duration;

use time::macros::datetime;

use super::*;
use crate::store::users;

mod families;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
const MONTH: Duration = Duration::from_hours(30 * 24);
/// Family of the tokens in these tests.
const FAMILY: &[u8] = b"family";

fn session(token: &[u8]) -> NewSession<'_> {
    NewSession { id: SessionId::new(), opened_at: NOW, token_hash: token, token_expires_at: NOW + MONTH }
}

/// Opens a session of one user, whose first token is `token`.
async fn opened(pool: sqlx::PgPool, token: &[u8]) -> (Db, UserId, NewSession<'_>) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    let session = session(token);
    assert!(open(&db, ali, "hash", session).await.unwrap().is_some());
    (db, ali, session)
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
    rotate_at(db, NOW, token, next).await
}

/// The nonce of a successor is its digest, which identifies it in these tests.
async fn rotate_at(db: &Db, now: OffsetDateTime, token: &[u8], next: &[u8]) -> Rotation {
    let offer = Offer { nonce: next, digest: next, family: FAMILY, expires_at: now + MONTH, replaces: false };
    rotate(db, presented(token), now, offer).await.unwrap()
}

fn presented(token: &[u8]) -> Presented<'_> {
    Presented { digest: token, family: Some(FAMILY) }
}

/// Returns the digest of the issued successor.
fn given(rotation: Rotation) -> Vec<u8> {
    let Rotation::Done { nonce, digest, .. } = rotation else { panic!("nothing was given: {rotation:?}") };
    assert_eq!(nonce, digest);
    digest
}

async fn is_open(db: &Db, session: SessionId) -> bool {
    sqlx::query_scalar(
        "select ended_at is null and generation = session_generation(user_id) from sessions where id = $1",
    )
    .bind(session)
    .fetch_one(db)
    .await
    .unwrap()
}

/// Waits until a statement of this database is blocked on a lock.
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
async fn a_spent_token_is_theft_once_its_successor_was_used(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    let first = session(b"1");
    let claim = open(&db, ali, "hash", first).await.unwrap().unwrap();
    let other = session(b"other");
    assert!(open(&db, ali, "hash", other).await.unwrap().is_some());

    let user = User { id: ali, username: "ali".into(), role: Role::User };
    let done = |next: &[u8]| Rotation::Done {
        session: claim,
        user: user.clone(),
        nonce: next.to_vec(),
        digest: next.to_vec(),
    };
    assert_eq!(rotate_to(&db, b"1", b"2").await, done(b"2"));
    assert_eq!(rotate_to(&db, b"2", b"3").await, done(b"3"));

    let reused = rotate_to(&db, b"1", b"4").await;
    assert_eq!(reused, Rotation::Reused { session: first.id, user: ali, ended_at: Some(Pos(1)) });
    assert!(!is_open(&db, first.id).await);
    assert_eq!(rotate_to(&db, b"3", b"5").await, Rotation::Invalid, "whoever holds the newest is out as well");
    assert_eq!(rotate_to(&db, b"1", b"6").await, Rotation::Invalid, "of a session that has ended");
    assert_eq!(given(rotate_to(&db, b"other", b"7").await), b"7");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_lost_successor_is_issued_again_and_another_after_the_grace_period(pool: sqlx::PgPool) {
    let (db, ali, session) = opened(pool, b"1").await;
    assert_eq!(given(rotate_to(&db, b"1", b"2").await), b"2");
    assert_eq!(given(rotate_to(&db, b"1", b"3").await), b"2");
    let last_moment = NOW + GRACE - Duration::from_secs(1);
    assert_eq!(given(rotate_at(&db, last_moment, b"1", b"4").await), b"2");

    let later = NOW + GRACE;
    assert_eq!(given(rotate_at(&db, later, b"1", b"5").await), b"5", "the grace is over");
    assert_eq!(given(rotate_at(&db, later, b"1", b"6").await), b"5", "and another has begun");
    let replaces = Offer { nonce: b"7", digest: b"7", family: FAMILY, expires_at: later + MONTH, replaces: true };
    assert_eq!(given(rotate(&db, presented(b"1"), later, replaces).await.unwrap()), b"7", "the caller cannot make 5");

    assert_eq!(given(rotate_at(&db, later, b"7", b"8").await), b"8");
    let replaced = rotate_at(&db, later, b"5", b"9").await;
    assert_eq!(replaced, Rotation::Reused { session: session.id, user: ali, ended_at: Some(Pos(1)) });
    assert!(!is_open(&db, session.id).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_replaced_successor_is_theft_before_and_after_the_other_was_used(pool: sqlx::PgPool) {
    let (db, _, _) = opened(pool, b"1").await;
    assert_eq!(given(rotate_to(&db, b"1", b"2").await), b"2");
    assert_eq!(given(rotate_at(&db, NOW + GRACE, b"1", b"3").await), b"3");
    assert!(matches!(rotate_at(&db, NOW + GRACE, b"2", b"4").await, Rotation::Reused { ended_at: Some(_), .. }));
    assert_eq!(rotate_at(&db, NOW + GRACE, b"3", b"5").await, Rotation::Invalid);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn concurrent_uses_get_the_same_successor(pool: sqlx::PgPool) {
    let (db, _, session) = opened(pool, b"1").await;
    let nexts: Vec<[u8; 2]> = (0..8).map(|n| [b'n', n]).collect();
    let rotations = futures_util::future::join_all(nexts.iter().map(|next| rotate_to(&db, b"1", next))).await;
    let mut successors: Vec<_> = rotations.into_iter().map(given).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert!(is_open(&db, session.id).await);
    assert_eq!(given(rotate_to(&db, &successors[0], b"2").await), b"2");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_spent_token_still_ends_its_session(pool: sqlx::PgPool) {
    let (db, ali, _) = opened(pool, b"1").await;
    assert_eq!(given(rotate_to(&db, b"1", b"2").await), b"2");
    assert_eq!(end_by_token(&db, ali, presented(b"1")).await.unwrap(), Some(Pos(1)));
    assert_eq!(rotate_to(&db, b"2", b"3").await, Rotation::Invalid);
    assert_eq!(rotate_to(&db, b"1", b"3").await, Rotation::Invalid, "within the grace too");
}

/// The query of the release before the previous one.
async fn rotate_as_the_release_before(db: &Db, token: &[u8], next: &[u8]) -> String {
    sqlx::query_scalar("select outcome from rotate_refresh_token($1, $2, $3, $4)")
        .bind(token)
        .bind(NOW)
        .bind(next)
        .bind(NOW + MONTH)
        .fetch_one(db)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_release_without_a_grace_period_refreshes_the_same_sessions(pool: sqlx::PgPool) {
    let (db, _, session) = opened(pool, b"1").await;
    assert_eq!(rotate_as_the_release_before(&db, b"1", b"2").await, "done");
    assert_eq!(given(rotate_to(&db, b"1", b"3").await), b"3", "its answer was lost; what it made cannot be made again");
    assert_eq!(rotate_as_the_release_before(&db, b"3", b"4").await, "done");
    assert_eq!(rotate_as_the_release_before(&db, b"3", b"5").await, "reused", "it knows no grace");
    assert!(!is_open(&db, session.id).await);
    assert_eq!(rotate_as_the_release_before(&db, b"4", b"6").await, "invalid");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn an_account_holds_a_hundred_sessions_and_the_least_recently_used_end(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    for n in 0..100_u8 {
        let opened_at = NOW + Duration::from_secs(n.into());
        let token = [n];
        let new = NewSession { opened_at, token_expires_at: opened_at + MONTH, ..session(&token) };
        assert!(open(&db, ali, "hash", new).await.unwrap().is_some());
    }
    assert_eq!(end_surplus(&db, ali).await.unwrap(), None, "a hundred are not too many");

    // The oldest is in use; the one after it is not.
    let later = NOW + Duration::from_hours(1);
    let offer =
        Offer { nonce: b"nonce", digest: b"in use", family: FAMILY, expires_at: later + MONTH, replaces: false };
    assert!(matches!(rotate(&db, presented(&[0]), later, offer).await.unwrap(), Rotation::Done { .. }));
    for n in 100..102_u8 {
        let token = [n];
        let new = NewSession { opened_at: later, token_expires_at: later + MONTH, ..session(&token) };
        assert!(open(&db, ali, "hash", new).await.unwrap().is_some());
        let pos = Pos(i64::from(n) - 99);
        assert_eq!(end_surplus(&db, ali).await.unwrap(), Some(pos), "it is in the log, so access tokens end as well");
    }
    for n in 1..3_u8 {
        assert_eq!(rotate_to(&db, &[n], b"next").await, Rotation::Invalid);
    }
    assert_eq!(given(rotate_to(&db, b"in use", b"next of 0").await), b"next of 0");
    assert_eq!(given(rotate_to(&db, &[3], b"next of 3").await), b"next of 3");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn ended_and_expired_sessions_are_removed_and_open_ones_stay(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let (ali, bo) = (ali(&db).await, admin(&db).await);
    let far = NOW + Duration::from_hours(24);
    let open_one = async |user, token: &[u8], expires_at| {
        let new = NewSession { token_expires_at: expires_at, ..session(token) };
        open(&db, user, "hash", new).await.unwrap().unwrap().id
    };
    let signed_out = open_one(ali, b"signed out", NOW + MONTH).await;
    let of_before = open_one(bo, b"of before", NOW + MONTH).await;
    let expired = open_one(ali, b"expired", NOW).await;
    let alive = open_one(ali, b"alive", NOW + MONTH).await;
    end_by_token(&db, ali, presented(b"signed out")).await.unwrap();
    // The state of an account that had more sessions than the log lists.
    sqlx::query("insert into session_endings (user_id, generation, ended_at) values ($1, 1, $2)")
        .bind(bo)
        .bind(NOW)
        .execute(&db)
        .await
        .unwrap();

    let left = async || -> Vec<SessionId> {
        sqlx::query_scalar("select id from sessions order by id").fetch_all(&db).await.unwrap()
    };
    assert_eq!(remove_ended(&db, NOW - MONTH, 500).await.unwrap(), 0, "its access tokens may be alive");
    while remove_ended(&db, OffsetDateTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 200), 500).await.unwrap() > 0 {
    }
    assert_eq!(left().await, [of_before, expired, alive]);
    assert!(!left().await.contains(&signed_out));
    assert_eq!(remove_expired_tokens(&db, NOW, 500).await.unwrap(), 1);
    let mut next = Some(SessionId(uuid::Uuid::nil()));
    while let Some(after) = next {
        next = remove_dead(&db, after, far, 1).await.unwrap();
    }
    assert_eq!(left().await, [alive]);
    assert_eq!(given(rotate_to(&db, b"alive", b"next").await), b"next");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn an_expired_or_unknown_token_is_refused_and_ends_nothing(pool: sqlx::PgPool) {
    let (db, _, session) = opened(pool, b"1").await;
    let late = NOW + MONTH;
    assert_eq!(rotate_at(&db, late, b"1", b"2").await, Rotation::Invalid);
    assert_eq!(rotate_to(&db, b"unknown", b"2").await, Rotation::Invalid);
    assert!(is_open(&db, session.id).await);
    assert_eq!(remove_expired_tokens(&db, NOW, 500).await.unwrap(), 0);
    assert_eq!(remove_expired_tokens(&db, late, 500).await.unwrap(), 1);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_token_ends_the_session_of_its_own_user_only(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let (ali, admin) = (ali(&db).await, admin(&db).await);
    let session = session(b"1");
    assert!(open(&db, ali, "hash", session).await.unwrap().is_some());
    assert_eq!(end_by_token(&db, admin, presented(b"1")).await.unwrap(), None);
    assert!(is_open(&db, session.id).await);
    assert_eq!(end_by_token(&db, ali, presented(b"unknown")).await.unwrap(), None);
    // The admin's role took position 1.
    assert_eq!(end_by_token(&db, ali, presented(b"1")).await.unwrap(), Some(Pos(2)));
    assert_eq!(end_by_token(&db, ali, presented(b"1")).await.unwrap(), None);
    assert_eq!(rotate_to(&db, b"1", b"2").await, Rotation::Invalid);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn all_sessions_end_at_one_position(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    for token in [b"1", b"2", b"3"] {
        assert!(open(&db, ali, "hash", session(token)).await.unwrap().is_some());
    }
    assert_eq!(end_all(&db, ali).await.unwrap(), Some(Pos(1)));
    assert_eq!(end_all(&db, ali).await.unwrap(), None);
    for token in [b"1", b"2", b"3"] {
        assert_eq!(rotate_to(&db, token, b"next").await, Rotation::Invalid);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn no_session_opens_after_a_ban_or_a_new_password(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let (ali, admin) = (ali(&db).await, admin(&db).await);
    assert_eq!(open(&db, ali, "former hash", session(b"1")).await.unwrap(), None);
    users::set_ban(&db, ali, admin, true, None).await.unwrap().unwrap();
    assert_eq!(open(&db, ali, "hash", session(b"2")).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_sign_in_during_a_ban_waits_for_it_and_is_refused(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let (ali, admin) = (ali(&db).await, admin(&db).await);
    let mut ban = db.begin().await.unwrap();
    sqlx::query("select set_ban($1, $2, true, null)").bind(ali).bind(admin).execute(&mut *ban).await.unwrap();
    let opening = tokio::spawn({
        let db = db.clone();
        async move { open(&db, ali, "hash", session(b"1")).await }
    });
    somebody_waits(&db).await;
    ban.commit().await.unwrap();
    assert_eq!(opening.await.unwrap().unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_ban_waits_for_a_session_that_is_opening_and_ends_it(pool: sqlx::PgPool) {
    let db = Db::from(pool);
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
    assert!(matches!(ban.await.unwrap().unwrap(), Ok(Some(_))));
    assert!(!is_open(&db, opened).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_refresh_during_a_sign_out_waits_for_it_and_is_refused(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    assert!(open(&db, ali, "hash", session(b"1")).await.unwrap().is_some());
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

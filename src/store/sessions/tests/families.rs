//! Families of refresh tokens: earlier tokens are recognised although their rows are gone.

use super::*;

/// Exchanges a token that the previous release created for one with a family.
async fn rotate_former(db: &Db, token: &[u8], next: &[u8]) -> Rotation {
    let offer = Offer { nonce: next, digest: next, family: FAMILY, expires_at: NOW + MONTH, replaces: false };
    rotate(db, Presented { digest: token, family: None }, NOW, offer).await.unwrap()
}

async fn tokens_kept(db: &Db, session: SessionId) -> i64 {
    let count = sqlx::query_scalar("select count(*) from refresh_tokens where session_id = $1");
    count.bind(session).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_session_keeps_two_tokens_and_any_earlier_one_is_theft(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let ali = ali(&db).await;
    let theft = session(b"0");
    assert!(open(&db, ali, "hash", theft).await.unwrap().is_some());
    for n in 0..20_u8 {
        let (token, next) = (n.to_string(), (n + 1).to_string());
        assert_eq!(given(rotate_to(&db, token.as_bytes(), next.as_bytes()).await), next.as_bytes());
        assert_eq!(given(rotate_to(&db, token.as_bytes(), b"again").await), next.as_bytes(), "a lost answer");
        assert_eq!(tokens_kept(&db, theft.id).await, 2);
    }
    let forged = Presented { digest: b"3", family: Some(b"another family") };
    let offer = Offer { nonce: b"x", digest: b"x", family: b"x", expires_at: NOW + MONTH, replaces: false };
    assert_eq!(rotate(&db, forged, NOW, offer).await.unwrap(), Rotation::Invalid);
    assert!(is_open(&db, theft.id).await);
    let reused = rotate_to(&db, b"3", b"next").await;
    assert_eq!(reused, Rotation::Reused { session: theft.id, user: ali, ended_at: Some(Pos(1)) });
    assert_eq!(rotate_to(&db, b"20", b"next").await, Rotation::Invalid);
    assert_eq!(rotate_to(&db, b"3", b"next").await, Rotation::Invalid, "there is nothing left to end");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn an_earlier_token_still_signs_out(pool: sqlx::PgPool) {
    let (db, ali, session) = opened(pool, b"0").await;
    for (token, next) in [(b"0", b"1"), (b"1", b"2"), (b"2", b"3")] {
        assert_eq!(given(rotate_to(&db, token, next).await), next);
    }
    assert_eq!(end_by_token(&db, ali, presented(b"0")).await.unwrap(), Some(Pos(1)));
    assert!(!is_open(&db, session.id).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn tokens_of_the_previous_release_are_kept_until_they_expire(pool: sqlx::PgPool) {
    let (db, _, session) = opened(pool, b"1").await;
    assert_eq!(refresh_as_the_release_before(&db, b"1", b"2").await, "done");
    assert_eq!(given(rotate_former(&db, b"2", b"3").await), b"3");
    assert_eq!(given(rotate_former(&db, b"2", b"x").await), b"3", "a lost answer");
    for (token, next) in [(b"3", b"4"), (b"4", b"5"), (b"5", b"6")] {
        assert_eq!(given(rotate_to(&db, token, next).await), next);
    }
    assert_eq!(tokens_kept(&db, session.id).await, 4, "1 and 2 have no family");
    // The previous release goes on with a token that has a family, and gives one without.
    assert_eq!(refresh_as_the_release_before(&db, b"5", b"7").await, "done", "the answer with 6 was lost");
    assert_eq!(refresh_as_the_release_before(&db, b"6", b"7").await, "done");
    assert_eq!(given(rotate_former(&db, b"7", b"8").await), b"8");
    assert!(matches!(rotate_former(&db, b"1", b"9").await, Rotation::Reused { ended_at: Some(_), .. }));
    assert_eq!(rotate_to(&db, b"8", b"9").await, Rotation::Invalid);
}

/// The query of the previous release, on the same tables.
async fn refresh_as_the_release_before(db: &Db, token: &[u8], next: &[u8]) -> String {
    sqlx::query_scalar("select outcome from refresh_session($1, $2, '1 minute', $3, $3, $4, false)")
        .bind(token)
        .bind(NOW)
        .bind(next)
        .bind(NOW + MONTH)
        .fetch_one(db)
        .await
        .unwrap()
}

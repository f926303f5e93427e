//! An account with more sessions than one statement can update: every operation on it takes effect at once, and ends
//! all sessions.

use std::time::{Duration, Instant};

use gapless::id::{Generation, SessionClaim, SessionId};
use gapless::store::Db;
use serde_json::json;

use crate::actors::{Chat, Guest, Instance, PASSWORD, User};

/// Number of sessions that one script left behind in three weeks.
const MANY: i32 = 300_000;
/// The statement timeout.
const AT_ONCE: Duration = Duration::from_millis(2_500);

/// Adds `count` sessions to the account, the newest a second old.
async fn open_sessions(db: &Db, user: &User, count: i32) {
    sqlx::query(
        "insert into sessions (id, user_id, created_at)
         select gen_random_uuid(), $1, now() - make_interval(secs => n) from generate_series(1, $2) n",
    )
    .bind(user.id)
    .bind(count)
    .execute(db)
    .await
    .expect("sessions");
}

async fn open_in_the_table(db: &Db, user: &User) -> i64 {
    sqlx::query_scalar(
        "select count(*) from sessions s
         where user_id = $1 and ended_at is null and generation = session_generation(user_id)",
    )
    .bind(user.id)
    .fetch_one(db)
    .await
    .expect("a count")
}

/// Returns an access token of the oldest session, which was inserted into the table directly.
async fn token_of_the_oldest(chat: &Chat, user: &User) -> Guest {
    let oldest = "select id, generation from sessions where user_id = $1 order by created_at limit 1";
    let (id, generation): (SessionId, Generation) =
        sqlx::query_as(oldest).bind(user.id).fetch_one(&chat.db()).await.expect("a session");
    let app = &chat.first.app;
    let claim = SessionClaim { id, generation: Some(generation) };
    chat.guest().with_token(&app.auth.tokens.issue(user.id, user.name.as_str().into(), claim, chat.clock.now()))
}

fn at(guest: &Guest, instance: &Instance) -> Guest {
    Guest { address: instance.address, ..guest.clone() }
}

#[tokio::test]
async fn an_account_of_300_000_sessions_is_banned_at_once() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let ada = chat.admin("ada").await;
    let alice = chat.user("alice").await;
    open_sessions(&chat.db(), &alice, MANY).await;
    let oldest = token_of_the_oldest(&chat, &alice).await;
    oldest.get("/users/me").await.is(200);
    ada.mute(&alice, 60).await;
    ada.unmute(&alice).await;
    ada.set_role(&alice, "admin").await;
    ada.set_role(&alice, "user").await;
    second.catch_up().await;
    let mut stream = oldest.opening().open().await;
    let mut there = at(&oldest, &second).opening().open().await;

    let began = Instant::now();
    ada.ban(&alice).await;
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    stream.expect_bye("revoked").await;
    there.expect_bye("revoked").await;
    assert_eq!(open_in_the_table(&chat.db(), &alice).await, 0);

    ada.unban(&alice).await;
    let third = chat.second_instance().await;
    second.catch_up().await;
    for instance in [&chat.first, &second, &third] {
        at(&oldest, instance).get("/users/me").await.refused(401, "invalid_token");
        let back = alice.at(instance).another_session().await;
        back.get("/users/me").await.is(200);
    }
    println!("figure: an account of {MANY} sessions banned in {} ms, all of them ended", took.as_millis());
}

#[tokio::test]
async fn sessions_beyond_those_that_the_log_lists_end_as_well() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let ada = chat.admin("ada").await;
    for what in ["sign-out everywhere", "another password", "an admin's action"] {
        let alice = chat.user(&format!("alice-{}", what.len())).await;
        open_sessions(&chat.db(), &alice, 250).await;
        let oldest = token_of_the_oldest(&chat, &alice).await;
        let mut stream = at(&oldest, &second).opening().open().await;
        match what {
            "sign-out everywhere" => drop(alice.tell("/auth/logout-all").await.is(204)),
            "another password" => {
                let change = json!({"current_password": PASSWORD, "new_password": "another one"});
                alice.put("/auth/password", change).await.is(204);
            }
            _ => ada.end_sessions_of(&alice).await,
        }
        stream.expect_bye("revoked").await;
        let third = chat.second_instance().await;
        let is_spared = what == "another password";
        for instance in [&chat.first, &second, &third] {
            at(&oldest, instance).get("/users/me").await.refused(401, "invalid_token");
            let own = alice.at(instance).get("/users/me").await.status;
            assert_eq!(own == 200, is_spared, "{own} after {what}");
        }
        assert_eq!(open_in_the_table(&chat.db(), &alice).await, i64::from(is_spared), "after {what}");
        if is_spared {
            let next = alice.refreshed().await;
            next.get("/users/me").await.is(200);
            next.tell("/auth/logout-all").await.is(204);
            alice.get("/users/me").await.refused(401, "invalid_token");
            next.get("/users/me").await.refused(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn tokens_of_the_release_before_end_with_their_session() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let session: SessionId = sqlx::query_scalar("select id from sessions where user_id = $1")
        .bind(alice.id)
        .fetch_one(&chat.db())
        .await
        .unwrap();
    let app = &chat.first.app;
    // A token without a generation.
    let token = app.auth.tokens.issue(alice.id, "alice".into(), session, chat.clock.now());
    let older = chat.guest().with_token(&token);
    older.get("/users/me").await.is(200);
    alice.tell("/auth/logout-all").await.is(204);
    older.get("/users/me").await.refused(401, "invalid_token");
    chat.second_instance().await.guest().with_token(&token).get("/users/me").await.refused(401, "invalid_token");
}

#[tokio::test]
async fn an_account_of_many_sessions_is_erased_with_all_of_them() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let alice = chat.user("alice").await;
    open_sessions(&chat.db(), &alice, MANY / 10).await;
    let oldest = token_of_the_oldest(&chat, &alice).await;
    let began = Instant::now();
    // Rows that are not deleted during the request are deleted afterwards.
    ada.delete(&format!("/users/{}", alice.id)).await;
    oldest.get("/users/me").await.refused(401, "invalid_token");
    loop {
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from sessions where user_id = $1) + (select count(*) from erasures)",
        )
        .bind(alice.id)
        .fetch_one(&chat.db())
        .await
        .expect("a count");
        if left == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{left} rows are left");
        tokio::task::yield_now().await;
    }
}

//! Tests of sign-up, sign-in, refresh and sign-out.

use std::time::Duration;

use axum::http::{Method, header};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::Config;
use crate::routes::visitor::{Chat, PASSWORD, Visitor, credentials};

async fn is_signed_in(visitor: &Visitor) -> bool {
    let answer = visitor.get("/users/me").await;
    assert!(answer.status == 200 || answer.body["code"] == "invalid_token", "{}", answer.body);
    answer.status == 200
}

#[sqlx::test(migrations = false)]
async fn a_new_user_is_signed_in_and_their_name_is_theirs_in_any_case(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let ali = chat.guest().post("/auth/register", credentials("Ali", PASSWORD)).await;
    assert_eq!(ali.headers[header::CACHE_CONTROL], "no-store");
    let session = ali.expect(201);
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!((&session["user"]["username"], &session["user"]["role"]), (&json!("ali"), &json!("user")));
    let mut ali = chat.guest();
    ali.hold(&session);
    assert_eq!(ali.get("/users/me").await.expect(200)["id"], session["user"]["id"]);

    chat.guest()
        .post("/auth/register", credentials("ALI", "another password"))
        .await
        .expect_refusal(409, "username_taken");
    let again = chat.guest().post("/auth/login", credentials("aLI", PASSWORD)).await.expect(200);
    assert_eq!(again["user"], session["user"]);

    let short = chat.guest().post("/auth/register", credentials("bo", "short")).await.expect_refusal(422, "invalid");
    assert!(!short.to_string().contains("short\""), "{short}");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_refused_sign_in_says_nothing_about_the_account(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let ali = chat.user("ali").await;
    let admin = chat.admin("admin").await;
    let wrong = [
        credentials("ali", "wrong password"),
        credentials("nobody", PASSWORD),
        credentials("no name\0at all", PASSWORD),
        credentials("", ""),
    ];
    let mut refusals = Vec::new();
    for attempt in &wrong {
        refusals.push(chat.guest().post("/auth/login", attempt.clone()).await.expect_refusal(401, "wrong_credentials"));
    }
    admin.post(&format!("/users/{}/ban", ali.id), json!({})).await.expect(200);
    refusals.push(chat.guest().post("/auth/login", wrong[0].clone()).await.expect_refusal(401, "wrong_credentials"));
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    // Callers who know the password may learn of the ban.
    chat.guest().post("/auth/login", credentials("ali", PASSWORD)).await.expect_refusal(403, "banned");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_stolen_refresh_token_ends_the_session_for_thief_and_owner(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let mut ali = chat.user("ali").await;
    let other_device = ali.sign_in("ali").await;
    let thief = ali.clone();
    for _ in 0..2 {
        let next = ali.refresh().await.expect(200);
        ali.hold(&next);
    }
    assert!(is_signed_in(&ali).await);

    thief.refresh().await.expect_refusal(401, "invalid_refresh_token");
    assert!(!is_signed_in(&ali).await, "the access token ends with the session");
    assert!(!is_signed_in(&thief).await);
    ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
    assert!(is_signed_in(&other_device).await);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn signing_out_ends_the_session_that_was_named_and_no_other(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let (ali, bob) = (chat.user("ali").await, chat.user("bob").await);
    let other_device = ali.sign_in("ali").await;
    let log_out = |refresh_token: &str| json!({ "refresh_token": refresh_token });

    bob.post("/auth/logout", log_out(&ali.refresh_token)).await.expect(204);
    bob.post("/auth/logout", log_out("unknown")).await.expect(204);
    assert!(is_signed_in(&ali).await && is_signed_in(&bob).await);

    ali.post("/auth/logout", log_out(&ali.refresh_token)).await.expect(204);
    assert!(!is_signed_in(&ali).await);
    ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
    assert!(is_signed_in(&other_device).await);

    let third_device = ali.sign_in("ali").await;
    third_device.ask(Method::POST, "/auth/logout-all", None).await.expect(204);
    assert!(!is_signed_in(&other_device).await && !is_signed_in(&third_device).await);
    assert!(is_signed_in(&bob).await);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let ali = chat.user("ali").await;
    let other_device = ali.sign_in("ali").await;
    let change = |from: &str, to: &str| json!({ "current_password": from, "new_password": to });

    let wrong = ali.ask(Method::PUT, "/auth/password", Some(change("wrong", "battery staple"))).await;
    assert_eq!(wrong.expect_refusal(422, "invalid")["errors"][0]["field"], "current_password");
    ali.ask(Method::PUT, "/auth/password", Some(change(PASSWORD, "short"))).await.expect_refusal(422, "invalid");
    assert!(is_signed_in(&other_device).await);

    ali.ask(Method::PUT, "/auth/password", Some(change(PASSWORD, "battery staple"))).await.expect(204);
    assert!(is_signed_in(&ali).await);
    assert!(!is_signed_in(&other_device).await);
    chat.guest().post("/auth/login", credentials("ali", PASSWORD)).await.expect_refusal(401, "wrong_credentials");
    chat.guest().post("/auth/login", credentials("ali", "battery staple")).await.expect(200);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn tokens_end_at_their_time(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let mut ali = chat.user("ali").await;
    chat.app.clock.advance(Duration::from_mins(15));
    assert!(!is_signed_in(&ali).await);
    let next = ali.refresh().await.expect(200);
    ali.hold(&next);
    assert!(is_signed_in(&ali).await);
    chat.app.clock.advance(Duration::from_hours(30 * 24));
    ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn the_demos_passwords_open_nothing_outside_demo_mode(_: PgPoolOptions, database: PgConnectOptions) {
    for (demo_mode, status) in [(true, 200), (false, 401)] {
        // A demo's database that is then used in production.
        let chat = Chat::with(database.clone(), Config { demo_mode, ..Config::for_tests() }).await;
        for (username, password) in [("ali", "test"), ("admin", "admin")] {
            chat.guest().post("/auth/login", credentials(username, password)).await.expect(status);
        }
        chat.stop().await;
    }
}

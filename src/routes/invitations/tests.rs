//! Tests of sign-up by invitation.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::{Config, Registration};
use crate::routes::visitor::{Answer, Chat, PASSWORD};

async fn chat(database: PgConnectOptions, registration: Registration) -> Chat {
    Chat::with(database, Config { registration, ..Config::for_tests() }).await
}

async fn sign_up(chat: &Chat, username: &str, invitation: Option<&str>) -> Answer {
    let account = json!({ "username": username, "password": PASSWORD, "invitation": invitation });
    chat.guest().post("/auth/register", account).await
}

fn code(made: &Value) -> String {
    made["code"].as_str().expect("a code").to_owned()
}

#[sqlx::test(migrations = false)]
async fn whoever_is_invited_gets_in_as_often_as_the_invitation_says(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Invite).await;
    let admin = chat.admin("admin").await;
    let made = admin.post("/invitations", json!({ "max_uses": 2 })).await.expect(201);
    let code = code(&made);

    sign_up(&chat, "ali", None).await.expect_refusal(403, "invitation_required");
    sign_up(&chat, "ali", Some(" ")).await.expect_refusal(403, "invitation_required");
    sign_up(&chat, "ali", Some("guess")).await.expect_refusal(403, "invalid_invitation");
    sign_up(&chat, "ali", Some(&code)).await.expect(201);
    sign_up(&chat, "ALI", Some(&code)).await.expect_refusal(409, "username_taken");
    sign_up(&chat, "bob", Some(&code.to_ascii_uppercase())).await.expect(201);
    sign_up(&chat, "cleo", Some(&code)).await.expect_refusal(403, "invalid_invitation");

    let listed = admin.get("/invitations").await.expect(200);
    let invitation = &listed["invitations"][0];
    assert_eq!((&invitation["uses"], &invitation["max_uses"]), (&json!(2), &json!(2)));
    assert_eq!((&invitation["is_valid"], &invitation["created_by"]["username"]), (&json!(false), &json!("admin")));
    assert!(!listed.to_string().contains(&code), "a code is told once");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn of_two_who_come_at_once_with_one_use_one_gets_in(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Invite).await;
    let code = code(&chat.admin("admin").await.post("/invitations", json!({})).await.expect(201));
    // Both pass the first check before the first account exists: hashing passwords takes long.
    let (ali, bob) = tokio::join!(sign_up(&chat, "ali", Some(&code)), sign_up(&chat, "bob", Some(&code)));
    let mut statuses = [ali.status, bob.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn an_invitation_ends_when_it_expires_and_when_it_is_revoked(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Invite).await;
    let admin = chat.admin("admin").await;
    let short = admin.post("/invitations", json!({ "expires_in_secs": 60 })).await.expect(201);
    let long = admin.post("/invitations", json!({ "max_uses": 5 })).await.expect(201);
    chat.app.clock.advance(Duration::from_mins(1));
    sign_up(&chat, "ali", Some(&code(&short))).await.expect_refusal(403, "invalid_invitation");
    sign_up(&chat, "ali", Some(&code(&long))).await.expect(201);

    let address = format!("/invitations/{}", long["invitation"]["id"].as_str().expect("an id"));
    admin.delete(&address).await.expect(204);
    admin.delete(&address).await.expect(204);
    sign_up(&chat, "bob", Some(&code(&long))).await.expect_refusal(403, "invalid_invitation");
    let listed = admin.get("/invitations?limit=1").await.expect(200);
    assert_eq!(listed["invitations"].as_array().map(Vec::len), Some(1));
    assert!(listed["invitations"][0]["revoked_at"].is_string());
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn where_sign_up_is_closed_no_invitation_opens_it(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Closed).await;
    let admin = chat.admin("admin").await;
    let code = code(&admin.post("/invitations", json!({})).await.expect(201));
    sign_up(&chat, "ali", Some(&code)).await.expect_refusal(403, "registration_closed");
    assert_eq!(chat.guest().get("/readyz").await.expect(200)["registration"], "closed");
    // Existing users can still sign in.
    admin.sign_in("admin").await.get("/users/me").await.expect(200);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn where_everybody_may_sign_up_an_old_link_still_leads_in(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Open).await;
    sign_up(&chat, "ali", Some("of another time")).await.expect(201);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn terms_are_whole_numbers_within_reason(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database, Registration::Invite).await;
    let admin = chat.admin("admin").await;
    let refused = [("max_uses", 0.0), ("max_uses", 1_001.0), ("max_uses", 1.5), ("expires_in_secs", 59.0)];
    for (field, value) in refused {
        let problem = admin.post("/invitations", json!({ field: value })).await.expect_refusal(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(admin.post("/invitations", json!({ "max_uses": 3.0 })).await.expect(201)["invitation"]["max_uses"], 3);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_flood_without_invitations_uses_up_nobodys_share(_: PgPoolOptions, database: PgConnectOptions) {
    let config = Config { registration: Registration::Invite, rate_limits: true, ..Config::for_tests() };
    let chat = Chat::with(database, config).await;
    let code = code(&chat.admin("admin").await.post("/invitations", json!({})).await.expect(201));
    let account = |invitation: &str| json!({ "username": "ali", "password": PASSWORD, "invitation": invitation });
    for n in 0..=255 {
        let stranger = chat.guest_from([198, 51, 100, n].into());
        stranger.post("/auth/register", account("guess")).await.expect_refusal(403, "invalid_invitation");
    }
    chat.guest().post("/auth/register", account(&code)).await.expect(201);

    let flood = chat.guest_from([203, 0, 113, 9].into());
    for _ in 0..20 {
        flood.post("/auth/register", account("guess")).await.expect_refusal(403, "invalid_invitation");
    }
    flood.post("/auth/register", account("guess")).await.expect_refusal(429, "too_many_requests");
    chat.stop().await;
}

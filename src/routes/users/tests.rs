//! Tests of what admins can do to users, and of the effects that those users see.

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::routes::visitor::{Answer, Chat, PASSWORD, Visitor, credentials};

impl Visitor {
    async fn act_on(&self, other: &Self, action: &str, body: Option<Value>) -> Answer {
        self.ask(Method::POST, &format!("/users/{}/{action}", other.id), body).await
    }

    async fn give_role(&self, other: &Self, role: &str) -> Answer {
        self.ask(Method::PATCH, &format!("/users/{}", other.id), Some(json!({ "role": role }))).await
    }
}

#[sqlx::test(migrations = false)]
async fn a_role_counts_at_once_under_the_token_that_its_holder_has(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
    ali.get("/users").await.expect_refusal(403, "not_admin");
    chat.guest().get("/users").await.expect_refusal(401, "unauthenticated");

    assert_eq!(admin.give_role(&ali, "admin").await.expect(200)["role"], "admin");
    assert_eq!(ali.get("/users?query=AL").await.expect(200)["users"][0]["username"], "ali");

    assert_eq!(ali.give_role(&admin, "user").await.expect(200)["role"], "user");
    admin.get("/users").await.expect_refusal(403, "not_admin");
    admin.give_role(&ali, "user").await.expect_refusal(403, "not_admin");
    ali.give_role(&ali, "user").await.expect_refusal(409, "last_admin");
    ali.give_role(&ali, "owner").await.expect_refusal(422, "invalid");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_mute_is_told_with_its_reason_and_ends(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
    let mute = json!({ "seconds": 60, "reason": " shouting " });
    let muted = admin.act_on(&ali, "mute", Some(mute)).await.expect(200);
    assert_eq!((&muted["mute_reason"], &muted["banned_at"]), (&json!("shouting"), &Value::Null));
    assert!(muted["muted_until"].is_string());
    assert_eq!(ali.get("/users/me").await.expect(200), muted);

    let heard = admin.act_on(&ali, "unmute", None).await.expect(200);
    assert_eq!((&heard["muted_until"], &heard["mute_reason"]), (&Value::Null, &Value::Null));
    admin.act_on(&ali, "unmute", None).await.expect(200);

    for wrong in [json!({ "seconds": 0 }), json!({ "seconds": 31_536_001 }), json!({ "seconds": -1 }), json!({})] {
        admin.act_on(&ali, "mute", Some(wrong)).await.expect_refusal(422, "invalid");
    }
    admin.act_on(&ali, "mute", Some(json!({ "seconds": 1, "reason": "x".repeat(201) }))).await.expect(422);
    admin.act_on(&admin, "mute", Some(json!({ "seconds": 1 }))).await.expect_refusal(403, "not_allowed");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_ban_shuts_out_at_once_and_until_it_is_lifted(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
    let banned = admin.act_on(&ali, "ban", Some(json!({ "reason": "spam" }))).await.expect(200);
    assert_eq!(banned["ban_reason"], "spam");
    assert_eq!(admin.act_on(&ali, "ban", Some(json!({}))).await.expect(200), banned, "twice is once");
    ali.get("/users/me").await.expect_refusal(401, "invalid_token");
    ali.get("/rooms").await.expect_refusal(401, "invalid_token");
    ali.refresh().await.expect_refusal(403, "banned");

    let back = admin.act_on(&ali, "unban", None).await.expect(200);
    assert_eq!((&back["banned_at"], &back["ban_reason"]), (&Value::Null, &Value::Null));
    ali.get("/users/me").await.expect_refusal(401, "invalid_token");
    chat.guest().post("/auth/login", credentials("ali", PASSWORD)).await.expect(200);
    admin.act_on(&admin, "ban", Some(json!({}))).await.expect_refusal(403, "not_allowed");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn ended_sessions_are_refused_and_a_new_one_may_begin(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
    let other_device = ali.sign_in("ali").await;
    for _ in 0..2 {
        admin.act_on(&ali, "end-sessions", None).await.expect(200);
    }
    for device in [&ali, &other_device] {
        device.get("/users/me").await.expect_refusal(401, "invalid_token");
        device.refresh().await.expect(401);
    }
    let ali = ali.sign_in("ali").await;
    ali.get("/users/me").await.expect(200);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn nobody_is_found_under_an_id_that_is_nobodys(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let admin = chat.admin("admin").await;
    for id in ["018f0000-0000-7000-8000-000000000001", "me-too"] {
        let mut nobody = chat.guest();
        id.clone_into(&mut nobody.id);
        admin.give_role(&nobody, "user").await.expect_refusal(404, "not_found");
        for action in ["unmute", "unban", "end-sessions"] {
            admin.act_on(&nobody, action, None).await.expect_refusal(404, "not_found");
        }
        admin.act_on(&nobody, "ban", Some(json!({}))).await.expect_refusal(404, "not_found");
        admin.act_on(&nobody, "mute", Some(json!({ "seconds": 1 }))).await.expect_refusal(404, "not_found");
    }
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn the_list_of_users_continues_from_its_cursor(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = Chat::start(database).await;
    let admin = chat.admin("admin").await;
    for name in ["ali", "alina", "kali", "zoe"] {
        chat.user(name).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    for page in 0.. {
        let found = admin.get(&format!("/users?query=ali&limit=1{cursor}")).await.expect(200);
        names.push(found["users"][0]["username"].clone());
        let Some(next) = found["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
        assert!(page < 3, "it ends");
    }
    assert_eq!(names, ["ali", "alina", "kali"]);
    for wrong in ["", "ali", "x.ali", "b.%00"] {
        admin.get(&format!("/users?cursor={wrong}")).await.expect_refusal(400, "malformed");
    }
    chat.stop().await;
}

//! A database that accepts every statement and hangs in the commit: callers of every change get a timely error.

use std::time::{Duration, Instant};

use gapless::routes;
use gapless::store::Db;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::actors::{Chat, Guest, PASSWORD, PushService};

/// Maximum time until the caller gets a response.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// While there is a row in `hanging`, commits that changed one of these tables do not complete. A deferred trigger runs
/// in the commit, where the statement timeout no longer applies.
const HANG: &str = "
create table hanging ();
create function hang() returns trigger language plpgsql as $$
begin
    while exists (select from hanging) loop perform pg_sleep(0.01); end loop;
    return null;
end $$;";
const TABLES: [&str; 8] =
    ["users", "sessions", "refresh_tokens", "invitations", "inbox_marks", "log", "push_subscriptions", "push_queue"];

async fn execute(db: &Db, statements: &'static str) {
    db.execute(statements).await.expect("the statements run");
}

/// Makes commits hang for as long as there is a row in `hanging`.
async fn prepare(db: &Db) {
    execute(db, HANG).await;
    // Each in a transaction of its own: with the locks of several tables it could wait for the server, and that for it.
    for table in TABLES {
        let trigger = format!(
            "create constraint trigger hang after insert or update or delete on {table}
             deferrable initially deferred for each row execute function hang()"
        );
        db.execute(sqlx::AssertSqlSafe(trigger)).await.expect("a trigger");
    }
}

/// Every mutating operation, by its name in `openapi.json`.
fn mutating_operations() -> Vec<String> {
    let document = serde_json::to_value(routes::document()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("it has paths");
    let methods = paths.values().flat_map(|path| path.as_object().expect("it has methods"));
    let changing = methods.filter(|(method, _)| ["post", "put", "patch", "delete"].contains(&method.as_str()));
    let names = changing.map(|(_, operation)| operation["operationId"].as_str().expect("it has a name").to_owned());
    // It commits nothing.
    names.filter(|name| name != "announce_typing").collect()
}

/// Builds a request for the operation, with a user and objects created for it.
async fn request(chat: &Chat, operation: &str) -> (Guest, Method, String, Value) {
    let ada = chat.founder().await;
    let name = operation.replace('_', "-");
    let alice = chat.user(&name).await;
    let room = ada.create_room(&name).await;
    let message = alice.post(&room, "words").await;
    let of_user = |what: &str| format!("/users/{}{what}", alice.id);
    let of_room = |what: &str| format!("/rooms/{}{what}", room.id);
    let of_message = format!("/messages/{}", message.id);
    let (caller, token) = (Guest::clone(&alice), json!({"refresh_token": alice.refresh_token}));
    let admin = Guest::clone(&ada);
    match operation {
        "unmute_user" => ada.mute(&alice, 60).await,
        "unban_user" => ada.ban(&alice).await,
        "restore_room" => drop(ada.archive(&room).await),
        _ => {}
    }
    match operation {
        "register" => (
            chat.guest(),
            Method::POST,
            "/auth/register".into(),
            json!({"username": format!("{name}-2"), "password": PASSWORD}),
        ),
        "login" => (chat.guest(), Method::POST, "/auth/login".into(), json!({"username": name, "password": PASSWORD})),
        "refresh" => (chat.guest(), Method::POST, "/auth/refresh".into(), token),
        "logout" => (caller, Method::POST, "/auth/logout".into(), token),
        "logout_all" => (caller, Method::POST, "/auth/logout-all".into(), Value::Null),
        "change_password" => {
            let change = json!({"current_password": PASSWORD, "new_password": "another one"});
            (caller, Method::PUT, "/auth/password".into(), change)
        }
        "set_role" => (admin, Method::PATCH, of_user(""), json!({"role": "admin"})),
        "mute_user" => (admin, Method::POST, of_user("/mute"), json!({"seconds": 60})),
        "unmute_user" => (admin, Method::POST, of_user("/unmute"), Value::Null),
        "ban_user" => (admin, Method::POST, of_user("/ban"), json!({"reason": "spam"})),
        "unban_user" => (admin, Method::POST, of_user("/unban"), Value::Null),
        "erase_user" => (admin, Method::DELETE, of_user(""), Value::Null),
        "end_sessions" => (admin, Method::POST, of_user("/end-sessions"), Value::Null),
        "create_invitation" => (admin, Method::POST, "/invitations".into(), json!({"max_uses": 2})),
        "revoke_invitation" => {
            let invitation = admin.send("/invitations", json!({"max_uses": 2})).await.is(201).json();
            let id = invitation["invitation"]["id"].as_str().or(invitation["id"].as_str()).expect("an id").to_owned();
            (admin, Method::DELETE, format!("/invitations/{id}"), Value::Null)
        }
        "create_room" => (admin, Method::POST, "/rooms".into(), json!({"name": format!("{name} 2")})),
        "rename_room" => (admin, Method::PATCH, of_room(""), json!({"name": format!("{name} 2")})),
        "set_retention" => (admin, Method::PUT, of_room("/retention"), json!({"days": 90})),
        "set_topic" => (admin, Method::PUT, of_room("/topic"), json!({"topic": "words"})),
        "set_landing" => (admin, Method::PUT, of_room("/landing"), Value::Null),
        "set_indexable" => (admin, Method::PUT, of_room("/indexable"), json!({"indexable": false})),
        "archive_room" => (admin, Method::POST, of_room("/archive"), Value::Null),
        "restore_room" => (admin, Method::POST, of_room("/restore"), Value::Null),
        "mark_read" => (admin, Method::PUT, of_room("/read"), json!({"seq": 1})),
        "set_level" => (admin, Method::PUT, of_room("/level"), json!({"level": "all"})),
        "post_message" => (caller, Method::POST, "/messages".into(), json!({"room_id": room.id, "body": "words"})),
        "edit_message" => (caller, Method::PATCH, of_message, json!({"body": "other words"})),
        "delete_message" => (caller, Method::DELETE, of_message, Value::Null),
        "pin_message" => (admin, Method::PUT, format!("{of_message}/pin"), Value::Null),
        "unpin_message" => {
            admin.put(&format!("{of_message}/pin"), Value::Null).await.is(204);
            (admin, Method::DELETE, format!("{of_message}/pin"), Value::Null)
        }
        "add_reaction" => (caller, Method::PUT, format!("{of_message}/reactions/👍"), Value::Null),
        "remove_reaction" => {
            let path = format!("{of_message}/reactions/👍");
            admin.put(&path, Value::Null).await.is(204);
            (admin, Method::DELETE, path, Value::Null)
        }
        "post_direct_message" => {
            (admin, Method::POST, "/direct-messages".into(), json!({"recipient_id": alice.id, "body": "words"}))
        }
        "mark_inbox_read" => (caller, Method::PUT, "/inbox/read".into(), json!({"pos": 1})),
        "subscribe_to_push" => (caller, Method::PUT, "/push/subscriptions".into(), PushService::unanswered(&name)),
        "unsubscribe_from_push" | "test_push" => {
            let subscription = PushService::unanswered(&name);
            let endpoint = json!({"endpoint": subscription["endpoint"]});
            caller.put("/push/subscriptions", subscription).await.is(204);
            match operation {
                "test_push" => (caller, Method::POST, "/push/test".into(), Value::Null),
                _ => (caller, Method::DELETE, "/push/subscriptions".into(), endpoint),
            }
        }
        other => panic!("this test does not support {other} yet"),
    }
}

/// Runs every third operation, so that three tests share the waiting time.
async fn ask_for_every_third(from: usize) {
    let chat = Chat::start_with(|config| PushService::set_up(&[], config)).await;
    let db = chat.db();
    prepare(&db).await;
    let mut slowest = Duration::ZERO;
    for operation in mutating_operations().iter().skip(from).step_by(3) {
        let (caller, method, path, body) = request(&chat, operation).await;
        execute(&db, "insert into hanging default values").await;
        let asked = Instant::now();
        let answer = caller.call(method, &path, Some(body).filter(|body| !body.is_null())).await;
        let took = asked.elapsed();
        execute(&db, "delete from hanging").await;
        answer.refused(503, "unavailable");
        assert!(took < TOLD_WITHIN, "{operation} took {took:?}");
        slowest = slowest.max(took);
    }
    println!("figure: changes whose commit hung answered with 503 within {} ms", slowest.as_millis());
}

#[tokio::test]
async fn a_hanging_commit_is_answered_in_time_first_third() {
    ask_for_every_third(0).await;
}

#[tokio::test]
async fn a_hanging_commit_is_answered_in_time_second_third() {
    ask_for_every_third(1).await;
}

#[tokio::test]
async fn a_hanging_commit_is_answered_in_time_last_third() {
    ask_for_every_third(2).await;
}

#[tokio::test]
async fn a_refresh_committed_after_its_503_is_repeated() {
    let chat = Chat::start().await;
    let (db, alice) = (chat.db(), chat.user("alice").await);
    prepare(&db).await;
    execute(&db, "insert into hanging default values").await;
    let refresh = json!({"refresh_token": alice.refresh_token});
    chat.guest().send("/auth/refresh", refresh.clone()).await.refused(503, "unavailable");
    execute(&db, "delete from hanging").await;
    let is_spent = "select exists (select from refresh_tokens where spent_at is not null)";
    while !sqlx::query_scalar::<_, bool>(is_spent).fetch_one(&db).await.expect("an answer") {
        tokio::task::yield_now().await;
    }
    let given = chat.guest().send("/auth/refresh", refresh.clone()).await.is(200).json();
    let again = chat.guest().send("/auth/refresh", refresh).await.is(200).json();
    assert_eq!(given["refresh_token"], again["refresh_token"]);
    alice.get("/users/me").await.is(200);
}

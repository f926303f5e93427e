//! Every constraint of the database, and the response to a request that violates it: never 500.

use std::collections::BTreeSet;

use futures_util::future::{FutureExt as _, LocalBoxFuture, join_all};
use gapless::id::UserId;
use gapless::store::erasure::{ErasedMessages, Progress};
use gapless::store::users;
use serde_json::json;
use uuid::Uuid;

use crate::actors::{Chat, PASSWORD};

/// Coverage of a constraint.
enum Way {
    /// Requests that violate it, or would without an earlier check. Each asserts the responses.
    Asked(for<'a> fn(&'a Chat) -> LocalBoxFuture<'a, ()>),
    /// No client's value can violate it, for this reason.
    Ours(&'static str),
}
use Way::{Asked, Ours};

const CHANCE: Way = Ours("an id or a secret of chance, made by the server for each row");
const COUNTED: Way = Ours("numbered under the lock of the log");
const ONE_ROW: Way = Ours("made by a migration; nothing inserts another");

/// Every constraint of the schema by name.
const RULES: &[(&str, Way)] = &[
    ("users_pkey", CHANCE),
    ("users_role_known", Asked(|chat| unknown_roles(chat).boxed_local())),
    ("users_username_folded", Asked(|chat| names_without_case(chat).boxed_local())),
    ("users_username_kept", Asked(|chat| kept_names(chat).boxed_local())),
    ("users_username_key", Asked(|chat| taken_names(chat).boxed_local())),
    ("sessions_pkey", CHANCE),
    ("sessions_user_id_fkey", Asked(|chat| sessions_of_the_erased(chat).boxed_local())),
    ("session_endings_pkey", Ours("an account's row is changed where there is one: `on conflict do update`")),
    ("refresh_tokens_pkey", CHANCE),
    ("refresh_tokens_session_id_fkey", Asked(|chat| sessions_of_the_erased(chat).boxed_local())),
    ("log_head_only_row_check", ONE_ROW),
    ("log_head_pkey", ONE_ROW),
    ("log_pkey", COUNTED),
    ("rooms_pkey", CHANCE),
    ("rooms_active_name_key", Asked(|chat| taken_room_names(chat).boxed_local())),
    ("rooms_retention_sane", Asked(|chat| retention_beyond_reason(chat).boxed_local())),
    ("rooms_topic_sane", Asked(|chat| topics_beyond_reason(chat).boxed_local())),
    ("messages_pkey", CHANCE),
    ("messages_body_until_deleted", Asked(|chat| edits_of_the_deleted(chat).boxed_local())),
    ("messages_one_per_submit", Asked(|chat| used_client_ids(chat).boxed_local())),
    ("messages_seq_key", COUNTED),
    ("direct_messages_pkey", CHANCE),
    ("direct_messages_one_per_submit", Asked(|chat| used_client_ids_of_direct_messages(chat).boxed_local())),
    ("direct_messages_pos_key", COUNTED),
    ("invitations_pkey", CHANCE),
    ("invitations_code_key", CHANCE),
    ("invitations_created_by_fkey", Ours("the maker is looked up under the lock, and no user is ever deleted")),
    ("invitations_uses_counted", Asked(|chat| used_up_invitations(chat).boxed_local())),
    ("erasures_pkey", Asked(|chat| erased_twice(chat).boxed_local())),
    ("erasures_user_id_fkey", Ours("the user is looked up under the lock, and no user is ever deleted")),
    ("schema_needs_only_row_check", ONE_ROW),
    ("schema_needs_pkey", ONE_ROW),
];

#[tokio::test]
async fn no_rule_of_the_database_is_a_500() {
    let chat = Chat::start_with(|config| config.dm_replies = true).await;
    let rules: Vec<String> = sqlx::query_scalar(
        "select conname::text from pg_constraint
         where connamespace = 'public'::regnamespace and contype in ('p', 'u', 'c', 'x', 'f')
         union
         select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
         where i.indisunique and c.relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&chat.db())
    .await
    .expect("the catalogue");
    // sqlx maintains its own table of migrations.
    let in_the_schema: BTreeSet<&str> =
        rules.iter().map(String::as_str).filter(|rule| !rule.starts_with("_sqlx")).collect();
    let here: BTreeSet<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
    let (new, gone): (Vec<_>, Vec<_>) =
        (in_the_schema.difference(&here).collect(), here.difference(&in_the_schema).collect());
    assert!(new.is_empty(), "show here what somebody is told who runs into: {new:?}");
    assert!(gone.is_empty(), "the schema has no such rules: {gone:?}");

    let mut asked = 0;
    for (rule, way) in RULES {
        match way {
            Asked(way) => {
                println!("{rule}");
                way(&chat).await;
                asked += 1;
            }
            Ours(reason) => assert!(!reason.is_empty(), "{rule}"),
        }
    }
    println!("figure: {} rules of the database, {asked} of them run into; none is a 500", RULES.len());
}

async fn unknown_roles(chat: &Chat) {
    let alice = chat.user("role-alice").await;
    for role in ["", "owner", "ADMIN", "user "] {
        let role = json!({"role": role});
        chat.founder().await.patch(&format!("/users/{}", alice.id), role).await.refused_field("role");
    }
}

async fn names_without_case(chat: &Chat) {
    let account = |name: &str| json!({"username": name, "password": PASSWORD});
    let made = chat.guest().send("/auth/register", account("FoldED")).await.is(201).json();
    assert_eq!(made["user"]["username"], "folded");
    // Letters whose lower case is one of the allowed letters (the Kelvin sign, the capital I with a dot).
    for name in ["\u{212a}elvin", "\u{130}lkay"] {
        chat.guest().send("/auth/register", account(name)).await.refused_field("username");
    }
}

async fn kept_names(chat: &Chat) {
    for name in ["erased-018f00000000", "Erased-x"] {
        let account = json!({"username": name, "password": PASSWORD});
        chat.guest().send("/auth/register", account).await.refused(409, "username_taken");
    }
}

async fn taken_names(chat: &Chat) {
    let account = |name: &str| json!({"username": name, "password": PASSWORD});
    let guest = chat.guest();
    let answers = join_all((0..4).map(|_| guest.send("/auth/register", account("wanted")))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "username_taken");
    }
    guest.send("/auth/register", account("WANTED")).await.refused(409, "username_taken");
}

/// Sign-ins and refreshes during the erasure of the account.
async fn sessions_of_the_erased(chat: &Chat) {
    let (founder, name) = (chat.founder().await, format!("gone-{}", &Uuid::new_v4().simple().to_string()[..8]));
    let gone = chat.user(&name).await;
    let login = json!({"username": name, "password": PASSWORD});
    let refresh = json!({"refresh_token": gone.refresh_token});
    let path = format!("/users/{}", gone.id);
    let guest = chat.guest();
    let (erased, signed_in, refreshed, logged_out) = tokio::join!(
        founder.delete(&path),
        guest.send("/auth/login", login.clone()),
        guest.send("/auth/refresh", refresh.clone()),
        gone.tell("/auth/logout-all"),
    );
    erased.is(204);
    for answer in [signed_in, refreshed, logged_out] {
        assert!(matches!(answer.status, 200 | 204 | 401), "{answer:?}");
    }
    guest.send("/auth/login", login).await.refused(401, "wrong_credentials");
    guest.send("/auth/refresh", refresh).await.refused(401, "invalid_refresh_token");
}

async fn taken_room_names(chat: &Chat) {
    let founder = chat.founder().await;
    let garden = founder.create_room("Äpfel").await;
    founder.send("/rooms", json!({"name": "ÄPFEL"})).await.refused(409, "name_in_use");
    let other = founder.create_room("Birnen").await;
    founder.patch(&format!("/rooms/{}", other.id), json!({"name": "äpfel"})).await.refused(409, "name_in_use");
    founder.archive(&garden).await;
    founder.rename(&other, "äpfel").await;
    founder.tell(&format!("/rooms/{}/restore", garden.id)).await.refused(409, "name_in_use");
}

async fn retention_beyond_reason(chat: &Chat) {
    let room = chat.room("kept").await;
    for days in [-1, 36_501, i64::MAX] {
        let days = json!({"days": days});
        chat.founder().await.put(&format!("/rooms/{}/retention", room.id), days).await.refused_field("days");
    }
}

async fn topics_beyond_reason(chat: &Chat) {
    let room = chat.room("about").await;
    let topic = format!("/rooms/{}/topic", room.id);
    for said in ["x".repeat(251), "two\nlines".into()] {
        chat.founder().await.put(&topic, json!({"topic": said})).await.refused_field("topic");
    }
}

async fn edits_of_the_deleted(chat: &Chat) {
    let (alice, room) = (chat.user("edit-alice").await, chat.room("edits").await);
    let message = alice.post(&room, "hi").await;
    let (edited, deleted) = tokio::join!(alice.try_edit(message.id, "ho"), alice.try_delete(message.id));
    assert!(matches!(edited.status, 200 | 409), "{edited:?}");
    deleted.is(204);
    assert_eq!(alice.try_edit(message.id, "again").await.status, 409);
    alice.try_delete(message.id).await.is(204);
}

async fn used_client_ids(chat: &Chat) {
    let (alice, room) = (chat.user("id-alice").await, chat.room("ids").await);
    let id = Uuid::nil().to_string();
    alice.try_post_as(room.id, "hi", &id).await.is(201);
    alice.try_post_as(room.id, "hi", &id).await.is(200);
    alice.try_post_as(room.id, "ho", &id).await.refused(422, "client_id_reused");
}

/// Includes messages to and from erased users.
async fn used_client_ids_of_direct_messages(chat: &Chat) {
    let founder = chat.founder().await;
    let (bob, eve) = (chat.user("dm-bob").await, chat.user("dm-eve").await);
    let id = Uuid::new_v4().to_string();
    let write = |to: UserId, body: &'static str| {
        let message = json!({"recipient_id": to, "body": body, "client_id": id});
        let founder = &founder;
        async move { founder.send("/direct-messages", message).await }
    };
    write(bob.id, "psst").await.is(201);
    write(eve.id, "psst").await.refused(422, "client_id_reused");
    // Erase the account alone, as the first step of an erasure does, and then the messages.
    let db = &chat.first.app.db;
    users::erase(db, bob.id, founder.id).await.expect("an erasure").expect("a user to erase");
    write(eve.id, "psst").await.refused(422, "client_id_reused");
    let mut messages = ErasedMessages::of(bob.id);
    while messages.forget_some(db).await.expect("a batch") != Progress::Done {}
    write(eve.id, "psst").await.refused(422, "client_id_reused");
    write(eve.id, "other").await.refused(422, "client_id_reused");
    write(bob.id, "psst").await.refused(404, "not_found");
    assert!(eve.get("/direct-messages").await.is(200).json()["messages"].as_array().is_some_and(Vec::is_empty));
}

async fn used_up_invitations(chat: &Chat) {
    let made = chat.founder().await.send("/invitations", json!({"max_uses": 1})).await.is(201).json();
    let code = made["code"].as_str().expect("a code").to_owned();
    let account = |n: usize| json!({"username": format!("invited-{n}"), "password": PASSWORD, "invitation": code});
    let guest = chat.guest();
    for answer in join_all((0..4).map(|n| guest.send("/auth/register", account(n)))).await {
        assert!(matches!(answer.status, 201 | 403 | 409 | 422), "{answer:?}");
    }
}

async fn erased_twice(chat: &Chat) {
    let (founder, gone) = (chat.founder().await, chat.user("twice-gone").await);
    let path = format!("/users/{}", gone.id);
    let (first, second) = tokio::join!(founder.delete(&path), founder.delete(&path));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404]);
}

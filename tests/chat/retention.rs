//! Retention: expired messages are deleted permanently and in order, and every page follows.

use gapless::event::Room;
use serde_json::json;

use crate::actors::{Chat, Instance, Ledger, Stream, User};

/// Makes the first `count` messages of a room forty days older.
async fn age(chat: &Chat, room: &Room, count: i64) {
    sqlx::query("update messages set created_at = created_at - interval '40 days' where room_id = $1 and seq <= $2")
        .bind(room.id)
        .bind(count)
        .execute(&chat.db())
        .await
        .expect("the messages' table");
}

async fn keep(admin: &User, room: &Room, days: impl Into<Option<i32>>) {
    admin.put(&format!("/rooms/{}/retention", room.id), json!({"days": days.into()})).await.is(200);
}

async fn expect_trim(stream: &mut Stream, room: &Room, first_seq: i64) {
    let trimmed = stream.expect("room.trimmed").await;
    assert_eq!(trimmed.data, json!({"room_id": room.id, "first_seq": first_seq}));
}

async fn first_seq(chat: &Chat, room: &Room) -> i64 {
    let page = chat.guest().get(&format!("/messages?room_id={}", room.id)).await.is(200).json();
    page["first_seq"].as_i64().expect("a number")
}

/// Creates a room with `count` messages of alice.
async fn talk(chat: &Chat, name: &str, count: usize) -> Room {
    let room = chat.room(name).await;
    let alice = chat.user(&format!("alice-{name}")).await;
    for number in 1..=count {
        alice.post(&room, &format!("words {number}")).await;
    }
    room
}

fn guest_at(instance: &Instance) -> crate::actors::Guest {
    crate::actors::Guest::at(instance.address)
}

#[tokio::test]
async fn expired_messages_are_deleted_and_every_page_follows() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let founder = chat.founder().await;
    let beginning = chat.guest().opening().open().await.cursor;
    let room = talk(&chat, "general", 4).await;
    age(&chat, &room, 3).await;
    second.catch_up().await;
    let mut streams = [chat.guest().listen(&room).await, guest_at(&second).listen(&room).await];

    keep(&founder, &room, 30).await;
    for stream in &mut streams {
        assert_eq!(stream.expect("room.retention_set").await.data["retention_days"], 30);
        expect_trim(stream, &room, 4).await;
    }
    assert_eq!(chat.guest().bodies(&room).await, ["words 4"]);
    assert_eq!(first_seq(&chat, &room).await, 4);
    founder.post(&room, "live").await;
    for (stream, instance) in streams.iter_mut().zip([&chat.first, &second]) {
        assert_eq!(stream.expect_message("live").await.seq.0, 5);
        // A reader that resumes from before receives the events, but not the text.
        let mut late = guest_at(instance).opening().room(&room).from(&beginning).open().await;
        while late.next_durable().await.data["body"] != "live" {}
        assert!(late.transcript.contains("words 4") && !late.transcript.contains("words 1"), "{}", late.transcript);
        assert_eq!(late.transcript.matches("event: room.trimmed").count(), 1, "{}", late.transcript);
    }
    // One that has nothing in memory, and reads positions whose rows are gone.
    let third = chat.second_instance().await;
    let mut late = guest_at(&third).opening().room(&room).from(&beginning).open().await;
    while late.next_durable().await.data["body"] != "live" {}
    assert!(late.transcript.contains("words 4") && !late.transcript.contains("words 3"), "{}", late.transcript);
    Ledger::read(&chat.db()).await;
    let trail = founder.get("/audit").await.is(200).text;
    assert!(trail.contains("room.retention_set") && !trail.contains("message.deleted"), "{trail}");
}

#[tokio::test]
async fn the_servers_retention_applies_to_rooms_without_one() {
    let mut chat = Chat::start().await;
    let founder = chat.founder().await;
    let rooms = [talk(&chat, "silent", 2).await, talk(&chat, "kept", 2).await, talk(&chat, "short", 2).await];
    for room in &rooms {
        age(&chat, room, 2).await;
    }
    keep(&founder, &rooms[1], 0).await;
    keep(&founder, &rooms[2], 90).await;
    let mut stream = chat.guest().listen(&rooms[0]).await;

    chat.config.retention_days = Some(30);
    let second = chat.second_instance().await;
    expect_trim(&mut stream, &rooms[0], 3).await;
    second.catch_up().await;
    for room in &rooms[1..] {
        assert_eq!(chat.guest().bodies(room).await, ["words 1", "words 2"], "{}", room.name);
    }
}

/// Retention also applies to archived rooms, but without events.
#[tokio::test]
async fn an_archived_room_deletes_without_events() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (attic, general) = (talk(&chat, "attic", 2).await, talk(&chat, "general", 1).await);
    age(&chat, &attic, 2).await;
    age(&chat, &general, 1).await;
    let before = chat.guest().opening().open().await.cursor;
    let mut live = chat.guest().opening().rooms([&attic, &general]).open().await;
    founder.archive(&attic).await;
    keep(&founder, &attic, 30).await;
    while !founder.bodies(&attic).await.is_empty() {
        tokio::task::yield_now().await;
    }
    keep(&founder, &general, 30).await;
    let mut replayed = chat.guest().opening().rooms([&attic, &general]).from(&before).open().await;
    live.expect("room.archived").await;
    replayed.expect("room.archived").await;
    for stream in [&mut live, &mut replayed] {
        stream.expect("room.retention_set").await;
        stream.expect("room.retention_set").await;
        expect_trim(stream, &general, 2).await;
    }
    founder.restore(&attic).await;
    assert!(chat.guest().bodies(&attic).await.is_empty());
    assert_eq!(first_seq(&chat, &attic).await, 3);
}

/// A message expires before its retry: a phone was offline for the two days that the room keeps messages.
#[tokio::test]
async fn a_retry_of_an_expired_message_posts_nothing() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (room, alice) = (chat.room("general").await, chat.user("alice").await);
    let post = json!({"room_id": room.id, "body": "words", "client_id": uuid::Uuid::new_v4()});
    let posted = alice.send("/messages", post.clone()).await.is(201).json();
    let age = "update messages set created_at = created_at - interval '3 days'";
    sqlx::query(age).execute(&chat.db()).await.expect("the messages' table");
    let mut stream = chat.guest().listen(&room).await;
    keep(&founder, &room, 2).await;
    stream.expect("room.retention_set").await;
    expect_trim(&mut stream, &room, 2).await;

    let again = alice.send("/messages", post).await.is(200).json();
    assert_eq!((&again["id"], &again["seq"], &again["body"]), (&posted["id"], &json!(1), &json!(null)));
    assert!(chat.guest().bodies(&room).await.is_empty(), "it is not shown again");
    let path = format!("/messages/{}", posted["id"].as_str().expect("an id"));
    alice.patch(&path, json!({"body": "other words"})).await.refused(409, "message_deleted");
    Ledger::read(&chat.db()).await;
}

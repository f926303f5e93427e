//! Pins: set by admins, read by everybody, and gone with the message.

use futures_util::future::join_all;
use gapless::event::{Message, Room};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Answer, Chat, Guest, Ledger};

async fn pin(user: &Guest, message: &Message) -> Answer {
    user.call(Method::PUT, &format!("/messages/{}/pin", message.id), None).await
}

async fn unpin(user: &Guest, message: &Message) -> Answer {
    user.delete(&format!("/messages/{}/pin", message.id)).await
}

/// Returns the pinned messages of the room.
async fn pinned(reader: &Guest, room: &Room) -> Vec<Value> {
    let list = reader.get(&format!("/rooms/{}/pins", room.id)).await.is(200).json();
    list["messages"].as_array().expect("a list").clone()
}

async fn bodies(reader: &Guest, room: &Room) -> Vec<Value> {
    pinned(reader, room).await.into_iter().map(|mut message| message["body"].take()).collect()
}

#[tokio::test]
async fn a_pin_reaches_the_room_and_its_list() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (ada, alice, room) = (chat.admin("ada").await, chat.user("alice").await, chat.room("general").await);
    let (first, other) = (alice.post(&room, "first").await, alice.post(&room, "second").await);
    second.catch_up().await;
    let mut here = chat.guest().listen(&room).await;
    let mut there = alice.at(&second).listen(&room).await;
    let cursor = here.cursor.clone();
    for message in [&first, &other, &first] {
        pin(&ada, message).await.is(204);
    }
    alice.call(Method::PUT, &format!("/messages/{}/reactions/👍", first.id), None).await.is(204);
    unpin(&ada, &other).await.is(204);
    unpin(&ada, &other).await.is(204);
    let mut late = alice.at(&second).opening().room(&room).after_event(&cursor).open().await;
    for stream in [&mut here, &mut there, &mut late] {
        for (kind, body) in [("pinned", "first"), ("pinned", "second"), ("reactions", ""), ("unpinned", "second")] {
            let told = stream.next_durable().await;
            assert_eq!(told.name, format!("message.{kind}"));
            assert_eq!(told.data["body"].as_str().unwrap_or_default(), body);
        }
    }
    let mine = |mine: bool| json!([{"emoji": "👍", "count": 1, "mine": mine}]);
    for (reader, is_own) in [(&*alice, true), (&chat.guest(), false)] {
        let list = pinned(reader, &room).await;
        assert_eq!((list.len(), &list[0]["body"], &list[0]["reactions"]), (1, &json!("first"), &mine(is_own)));
    }
    pin(&ada, &other).await.is(204);
    assert_eq!(bodies(&alice, &room).await, ["second", "first"], "the newest pin first");
    let trail = ada.get("/audit?limit=1").await.is(200).json();
    assert_eq!(
        (&trail["entries"][0]["kind"], &trail["entries"][0]["actor"]["username"]),
        (&json!("message.pinned"), &json!("ada"))
    );

    // A deletion unpins, and a replay tells no body.
    alice.delete_message(other.id).await;
    assert_eq!(bodies(&alice, &room).await, ["first"]);
    let third = chat.second_instance().await;
    for guest in [chat.guest(), Guest::at(third.address)] {
        let mut late = guest.opening().room(&room).after_event(&cursor).open().await;
        late.expect("message.pinned").await;
        assert_eq!(late.expect("message.pinned").await.data["body"], Value::Null);
    }
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn callers_and_messages_that_are_refused() {
    let chat = Chat::start().await;
    let (ada, alice, room) = (chat.admin("ada").await, chat.user("alice").await, chat.room("general").await);
    let (message, deleted) = (alice.post(&room, "hi").await, alice.post(&room, "gone").await);
    alice.delete_message(deleted.id).await;
    pin(&ada, &deleted).await.refused(409, "message_deleted");
    let nowhere = Message { id: gapless::id::MessageId(Uuid::now_v7()), ..message.clone() };
    for (caller, status, code) in [(&chat.guest(), 401, "unauthenticated"), (&*alice, 403, "not_admin")] {
        pin(caller, &message).await.refused(status, code);
        unpin(caller, &message).await.refused(status, code);
    }
    pin(&ada, &nowhere).await.refused(404, "not_found");
    unpin(&ada, &nowhere).await.refused(404, "not_found");
    unpin(&ada, &message).await.is(204);
    pin(&ada, &message).await.is(204);
    ada.get(&format!("/rooms/{}/pins", Uuid::now_v7())).await.refused(404, "not_found");
    ada.archive(&room).await;
    pin(&ada, &message).await.refused(409, "room_archived");
    alice.get(&format!("/rooms/{}/pins", room.id)).await.refused(404, "not_found");
    assert_eq!(bodies(&ada, &room).await, ["hi"]);
}

#[tokio::test]
async fn a_room_has_fifty_pins_not_counting_deleted_messages() {
    let chat = Chat::start().await;
    let (ada, room) = (chat.admin("ada").await, chat.room("general").await);
    let mut messages = Vec::new();
    for n in 0..52 {
        messages.push(ada.post(&room, &n.to_string()).await);
    }
    for answer in join_all(messages[..50].iter().map(|message| pin(&ada, message))).await {
        answer.is(204);
    }
    pin(&ada, &messages[50]).await.refused(409, "too_many_pins");
    pin(&ada, &messages[0]).await.is(204);
    ada.delete_message(messages[0].id).await;
    // Two at once for one place.
    let (one, other) = tokio::join!(pin(&ada, &messages[50]), pin(&ada, &messages[51]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
    assert_eq!(pinned(&ada, &room).await.len(), 50);
}

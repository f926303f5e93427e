//! One submit is one message, despite retries, races and changes in between.

use futures_util::future::join_all;
use gapless::event::{DirectMessage, Message};
use serde_json::json;
use uuid::Uuid;

use crate::actors::Chat;

fn client_id() -> String {
    Uuid::new_v4().to_string()
}

#[tokio::test]
async fn a_retry_always_returns_the_first_message() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let (room, other_room) = (chat.room("general").await, chat.room("random").await);
    let id = client_id();
    let first: Message = alice.try_post_as(room.id, "hi", &id).await.is(201).body();
    let retry = || alice.try_post_as(room.id, "hi", &id);

    assert_eq!(retry().await.is(200).body::<Message>(), first);
    assert_eq!(alice.try_post_as(room.id, " hi\n", &id).await.is(200).body::<Message>(), first, "trimmed: the same");
    assert_eq!(alice.try_post_as(room.id, "hi", &id.to_uppercase()).await.is(200).body::<Message>(), first);
    alice.try_post_as(room.id, "ho", &id).await.refused(422, "client_id_reused");
    alice.try_post_as(other_room.id, "hi", &id).await.refused(422, "client_id_reused");

    let edited = alice.edit(first.id, "hello").await;
    assert_eq!(retry().await.is(200).body::<Message>(), edited);
    alice.try_post_as(room.id, "hello", &id).await.refused(422, "client_id_reused");
    ada.mute(&alice, 60).await;
    assert_eq!(retry().await.is(200).body::<Message>(), edited, "what was accepted stays accepted");
    alice.delete_message(first.id).await;
    let deleted: Message = retry().await.is(200).body();
    assert_eq!((deleted.id, deleted.body), (first.id, None));
    ada.archive(&room).await;
    assert_eq!(retry().await.is(200).body::<Message>().id, first.id);

    // A submit of another author is a different one, even with the same id.
    let of_ada: Message = ada.try_post_as(other_room.id, "hi", &id).await.is(201).body();
    assert_ne!(of_ada.id, first.id);
    ada.restore(&room).await;
    assert_eq!(chat.guest().bodies(&room).await, ["(deleted)"]);
}

#[tokio::test]
async fn twenty_simultaneous_posts_of_one_submit_are_one_message() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let there = alice.at(&second);
    let room = chat.room("general").await;
    let mut guest = chat.guest().listen(&room).await;
    let mut races = 0;
    for race in 0..5 {
        let (id, body) = (client_id(), format!("race {race}"));
        let answers = join_all((0..20).map(|n| {
            let caller = if n % 2 == 0 { &alice } else { &there };
            caller.try_post_as(room.id, &body, &id)
        }));
        let answers = answers.await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        let mut messages = answers.iter().map(|answer| {
            assert!([200, 201].contains(&answer.status), "{answer:?}");
            answer.body::<Message>()
        });
        let first = messages.next().expect("twenty answers");
        assert!(messages.all(|message| message == first));
        guest.expect_message(&body).await;
        races += 1;
    }
    assert_eq!(chat.guest().messages(&room).await.len(), races);
}

#[tokio::test]
async fn twenty_different_bodies_under_one_id_are_one_message() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let id = client_id();
    let bodies: Vec<String> = (0..20).map(|n| format!("body {n}")).collect();
    let answers = join_all(bodies.iter().map(|body| alice.try_post_as(room.id, body, &id))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(won.len(), 1);
    for answer in lost {
        answer.refused(422, "client_id_reused");
    }
    let winner: Message = won[0].body();
    assert_eq!(chat.guest().messages(&room).await, [winner]);
}

#[tokio::test]
async fn a_bad_row_never_fails_its_neighbours() {
    let chat = Chat::start().await;
    let (ada, alice, mallory) = (chat.admin("ada").await, chat.user("alice").await, chat.user("mallory").await);
    let (room, closed) = (chat.room("general").await, chat.room("closed").await);
    ada.archive(&closed).await;
    ada.mute(&mallory, 60).await;
    let nowhere = gapless::id::RoomId::new();
    let (good, used, lost) = (client_id(), client_id(), client_id());
    alice.try_post_as(room.id, "first", &used).await.is(201);

    let (accepted, archived, unknown, muted, conflict, repeated) = tokio::join!(
        alice.try_post_as(room.id, "good", &good),
        alice.try_post(&closed, "late"),
        alice.try_post_as(nowhere, "lost", &lost),
        mallory.try_post(&room, "noise"),
        alice.try_post_as(room.id, "other", &used),
        alice.try_post_as(room.id, "first", &used),
    );
    accepted.is(201);
    archived.refused(409, "room_archived");
    unknown.refused(404, "not_found");
    muted.refused(403, "muted");
    conflict.refused(422, "client_id_reused");
    repeated.is(200);
    assert_eq!(chat.guest().bodies(&room).await, ["first", "good"]);
}

#[tokio::test]
async fn direct_messages_are_also_sent_once() {
    let chat = Chat::start().await;
    let (ada, bob, eve) = (chat.admin("ada").await, chat.user("bob").await, chat.user("eve").await);
    let id = client_id();
    let write = |to: &crate::actors::User, body: &str| {
        let (ada, message) = (ada.clone(), json!({"recipient_id": to.id, "body": body, "client_id": id}));
        async move { ada.send("/direct-messages", message).await }
    };
    let answers = join_all((0..20).map(|_| write(&bob, "psst"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let first: DirectMessage = answers[0].body();
    assert!(
        answers.iter().all(|answer| [200, 201].contains(&answer.status) && answer.body::<DirectMessage>() == first)
    );
    write(&bob, "other").await.refused(422, "client_id_reused");
    write(&eve, "psst").await.refused(422, "client_id_reused");
    let list = bob.get("/direct-messages").await.is(200).json();
    assert_eq!(list["messages"].as_array().map(Vec::len), Some(1), "{list}");
}

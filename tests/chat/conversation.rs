//! The basics of the chat: people post messages, and others receive them.

use gapless::event::Room;
use serde_json::json;

use crate::actors::Chat;

#[tokio::test]
async fn two_people_talk_and_a_guest_reads_along() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let mut by_bob = bob.listen(&room).await;
    let mut by_guest = chat.guest().listen(&room).await;

    let posted = alice.post(&room, "hi").await;
    let heard = by_bob.expect_message("hi").await;
    assert_eq!(heard, posted);
    assert_eq!(by_guest.expect_message("hi").await, posted);

    bob.post(&room, "hello yourself").await;
    by_guest.expect_message("hello yourself").await;
    assert_eq!(chat.guest().bodies(&room).await, ["hi", "hello yourself"]);
}

#[tokio::test]
async fn edits_and_deletions_are_delivered() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let alice = chat.user("alice").await;
    let mut guest = chat.guest().listen(&room).await;

    let message = alice.post(&room, "teh").await;
    guest.expect_message("teh").await;
    let edited = alice.edit(message.id, "the").await;
    assert_eq!((edited.pos, edited.seq), (message.pos, message.seq), "a message keeps its position");
    assert_eq!(guest.expect("message.edited").await.body::<gapless::event::Message>(), edited);

    alice.delete_message(message.id).await;
    let deleted = guest.expect("message.deleted").await;
    assert_eq!(deleted.data, json!({"id": message.id, "room_id": room.id, "seq": message.seq, "pos": deleted.pos()}));
    assert_eq!(chat.guest().bodies(&room).await, ["(deleted)"]);
}

#[tokio::test]
async fn a_reader_who_was_disconnected_resumes_without_a_gap() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let alice = chat.user("alice").await;
    let mut bob = chat.guest().listen(&room).await;
    alice.post(&room, "one").await;
    bob.expect_message("one").await;
    let cursor = bob.cursor.clone();
    drop(bob);

    alice.post(&room, "two").await;
    alice.post(&room, "three").await;
    let mut again = chat.guest().opening().room(&room).after_event(&cursor).open().await;
    again.expect_message("two").await;
    again.expect_message("three").await;
    alice.post(&room, "four").await;
    again.expect_message("four").await;
}

#[tokio::test]
async fn a_direct_message_reaches_only_its_recipient() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let (admin, bob, eve) = (chat.admin("ada").await, chat.user("bob").await, chat.user("eve").await);
    let (mut by_bob, mut by_eve) = (bob.listen(&room).await, eve.listen(&room).await);

    let sent = admin.write_to(&bob, "between us").await;
    assert_eq!(by_bob.expect_direct("between us").await, sent);
    // Eve receives the next message, so she did not receive this one.
    admin.post(&room, "for all").await;
    by_eve.expect_message("for all").await;
}

#[tokio::test]
async fn the_lobby_receives_changes_of_rooms() {
    let chat = Chat::start().await;
    let admin = chat.admin("ada").await;
    let mut guest = chat.guest().opening().open().await;

    let room = admin.create_room("Garden").await;
    assert_eq!(guest.expect("room.created").await.body::<Room>().id, room.id);
    admin.rename(&room, "Orchard").await;
    assert_eq!(guest.expect("room.renamed").await.body::<Room>().name, "Orchard");
    admin.archive(&room).await;
    assert!(guest.expect("room.archived").await.body::<Room>().is_archived);
    assert_eq!(chat.guest().rooms().await, []);
    admin.restore(&room).await;
    guest.expect("room.restored").await;
    assert_eq!(chat.guest().rooms().await[0].name, "Orchard");
}

#[tokio::test]
async fn a_post_to_one_instance_is_delivered_by_another() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let mut there = second.guest().listen(&room).await;

    alice.post(&room, "over there").await;
    there.expect_message("over there").await;
    alice.at(&second).post(&room, "and back").await;
    assert_eq!(chat.guest().bodies(&room).await, ["over there", "and back"]);
}

//! Mentions that an edit adds or removes.

use gapless::event::{Message, Room};
use serde_json::{Value, json};

use super::{inbox, item, mentions, post, summary};
use crate::actors::{Chat, Guest, Ledger, PASSWORD, Stream, User};

async fn edit(author: &User, message: &Message, body: &str, mentioned: &[&User]) {
    let ids: Vec<_> = mentioned.iter().map(|user| user.id).collect();
    author.patch(&format!("/messages/{}", message.id), json!({"body": body, "mentions": ids})).await.is(200);
}

/// Returns the next `room.read` or `inbox.added`.
async fn next_of_user(stream: &mut Stream) -> (String, Value) {
    loop {
        let event = stream.next_durable().await;
        if ["room.read", "inbox.added"].contains(&&*event.name) {
            return (event.name.clone(), event.data);
        }
    }
}

async fn unread(reader: &Guest, room: &Room) -> Value {
    reader.get(&format!("/rooms/{}", room.id)).await.is(200).json()["membership"]["unread"].take()
}

#[tokio::test]
async fn an_added_mention_is_delivered_and_a_removed_one_withdrawn() {
    let chat = Chat::start().await;
    let (alice, bob, carol) = (chat.user("alice").await, chat.user("bob").await, chat.user("carol").await);
    let room = chat.room("general").await;
    let second = chat.second_instance().await;
    let message = post(&bob, &room, json!({"body": "lunch?", "mentions": [carol.id]})).await;
    post(&bob, &room, json!({"body": "anyone?", "mentions": [alice.id]})).await;
    chat.first.catch_up().await;
    second.catch_up().await;
    let mut here = alice.opening().open().await;
    let mut there = alice.at(&second).opening().open().await;
    let cursor = here.cursor.clone();

    edit(&bob, &message, "lunch, alice?", &[&alice, &bob]).await;
    for stream in [&mut here, &mut there] {
        let (name, added) = next_of_user(stream).await;
        assert_eq!(
            (&*name, &added["kind"], &added["message"]["body"]),
            ("inbox.added", &json!("mention"), &json!("lunch, alice?"))
        );
        assert!(added["pos"].as_i64() > Some(message.pos.0) && added["at"] == added["message"]["edited_at"], "{added}");
        assert_eq!(inbox(&alice, "?limit=1").await, [added]);
    }
    let both = [item("mention", "lunch, alice?", false), item("mention", "anyone?", false)];
    assert_eq!(summary(&alice).await, both, "at the position of the edit");
    assert_eq!(summary(&carol).await, []);
    assert_eq!((mentions(&alice, &room).await, mentions(&carol, &room).await), (2, 0));
    assert_eq!(inbox(&bob, "").await, [] as [Value; 0], "nobody is notified of their own messages");

    // Another edit does not deliver it again; one without the mention withdraws it, with the count that is left.
    edit(&bob, &message, "lunch, Alice?", &[&alice]).await;
    edit(&bob, &message, "never mind", &[]).await;
    for stream in [&mut here, &mut there] {
        let (name, read) = next_of_user(stream).await;
        let expected = json!({
            "room_id": room.id, "read_seq": 0, "unread": unread(&alice, &room).await, "mentions": 1, "level": "mentions",
        });
        assert_eq!((&*name, read), ("room.read", expected));
    }
    assert_eq!(summary(&alice).await, both[1..]);
    // A reader who was away ends with the same count.
    let mut resumed = alice.opening().after_event(&cursor).open().await;
    while next_of_user(&mut resumed).await.0 != "room.read" {}

    edit(&bob, &message, "lunch, alice?!", &[&alice]).await;
    assert_eq!(next_of_user(&mut resumed).await.0, "inbox.added");
    assert_eq!(summary(&alice).await[0], item("mention", "lunch, alice?!", false));
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn a_reply_stays_whatever_an_edit_mentions() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    alice.post(&room, "what do you think?").await;
    let reply = post(&bob, &room, json!({"reply_to": 1, "body": "I do"})).await;
    chat.first.catch_up().await;
    let mut stream = alice.opening().open().await;
    edit(&bob, &reply, "I do, alice", &[&alice]).await;
    edit(&bob, &reply, "I do", &[]).await;
    bob.delete_message(reply.id).await;
    let next = post(&bob, &room, json!({"body": "look", "mentions": [alice.id]})).await;
    let (name, added) = next_of_user(&mut stream).await;
    assert_eq!((&*name, &added["message"]["id"]), ("inbox.added", &json!(next.id)));
    assert_eq!(summary(&alice).await, [item("mention", "look", false)]);
}

#[tokio::test]
async fn an_edit_notifies_nobody_who_may_not_be() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, bob, banned) = (chat.user("alice").await, chat.user("bob").await, chat.user("banned").await);
    let muted = chat.user("muted").await;
    let room = chat.room("general").await;
    let silent = json!({"level": "none"});
    alice.put(&format!("/rooms/{}/level", room.id), silent).await.is(204);
    founder.ban(&banned).await;
    founder.mute(&muted, 60).await;
    let message = bob.post(&room, "hello").await;
    edit(&bob, &message, "hello all", &[&banned, &muted, &alice, &bob]).await;
    let expected = [item("mention", "hello all", false)];
    assert_eq!((summary(&alice).await, summary(&muted).await), (expected.to_vec(), expected.to_vec()));
    founder.unban(&banned).await;
    let banned = User::sign_in(chat.guest(), "banned", PASSWORD).await;
    assert_eq!(summary(&banned).await, []);

    // Refused edits change no inbox.
    let path = format!("/messages/{}", message.id);
    let nobody = json!({"body": "hello", "mentions": []});
    alice.patch(&path, nobody.clone()).await.refused(403, "not_author");
    bob.patch(&path, json!({"body": "hello", "mentions": [uuid::Uuid::now_v7()]})).await.refused_field("mentions");
    founder.mute(&bob, 60).await;
    bob.patch(&path, nobody.clone()).await.refused(403, "muted");
    founder.unmute(&bob).await;
    founder.archive(&room).await;
    bob.patch(&path, nobody.clone()).await.refused(409, "room_archived");
    assert_eq!(summary(&alice).await, [], "of an archived room nothing is listed");
    founder.restore(&room).await;
    assert_eq!(summary(&alice).await, expected);
    bob.delete_message(message.id).await;
    bob.patch(&path, nobody).await.refused(409, "message_deleted");
    assert_eq!(summary(&alice).await, []);
    assert_eq!(mentions(&alice, &room).await, 0);
}

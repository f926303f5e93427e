//! Messages of an admin to a whole room.

use gapless::event::Author;
use gapless::id::{ClientId, MessageId};
use gapless::outcome::Refusal;
use gapless::post::NewMessage;
use gapless::store::log::append_messages;
use serde_json::json;
use uuid::Uuid;

use super::{inbox, item, mentions, post, summary};
use crate::actors::{Chat, Ledger, User};

async fn age(chat: &Chat, statement: &'static str, user: &User) {
    sqlx::query(statement).bind(user.id).execute(&chat.db()).await.expect("an older time");
}

#[tokio::test]
async fn everybody_who_was_there_lately_is_notified() {
    let chat = Chat::start().await;
    let (founder, ada) = (chat.founder().await, chat.admin("ada").await);
    let (writer, reader, stranger) =
        (chat.user("writer").await, chat.user("reader").await, chat.user("stranger").await);
    let (gone, absent, banned) = (chat.user("gone").await, chat.user("absent").await, chat.user("banned").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    for author in [&writer, &gone, &banned, &ada] {
        author.post(&room, "hello").await;
    }
    stranger.post(&other, "elsewhere").await;
    for user in [&reader, &absent, &writer] {
        user.put(&format!("/rooms/{}/read", room.id), json!({"seq": 3})).await.is(204);
    }
    reader.put(&format!("/rooms/{}/level", room.id), json!({"level": "none"})).await.is(204);
    age(&chat, "update messages set created_at = now() - interval '31 days' where author_id = $1", &gone).await;
    age(&chat, "update read_marks set marked_at = now() - interval '31 days' where user_id = $1", &absent).await;
    founder.ban(&banned).await;
    let audience = ada.get(&format!("/rooms/{}/audience", room.id)).await.is(200).json();
    assert_eq!(audience, json!({"people": 2}));

    let mut stream = reader.opening().open().await;
    let call = json!({
        "body": "@room lunch", "mentions_room": true, "reply_to": 1, "mentions": [stranger.id, ada.id],
        "client_id": Uuid::now_v7(),
    });
    let message = post(&ada, &room, call.clone()).await;
    let added = stream.expect("inbox.added").await.data;
    assert_eq!((&added["kind"], &added["message"]["id"]), (&json!("mention"), &json!(message.id)));
    assert_eq!(inbox(&reader, "").await, [added], "the level says what notifies, not what the inbox has");
    assert_eq!(summary(&stranger).await, [item("mention", "@room lunch", false)]);
    assert_eq!(summary(&writer).await, [item("reply", "@room lunch", false)]);
    for user in [&ada, &founder, &gone, &absent] {
        assert_eq!(summary(user).await, []);
    }
    assert_eq!((mentions(&reader, &room).await, mentions(&writer, &room).await), (1, 1));

    // A retry is one, also with another audience; without the call it is another message.
    let mut retry = call.as_object().expect("an object").clone();
    retry.insert("room_id".into(), json!(room.id));
    ada.send("/messages", retry.clone().into()).await.is(200);
    retry.remove("mentions_room");
    ada.send("/messages", retry.into()).await.refused(422, "client_id_reused");
    assert_eq!(inbox(&reader, "").await.len(), 1);

    // An edit removes those whom it named, and nobody else.
    let edited = json!({"body": "@room dinner", "mentions": []});
    ada.patch(&format!("/messages/{}", message.id), edited).await.is(200);
    assert_eq!(summary(&stranger).await, []);
    assert_eq!(summary(&reader).await, [item("mention", "@room dinner", false)]);
    assert_eq!(summary(&writer).await, [item("reply", "@room dinner", false)]);
    ada.delete_message(message.id).await;
    assert_eq!((summary(&reader).await, mentions(&reader, &room).await), (vec![], 0));
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn only_admins_call_a_room() {
    let chat = Chat::start().await;
    let (founder, ada, alice) = (chat.founder().await, chat.admin("ada").await, chat.user("alice").await);
    let (room, attic) = (chat.room("general").await, chat.room("attic").await);
    founder.archive(&attic).await;
    let call = |room: Uuid| json!({"room_id": room, "body": "@room", "mentions_room": true});
    alice.send("/messages", call(room.id.0)).await.refused(403, "not_admin");
    alice.get(&format!("/rooms/{}/audience", room.id)).await.refused(403, "not_admin");
    ada.get(&format!("/rooms/{}/audience", Uuid::now_v7())).await.refused(404, "not_found");
    ada.send("/messages", call(Uuid::now_v7())).await.refused(404, "not_found");
    ada.send("/messages", call(attic.id.0)).await.refused(409, "room_archived");
    ada.send("/messages", json!({"room_id": room.id, "body": "@room", "mentions_room": "yes"}))
        .await
        .refused_field("mentions_room");
    chat.guest().send("/messages", call(room.id.0)).await.refused(401, "unauthenticated");
    // An admin for whom there is nobody to notify is no error.
    post(&ada, &room, json!({"mentions_room": true})).await;
    alice.send("/messages", json!({"room_id": room.id, "body": "@room", "mentions_room": false})).await.is(201);

    // The role counts when the message is stored, not when the audience is looked up.
    let late = NewMessage {
        id: MessageId::new(),
        room_id: room.id,
        author: Author { id: alice.id, username: "alice".into() },
        client_id: ClientId::new(),
        body: "@room".into(),
        reply_to: None,
        mentions: Vec::new(),
        audience: Some(vec![ada.id]),
    };
    let outcomes = append_messages(&chat.db(), &[late]).await.expect("outcomes");
    assert_eq!(outcomes, [Err(Refusal::NotAdmin)]);
    assert_eq!(summary(&ada).await, []);
}

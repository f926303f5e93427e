//! Replies and mentions: they show originals and users as they are now, and nothing of what was deleted.

use futures_util::future::join_all;
use gapless::event::{Message, Room};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Answer, Chat, Guest, User};

async fn reply(author: &Guest, room: &Room, seq: i64, body: &str) -> Answer {
    author.send("/messages", json!({"room_id": room.id, "body": body, "reply_to": seq})).await
}

async fn mention(author: &Guest, room: &Room, users: &[&User]) -> Answer {
    let ids: Vec<_> = users.iter().map(|user| user.id).collect();
    author.send("/messages", json!({"room_id": room.id, "body": "hello", "mentions": ids})).await
}

async fn newest(reader: &Guest, room: &Room) -> Value {
    let page = reader.get(&format!("/messages?room_id={}", room.id)).await.is(200).json();
    page["messages"].as_array().and_then(|messages| messages.last()).expect("a message").clone()
}

fn people(users: &[&User]) -> Value {
    users.iter().map(|user| json!({"id": user.id, "username": user.name})).collect()
}

#[tokio::test]
async fn a_reply_quotes_the_original_as_it_is_now() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let long = "é".repeat(200);
    let original = alice.post(&room, &long).await;
    let mut live = chat.guest().listen(&room).await;
    let before = live.cursor.clone();
    let quote = |excerpt: Value| json!({"seq": 1, "author": {"id": alice.id, "username": "alice"}, "excerpt": excerpt});

    let posted = reply(&bob, &room, 1, "why?").await.is(201).json();
    assert_eq!(posted["reply_to"], quote("é".repeat(160).into()));
    assert_eq!(live.expect("message.posted").await.data, posted);
    assert_eq!(newest(&bob, &room).await, posted);

    alice.edit(original.id, "short").await;
    live.expect("message.edited").await;
    assert_eq!(newest(&bob, &room).await["reply_to"], quote("short".into()));
    let id = posted["id"].as_str().expect("an id");
    let edited = bob.patch(&format!("/messages/{id}"), json!({"body": "why not?"})).await.is(200).json();
    assert_eq!(edited["reply_to"], quote("short".into()));
    assert_eq!(live.expect("message.edited").await.data, edited);

    // A deleted original is quoted nowhere, also not by events from before its deletion.
    alice.delete_message(original.id).await;
    live.expect("message.deleted").await;
    assert_eq!(newest(&bob, &room).await["reply_to"], quote(Value::Null));
    let mut resumed = chat.guest().opening().room(&room).after_event(&before).open().await;
    let heard = resumed.expect("message.posted").await.data;
    assert_eq!((&heard["reply_to"], &heard["body"]), (&quote(Value::Null), &json!("why?")));
    let again = reply(&bob, &room, 1, "gone?").await.is(201).json();
    assert_eq!(again["reply_to"], quote(Value::Null));

    // A deleted reply refers to nothing.
    bob.delete_message(serde_json::from_value(again["id"].clone()).expect("an id")).await;
    let deleted = newest(&bob, &room).await;
    assert_eq!((&deleted["reply_to"], &deleted["body"]), (&Value::Null, &Value::Null));
    let kept: (i64, i64) = sqlx::query_as("select count(reply_to), count(*) from messages where body is null")
        .fetch_one(&chat.db())
        .await
        .expect("counts");
    assert_eq!(kept, (0, 2));
}

#[tokio::test]
async fn an_instance_that_reads_the_log_sends_the_same_replies() {
    let chat = Chat::start_with(|config| config.ring_bytes = 1).await;
    let second = chat.second_instance().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    second.catch_up().await;
    let mut there = alice.at(&second).listen(&room).await;
    let before = there.cursor.clone();
    let original = alice.post(&room, "a secret").await;
    let posted = bob
        .send("/messages", json!({"room_id": room.id, "body": "oh", "reply_to": 1, "mentions": [alice.id, bob.id]}))
        .await
        .is(201)
        .json();
    assert_eq!(posted["mentions"], people(&[&alice, &bob]));
    there.expect("message.posted").await;
    assert_eq!(there.expect("message.posted").await.data, posted);
    let mut replayed = chat.guest().opening().room(&room).after_event(&before).open().await;
    replayed.expect("message.posted").await;
    assert_eq!(replayed.expect("message.posted").await.data, posted);
    alice.delete_message(original.id).await;
    let mut replayed = chat.guest().opening().room(&room).after_event(&before).open().await;
    assert_eq!(replayed.expect("message.posted").await.data["body"], Value::Null);
    assert_eq!(replayed.expect("message.posted").await.data["reply_to"]["excerpt"], Value::Null);
}

#[tokio::test]
async fn a_reply_outlives_an_original_that_is_deleted_by_age() {
    let chat = Chat::start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let room = chat.room("general").await;
    alice.post(&room, "long ago").await;
    let mut live = chat.guest().listen(&room).await;
    let before = live.cursor.clone();
    let posted = reply(&alice, &room, 1, "I remember").await.is(201).json();
    let age = "update messages set created_at = created_at - interval '40 days' where seq = 1";
    sqlx::query(age).execute(&chat.db()).await.expect("an old message");
    founder.put(&format!("/rooms/{}/retention", room.id), json!({"days": 30})).await.is(200);
    live.expect("message.posted").await;
    live.expect("room.retention_set").await;
    live.expect("room.trimmed").await;

    let quote = json!({"seq": 1, "author": null, "excerpt": null});
    let kept = newest(&alice, &room).await;
    assert_eq!((&kept["id"], &kept["reply_to"]), (&posted["id"], &quote));
    let mut resumed = chat.guest().opening().room(&room).after_event(&before).open().await;
    assert_eq!(resumed.expect("message.posted").await.data["reply_to"], quote);
    reply(&alice, &room, 1, "do you?").await.refused_field("reply_to");
}

#[tokio::test]
async fn references_that_are_refused() {
    let chat = Chat::start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    alice.post(&other, "one").await;
    alice.post(&other, "two").await;
    let message = alice.post(&room, "one").await;
    reply(&alice, &room, 2, "to the other room").await.refused_field("reply_to");
    for seq in [json!(0), json!(-1), json!(1.5), json!("1"), json!(1e300)] {
        let post = json!({"room_id": room.id, "body": "words", "reply_to": seq});
        alice.send("/messages", post).await.refused_field("reply_to");
    }
    let nobody = Uuid::now_v7();
    let many: Vec<Uuid> = (0..11).map(|_| nobody).collect();
    for mentions in [json!([nobody]), json!([alice.id, nobody]), json!(many), json!("alice"), json!(null)] {
        let post = json!({"room_id": room.id, "body": "words", "mentions": mentions});
        alice.send("/messages", post).await.refused_field("mentions");
        let edit = json!({"body": "words", "mentions": mentions});
        let edited = alice.patch(&format!("/messages/{}", message.id), edit).await;
        if mentions.is_null() { drop(edited.is(200)) } else { edited.refused_field("mentions") }
    }
    alice
        .send("/messages", json!({"room_id": room.id, "body": "x", "mentions": ["alice"]}))
        .await
        .refused_field("mentions[0]");
    let carol = chat.user("carol").await;
    founder.delete(&format!("/users/{}", carol.id)).await.is(204);
    mention(&alice, &room, &[&carol]).await.refused_field("mentions");
    chat.guest().send("/messages", json!({"room_id": room.id, "body": "x", "reply_to": 1})).await.is(401);
    founder.archive(&room).await;
    reply(&alice, &room, 9, "too late").await.refused(409, "room_archived");
    assert_eq!(founder.bodies(&room).await, ["words"]);
}

#[tokio::test]
async fn mentions_are_kept_in_order_and_follow_the_body() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, bob, carol) = (chat.user("alice").await, chat.user("bob").await, chat.user("carol").await);
    let room = chat.room("general").await;
    let twice = mention(&alice, &room, &[&carol, &bob, &carol, &alice]).await.is(201).json();
    assert_eq!(twice["mentions"], people(&[&carol, &bob, &alice]));
    let path = format!("/messages/{}", twice["id"].as_str().expect("an id"));
    let edit = async |edit: Value| alice.patch(&path, edit).await.is(200).json()["mentions"].clone();

    let token = format!("hi @[user:{}] and @[user:{}]", bob.id, carol.id);
    assert_eq!(edit(json!({"body": token})).await, people(&[&carol, &bob]), "tokens of those mentioned stay");
    let without = format!("hi @[user:{}]", bob.id);
    assert_eq!(edit(json!({"body": without})).await, people(&[&bob]));
    assert_eq!(edit(json!({"body": token})).await, people(&[&bob]), "a token alone mentions nobody");
    assert_eq!(edit(json!({"body": token, "mentions": [alice.id, bob.id]})).await, people(&[&alice, &bob]));
    assert_eq!(edit(json!({"body": token, "mentions": []})).await, json!([]));

    mention(&alice, &room, &[&carol]).await.is(201);
    founder.delete(&format!("/users/{}", carol.id)).await.is(204);
    let name = newest(&alice, &room).await["mentions"][0]["username"].as_str().expect("a name").to_owned();
    assert!(name.starts_with("erased-"), "{name}");
}

#[tokio::test]
async fn a_retry_has_the_same_references() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    alice.post(&room, "one").await;
    alice.post(&room, "two").await;
    let client_id = Uuid::now_v7();
    let post = |more: Value| {
        let mut post = json!({"room_id": room.id, "body": "hi", "client_id": client_id});
        post.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        alice.send("/messages", post)
    };
    let first: Message = post(json!({"reply_to": 1, "mentions": [bob.id]})).await.is(201).body();
    let again: Message = post(json!({"reply_to": 1.0, "mentions": [bob.id, bob.id]})).await.is(200).body();
    assert_eq!(again, first);
    for other in [
        json!({}),
        json!({"reply_to": 1}),
        json!({"reply_to": 2, "mentions": [bob.id]}),
        json!({"reply_to": 1, "mentions": [alice.id]}),
        json!({"reply_to": null, "mentions": [bob.id]}),
        json!({"reply_to": 9, "mentions": [Uuid::now_v7()]}),
    ] {
        post(other).await.refused(422, "client_id_reused");
    }
    let none: Message = alice.try_post_as(room.id, "plain", &Uuid::now_v7().to_string()).await.is(201).body();
    let plain =
        json!({"room_id": room.id, "body": "plain", "client_id": none.client_id, "reply_to": null, "mentions": []});
    assert_eq!(alice.send("/messages", plain).await.is(200).body::<Message>(), none, "none given is none");

    let mentioned =
        alice.patch(&format!("/messages/{}", none.id), json!({"body": "plain", "mentions": [bob.id]})).await;
    let repeated = alice.try_post_as(room.id, "plain", &none.client_id.to_string()).await.is(200).json();
    assert_eq!(repeated, mentioned.is(200).json(), "a retry returns the present state");
}

#[tokio::test]
async fn replies_and_other_posts_share_batches() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    alice.post(&room, "one").await;
    let mut live = chat.guest().listen(&room).await;
    let answers = join_all((0..60).map(|n| {
        let (alice, room) = (&alice, &room);
        let mentions = if n % 3 == 0 { vec![bob.id] } else { vec![] };
        let (reply_to, body) = (if n % 2 == 0 { Some(1) } else { None }, format!("words {n}"));
        let reply_to = if n == 30 { Some(1_000) } else { reply_to };
        async move {
            let post = json!({"room_id": room.id, "body": body, "reply_to": reply_to, "mentions": mentions});
            alice.send("/messages", post).await
        }
    }))
    .await;
    let mut posted = Vec::new();
    for (n, answer) in answers.into_iter().enumerate() {
        if n == 30 {
            answer.refused_field("reply_to");
            continue;
        }
        let message: Message = answer.is(201).body();
        assert_eq!(message.reply_to.is_some(), n % 2 == 0);
        assert_eq!(message.mentions.len(), usize::from(n % 3 == 0));
        posted.push(message);
    }
    posted.sort_by_key(|message| message.pos);
    for message in &posted {
        assert_eq!(live.expect("message.posted").await.data, serde_json::to_value(message).expect("JSON"));
    }
    crate::actors::Ledger::read(&chat.db()).await;
}

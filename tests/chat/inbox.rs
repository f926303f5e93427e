//! The inbox: each mention and reply once, for the user concerned only.

mod edits;
mod whole_room;

use gapless::event::{Message, Room};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Chat, Guest, Ledger, Stream, User};

async fn post(author: &User, room: &Room, more: Value) -> Message {
    let mut post = json!({"room_id": room.id, "body": "words"});
    post.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    author.send("/messages", post).await.is(201).body()
}

async fn inbox(user: &Guest, query: &str) -> Vec<Value> {
    let page = user.get(&format!("/inbox{query}")).await.is(200).json();
    page["items"].as_array().expect("a list").clone()
}

/// Returns the kind, body and read state of each item.
async fn summary(user: &Guest) -> Vec<(String, String, bool)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let items = inbox(user, "").await;
    items.iter().map(|item| (text(&item["kind"]), text(&item["message"]["body"]), item["read"] == true)).collect()
}

fn item(kind: &str, body: &str, is_read: bool) -> (String, String, bool) {
    (kind.to_owned(), body.to_owned(), is_read)
}

async fn mentions(user: &Guest, room: &Room) -> i64 {
    let read = user.get(&format!("/rooms/{}", room.id)).await.is(200).json();
    read["membership"]["mentions"].as_i64().expect("a number")
}

/// Asserts that the stream has nothing durable before the message with this body.
async fn expect_nothing_before(stream: &mut Stream, body: &str) {
    assert_eq!(stream.next_durable().await.data["body"], body);
}

#[tokio::test]
async fn who_is_mentioned_or_replied_to_is_told_once() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (ada, alice, bob) = (chat.admin("ada").await, chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("General talk").await;
    let original = alice.post(&room, "what do you think?").await;
    second.catch_up().await;
    let mut here = alice.opening().open().await;
    let mut there = alice.at(&second).opening().open().await;
    let mut of_bob = bob.listen(&room).await;
    let mut of_guest = chat.guest().listen(&room).await;
    let cursor = here.cursor.clone();

    let reply = post(&bob, &room, json!({"reply_to": 1, "mentions": [alice.id, bob.id], "body": "I do"})).await;
    let mention = post(&ada, &room, json!({"mentions": [alice.id], "body": "look"})).await;
    let place = json!({"id": room.id, "name": "General talk", "slug": "general-talk"});
    let expected = |kind: &str, message: &Message| {
        let message = serde_json::to_value(message).expect("JSON");
        json!({
            "kind": kind, "pos": message["pos"], "message": message, "room": place, "at": message["created_at"],
            "read": false,
        })
    };
    let (first, next) = (expected("reply", &reply), expected("mention", &mention));
    let mut resumed = alice.opening().after_event(&cursor).open().await;
    for stream in [&mut here, &mut there, &mut resumed] {
        assert_eq!(stream.expect("inbox.added").await.data, first);
        assert_eq!(stream.expect("inbox.added").await.data, next);
    }
    for stream in [&mut of_bob, &mut of_guest] {
        stream.expect_message("I do").await;
        stream.expect_message("look").await;
    }
    assert_eq!(inbox(&alice, "").await, [next, first]);
    assert_eq!(inbox(&bob, "").await, [] as [Value; 0], "nobody is told of their own messages");

    // A stream that was cut between the two continues with the second.
    let between = resumed.cursor.clone();
    ada.post(&room, "the end").await;
    let mut rest = alice.opening().room(&room).after_event(&between).open().await;
    expect_nothing_before(&mut rest, "the end").await;
    expect_nothing_before(&mut of_bob, "the end").await;
    expect_nothing_before(&mut of_guest, "the end").await;
    assert_eq!(original.seq.0, 1);
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn a_retry_tells_nobody_again() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let mut stream = alice.listen(&room).await;
    let submit = json!({
        "room_id": room.id, "body": "hi", "client_id": Uuid::now_v7(), "mentions": [alice.id, alice.id],
    });
    bob.send("/messages", submit.clone()).await.is(201);
    for _ in 0..3 {
        bob.send("/messages", submit.clone()).await.is(200);
    }
    stream.expect_message("hi").await;
    stream.expect("inbox.added").await;
    bob.post(&room, "the end").await;
    expect_nothing_before(&mut stream, "the end").await;
    assert_eq!(inbox(&alice, "").await.len(), 1);
}

#[tokio::test]
async fn an_item_goes_with_its_message() {
    let chat = Chat::start().await;
    let (founder, alice, bob) = (chat.founder().await, chat.user("alice").await, chat.user("bob").await);
    let (room, attic) = (chat.room("general").await, chat.room("attic").await);
    let cursor = alice.opening().open().await.cursor;
    let old = post(&bob, &room, json!({"mentions": [alice.id], "body": "long ago"})).await;
    let deleted = post(&bob, &room, json!({"mentions": [alice.id], "body": "a secret"})).await;
    post(&bob, &attic, json!({"mentions": [alice.id], "body": "up here"})).await;
    let edited = post(&bob, &room, json!({"mentions": [alice.id], "body": "helo"})).await;
    assert_eq!(mentions(&alice, &room).await, 3);

    let corrected = json!({"body": "hello", "mentions": [alice.id]});
    bob.patch(&format!("/messages/{}", edited.id), corrected).await.is(200);
    bob.delete_message(deleted.id).await;
    founder.archive(&attic).await;
    sqlx::query("update messages set created_at = created_at - interval '40 days' where id = $1")
        .bind(old.id)
        .execute(&chat.db())
        .await
        .expect("an old message");
    founder.put(&format!("/rooms/{}/retention", room.id), json!({"days": 30})).await.is(200);
    let mut guest = chat.guest().opening().room(&room).after_event(&cursor).open().await;
    while guest.next_durable().await.name != "room.trimmed" {}
    assert_eq!(summary(&alice).await, [item("mention", "hello", false)]);
    assert_eq!(mentions(&alice, &room).await, 1);
    let left: i64 =
        sqlx::query_scalar("select count(*) from inbox_items").fetch_one(&chat.db()).await.expect("a count");
    assert_eq!(left, 3, "those of messages that are gone are deleted with them");

    // Events of deleted messages are not replayed.
    let mut replayed = alice.opening().after_event(&cursor).open().await;
    let mut heard = Vec::new();
    founder.mute(&alice, 60).await;
    loop {
        let event = replayed.next_durable().await;
        match &*event.name {
            "inbox.added" => heard.push(event.data["message"]["body"].as_str().expect("a body").to_owned()),
            "user.changed" => break,
            _ => {}
        }
    }
    assert!(!heard.iter().any(|body| body == "a secret" || body == "long ago"), "{heard:?}");
    founder.restore(&attic).await;
    assert_eq!(summary(&alice).await, [item("mention", "hello", false), item("mention", "up here", false)]);
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn neither_banned_nor_erased_users_are_told() {
    let chat = Chat::start().await;
    let (founder, bob) = (chat.founder().await, chat.user("bob").await);
    let (banned, erased) = (chat.user("banned").await, chat.user("erased").await);
    let room = chat.room("general").await;
    banned.post(&room, "mine").await;
    post(&founder, &room, json!({"mentions": [erased.id]})).await;
    founder.ban(&banned).await;
    post(&bob, &room, json!({"reply_to": 1, "mentions": [banned.id]})).await;
    founder.delete(&format!("/users/{}", erased.id)).await.is(204);
    let mut stream = founder.listen(&room).await;
    let left = "select count(*) from inbox_items";
    while sqlx::query_scalar::<_, i64>(left).fetch_one(&chat.db()).await.expect("a count") > 0 {
        tokio::task::yield_now().await;
    }
    founder.unban(&banned).await;
    bob.post(&room, "the end").await;
    stream.expect_message("the end").await;
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn items_are_read_with_their_room_or_with_the_inbox() {
    let chat = Chat::start_with(|config| config.dm_replies = true).await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let mention = json!({"mentions": [alice.id]});
    let mut stream = alice.opening().open().await;
    post(&ada, &room, mention.clone()).await;
    ada.write_to(&alice, "psst").await;
    post(&ada, &other, mention.clone()).await;
    alice.write_to(&ada, "what?").await;
    post(&ada, &room, mention.clone()).await;
    let all = |read: [bool; 4]| {
        let kinds = [("mention", "words"), ("mention", "words"), ("direct", "psst"), ("mention", "words")];
        kinds.into_iter().zip(read).map(|((kind, body), is_read)| item(kind, body, is_read)).collect::<Vec<_>>()
    };
    assert_eq!(summary(&alice).await, all([false; 4]));
    assert_eq!((mentions(&alice, &room).await, mentions(&alice, &other).await), (2, 1));

    alice.put(&format!("/rooms/{}/read", room.id), json!({"seq": 1})).await.is(204);
    let read = loop {
        let event = stream.next_durable().await;
        if event.name == "room.read" {
            break event.data;
        }
    };
    assert_eq!((&read["read_seq"], &read["mentions"]), (&json!(1), &json!(1)));
    assert_eq!(summary(&alice).await, all([false, false, false, true]));
    let direct = inbox(&alice, "").await[2]["pos"].clone();
    alice.put("/inbox/read", json!({"pos": direct})).await.is(204);
    assert_eq!(summary(&alice).await, all([false, false, true, true]));
    alice.put("/inbox/read", json!({"pos": 0})).await.is(204);
    assert_eq!(summary(&alice).await, all([false, false, true, true]), "the mark does not move back");
    assert_eq!(mentions(&alice, &other).await, 1, "a room's counts follow its own mark");
    alice.put("/inbox/read", json!({"pos": 1_i64 << 50})).await.is(204);
    assert_eq!(summary(&alice).await, all([true; 4]));
    post(&ada, &room, mention).await;
    assert!(!summary(&alice).await[0].2, "a mark beyond the end is one at the end");
    assert_eq!(inbox(&ada, "").await.len(), 1, "of one's own direct messages only the answers");
}

#[tokio::test]
async fn pages_and_refusals() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let room = chat.room("general").await;
    for n in 0..7 {
        if n % 3 == 2 {
            ada.write_to(&alice, &n.to_string()).await;
        } else {
            post(&ada, &room, json!({"mentions": [alice.id], "body": n.to_string()})).await;
        }
    }
    let (mut bodies, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = alice.get(&format!("/inbox{query}")).await.is(200).json();
        let items = page["items"].as_array().expect("a list").clone();
        bodies.extend(items.iter().map(|item| item["message"]["body"].as_str().expect("a body").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(bodies, ["6", "5", "4", "3", "2", "1", "0"]);
    assert!(inbox(&alice, "?cursor=0").await.is_empty());

    for query in ["?cursor=x", "?cursor=-1", "?limit=0", "?page=2"] {
        alice.get(&format!("/inbox{query}")).await.refused(400, "malformed");
    }
    for pos in [json!(-1), json!(0.5), json!("1"), json!(null)] {
        alice.put("/inbox/read", json!({"pos": pos})).await.refused_field("pos");
    }
    chat.guest().get("/inbox").await.refused(401, "unauthenticated");
    chat.guest().put("/inbox/read", json!({"pos": 1})).await.refused(401, "unauthenticated");
}

//! Reactions: counted once for each user and emoji, told to the room at most once a second for a message, and gone with
//! the message or the user.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gapless::event::{Message, Room};
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::actors::{Answer, Chat, Guest, Ledger, Stream, User};

const HEART: &str = "❤\u{fe0f}";
const FAMILY: &str = "👩\u{200d}👩\u{200d}👧\u{200d}👦";

fn path(message: &Message, emoji: &str) -> String {
    format!("/messages/{}/reactions/{emoji}", message.id)
}

async fn react(user: &Guest, message: &Message, emoji: &str) -> Answer {
    user.call(Method::PUT, &path(message, emoji), None).await
}

async fn take_back(user: &Guest, message: &Message, emoji: &str) -> Answer {
    user.delete(&path(message, emoji)).await
}

/// Returns the reactions to the room's newest message as this reader sees them: emoji, count and `mine`.
async fn seen(reader: &Guest, room: &Room) -> Vec<(String, i64, bool)> {
    let page = reader.get(&format!("/messages?room_id={}&limit=1", room.id)).await.is(200).json();
    let reactions: Vec<gapless::event::Reaction> =
        serde_json::from_value(page["messages"][0]["reactions"].clone()).expect("reactions");
    reactions.into_iter().map(|reaction| (reaction.emoji, reaction.count, reaction.mine)).collect()
}

fn counted(reactions: &[(&str, i64, bool)]) -> Vec<(String, i64, bool)> {
    reactions.iter().map(|(emoji, count, mine)| ((*emoji).to_owned(), *count, *mine)).collect()
}

/// Asserts that the next durable event tells of these numbers and changes.
async fn expect_reactions(stream: &mut Stream, message: &Message, counts: &[(&str, i64)], changes: Value) {
    let told = stream.next_durable().await;
    let counts: Vec<Value> = counts.iter().map(|(emoji, count)| json!({"emoji": emoji, "count": count})).collect();
    let data = json!({
        "id": message.id, "room_id": message.room_id, "seq": message.seq, "reactions": counts, "changes": changes,
    });
    assert_eq!((&*told.name, told.data), ("message.reactions", data));
}

fn change(user: &crate::actors::User, emoji: &str, added: bool) -> Value {
    json!({"user_id": user.id, "emoji": emoji, "added": added})
}

#[tokio::test]
async fn a_reaction_reaches_the_room_on_every_instance_and_is_resumed_exactly() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let message = alice.post(&room, "hi").await;
    second.catch_up().await;
    let mut here = chat.guest().listen(&room).await;
    let mut there = bob.at(&second).listen(&room).await;
    let mut elsewhere = bob.listen(&other).await;
    let cursor = here.cursor.clone();

    react(&bob, &message, "👍").await.is(204);
    react(&alice, &message, HEART).await.is(204);
    take_back(&bob, &message, "👍").await.is(204);
    react(&bob, &message, HEART).await.is(204);
    let mut late = alice.at(&second).opening().room(&room).after_event(&cursor).open().await;
    for stream in [&mut here, &mut there, &mut late] {
        expect_reactions(stream, &message, &[("👍", 1)], json!([change(&bob, "👍", true)])).await;
        let counts = [("👍", 1), (HEART, 1)];
        expect_reactions(stream, &message, &counts, json!([change(&alice, HEART, true)])).await;
        expect_reactions(stream, &message, &[(HEART, 1)], json!([change(&bob, "👍", false)])).await;
        expect_reactions(stream, &message, &[(HEART, 2)], json!([change(&bob, HEART, true)])).await;
    }
    // A third instance reads all of it from the log.
    let third = chat.second_instance().await;
    let mut replayed = alice.at(&third).opening().room(&room).after_event(&cursor).open().await;
    expect_reactions(&mut replayed, &message, &[("👍", 1)], json!([change(&bob, "👍", true)])).await;

    for (reader, mine) in [(&*alice, true), (&*bob, true), (&chat.guest(), false), (&*chat.user("eve").await, false)] {
        assert_eq!(seen(reader, &room).await, counted(&[(HEART, 2, mine)]));
    }
    let repeat = alice.try_post_as(room.id, "hi", &message.client_id.to_string()).await.is(200).json();
    assert_eq!(repeat["reactions"], json!([{"emoji": HEART, "count": 2, "mine": true}]));
    let edited = alice.patch(&format!("/messages/{}", message.id), json!({"body": "ho"})).await.is(200).json();
    assert_eq!(edited["reactions"], repeat["reactions"]);
    let told = here.expect("message.edited").await.data;
    assert_eq!(told["reactions"], json!([{"emoji": HEART, "count": 2, "mine": false}]));
    alice.post(&other, "nothing else").await;
    assert_eq!(elsewhere.next_durable().await.name, "message.posted", "other rooms hear nothing of it");
    assert!(chat.founder().await.get("/audit").await.is(200).json()["entries"].to_string().contains("room.created"));
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn changes_within_a_second_are_told_and_answered_together() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let message = chat.user("alice").await.post(&room, "react to this").await;
    let other = chat.user("bob").await.post(&room, "and to this").await;
    let users = join_all((0..12).map(|n| {
        let chat = &chat;
        async move { chat.user(&format!("user-{n}")).await }
    }))
    .await;
    let began = Instant::now();
    react(&users[0], &message, "👍").await.is(204);
    let at_once = began.elapsed();
    // An event of one message does not hold up those of another.
    react(&users[0], &other, "👍").await.is(204);
    let answers = users.iter().map(|user| react(user, &message, "👍"));
    for answer in join_all(answers).await {
        answer.is(204);
    }
    let together = began.elapsed();
    println!("figure: a first reaction is answered within {at_once:?}, eleven others within {together:?}");
    assert!(at_once < Duration::from_millis(900) && together > Duration::from_secs(1), "{at_once:?}, {together:?}");

    let entries: Vec<(OffsetDateTime, Value)> =
        sqlx::query_as("select at, detail from log where kind = 'message.reactions' and message_id = $1 order by pos")
            .bind(message.id)
            .fetch_all(&chat.db())
            .await
            .expect("the log");
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries[1].0 - entries[0].0 >= Duration::from_secs(1));
    assert_eq!(entries[1].1["reactions"], json!([{"emoji": "👍", "count": 12}]));
    let changed = entries[1].1["changes"].as_array().expect("a list");
    let by: BTreeSet<&str> = changed.iter().filter_map(|change| change["user_id"].as_str()).collect();
    assert_eq!((changed.len(), by.len()), (11, 11), "twice by one user is once");
    assert_eq!(seen(&users[3], &room).await, counted(&[("👍", 1, false)]), "the newest message is the other one");
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn one_emoji_in_any_spelling_is_accepted_and_nothing_else() {
    let chat = Chat::start().await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    let message = alice.post(&room, "hi").await;
    for emoji in ["👍🏽", "🇩🇪", FAMILY, "%F0%9F%8E%89", "❤", HEART, "%E2%9D%A4%EF%B8%8F"] {
        react(&alice, &message, emoji).await.is(204);
    }
    let expected = ["👍🏽", "🇩🇪", FAMILY, "🎉", HEART].map(|emoji| (emoji, 1, true));
    assert_eq!(seen(&alice, &room).await, counted(&expected));
    take_back(&alice, &message, "❤").await.is(204);
    assert_eq!(seen(&alice, &room).await, counted(&expected[..4]));
    for emoji in ["a", "1", "%20", "%00", "%FF", "👍👍", "👍a", ":+1:", "🏽", "%EF%B8%8F", &"👍".repeat(5_000)[..400]]
    {
        react(&alice, &message, emoji).await.refused_field("emoji");
        take_back(&alice, &message, emoji).await.refused_field("emoji");
    }
    assert_eq!(seen(&alice, &room).await, counted(&expected[..4]));
}

#[tokio::test]
async fn callers_and_messages_that_are_refused() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, bob, room) = (chat.user("alice").await, chat.user("bob").await, chat.room("general").await);
    let message = alice.post(&room, "hi").await;
    react(&chat.guest(), &message, "👍").await.refused(401, "unauthenticated");
    let nowhere = Message { id: gapless::id::MessageId(Uuid::now_v7()), ..message.clone() };
    react(&alice, &nowhere, "👍").await.refused(404, "not_found");
    alice.put("/messages/none/reactions/👍", Value::Null).await.refused(404, "not_found");
    alice.put(&format!("/messages/{}/reactions/", message.id), Value::Null).await.refused(404, "not_found");

    // Twice is once, in either direction.
    for _ in 0..2 {
        react(&bob, &message, "👍").await.is(204);
    }
    take_back(&alice, &message, "👍").await.is(204);
    assert_eq!(seen(&bob, &room).await, counted(&[("👍", 1, true)]));
    let entries: i64 = sqlx::query_scalar("select count(*) from log where kind = 'message.reactions'")
        .fetch_one(&chat.db())
        .await
        .expect("the log");
    assert_eq!(entries, 1);

    founder.mute(&bob, 60).await;
    react(&bob, &message, "🎉").await.refused(403, "muted");
    take_back(&bob, &message, "👍").await.refused(403, "muted");
    founder.unmute(&bob).await;
    founder.archive(&room).await;
    for user in [&*alice, &*founder] {
        react(user, &message, "🎉").await.refused(409, "room_archived");
        take_back(user, &message, "👍").await.refused(409, "room_archived");
    }
    founder.restore(&room).await;
    founder.delete_message(message.id).await;
    react(&alice, &message, "🎉").await.refused(409, "message_deleted");
    take_back(&bob, &message, "👍").await.refused(409, "message_deleted");
    founder.ban(&bob).await;
    react(&bob, &message, "🎉").await.refused(401, "invalid_token");
}

#[tokio::test]
async fn a_message_takes_twenty_kinds_and_ten_of_one_user() {
    const KINDS: [&str; 21] = [
        "👍", "👎", "😄", "🎉", "😕", HEART, "🚀", "👀", "🔥", "💯", "🙏", "👏", "😢", "😡", "🤔", "🍰", "🌳", "🐈",
        "🐕", "⭐", "🌍",
    ];
    let chat = Chat::start().await;
    let (alice, bob, carol) = (chat.user("alice").await, chat.user("bob").await, chat.user("carol").await);
    let room = chat.room("general").await;
    let message = alice.post(&room, "everything").await;
    for (user, kinds) in [(&alice, &KINDS[..10]), (&bob, &KINDS[10..20])] {
        for answer in join_all(kinds.iter().map(|emoji| react(user, &message, emoji))).await {
            answer.is(204);
        }
    }
    react(&alice, &message, KINDS[10]).await.refused(409, "too_many_reactions");
    react(&carol, &message, KINDS[20]).await.refused(409, "too_many_reactions");
    react(&alice, &message, KINDS[0]).await.is(204);
    react(&carol, &message, KINDS[0]).await.is(204);
    take_back(&bob, &message, KINDS[12]).await.is(204);
    react(&carol, &message, KINDS[20]).await.is(204);
    let reactions = seen(&alice, &room).await;
    assert_eq!((reactions.len(), &reactions[19].0, reactions[19].1), (20, &KINDS[20].to_owned(), 1));
    assert_eq!(reactions.iter().filter(|(_, _, mine)| *mine).count(), 10);
}

/// Rows about reactions, and entries of the log that name an emoji.
async fn traces(chat: &Chat) -> (i64, i64, i64) {
    sqlx::query_as(
        "select (select count(*) from reactions), (select count(*) from reaction_counts),
                (select count(*) from log where kind = 'message.reactions')",
    )
    .fetch_one(&chat.db())
    .await
    .expect("the tables")
}

#[tokio::test]
async fn a_deleted_message_loses_its_reactions_and_earlier_events_tell_none() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let cursor = chat.guest().listen(&room).await.cursor;
    let message = alice.post(&room, "hi").await;
    react(&bob, &message, "👍").await.is(204);
    // Two at once: whichever comes first, no reaction is left.
    let (reacted, deleted) = tokio::join!(react(&alice, &message, "🎉"), alice.try_delete(message.id));
    assert!(matches!(reacted.status, 204 | 409), "{reacted:?}");
    deleted.is(204);
    assert_eq!(seen(&bob, &room).await, []);
    let (rows, counts, _) = traces(&chat).await;
    assert_eq!((rows, counts), (0, 0));
    let third = chat.second_instance().await;
    for guest in [chat.guest(), Guest::at(third.address)] {
        let mut late = guest.opening().room(&room).after_event(&cursor).open().await;
        assert_eq!(late.expect("message.posted").await.data["body"], Value::Null);
        expect_reactions(&mut late, &message, &[], json!([])).await;
        late.expect("message.deleted").await;
    }
}

#[tokio::test]
async fn an_erased_user_takes_their_reactions_along() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let (room, attic) = (chat.room("general").await, chat.room("attic").await);
    let (kept, gone) = (bob.post(&room, "kept").await, alice.post(&room, "gone").await);
    let archived = bob.post(&attic, "up here").await;
    for (user, message, emoji) in [
        (&alice, &kept, "👍"),
        (&bob, &gone, "👍"),
        (&bob, &kept, "🎉"),
        (&alice, &kept, "🎉"),
        (&alice, &archived, "👍"),
    ] {
        react(user, message, emoji).await.is(204);
    }
    founder.archive(&attic).await;
    let mut stream = bob.listen(&room).await;
    founder.delete(&format!("/users/{}", alice.id)).await.is(204);
    stream.expect("user.erased").await;
    assert_eq!(stream.expect("message.deleted").await.data["id"], json!(gone.id));
    let told = stream.expect("message.reactions").await.data;
    assert_eq!((&told["id"], &told["reactions"]), (&json!(kept.id), &json!([{"emoji": "🎉", "count": 1}])));
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(2));
    let page = bob.get(&format!("/messages?room_id={}", room.id)).await.is(200).json();
    assert_eq!(page["messages"][0]["reactions"], json!([{"emoji": "🎉", "count": 1, "mine": true}]));
    assert_eq!(page["messages"][1]["reactions"], json!([]));
    founder.restore(&attic).await;
    assert_eq!(seen(&bob, &attic).await, []);
    let left = "select count(*) from log where detail::text like '%' || $1 || '%'";
    let left = sqlx::query_scalar::<_, i64>(left).bind(alice.id.to_string()).fetch_one(&chat.db()).await;
    assert_eq!(left.expect("the log"), 0);
    Ledger::read(&chat.db()).await;
}

#[tokio::test]
async fn trimmed_messages_leave_no_reactions() {
    let chat = Chat::start().await;
    let (founder, alice, room) = (chat.founder().await, chat.user("alice").await, chat.room("general").await);
    let cursor = chat.guest().listen(&room).await.cursor;
    let (old, new) = (alice.post(&room, "old").await, alice.post(&room, "new").await);
    react(&alice, &old, "👍").await.is(204);
    react(&alice, &new, "👍").await.is(204);
    sqlx::query("update messages set created_at = created_at - interval '40 days' where seq = 1")
        .execute(&chat.db())
        .await
        .expect("the messages' table");
    let mut stream = chat.guest().listen(&room).await;
    founder.put(&format!("/rooms/{}/retention", room.id), json!({"days": 30})).await.is(200);
    stream.expect("room.retention_set").await;
    stream.expect("room.trimmed").await;
    assert_eq!(traces(&chat).await.0, 1);
    react(&alice, &old, "👍").await.refused(404, "not_found");
    let third = chat.second_instance().await;
    for guest in [chat.guest(), Guest::at(third.address)] {
        let mut late = guest.opening().room(&room).after_event(&cursor).open().await;
        late.expect_message("new").await;
        expect_reactions(&mut late, &new, &[("👍", 1)], json!([change(&alice, "👍", true)])).await;
    }
}

#[tokio::test]
async fn everybody_reads_who_reacted() {
    let chat = Chat::start().await;
    let (ada, room) = (chat.admin("ada").await, chat.room("general").await);
    let (zoe, bob) = (chat.user("zoe").await, chat.user("bob").await);
    let message = ada.post(&room, "hi").await;
    let path = format!("/messages/{}/reactions", message.id);
    let who = async |reader: &Guest| reader.get(&path).await.is(200).json()["reactions"].take();
    assert_eq!(who(&chat.guest()).await, json!([]));
    react(&zoe, &message, HEART).await.is(204);
    react(&bob, &message, HEART).await.is(204);
    react(&bob, &message, "👍").await.is(204);
    let user = |user: &User| json!({"id": user.id, "username": user.name});
    let hearts = json!({"emoji": HEART, "count": 2, "users": [user(&bob), user(&zoe)]});
    let thumbs = json!({"emoji": "👍", "count": 1, "users": [user(&bob)]});
    for reader in [&chat.guest(), &*bob] {
        assert_eq!(who(reader).await, json!([hearts, thumbs]), "in the order of first use, names in theirs");
    }
    take_back(&bob, &message, HEART).await.is(204);
    take_back(&zoe, &message, HEART).await.is(204);
    assert_eq!(who(&bob).await, json!([thumbs]));

    bob.get(&format!("/messages/{}/reactions", uuid::Uuid::now_v7())).await.refused(404, "not_found");
    ada.archive(&room).await;
    bob.get(&path).await.refused(404, "not_found");
    assert_eq!(who(&ada).await, json!([thumbs]));
    ada.restore(&room).await;
    ada.delete_message(message.id).await;
    assert_eq!(who(&bob).await, json!([]));
}

#[tokio::test]
async fn fifty_names_of_an_emoji_are_listed() {
    let chat = Chat::start().await;
    let message = chat.user("alice").await.post(&chat.room("general").await, "hi").await;
    sqlx::query(
        "with made as (
            insert into users (id, username, password_hash)
            select gen_random_uuid(), 'user-' || n, '' from generate_series(1, 60) n returning id
         ), reacted as (
            insert into reactions (message_id, user_id, emoji) select $1, id, '👍' from made
         ), counted as (
            insert into reaction_counts (message_id, counts) values ($1, '[{\"emoji\": \"👍\", \"count\": 60}]')
         )
         update messages set reacted = true where id = $1",
    )
    .bind(message.id)
    .execute(&chat.db())
    .await
    .expect("reactions");
    let list = chat.guest().get(&format!("/messages/{}/reactions", message.id)).await.is(200).json();
    let [thumbs] = &list["reactions"].as_array().expect("a list")[..] else { panic!("{list}") };
    assert_eq!((&thumbs["count"], thumbs["users"].as_array().expect("a list").len()), (&json!(60), 50));
}

//! The events of an open stream, their order and their receivers.

use std::collections::BTreeSet;
use std::time::Duration;

use eventsource_stream::Eventsource as _;
use futures_util::StreamExt as _;
use gapless::event::{Message, Room};
use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::json;
use uuid::Uuid;

use crate::actors::{Answer, Chat};

#[tokio::test]
async fn hello_comes_first_with_the_position_of_the_stream() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let (room, quiet, archived) = (chat.room("general").await, chat.room("quiet").await, chat.room("old").await);
    ada.archive(&archived).await;
    ada.post(&room, "one").await;
    let last = ada.post(&room, "two").await;

    let unknown = Uuid::new_v4();
    let opening = bob.opening().rooms([&room, &quiet, &archived]).with("room", unknown);
    let hello = opening.connect().await.next().await;
    assert_eq!(hello.name, "hello");
    let cursor = hello.id.clone().expect("hello has an id");
    assert_eq!(hello.pos(), last.pos.0);
    assert!(cursor.len() <= 64 && cursor.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)), "{cursor}");
    assert_eq!(hello.data["cursor"], cursor);
    let heads: BTreeSet<String> =
        hello.data["rooms"].as_array().expect("rooms").iter().map(ToString::to_string).collect();
    let expected = [json!({"id": room.id, "head_seq": 2}), json!({"id": quiet.id, "head_seq": 0})];
    assert_eq!(heads, expected.iter().map(ToString::to_string).collect());
    let missing: BTreeSet<&str> =
        hello.data["missing"].as_array().expect("ids").iter().filter_map(|id| id.as_str()).collect();
    assert_eq!(missing, [archived.id.to_string().as_str(), &unknown.to_string()].into());
    assert_eq!(hello.data["user"], json!({"id": bob.id, "username": "bob", "role": "user"}));
    assert_eq!(hello.data["heartbeat_secs"], 15);

    let guest = chat.guest().opening().open().await;
    assert_eq!((&guest.hello["user"], &guest.hello["expires_at"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn retry_delays_differ_between_connections() {
    let chat = Chat::start().await;
    let mut retries = BTreeSet::new();
    for _ in 0..8 {
        let hello = chat.guest().opening().connect().await.next().await;
        retries.insert(hello.retry.expect("retry comes with hello"));
    }
    assert!(retries.len() > 1, "{retries:?}");
    assert!(retries.iter().all(|retry| (100..10_000).contains(retry)), "{retries:?}");
}

#[tokio::test]
async fn a_stream_must_not_be_cached_or_buffered() {
    let chat = Chat::start().await;
    let request = chat.guest().request(Method::GET, "/sse").header(ACCEPT_ENCODING, "gzip, br, zstd");
    let stream = request.send().await.expect("a stream");
    let answer = chat.guest().opening().answer(Method::HEAD).await.is(200);
    assert_eq!(answer.text, "");
    for headers in [stream.headers(), &answer.headers] {
        assert_eq!(headers[CONTENT_TYPE], "text/event-stream");
        assert_eq!(headers[CACHE_CONTROL], "no-cache, no-transform");
        assert_eq!(headers["x-accel-buffering"], "no");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        // Set explicitly, since Fly's proxy buffers and compresses a response without it.
        assert_eq!(headers[CONTENT_ENCODING], "identity");
    }
    assert!(!stream.headers().contains_key(CONTENT_LENGTH));
}

#[tokio::test]
async fn counts_of_requested_rooms_are_sent_once_and_then_on_change() {
    let chat = Chat::start().await;
    let (room, other) = (chat.room("general").await, chat.room("random").await);
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let mut by_alice = alice.opening().rooms([&room, &other, &room]).open().await;
    let mut told = BTreeSet::new();
    for _ in 0..2 {
        let presence = by_alice.next().await;
        assert_eq!((&*presence.name, presence.id), ("presence", None));
        assert_eq!((&presence.data["users"], &presence.data["guests"]), (&json!(1), &json!(0)));
        told.insert(presence.data["room_id"].as_str().expect("an id").to_owned());
    }
    assert_eq!(told, [room.id.to_string(), other.id.to_string()].into());

    // Bob with two streams counts as one user; each stream of a guest counts as a guest.
    let _one = bob.listen(&room).await;
    let _two = bob.listen(&room).await;
    let guest = chat.guest().listen(&room).await;
    let _another = chat.guest().listen(&room).await;
    by_alice.expect_online(room.id, 2, 2).await;
    let of_room = chat.guest().read_room(room.id).await.online;
    assert_eq!((of_room.users, of_room.guests), (2, 2));
    drop(guest);
    by_alice.expect_online(room.id, 2, 1).await;

    // A stream that does not change the counts receives them too, and again only after a change.
    let mut third = bob.listen(&room).await;
    let counts = third.next().await;
    assert_eq!(counts.data, json!({"room_id": room.id, "users": 2, "guests": 1}));
    let _newcomer = chat.user("carol").await.listen(&room).await;
    let counts = third.expect("presence").await;
    assert_eq!(counts.data, json!({"room_id": room.id, "users": 3, "guests": 1}));
}

#[tokio::test]
async fn a_heartbeat_carries_the_newest_position_passed() {
    let chat = Chat::start_with(|config| config.heartbeat = Duration::from_millis(100)).await;
    let (room, elsewhere) = (chat.room("general").await, chat.room("elsewhere").await);
    let alice = chat.user("alice").await;
    let mut stream = chat.guest().listen(&room).await;
    let at_first = stream.expect("heartbeat").await;
    assert_eq!(at_first.data, json!({}));
    assert_eq!(at_first.id.as_deref(), stream.hello["cursor"].as_str());
    let unheard = alice.post(&elsewhere, "not for this stream").await;
    while stream.expect("heartbeat").await.pos() < unheard.pos.0 {}
    // It resumes from there, and receives only later events.
    let cursor = stream.cursor.clone();
    alice.post(&room, "next").await;
    chat.guest().opening().rooms([&room, &elsewhere]).from(&cursor).open().await.expect_message("next").await;
}

#[tokio::test]
async fn a_stream_receives_its_rooms_the_lobby_and_its_own_user() {
    let chat = Chat::start().await;
    let (ada, bob, eve) = (chat.admin("ada").await, chat.user("bob").await, chat.user("eve").await);
    let (mine, other) = (chat.room("mine").await, chat.room("other").await);
    let mut stream = bob.listen(&mine).await;
    ada.post(&other, "elsewhere").await;
    ada.write_to(&eve, "for eve").await;
    ada.mute(&eve, 60).await;
    ada.end_sessions_of(&eve).await;
    ada.post(&mine, "here").await;
    stream.expect_message("here").await;
    ada.write_to(&bob, "for bob").await;
    stream.expect_direct("for bob").await;
    let garden = ada.create_room("Garden").await;
    assert_eq!(stream.expect("room.created").await.body::<Room>(), garden);
    ada.mute(&bob, 60).await;
    stream.expect("user.changed").await;
}

#[tokio::test]
async fn the_sender_receives_a_direct_message_on_other_devices() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let mut on_another_device = ada.opening().open().await;
    let sent = ada.write_to(&bob, "psst").await;
    assert_eq!(on_another_device.expect_direct("psst").await, sent);
}

#[tokio::test]
async fn a_stream_may_request_a_hundred_rooms_and_a_repeated_one_counts_once() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut opening = chat.guest().opening();
    for _ in 0..98 {
        opening = opening.with("room", Uuid::new_v4());
    }
    let mut stream = opening.rooms([&room, &room]).open().await;
    assert_eq!(stream.hello["missing"].as_array().map(Vec::len), Some(98));
    alice.post(&room, "once").await;
    alice.post(&room, "and another").await;
    stream.expect_message("once").await;
    stream.expect_message("and another").await;
}

/// A parser of another project reads every event identically, whatever the text of the message.
#[tokio::test]
async fn an_independent_parser_reads_the_same_events() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let request = chat.guest().request(Method::GET, &format!("/sse?room={}", room.id));
    let mut stream = request.send().await.expect("a stream").bytes_stream().eventsource();
    for body in
        ["plain", "two\nlines", "a\u{2028}b\u{2029}c", "😀", "\n\ndata: {}\n\nid: x.1\n\nretry: 0\n\nx", ": comment"]
    {
        let posted = alice.post(&room, body).await;
        let heard = loop {
            let event = stream.next().await.expect("the stream is open").expect("the stream is well-formed");
            if event.event == "message.posted" {
                break event;
            }
        };
        assert_eq!(serde_json::from_str::<Message>(&heard.data).expect("a message"), posted);
        assert!(heard.id.ends_with(&format!(".{}", posted.pos)), "{}", heard.id);
    }
}

#[tokio::test]
async fn a_page_of_a_named_origin_may_call_and_no_other() {
    let chat =
        Chat::start_with(|config| config.allowed_origins = vec!["https://chat.example".parse().expect("an origin")])
            .await;
    for (path, method) in
        [("/messages", "POST"), ("/messages/x", "PATCH"), ("/rooms", "GET"), ("/sse", "GET"), ("/auth/password", "PUT")]
    {
        for (origin, allowed) in [("https://chat.example", true), ("https://evil.example", false), ("null", false)] {
            let preflight = chat
                .guest()
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "authorization, content-type");
            let preflight = Answer::of(format!("OPTIONS {path}"), preflight.send().await.expect("an answer")).await;
            let named = |headers: &reqwest::header::HeaderMap| {
                headers.get("access-control-allow-origin").is_some_and(|said| said == origin)
            };
            assert_eq!(named(&preflight.headers), allowed, "{origin} {path}: {preflight:?}");
            if allowed {
                let methods = preflight.headers["access-control-allow-methods"].to_str().expect("text");
                let headers = preflight.headers["access-control-allow-headers"].to_str().expect("text").to_lowercase();
                assert!(methods.contains(method) && headers.contains("authorization"), "{methods} {headers}");
            }
            assert!(!preflight.headers.contains_key("access-control-allow-credentials"), "no cookies are allowed");
            // The response itself has the same header, even if it is a refusal.
            let request = chat.guest().request(Method::GET, path).header("origin", origin);
            assert_eq!(named(request.send().await.expect("an answer").headers()), allowed, "{origin} {path}");
        }
    }
}

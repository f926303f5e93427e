//! Direct messages are for two people: the tests search every byte sent to anybody else.

use std::fmt::Write as _;

use gapless::event::{DirectMessage, Room};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::actors::{Chat, Guest, Stream, User};

/// Everything sent to one reader: bodies and headers of responses, and streams.
struct Overheard {
    who: &'static str,
    bytes: String,
}

impl Overheard {
    /// Makes every request that could return direct messages of others.
    async fn of(who: &'static str, reader: &Guest, room: &Room, pair: [&User; 2], sent: &[DirectMessage]) -> Self {
        let mut paths = vec![
            "/rooms".to_owned(),
            "/rooms?archived=true".to_owned(),
            format!("/rooms/{}", room.id),
            format!("/messages?room_id={}&limit=200", room.id),
            "/direct-messages?limit=200".to_owned(),
            "/direct-messages?before=9007199254740991".to_owned(),
            "/direct-messages/conversations".to_owned(),
            "/users".to_owned(),
            "/users/me".to_owned(),
            "/audit?limit=200".to_owned(),
            "/readyz".to_owned(),
        ];
        for person in pair {
            paths.push(format!("/direct-messages?with={}", person.id));
            paths.push(format!("/messages?room_id={}", person.id));
            paths.push(format!("/rooms/{}", person.id));
            paths.push(format!("/users?query={}", person.name));
        }
        let mut overheard = Self { who, bytes: String::new() };
        writeln!(overheard.bytes, "{}", reader.metrics().await).expect("text takes text");
        for path in paths {
            overheard.note(reader.call(Method::GET, &path, None).await);
        }
        for message in sent {
            let path = format!("/messages/{}", message.id);
            overheard.note(reader.patch(&path, json!({"body": "mine now"})).await);
            overheard.note(reader.delete(&path).await);
            // The same `client_id` of another user is a different message, or none.
            let copy = json!({"recipient_id": message.recipient.id, "body": "x", "client_id": message.client_id});
            overheard.note(reader.send("/direct-messages", copy).await);
            overheard.note(reader.try_post_as(room.id, "x", &message.client_id.to_string()).await);
        }
        overheard
    }

    fn note(&mut self, answer: crate::actors::Answer) {
        writeln!(self.bytes, "{:?}\n{}", answer.headers, answer.text).expect("text takes text");
    }

    /// Reads the stream up to the last message.
    async fn hear(&mut self, mut stream: Stream, last: &str) {
        loop {
            let heard = stream.next().await;
            if heard.name == "message.posted" && heard.data["body"] == last {
                break;
            }
        }
        self.bytes.push_str(&stream.transcript);
    }
}

#[tokio::test]
async fn only_sender_and_recipient_receive_a_direct_message() {
    // First with all events in the ring, then with all of them read from the database.
    for ring_bytes in [64 << 20, 1] {
        let chat = Chat::start_with(|config| config.ring_bytes = ring_bytes).await;
        let second = chat.second_instance().await;
        let room = chat.room("general").await;
        let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
        let (other_admin, eve) = (chat.admin("mallory").await, chat.user("eve").await);
        let demoted = chat.admin("once-admin").await;
        second.catch_up().await;
        let before = chat.guest().opening().open().await.cursor;

        let others: [(&'static str, Guest); 4] = [
            ("a guest", chat.guest()),
            ("a user", Guest::clone(&eve)),
            ("another admin", Guest::clone(&other_admin)),
            ("a demoted admin", Guest::clone(&demoted)),
        ];
        // A user's id is not a room: requesting it as one does not give access to the user's topic.
        let opening = |reader: &Guest| {
            reader.opening().room(&room).with("room", bob.id).with("room", ada.id).with("room", eve.id)
        };
        let mut live = Vec::new();
        for (_, reader) in &others {
            let there = Guest { address: second.address, ..reader.clone() };
            live.push((opening(reader).open().await, opening(&there).open().await));
        }
        let mut by_bob = bob.opening().open().await;

        let marker = || format!("marker-{}", Uuid::new_v4().simple());
        let mut secrets = Vec::new();
        let mut sent = Vec::new();
        for n in 0..10 {
            let secret = marker();
            let from: &User = if n % 3 == 0 { &ada.at(&second) } else { &ada };
            sent.push(from.write_to(&bob, &secret).await);
            secrets.push(secret);
        }
        // The text of a refused message must not be sent to anybody either.
        for (recipient, status) in [(gapless::id::UserId::new(), 404), (ada.id, 422)] {
            secrets.push(marker());
            ada.try_write_to(recipient, &secrets[secrets.len() - 1]).await.is(status);
        }
        secrets.push(marker());
        bob.try_write_to(ada.id, &secrets[secrets.len() - 1]).await.refused(403, "not_admin");
        let oversize = json!({"recipient_id": bob.id, "body": format!("{}{}", secrets[0], "x".repeat(4_000))});
        ada.send("/direct-messages", oversize).await.refused_field("body");
        for secret in &secrets[..10] {
            by_bob.expect_direct(secret).await;
        }
        ada.set_role(&demoted, "user").await;
        ada.post(&room, "that was all").await;
        second.catch_up().await;

        let mut searched = 0;
        for ((who, reader), (here, there)) in others.into_iter().zip(live) {
            let mut overheard = Overheard::of(who, &reader, &room, [&ada, &bob], &sent).await;
            for stream in [here, there] {
                overheard.hear(stream, "that was all").await;
            }
            for limit in [None, Some(1_000)] {
                let replayed = opening(&reader).from(&before);
                let replayed = if let Some(limit) = limit { replayed.with("replay_limit", limit) } else { replayed };
                overheard.hear(replayed.open().await, "that was all").await;
            }
            let ids = sent.iter().map(|message| message.id.to_string());
            for secret in secrets.iter().cloned().chain(ids) {
                let place = overheard.bytes.find(&secret).map(|at| &overheard.bytes[at.saturating_sub(300)..at]);
                assert_eq!(place, None, "{} was sent {secret}", overheard.who);
            }
            searched += overheard.bytes.len();
        }
        // Check of the search itself: both sender and recipient received all ten.
        for reader in [&ada, &bob] {
            let list = reader.get("/direct-messages").await.is(200).text;
            assert!(secrets[..10].iter().all(|secret| list.contains(secret)));
        }
        println!("{searched} bytes of others searched for {} secrets", secrets.len());
    }
}

#[tokio::test]
async fn where_replies_are_allowed_a_recipient_may_answer_the_admin_who_wrote_first() {
    let chat = Chat::start_with(|config| config.dm_replies = true).await;
    let (ada, other_admin) = (chat.admin("ada").await, chat.admin("mallory").await);
    let (bob, eve) = (chat.user("bob").await, chat.user("eve").await);
    bob.try_write_to(ada.id, "may I?").await.refused(403, "not_allowed");
    ada.write_to(&bob, "you may").await;
    let mut by_ada = ada.opening().open().await;
    bob.write_to(&ada, "thank you").await;
    by_ada.expect_direct("thank you").await;
    bob.try_write_to(other_admin.id, "and you?").await.refused(403, "not_allowed");
    bob.try_write_to(eve.id, "and you?").await.refused(403, "not_allowed");
    ada.set_role(&bob, "admin").await;
    ada.set_role(&ada, "user").await;
    bob.write_to(&ada, "you were one").await;
    ada.write_to(&bob, "and you are one now").await;
    // Users may not write to a former admin.
    eve.try_write_to(ada.id, "hello?").await.refused(403, "not_allowed");
}

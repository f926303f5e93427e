//! Resuming a stream: exactly at its cursor, or with a `reset` where that is impossible.

use reqwest::Method;
use serde_json::json;

use crate::actors::{Chat, pos_of};

#[tokio::test]
async fn a_cursor_of_another_history_is_a_reset_and_the_stream_is_live() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    alice.post(&room, "missed").await;
    for foreign in ["another.1", "abcdef012345.3", "a-b_c.d.0"] {
        let mut stream = chat.guest().opening().room(&room).from(foreign).open().await;
        let reset = stream.expect_reset("epoch").await;
        assert_eq!(reset.id.as_deref(), stream.hello["cursor"].as_str(), "it is live from the position in hello");
        alice.post(&room, "live").await;
        stream.expect_message("live").await;
    }
}

#[tokio::test]
async fn a_cursor_that_was_never_issued_is_a_reset() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let cursor = chat.guest().listen(&room).await.cursor;
    let (epoch, pos) = cursor.split_once('.').expect("a cursor");
    let future = format!("{epoch}.{}", pos.parse::<i64>().expect("a position") + 1_000);
    let mut stream = chat.guest().opening().room(&room).from(&future).open().await;
    stream.expect_reset("unknown_cursor").await;
    alice.post(&room, "live").await;
    stream.expect_message("live").await;
}

#[tokio::test]
async fn a_cursor_just_ahead_of_this_instance_waits_for_it() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut here = chat.guest().listen(&room).await;
    for n in 0..3 {
        alice.post(&room, &format!("here first {n}")).await;
        here.expect_message(&format!("here first {n}")).await;
        let mut there = second.guest().opening().room(&room).from(&here.cursor).open().await;
        let after = format!("after {n}");
        alice.post(&room, &after).await;
        there.expect_message(&after).await;
        here.expect_message(&after).await;
    }
}

#[tokio::test]
async fn more_missed_events_than_the_replay_limit_are_a_reset() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let cursor = chat.guest().listen(&room).await.cursor;
    // Events that the reader does not receive do not count.
    chat.fill(&other, &alice, 50).await;
    chat.fill(&room, &alice, 5).await;
    let opening = |limit: usize| chat.guest().opening().room(&room).from(&cursor).with("replay_limit", limit);
    for limit in [5, 6, 1_000] {
        let mut stream = opening(limit).open().await;
        assert_eq!(stream.hello["cursor"], cursor);
        for n in 0..5 {
            stream.expect_message(&format!("message {n}")).await;
        }
    }
    for limit in [0, 1, 4] {
        let mut stream = opening(limit).open().await;
        let at_first = stream.hello["cursor"].as_str().expect("a cursor").to_owned();
        let reset = stream.expect_reset("replay_limit").await;
        // `hello` says where a stream that is cut before the reset resumes.
        assert!(pos_of(&reset.id.expect("a reset has an id")) > pos_of(&at_first));
        let live = format!("live {limit}");
        alice.post(&room, &live).await;
        stream.expect_message(&live).await;
        // Undoes the live post, so that the next pass misses as many events as the one before.
        chat.guest().opening().room(&room).from(&stream.cursor).with("replay_limit", 0).open().await;
        alice.delete_message(chat.guest().messages(&room).await.last().expect("a message").id).await;
    }
}

#[tokio::test]
async fn the_last_event_id_wins_over_the_cursor() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut stream = chat.guest().listen(&room).await;
    let old = stream.cursor.clone();
    alice.post(&room, "one").await;
    stream.expect_message("one").await;
    alice.post(&room, "two").await;
    let opening = || chat.guest().opening().room(&room);
    opening().from(&old).after_event(&stream.cursor).open().await.expect_message("two").await;
    opening().from(&stream.cursor).after_event(&old).open().await.expect_message("one").await;
    opening().from("another.1").after_event(&stream.cursor).open().await.expect_message("two").await;
    // A browser that has received no id yet.
    opening().from(&stream.cursor).after_event("").open().await.expect_message("two").await;
}

#[tokio::test]
async fn a_malformed_cursor_is_400_in_every_parameter() {
    let chat = Chat::start().await;
    let long = format!("{}.1", "a".repeat(63));
    for bad in ["x", "1", "a.", ".1", "a.b", "a b.1", "a.-1", "a.1;", "a.99999999999999999999", &long] {
        let opening = chat.guest().opening();
        opening.clone().from(bad).answer(Method::GET).await.refused(400, "malformed_cursor");
        opening.clone().after_event(bad).answer(Method::GET).await.refused(400, "malformed_cursor");
        opening.from("another.1").after_event(bad).answer(Method::GET).await.refused(400, "malformed_cursor");
    }
    chat.guest().opening().from("").answer(Method::GET).await.refused(400, "malformed_cursor");
}

#[tokio::test]
async fn a_stream_cut_after_each_of_its_events_resumes_exactly() {
    // A ring of a few events, so that older ones are read from the database.
    let chat = Chat::start_with(|config| config.ring_bytes = 4_000).await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let mut stream = bob.listen(&room).await;
    let mut cursors = vec![stream.cursor.clone()];
    let mut whole = Vec::new();
    for n in 0..12 {
        let message = ada.post(&room, &format!("message {n}")).await;
        whole.push(stream.next_durable().await);
        match n % 4 {
            0 => drop(ada.write_to(&bob, "direct").await),
            1 => drop(ada.edit(message.id, &format!("edited {n}")).await),
            2 => drop(ada.create_room(&format!("room {n}")).await),
            _ => ada.mute(&bob, 60).await,
        }
        whole.push(stream.next_durable().await);
    }
    cursors.extend(whole.iter().map(|event| event.id.clone().expect("a durable event has an id")));
    assert!(whole.is_sorted_by_key(|event| event.pos()));

    for (heard, cursor) in cursors.iter().enumerate() {
        let mut resumed = bob.opening().room(&room).after_event(cursor).open().await;
        for expected in &whole[heard..] {
            let event = resumed.next_durable().await;
            assert_eq!((&event.name, &event.id), (&expected.name, &expected.id), "after {heard} events");
        }
    }
    println!("{} cuts, each resumed exactly", cursors.len());
}

#[tokio::test]
async fn a_replay_follows_the_current_rights() {
    // Once from the ring, and once from the database.
    for ring_bytes in [64 << 20, 1] {
        let chat = Chat::start_with(|config| config.ring_bytes = ring_bytes).await;
        let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
        let room = chat.room("general").await;
        let cursor = bob.listen(&room).await.cursor;
        ada.write_to(&bob, "for bob alone").await;
        let message = ada.post(&room, "soon deleted").await;
        ada.delete_message(message.id).await;
        // Another caller with bob's cursor receives no direct message, and nobody receives the deleted
        // text.
        let mut guest = chat.guest().opening().room(&room).from(&cursor).open().await;
        let replayed = guest.expect("message.posted").await;
        assert_eq!(replayed.data["body"], json!(null));
        assert!(replayed.data["deleted_at"].is_string());
        guest.expect("message.deleted").await;
        let mut again = bob.opening().room(&room).from(&cursor).open().await;
        again.expect_direct("for bob alone").await;
        again.expect("message.posted").await;
        for transcript in [&guest.transcript, &again.transcript] {
            assert!(!transcript.contains("soon deleted"));
        }
        assert!(!guest.transcript.contains("for bob alone"));
    }
}

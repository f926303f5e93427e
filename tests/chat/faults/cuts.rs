//! A stream that is cut anywhere resumes exactly: the same events, each once, in order.

use std::time::Duration;

use serde_json::json;

use super::{founder, people, rooms};
use crate::actors::{Chat, Database, Follower, Heard, Launch, Ledger, Link, LinkFault, Load, Temper, Upstream};

/// Small enough that nearly every resume reads the database.
const TINY_RING: usize = 2_000;
/// Maximum number of bytes before a cut. A head and a greeting have some 900 bytes, a message some 400.
const MOST_BYTES: usize = 4_000;
/// Minimum number of cuts per reader. Some connections are cut within their head, before they are a stream.
const CUTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_after_each_of_200_events_resumes_exactly_from_memory() {
    cut_after_each_of_200(64 << 20, "memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_after_each_of_200_events_resumes_exactly_from_the_database() {
    cut_after_each_of_200(TINY_RING, "the database").await;
}

async fn cut_after_each_of_200(ring_bytes: usize, from: &str) {
    let chat = Chat::start_with(|config| config.ring_bytes = ring_bytes).await;
    let (founder, alice, bob) = (chat.founder().await, chat.user("alice").await, chat.user("bob").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let bobs = || bob.opening().rooms([&room, &other]);
    let mut whole = bobs().open().await;
    let beginning = whole.cursor.clone();

    for round in 0..40 {
        let kept = alice.post(&room, &format!("kept {round}")).await;
        let deleted = alice.post(&other, &format!("deleted {round}")).await;
        match round % 4 {
            0 => drop(founder.rename(&room, &format!("general {round}")).await),
            1 => founder.mute(&bob, 60).await,
            _ => drop(alice.edit(kept.id, &format!("edited {round}")).await),
        }
        founder.write_to(&bob, &format!("direct {round}")).await;
        alice.delete_message(deleted.id).await;
    }
    let mut events = Vec::new();
    for _ in 0..200 {
        events.push(whole.next_durable().await);
    }

    // Cut after each event, one after the other.
    let mut cursor = beginning.clone();
    for expected in &events {
        let heard = bobs().after_event(&cursor).open().await.next_durable().await;
        assert_is_again(&heard, expected);
        cursor = heard.id.expect("a durable event has an id");
    }
    // And all remaining events from many positions.
    for begin in (0..200).step_by(9) {
        let mut rest = bobs().after_event(events[begin].id.as_deref().expect("an id")).open().await;
        for expected in &events[begin + 1..] {
            assert_is_again(&rest.next_durable().await, expected);
        }
        assert!(!rest.transcript.contains("deleted "), "a deleted body is replayed:\n{}", rest.transcript);
    }
    println!("figure: cut after each of 200 events and resumed from {from}: missed 0, repeated 0, deleted bodies 0");
}

/// Asserts that it is the same event; its contents may be newer.
fn assert_is_again(heard: &Heard, expected: &Heard) {
    assert_eq!((&heard.name, &heard.id), (&expected.name, &expected.id));
    assert_eq!(heard.data["seq"], expected.data["seq"]);
    if heard.data["body"].is_null() {
        assert!(expected.data["body"].as_str().is_none_or(|body| body.starts_with("deleted ")), "{heard:?}");
    } else {
        assert!(heard.data["body"].as_str().is_some_and(|body| !body.starts_with("deleted ")), "{heard:?}");
    }
    let identity = |event: &Heard| json!([event.data["id"], event.data["client_id"], event.data["room_id"]]);
    assert_eq!(identity(heard), identity(expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_cut_at_any_byte_resumes_exactly() {
    let database = Database::create().await;
    // One keeps everything in memory, the other nothing.
    let servers = [
        Launch::on(&database.url()).start().await,
        Launch::on(&database.url()).with("REPLAY_RING_BYTES", TINY_RING).start().await,
    ];
    let rooms = rooms(&founder(&servers[0]).await, &["one", "other"]).await;
    let posters = people(&servers[0], 4).await;
    let mut links = Vec::new();
    let mut followers = Vec::new();
    for server in &servers {
        let link = Link::to(Upstream::Tcp(server.address)).await.expect("a free port");
        link.inject(LinkFault::CutAfter(MOST_BYTES));
        followers.push(Follower::start(&server.guest(), &rooms, &[link.address], Temper::Steady).await);
        links.push(link);
    }

    let load = Load::start(&posters, &rooms, &[servers[0].address]);
    let before = load.acknowledged();
    // On a fast machine the posts are finished before the cuts.
    while load.acknowledged() < before + 700 || links.iter().any(|link| link.connections() < 2 * CUTS) {
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let acknowledged = load.stop().await;
    for link in &links {
        link.heal();
    }

    let ledger = Ledger::read(&database.pool()).await;
    let count = ledger.holds(&acknowledged);
    for (follower, from) in followers.into_iter().zip(["memory", "the database"]) {
        let followed = follower.finish_at(ledger.head).await;
        assert_eq!(ledger.is_what_was_heard(&followed, &rooms), count);
        let cuts = followed.streams - 1;
        assert!(cuts >= CUTS, "{cuts} cuts");
        println!(
            "figure: cut at {cuts} random bytes, resumed from {from}: {count} messages received, missed 0, repeated 0"
        );
    }
}

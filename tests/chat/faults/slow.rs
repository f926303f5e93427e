//! Readers that do not read: they cost bounded memory, delay nobody, and lose nothing.

use std::time::{Duration, Instant};

use gapless::event::Room;
use gapless::store::Db;

use super::{founder, people, rooms};
use crate::actors::{Database, Follower, Launch, Ledger, Temper, User, Wire, pos_of};

const MESSAGES: i64 = 50_000;
const WARM_UP: i64 = 2_000;
const BATCH: i64 = 2_000;
const RING_BYTES: usize = 8 << 20;
/// The ring, a mailbox for each reader, older events that a resume reads, and memory that the
/// allocator keeps.
const MOST_GROWTH_KIB: u64 = 64 * 1024;
/// The production default: the stall timeout follows from it.
const HEARTBEAT_SECS: u64 = 15;
/// Latest and earliest time at which a stalled reader is cut.
const CUT_WITHIN: Duration = Duration::from_secs(45);
const CUT_AFTER: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_reading_costs_bounded_memory_and_loses_nothing() {
    let database = Database::create().await;
    let server =
        Launch::on(&database.url()).with("REPLAY_RING_BYTES", RING_BYTES).with("HEARTBEAT_SECS", HEARTBEAT_SECS);
    let server = server.start().await;
    let rooms = rooms(&founder(&server).await, &["busy"]).await;
    let author = people(&server, 1).await.remove(0);
    let db = database.pool();
    let reader = server.guest();
    let query = format!("room={}", rooms[0].id);

    // Two readers that stop at once: one reads again soon, the other only after it was cut.
    let mut stopped = Vec::new();
    for _ in 0..2 {
        let mut wire = Wire::connect_narrow(server.address).await.expect("it listens");
        wire.ask_for_stream(&reader, &query, None).await.expect("it reads");
        wire.head().await.expect("a head");
        let hello = wire.next().await.expect("a stream").expect("a greeting");
        stopped.push((wire, hello.id.expect("a greeting has a cursor")));
    }
    let brisk = Follower::start(&reader, &rooms, &[server.address], Temper::Steady).await;
    append(&db, &author, &rooms[0], WARM_UP).await;
    let before = server.resident_kib();

    let flood = Instant::now();
    append(&db, &author, &rooms[0], MESSAGES - WARM_UP).await;
    let filled = Instant::now();
    // Meanwhile the other readers receive messages at once.
    server.is_ready().await;
    let mut beside = reader.listen(&rooms[0]).await;
    let mut slowest = Duration::ZERO;
    for number in 0..20 {
        let posted = Instant::now();
        author.post(&rooms[0], &format!("beside {number}")).await;
        beside.expect_message(&format!("beside {number}")).await;
        slowest = slowest.max(posted.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "a reader that reads waited {slowest:?}");
    let ledger = Ledger::read(&db).await;
    let count = brisk.finish_at(ledger.head).await;
    let count = ledger.is_what_was_heard(&count, &rooms);
    let after = server.resident_kib();
    let growth = after.saturating_sub(before);
    assert!(growth < MOST_GROWTH_KIB, "memory grew by {growth} KiB");
    println!(
        "figure: {count} messages past 2 readers that do not read: {} MiB resident before, {} MiB after",
        before / 1024,
        after / 1024
    );
    println!("figure: beside them a reader received all {count}, and single posts within {} ms", slowest.as_millis());

    let [(mut early, early_cursor), (late, late_cursor)] = stopped.try_into().expect("there are two");
    let (read, was_cut) = read_on(&mut early, early_cursor, ledger.head).await;
    let resumed = resume(&server.guest(), &query, server.address, read, ledger.head).await;
    assert_is_whole(&ledger, &resumed);
    println!("figure: a reader that reads again continues exactly, {}", if was_cut { "after a cut" } else { "uncut" });

    // No more messages are posted; the stream still waits for the reader to take the previous ones.
    while server.metric("gapless_streams_ended_total", "slow").await < 1.0 + f64::from(u8::from(was_cut)) {
        assert!(filled.elapsed() < CUT_WITHIN, "a reader that does not read is still connected");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(flood.elapsed() > CUT_AFTER, "cut too early for a reader whose network only paused: {:?}", flood.elapsed());
    println!("figure: a reader that does not read is cut {} ms after the flood began", flood.elapsed().as_millis());
    let mut late = late;
    let (read, was_cut) = read_on(&mut late, late_cursor, ledger.head).await;
    assert!(was_cut, "it was cut");
    let resumed = resume(&server.guest(), &query, server.address, read, ledger.head).await;
    assert_is_whole(&ledger, &resumed);
    println!("figure: after the cut it resumed and had all {count}, missed 0, repeated 0");
}

/// The messages and the cursor of a reader.
struct Read {
    cursor: String,
    messages: Vec<(i64, i64)>,
}

/// Reads until `head` or the end.
async fn read_on(wire: &mut Wire, cursor: String, head: i64) -> (Read, bool) {
    let mut read = Read { cursor, messages: Vec::new() };
    while pos_of(&read.cursor) < head {
        let next = tokio::time::timeout(CUT_WITHIN, wire.next()).await.expect("a stream continues or ends");
        let Ok(Some(event)) = next else { return (read, true) };
        assert_ne!(event.name, "reset", "{event:?}");
        if event.name == "message.posted" {
            read.messages.push((event.pos(), event.data["seq"].as_i64().expect("a message has a number")));
        }
        read.cursor = event.id.unwrap_or(read.cursor);
    }
    (read, false)
}

/// Resumes until `head` unless the reader has reached it, and returns all its messages.
async fn resume(
    guest: &crate::actors::Guest,
    query: &str,
    address: std::net::SocketAddr,
    mut read: Read,
    head: i64,
) -> Vec<(i64, i64)> {
    while pos_of(&read.cursor) < head {
        let mut wire = Wire::connect(address).await.expect("it listens");
        wire.ask_for_stream(guest, query, Some(&read.cursor)).await.expect("it reads");
        wire.head().await.expect("a head");
        let (more, _) = read_on(&mut wire, read.cursor, head).await;
        read.cursor = more.cursor;
        read.messages.extend(more.messages);
    }
    read.messages
}

fn assert_is_whole(ledger: &Ledger, heard: &[(i64, i64)]) {
    let expected = ledger.messages.iter().map(|entry| (entry.pos, entry.seq));
    assert!(heard.iter().copied().eq(expected), "heard {} of {}", heard.len(), ledger.messages.len());
}

/// Posts directly to the log, like another busy instance.
async fn append(db: &Db, author: &User, room: &Room, count: i64) {
    for batch in 0..count / BATCH {
        let accepted: i64 = sqlx::query_scalar(
            "select count(*) from (
                 select array_agg(gen_random_uuid()) as ids, array_agg($1) as rooms, array_agg($2) as authors,
                        array_agg(gen_random_uuid()) as clients, array_agg('\\x00'::bytea) as fingerprints,
                        array_agg('number ' || n || ', with as many words as most messages have') as bodies
                 from generate_series($3 + 1, $3 + $4) n
             ) batch, append_messages(ids, rooms, authors, clients, fingerprints, bodies) where outcome = 'accepted'",
        )
        .bind(room.id.0)
        .bind(author.id.0)
        .bind(batch * BATCH)
        .bind(BATCH)
        .fetch_one(db)
        .await
        .expect("the log accepts them");
        assert_eq!(accepted, BATCH);
    }
}

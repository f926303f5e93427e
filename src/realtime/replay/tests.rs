//! Sharing, caching and failing of reads, on a log in memory.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use time::OffsetDateTime;
use uuid::Uuid;

use super::cache::MOST_BYTES;
use super::run::GRID;
use super::*;
use crate::event::{Audience, Author, Event, Message};
use crate::id::{ClientId, RoomId, Seq, UserId};
use crate::realtime::log::memory::Memory;
use crate::realtime::topic::Interest;
use crate::store::events;

fn deletion(message: u128) -> HashMap<MessageId, OffsetDateTime> {
    HashMap::from([(MessageId(Uuid::from_u128(message)), OffsetDateTime::UNIX_EPOCH)])
}

fn room(n: u128) -> RoomId {
    RoomId(Uuid::from_u128(n))
}

/// Messages alternate between rooms 0 and 1.
fn message(pos: i64) -> Event {
    let message = Message {
        id: MessageId(Uuid::from_u128(pos.unsigned_abs().into())),
        room_id: room(u128::from(pos.unsigned_abs() % 2)),
        pos: Pos(pos),
        seq: Seq(pos),
        client_id: ClientId(Uuid::nil()),
        author: Author { id: UserId(Uuid::nil()), username: "ali".into() },
        body: Some("a secret".into()),
        created_at: OffsetDateTime::UNIX_EPOCH,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
    };
    events::messages::posted(&message)
}

fn replay(log: &Arc<Memory>) -> Arc<Replay> {
    let turns = Turns::new(READS_AT_ONCE as usize);
    Arc::new(Replay::new(Log::Memory(Arc::clone(log)), "e".into(), turns, TaskTracker::new()))
}

fn log() -> Arc<Memory> {
    Arc::new(Memory { event_at: Some(message), ..Memory::default() })
}

fn filter(rooms: Vec<RoomId>, user: Option<UserId>) -> ReplayFilter {
    ReplayFilter { interest: Interest::new(rooms, user), missing: Arc::new([]), registered_at: Pos(5_000) }
}

/// Reads one stretch of rooms 0 and 1, and returns the positions in it.
async fn positions(replay: &Arc<Replay>, after: i64, head: i64) -> Vec<i64> {
    let filter = filter(vec![room(0), room(1)], None);
    let stretch = replay.read(Share(0), &filter, Pos(after), Pos(head)).await.unwrap();
    stretch.entries.iter().map(|entry| entry.pos.0).collect()
}

fn reads(log: &Memory) -> usize {
    log.reads.load(Ordering::SeqCst)
}

#[tokio::test]
async fn stretches_join_without_a_gap() {
    let replay = replay(&log());
    let (mut at, mut heard) = (7, Vec::new());
    while at < 100 {
        heard.extend(positions(&replay, at, 100).await);
        at = *heard.last().expect("each stretch goes on");
    }
    assert_eq!(heard, (8..=100).collect::<Vec<_>>());
}

/// Lets readers of two rooms, each a different user, resume together. Returns the number of reads.
async fn resume_together(readers: u128) -> usize {
    let log = log();
    let replay = replay(&log);
    let crowd: Vec<_> = (0..readers)
        .map(|n| {
            let (replay, user) = (Arc::clone(&replay), UserId(Uuid::from_u128(n)));
            let filter = filter(vec![room(n % 2)], Some(user));
            let after = Pos(100 + i64::try_from(n).unwrap() % GRID);
            tokio::spawn(async move { (after, replay.read(Share(0), &filter, after, Pos(110)).await) })
        })
        .collect();
    for reader in crowd {
        let (after, stretch) = reader.await.unwrap();
        let stretch = stretch.unwrap();
        assert!(stretch.upto > after);
        assert!(stretch.entries.iter().all(|entry| entry.pos > after && entry.pos <= stretch.upto));
        assert!(stretch.entries.len() > 1);
    }
    reads(&log)
}

#[tokio::test]
async fn a_crowd_shares_its_reads() {
    let reads = resume_together(200).await;
    assert!(reads <= 2, "{reads} reads");
    let reads = resume_together(2_000).await;
    println!("figure: 2,000 users resumed together: {reads} reads");
    assert!(reads <= 20, "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn many_readers_use_half_a_core_of_the_database() {
    let took = Duration::from_millis(10);
    let log = Arc::new(Memory { event_at: Some(message), read_takes: took, ..Memory::default() });
    let replay = replay(&log);
    let until = Instant::now() + Duration::from_millis(500);
    let readers: Vec<_> = (0..20_u32)
        .map(|n| {
            let (replay, filter) = (Arc::clone(&replay), filter(vec![room(u128::from(n) % 2)], None));
            tokio::spawn(async move {
                let mut at = Pos(i64::from(n) * 20);
                while Instant::now() < until {
                    at = replay.read(Share(n.into()), &filter, at, Pos(1_000)).await.unwrap().upto;
                }
            })
        })
        .collect();
    for reader in readers {
        reader.await.unwrap();
    }
    let busy = took * u32::try_from(reads(&log)).unwrap();
    println!("figure: in half a second, twenty readers used {} ms of the database", busy.as_millis());
    assert!(busy <= Duration::from_millis(300), "{busy:?}");
    assert!(busy >= Duration::from_millis(200), "{busy:?}: they still advance");
}

#[tokio::test]
async fn a_reader_that_leaves_does_not_take_the_results_of_others_with_it() {
    let log = log();
    let replay = replay(&log);
    let first = tokio::spawn({
        let replay = Arc::clone(&replay);
        async move { positions(&replay, 8, 100).await }
    });
    let second = tokio::spawn({
        let replay = Arc::clone(&replay);
        async move { positions(&replay, 8, 100).await }
    });
    while reads(&log) == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert_eq!(second.await.unwrap()[0], 9);
    assert_eq!(reads(&log), 1);
}

#[tokio::test]
async fn the_cache_is_bounded_by_bytes() {
    let log = log();
    let replay = replay(&log);
    for after in (0..400).step_by(usize::try_from(GRID).unwrap()) {
        positions(&replay, after, 500).await;
        assert!(replay.cache().bytes() <= MOST_BYTES);
    }
    let before = reads(&log);
    positions(&replay, 400 - GRID, 500).await;
    assert_eq!(reads(&log), before, "the newest is cached");
    positions(&replay, 0, 500).await;
    assert_eq!(reads(&log), before + 1, "the oldest is not");
}

#[tokio::test]
async fn a_run_with_a_deleted_body_is_read_again() {
    let log = log();
    let replay = replay(&log);
    positions(&replay, 0, 100).await;
    replay.forget_bodies(&deletion(1000), &HashMap::new());
    positions(&replay, 0, 100).await;
    assert_eq!(reads(&log), 1, "another message's deletion changes nothing");
    replay.forget_bodies(&deletion(1), &HashMap::new());
    positions(&replay, 0, 100).await;
    assert_eq!(reads(&log), 2);
    replay.forget_all();
    positions(&replay, 0, 100).await;
    assert_eq!(reads(&log), 3);
}

#[tokio::test]
async fn a_run_during_whose_read_a_body_is_deleted_is_read_again() {
    let log = log();
    let replay = replay(&log);
    let reader = tokio::spawn({
        let replay = Arc::clone(&replay);
        async move { positions(&replay, 0, 100).await }
    });
    while reads(&log) == 0 {
        tokio::task::yield_now().await;
    }
    replay.forget_bodies(&deletion(1000), &HashMap::new());
    assert_eq!(reader.await.unwrap()[0], 1);
    assert_eq!(reads(&log), 2);
}

#[tokio::test]
async fn a_run_that_ends_before_a_reader_is_read_up_to_the_new_head() {
    let log = log();
    let replay = replay(&log);
    assert_eq!(positions(&replay, 8, 9).await, [9]);
    assert_eq!(positions(&replay, 9, 10).await, [10]);
    assert_eq!(positions(&replay, 8, 10).await, [9, 10]);
    assert_eq!(reads(&log), 2);
}

#[tokio::test]
async fn missing_rooms_are_not_read_before_the_registration_and_are_after_it() {
    let replay = replay(&log());
    let (rooms, missing) = (vec![room(0), room(1)], Arc::new([room(1)]));
    let filter = ReplayFilter { interest: Interest::new(rooms, None), missing, registered_at: Pos(10) };
    let before = replay.read(Share(0), &filter, Pos(9), Pos(100)).await.unwrap();
    assert_eq!(before.upto, Pos(10));
    assert!(before.entries.iter().all(|entry| entry.audience == Audience::Room(room(0))));
    let after = replay.read(Share(0), &filter, Pos(10), Pos(100)).await.unwrap();
    assert_eq!(after.entries[0].pos, Pos(11));
}

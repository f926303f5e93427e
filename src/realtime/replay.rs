//! Replays events older than the ring: reads them from Postgres once for all readers who need them.
//!
//! After an outage a thousand readers resume from nearly the same position. The log is therefore read in fixed
//! segments, identical reads in flight are shared, and the newest segments are cached. Few segments are read at once,
//! and readers take [turns](super::turns) by origin: posts have their own connections, and an origin with many readers
//! does not delay the readers of others.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use time::OffsetDateTime;
use tokio::sync::OnceCell;
use tokio::time::{Duration, Instant};

use super::log::Log;
use super::ring::Entry;
use super::turns::Turns;
use crate::id::{MessageId, Pos};

/// Number of positions in a segment: one query of a few milliseconds.
const SEGMENT: i64 = 512;
/// Maximum number of cached segments: some 20 MiB of ordinary messages.
const MOST_SEGMENTS: usize = 64;
/// Maximum bytes of cached segments: without it, the longest messages would take half a gigabyte.
const MOST_BYTES: usize = if cfg!(test) { 400_000 } else { 32 << 20 }; // in tests, one segment
/// Maximum number of concurrent segment reads. More would not finish sooner on two cores, and would slow the database
/// down for posts.
pub const READS_AT_ONCE: u32 = 2;
/// Maximum pause after a read. Replay pauses for as long as the read took, up to this limit, so readers use at most
/// half of one core of the database, whatever their number. A single reader still gets some 50,000 events a second.
const LONGEST_REST: Duration = Duration::from_millis(20);

/// Group of readers by origin: readers of one share wait for each other before they delay others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Share(pub u64);

/// The positions `(after, ..=upto]`, all of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    after: Pos,
    upto: Pos,
}

type Entries = Arc<[Entry]>;

/// One query, shared by all readers of its span.
#[derive(Debug, Default)]
struct Read {
    entries: OnceCell<Entries>,
    /// Set if the result may contain a body that has been deleted since: it must not be used any more.
    is_stale: AtomicBool,
    /// Bytes of the entries; 0 until they have been read.
    bytes: AtomicUsize,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Replay {
    log: Log,
    epoch: Arc<str>,
    /// Guards the list of reads, finished or in flight, the most recently used last. Held to look up and to change the
    /// list, never during a query.
    reads: Mutex<VecDeque<(Span, Arc<Read>)>>,
    turns: Turns<Share>,
    /// Earliest time of the next read. Locked to read and update it.
    rested_at: Mutex<Instant>,
}

impl Replay {
    /// `turns`: shared by the replays of all histories on this instance.
    pub fn new(log: Log, epoch: Arc<str>, turns: Turns<Share>) -> Self {
        Self { log, epoch, reads: Mutex::new(VecDeque::new()), turns, rested_at: Mutex::new(Instant::now()) }
    }

    /// Returns the entries after `after` up to the end of their segment, or up to `tail` if the log has not reached
    /// that end. `tail`: the position after which entries are in the ring. `head`: the log's head.
    ///
    /// The first entries may precede `after`: spans are aligned to segments so that readers with different cursors
    /// share them.
    ///
    /// # Errors
    /// When the log cannot be read now. Other readers are not affected, and the caller may retry.
    pub async fn read(&self, reader: Share, after: Pos, tail: Pos, head: Pos) -> anyhow::Result<Entries> {
        let begin = after.0 - after.0.rem_euclid(SEGMENT);
        let end = begin + SEGMENT;
        let span = Span { after: Pos(begin), upto: if end <= head.0 { Pos(end) } else { tail } };
        loop {
            let read = self.join(span);
            let entries = if let Some(entries) = read.entries.get() {
                entries
            } else {
                // Another reader may have loaded the segment while this one waited for its turn.
                let _turn = self.turns.take(reader).await;
                read.entries.get_or_try_init(|| self.fetch(span, &read.bytes)).await?
            };
            if !read.is_stale.load(Ordering::Acquire) {
                return Ok(Arc::clone(entries));
            }
        }
    }

    /// Discards every read whose result contains a deleted body, and those in flight, whose results may.
    pub fn forget_bodies(&self, deleted: &HashMap<MessageId, OffsetDateTime>) {
        self.strike(|entry| entry.message().is_some_and(|message| deleted.contains_key(&message)));
    }

    /// Discards every read: any of them may contain data of an erased user.
    pub fn forget_all(&self) {
        self.strike(|_| true);
    }

    fn strike(&self, concerns: impl Fn(&Entry) -> bool) {
        self.lock().retain(|(_, read)| {
            let is_free_of_it = read.entries.get().is_some_and(|entries| !entries.iter().any(&concerns));
            if !is_free_of_it {
                read.is_stale.store(true, Ordering::Release);
            }
            is_free_of_it
        });
    }

    async fn fetch(&self, span: Span, bytes: &AtomicUsize) -> anyhow::Result<Entries> {
        let rested_at = *self.rested_at();
        tokio::time::sleep_until(rested_at).await;
        metrics::counter!("gapless_replay_reads_total").increment(1);
        let began = Instant::now();
        let events = self.log.replay(span.after, span.upto).await;
        let took = began.elapsed();
        {
            let mut rested_at = self.rested_at();
            *rested_at = Instant::now().max(*rested_at) + took.min(LONGEST_REST);
        }
        let events = events?;
        let entries: Entries = events.iter().map(|event| Entry::new(&self.epoch, event)).collect();
        bytes.store(entries.iter().map(Entry::cost).sum(), Ordering::Relaxed);
        self.keep_within_bounds();
        Ok(entries)
    }

    /// Evicts the least recently used finished reads until the rest is within its bounds, and unfinished reads that
    /// have no more waiters.
    fn keep_within_bounds(&self) {
        let mut reads = self.lock();
        reads.retain(|(_, read)| read.entries.initialized() || Arc::strong_count(read) > 1);
        let mut segments = reads.iter().filter(|(_, read)| read.entries.initialized()).count();
        let mut bytes: usize = reads.iter().map(|(_, read)| read.bytes.load(Ordering::Relaxed)).sum();
        reads.retain(|(_, read)| {
            let goes = (segments > MOST_SEGMENTS || bytes > MOST_BYTES) && read.entries.initialized();
            if goes {
                segments -= 1;
                bytes -= read.bytes.load(Ordering::Relaxed);
            }
            !goes
        });
    }

    fn join(&self, span: Span) -> Arc<Read> {
        let mut reads = self.lock();
        if let Some(place) = reads.iter().position(|(of, _)| *of == span) {
            let found = reads.remove(place).expect("it was just found there");
            let read = Arc::clone(&found.1);
            reads.push_back(found);
            return read;
        }
        let read = Arc::<Read>::default();
        reads.push_back((span, Arc::clone(&read)));
        read
    }

    fn rested_at(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.rested_at.lock().expect("nothing panics while it holds the moment")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Span, Arc<Read>)>> {
        self.reads.lock().expect("nothing panics while it holds the list")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::event::{Author, Event, Message};
    use crate::id::{ClientId, RoomId, Seq, UserId};
    use crate::realtime::log::memory::Memory;
    use crate::store::events;

    fn deletion(message: u128) -> HashMap<MessageId, OffsetDateTime> {
        HashMap::from([(MessageId(Uuid::from_u128(message)), OffsetDateTime::UNIX_EPOCH)])
    }

    fn message(pos: i64) -> Event {
        let message = Message {
            id: MessageId(Uuid::from_u128(pos.unsigned_abs().into())),
            room_id: RoomId(Uuid::nil()),
            pos: Pos(pos),
            seq: Seq(pos),
            client_id: ClientId(Uuid::nil()),
            author: Author { id: UserId(Uuid::nil()), username: "ali".into() },
            body: Some("a secret".into()),
            created_at: OffsetDateTime::UNIX_EPOCH,
            edited_at: None,
            deleted_at: None,
        };
        events::messages::posted(&message)
    }

    fn replay(log: &Arc<Memory>) -> Replay {
        Replay::new(Log::Memory(Arc::clone(log)), "e".into(), Turns::new(READS_AT_ONCE as usize))
    }

    fn log() -> Arc<Memory> {
        Arc::new(Memory { event_at: Some(message), ..Memory::default() })
    }

    #[tokio::test]
    async fn concurrent_readers_share_one_query() {
        let log = log();
        let replay = Arc::new(replay(&log));
        let crowd: Vec<_> = (0..100)
            .map(|n| {
                let replay = Arc::clone(&replay);
                tokio::spawn(async move { replay.read(Share(0), Pos(600 + n), Pos(5000), Pos(5000)).await })
            })
            .collect();
        for reader in crowd {
            let entries = reader.await.unwrap().unwrap();
            assert_eq!((entries[0].pos, entries[entries.len() - 1].pos), (Pos(513), Pos(1024)));
        }
        assert_eq!(log.reads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_cache_is_bounded_by_bytes() {
        let log = log();
        let replay = replay(&log);
        for (after, expected) in [(0, 1), (0, 1), (512, 2), (512, 2), (0, 3)] {
            replay.read(Share(0), Pos(after), Pos(5000), Pos(5000)).await.unwrap();
            assert_eq!(log.reads.load(Ordering::SeqCst), expected, "after {after}");
        }
        assert!(replay.lock().iter().map(|(_, read)| read.bytes.load(Ordering::Relaxed)).sum::<usize>() <= MOST_BYTES);
    }

    #[tokio::test]
    async fn a_segment_with_a_deleted_body_is_read_again() {
        let log = log();
        let replay = replay(&log);
        replay.read(Share(0), Pos(0), Pos(100), Pos(100)).await.unwrap();
        replay.forget_bodies(&deletion(1000));
        replay.read(Share(0), Pos(0), Pos(100), Pos(100)).await.unwrap();
        assert_eq!(log.reads.load(Ordering::SeqCst), 1, "another message's deletion changes nothing");
        replay.forget_bodies(&deletion(50));
        replay.read(Share(0), Pos(0), Pos(100), Pos(100)).await.unwrap();
        assert_eq!(log.reads.load(Ordering::SeqCst), 2);
    }
}

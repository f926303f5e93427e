//! Replays events older than the ring: reads them from Postgres once for all readers who need them.
//!
//! A reader's events are those of its [topics](crate::event::Topic), and the log is read by topic: a reader of a quiet
//! room pays nothing for what was posted in busy ones. After an outage a thousand readers resume from nearly the same
//! position. So what is read of a topic, a [`run`], begins at a common position and is [cached](cache), identical reads
//! in flight are shared, and one query reads the runs of many readers. Few queries run at once, and readers take
//! [turns](super::turns) by origin: posts have their own connections, and an origin with many readers does not delay
//! the readers of others.

mod cache;
mod filter;
mod run;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Context as _;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};
use tokio_util::task::TaskTracker;

pub use self::filter::ReplayFilter;
pub use self::run::Stretch;
#[cfg(test)]
pub use self::run::stretch;

use self::cache::{Cache, Flight};
use self::run::{Events, Run};
use super::log::Log;
use super::turns::{Turn, Turns};
use crate::id::{MessageId, Pos, RoomId, Seq};
use crate::store::log::replay::Request;

/// Maximum number of concurrent reads. More would not finish sooner on two cores, and would slow the database down for
/// posts.
pub const READS_AT_ONCE: u32 = 2;
/// Time between the starts of two reads, as a multiple of the duration of a read. So readers use at most half of one
/// core of the database, whatever their number.
const PACE: u32 = 2;
/// Maximum pause that one read causes.
const LONGEST_REST: Duration = Duration::from_millis(40);

/// Group of readers by origin: readers of one share wait for each other before they delay others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Share(pub u64);

/// See the [module](self).
#[derive(Debug)]
pub struct Replay {
    log: Log,
    epoch: Arc<str>,
    /// Guards the runs. Held to look up and to change their list, never during a query.
    cache: Mutex<Cache>,
    turns: Turns<Share>,
    /// Reads run as tasks: others wait for their result even if the reader whose turn it was is gone.
    tasks: TaskTracker,
    /// Notified after each read.
    landed: Notify,
    /// The last read failed: the next one is for its own reader alone, in case there was too much in one query.
    has_failed: AtomicBool,
    /// Earliest time of the next read. Locked to read and update it.
    rested_at: Mutex<Instant>,
}

impl Replay {
    /// `turns`: shared by the replays of all histories on this instance.
    pub fn new(log: Log, epoch: Arc<str>, turns: Turns<Share>, tasks: TaskTracker) -> Self {
        Self {
            log,
            epoch,
            cache: Mutex::default(),
            turns,
            tasks,
            landed: Notify::new(),
            has_failed: AtomicBool::new(false),
            rested_at: Mutex::new(Instant::now()),
        }
    }

    /// The history whose events this reads.
    pub const fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    /// Returns the events that follow `after` in the topics of a reader, up to `head` or an earlier position. `head`:
    /// the feed's position, after `after`; so everything up to there is committed.
    ///
    /// # Errors
    /// When the log cannot be read now. The caller may retry.
    ///
    /// # Cancellation
    /// Safe: other readers still get what is being read.
    pub async fn read(
        self: &Arc<Self>,
        reader: Share,
        filter: &ReplayFilter,
        after: Pos,
        head: Pos,
    ) -> anyhow::Result<Stretch> {
        anyhow::ensure!(after < head, "the log has nothing after the reader's position");
        let (topics, most) = filter.topics(after);
        let requests = run::requests(&topics, after);
        // Kept while runs are replaced, and with it the reader's place in the queue.
        let mut turn = pin!(self.turns.take(reader));
        loop {
            let runs = self.cache().join(&requests, after, head);
            if !runs.iter().all(|run| run.is_over()) {
                tokio::select! {
                    biased;
                    () = all_over(&runs) => {}
                    given = turn.as_mut() => {
                        turn.set(self.turns.take(reader));
                        let reading = self.tasks.spawn(Arc::clone(self).fetch(given, runs.clone()));
                        reading.await.context("the read of missed events was interrupted")?;
                    }
                }
            }
            if let Some(failure) = runs.iter().find_map(|run| run.failure()) {
                anyhow::bail!("{failure}");
            }
            if self.cache().are_usable(&runs, after) {
                let events: Vec<&Events> = runs.iter().filter_map(|run| run.events()).collect();
                return Ok(run::join(events.into_iter(), after, most));
            }
        }
    }

    /// Discards every run whose result contains a deleted body, or an excerpt of it, or is of a trimmed room, and those being read, whose
    /// results may.
    pub fn forget_bodies(&self, deleted: &HashMap<MessageId, OffsetDateTime>, trimmed: &HashMap<RoomId, Seq>) {
        self.cache().strike(|entry| entry.has_words_of(deleted) || entry.may_be_of(trimmed));
    }

    /// Discards every run: any of them may contain data of an erased user.
    pub fn forget_all(&self) {
        self.cache().strike(|_| true);
    }

    /// Reads `own` and what others wait for.
    async fn fetch(self: Arc<Self>, turn: Turn<Share>, own: Vec<Arc<Run>>) {
        let _turn = turn;
        let rested_at = *self.rested_at();
        tokio::time::sleep_until(rested_at).await;
        let flight = loop {
            let landed = self.landed.notified();
            let with_others = !self.has_failed.load(Ordering::Relaxed);
            let claimed = self.cache().claim(&own, with_others);
            match claimed {
                Some(flight) => break flight,
                None => landed.await,
            }
        };
        if flight.own == 0 {
            return;
        }
        let mut landing = Landing { replay: &self, flight, results: Vec::new(), failure: "interrupted".to_owned() };
        match self.query(&landing.flight).await {
            Ok(results) => landing.results = results,
            Err(error) => landing.failure = format!("{error:#}"),
        }
        self.has_failed.store(landing.results.is_empty(), Ordering::Relaxed);
    }

    async fn query(&self, flight: &Flight) -> anyhow::Result<Vec<Option<Events>>> {
        metrics::counter!("gapless_replay_reads_total").increment(1);
        let requests: Vec<Request> = flight.runs.iter().map(|run| run.request).collect();
        let began = Instant::now();
        let found = self.log.replay(&self.epoch, &requests, flight.own, flight.upto).await;
        let took = began.elapsed();
        {
            let mut rested_at = self.rested_at();
            // Counted from its start, or after the pauses caused by earlier reads.
            *rested_at = began.max(*rested_at) + (took * PACE).min(took + LONGEST_REST);
        }
        Ok(run::divide(&self.epoch, &found?))
    }

    fn rested_at(&self) -> MutexGuard<'_, Instant> {
        self.rested_at.lock().expect("nothing panics while it holds the moment")
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().expect("nothing panics while it holds the runs")
    }
}

/// A query under way. Dropping it gives its results to those who wait, also if it was interrupted.
struct Landing<'a> {
    replay: &'a Replay,
    flight: Flight,
    /// Empty if the query failed.
    results: Vec<Option<Events>>,
    failure: String,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.replay.cache().land(&self.flight, std::mem::take(&mut self.results), &self.failure);
        self.replay.landed.notify_waiters();
    }
}

/// Returns when all of these runs were read, or could not be.
async fn all_over(runs: &[Arc<Run>]) {
    for run in runs {
        run.outcome.wait().await;
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

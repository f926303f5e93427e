//! The times of posts and the number of deliveries, shared by posters and readers.
//!
//! Every message has its number in the body. Posters and readers run in one process, so the number is
//! enough to look up the time of the post, and no clocks have to be compared.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use hdrhistogram::Histogram;

/// Missing deliveries count as lost after this long without any delivery.
const STALL: Duration = Duration::from_secs(30);

/// An empty histogram of nanoseconds, up to a minute; longer values count as a minute.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

pub struct Ledger {
    start: Instant,
    next: AtomicU64,
    posted: Box<[AtomicU64]>,
    committed: Box<[AtomicU64]>,
    delivered: AtomicU64,
    last_delivery: AtomicU64,
    /// The number of deliveries at which to wake a thread.
    waiter: Mutex<Option<(u64, Thread)>>,
    /// The first failure.
    failure: Mutex<Option<String>>,
}

impl Ledger {
    /// Creates a ledger for `capacity` messages.
    pub fn new(capacity: usize) -> Self {
        let zeros = || (0..capacity).map(|_| AtomicU64::new(0)).collect();
        Self {
            start: Instant::now(),
            next: AtomicU64::new(0),
            posted: zeros(),
            committed: zeros(),
            delivered: AtomicU64::new(0),
            last_delivery: AtomicU64::new(0),
            waiter: Mutex::new(None),
            failure: Mutex::new(None),
        }
    }

    /// Returns nanoseconds since the ledger was created; never 0, which means "not yet".
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64 + 1
    }

    /// Takes the next number and records the current time for it.
    ///
    /// # Panics
    ///
    /// When the ledger is full: the shape created it too small.
    pub fn post(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.posted[number as usize].store(self.now(), Ordering::Release);
        number
    }

    pub fn commit(&self, number: u64) {
        self.committed[number as usize].store(self.now(), Ordering::Release);
    }

    pub fn posts(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    pub fn posted_at(&self, number: u64) -> Option<u64> {
        Self::stamp(&self.posted, number)
    }

    /// Returns `None` until the poster has read the response.
    pub fn committed_at(&self, number: u64) -> Option<u64> {
        Self::stamp(&self.committed, number)
    }

    fn stamp(stamps: &[AtomicU64], number: u64) -> Option<u64> {
        let nanos = stamps.get(number as usize)?.load(Ordering::Acquire);
        (nanos > 0).then_some(nanos)
    }

    pub fn deliver(&self, count: u64) {
        let now = self.now();
        self.last_delivery.store(now, Ordering::Relaxed);
        let delivered = self.delivered.fetch_add(count, Ordering::AcqRel) + count;
        let mut waiter = self.waiter.lock().expect("no thread panics while it holds this lock");
        if let Some((_, thread)) = waiter.take_if(|(target, _)| *target <= delivered) {
            thread.unpark();
        }
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    /// Returns the time of the newest delivery, in seconds since the ledger was created.
    pub fn last_delivery_secs(&self) -> f64 {
        self.last_delivery.load(Ordering::Relaxed) as f64 / 1e9
    }

    pub fn fail(&self, why: String) {
        let mut failure = self.failure.lock().expect("no thread panics while it holds this lock");
        failure.get_or_insert(why);
        drop(failure);
        if let Some((_, thread)) = self.waiter.lock().expect("no thread panics while it holds this lock").take() {
            thread.unpark();
        }
    }

    /// # Errors
    ///
    /// The first violation that any thread has reported.
    pub fn check(&self) -> anyhow::Result<()> {
        match &*self.failure.lock().expect("no thread panics while it holds this lock") {
            Some(why) => bail!("{why}"),
            None => Ok(()),
        }
    }

    /// Waits for `target` deliveries.
    ///
    /// # Errors
    ///
    /// When a reader reported a violation, or when some are missing and nothing has arrived for a long time.
    pub fn wait_delivered(&self, target: u64) -> anyhow::Result<()> {
        let mut seen = self.delivered();
        let mut since = Instant::now();
        loop {
            *self.waiter.lock().expect("no thread panics while it holds this lock") =
                Some((target, std::thread::current()));
            let delivered = self.delivered();
            self.check()?;
            if delivered > target {
                bail!("{delivered} deliveries instead of {target}: a message arrived twice");
            }
            if delivered == target {
                return Ok(());
            }
            if delivered > seen {
                seen = delivered;
                since = Instant::now();
            } else if since.elapsed() > STALL {
                bail!("{} of {target} deliveries are missing", target - delivered);
            }
            std::thread::park_timeout(Duration::from_millis(500));
        }
    }
}

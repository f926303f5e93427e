//! Rate limit of failures per key. Unlike a [`Budget`](super::budget::Budget), it can be checked without being charged,
//! refunded, and overdrawn, which that one's crate does not support.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::budget::Rate;
use crate::error::{Error, Result};

/// Maximum number of keys, for the same reasons as in [`budget`](super::budget): 512 KiB.
const BUCKETS: usize = 1 << 16;

/// Counts failures per key against one rate with the generic cell rate algorithm, which stores one number per key.
pub(super) struct Failures {
    /// Label of this limit in the metric of refusals.
    name: &'static str,
    /// Nanoseconds until a failure is forgotten, and the maximum burst.
    each: u64,
    most: u64,
    began: Instant,
    seed: RandomState,
    /// Time at which all counted failures are forgotten, in nanoseconds since `began`.
    forgotten_at: Box<[AtomicU64]>,
}

impl Failures {
    pub(super) fn new(name: &'static str, rate: Rate) -> Self {
        let each = nanos(rate.each());
        let forgotten_at = std::iter::repeat_with(AtomicU64::default).take(BUCKETS).collect();
        let most = each * u64::from(rate.burst());
        Self { name, each, most, began: Instant::now(), seed: RandomState::new(), forgotten_at }
    }

    /// Returns whether one more failure is within the rate.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] with the time until one more failure is within the rate.
    pub(super) fn check<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Result<()> {
        let now = self.since_began(now);
        self.within(self.bucket(key).load(Ordering::Relaxed), now).map(|_| ())
    }

    /// Counts one failure in advance, until it is [given back](Self::give_back).
    ///
    /// # Errors
    /// As [`check`](Self::check); then no failure is counted.
    pub(super) fn take<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Result<()> {
        let now = self.since_began(now);
        let mut refused = Ok(());
        self.change(key, |counted| match self.within(counted, now) {
            Ok(more) => {
                refused = Ok(());
                more
            }
            Err(error) => {
                refused = Err(error);
                counted
            }
        });
        refused
    }

    /// Counts one failure even if it exceeds the rate. The excess delays later tries, by up to twice the rate's burst.
    pub(super) fn count<K: Hash + ?Sized>(&self, key: &K, now: Instant) {
        let now = self.since_began(now);
        self.change(key, |counted| (counted.max(now) + self.each).min(now + 2 * self.most));
    }

    /// Gives back one counted failure.
    pub(super) fn give_back<K: Hash + ?Sized>(&self, key: &K) {
        self.change(key, |counted| counted.saturating_sub(self.each));
    }

    /// Returns the time until one more failure is within the rate.
    pub(super) fn excess<K: Hash + ?Sized>(&self, key: &K, now: Instant) -> Duration {
        let counted = self.bucket(key).load(Ordering::Relaxed);
        Duration::from_nanos(self.beyond(counted.max(self.since_began(now)) + self.each, now))
    }

    fn within(&self, counted: u64, now: u64) -> Result<u64> {
        let more = counted.max(now) + self.each;
        match (more - now).saturating_sub(self.most) {
            0 => Ok(more),
            beyond => {
                super::hit(self.name);
                Err(Error::TooManyRequests { retry_after: Duration::from_nanos(beyond) })
            }
        }
    }

    fn beyond(&self, counted: u64, now: Instant) -> u64 {
        counted.saturating_sub(self.since_began(now)).saturating_sub(self.most)
    }

    fn bucket<K: Hash + ?Sized>(&self, key: &K) -> &AtomicU64 {
        let hash = usize::try_from(self.seed.hash_one(key) % BUCKETS as u64);
        &self.forgotten_at[hash.expect("there are fewer buckets than a usize counts")]
    }

    fn change<K: Hash + ?Sized>(&self, key: &K, mut change: impl FnMut(u64) -> u64) {
        self.bucket(key)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |counted| Some(change(counted)))
            .expect("every count is changed");
    }

    fn since_began(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.began))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a process runs for less than five centuries")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures() -> Failures {
        Failures::new("sign_ins_by_account", Rate::per_minute(10).at_once(3))
    }

    #[test]
    fn failures_are_forgotten_at_the_pace_of_the_rate() {
        let (failures, now) = (failures(), Instant::now());
        for _ in 0..3 {
            failures.take("ali", now).unwrap();
        }
        let Err(Error::TooManyRequests { retry_after }) = failures.take("ali", now) else { panic!("used up") };
        assert!((5..=6).contains(&retry_after.as_secs()), "{retry_after:?}");
        assert!(failures.check("ali", now + Duration::from_secs(5)).is_err());
        failures.take("ali", now + Duration::from_secs(6)).unwrap();
        assert!(failures.take("ali", now + Duration::from_secs(6)).is_err());
        assert!(failures.check("bo", now).is_ok());
    }

    #[test]
    fn what_is_given_back_was_never_counted() {
        let (failures, now) = (failures(), Instant::now());
        for _ in 0..100 {
            failures.take("ali", now).unwrap();
            failures.give_back("ali");
        }
        assert_eq!(failures.excess("ali", now), Duration::ZERO);
    }

    #[test]
    fn an_overdraft_takes_longer_to_forget_but_not_for_ever() {
        let (failures, now) = (failures(), Instant::now());
        for _ in 0..100 {
            failures.count("ali", now);
        }
        let excess = failures.excess("ali", now).as_secs();
        assert!((23..=24).contains(&excess), "{excess} s: the burst of three once more, and the next one");
        assert!(failures.check("ali", now + Duration::from_secs(23)).is_err());
        assert!(failures.check("ali", now + Duration::from_secs(25)).is_ok());
    }
}

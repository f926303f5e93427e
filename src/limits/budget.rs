//! Rate limit per user, name or address.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{Error, Result};

/// Number of buckets. Keys are hashed onto them, so memory stays bounded (about 2 MiB) however many keys a flood
/// brings: two callers may share a bucket, which normal use never exhausts. The hash has a random seed per process, so
/// nobody can aim at somebody else's bucket.
const BUCKETS: u64 = 1 << 16;

/// A rate: a number per period, and the burst that is allowed at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    each: Duration,
    at_once: u32,
}

impl Rate {
    pub(super) const fn per_second(count: u32) -> Self {
        Self { each: Duration::from_nanos(1_000_000_000 / count as u64), at_once: count }
    }

    pub(super) const fn per_minute(count: u32) -> Self {
        Self { each: Duration::from_nanos(60_000_000_000 / count as u64), at_once: count }
    }

    pub(super) const fn each(self) -> Duration {
        self.each
    }

    pub(super) const fn burst(self) -> u32 {
        self.at_once
    }

    pub(super) const fn at_once(self, count: u32) -> Self {
        Self { at_once: count, ..self }
    }
}

/// Counts requests per key against one rate.
pub(super) struct Budget<C: Clock = DefaultClock> {
    /// Label of this limit in the metric of refusals.
    name: &'static str,
    limiter: RateLimiter<u64, DefaultKeyedStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    seed: RandomState,
}

impl Budget {
    pub(super) fn new(name: &'static str, rate: Rate) -> Self {
        Self::with_clock(name, rate, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Budget<C> {
    fn with_clock(name: &'static str, rate: Rate, clock: C) -> Self {
        let quota = Quota::with_period(rate.each)
            .zip(NonZeroU32::new(rate.at_once))
            .map(|(quota, at_once)| quota.allow_burst(at_once))
            .expect("no rate is zero");
        let limiter = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { name, limiter, clock, seed: RandomState::new() }
    }

    /// Takes one from the key's budget.
    ///
    /// # Errors
    /// [`Error::TooManyRequests`] with the time until the next one is available.
    pub(super) fn take<K: Hash + ?Sized>(&self, key: &K) -> Result<()> {
        let bucket = self.seed.hash_one(key) % BUCKETS;
        self.limiter.check_key(&bucket).map_err(|until| {
            super::hit(self.name);
            Error::TooManyRequests { retry_after: until.wait_time_from(self.clock.now()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_budget_lasts_for_its_burst_and_comes_back_at_its_pace() {
        let clock = FakeRelativeClock::default();
        let budget = Budget::with_clock("requests_by_user", Rate::per_minute(10).at_once(3), clock.clone());
        for _ in 0..3 {
            budget.take("ali").unwrap();
        }
        let Err(Error::TooManyRequests { retry_after }) = budget.take("ali") else { panic!("spent") };
        assert_eq!(retry_after, Duration::from_secs(6));

        clock.advance(Duration::from_secs(5));
        assert!(budget.take("ali").is_err());
        clock.advance(Duration::from_secs(1));
        budget.take("ali").unwrap();
        assert!(budget.take("ali").is_err());
    }

    #[test]
    fn one_callers_flood_leaves_the_others_alone() {
        let budget = Budget::with_clock("requests_by_user", Rate::per_second(1), FakeRelativeClock::default());
        budget.take("ali").unwrap();
        assert!(budget.take("ali").is_err());
        let others = (0..100).filter(|n| budget.take(&format!("user-{n}")).is_ok()).count();
        assert!(others >= 98, "{others} of 100 were served");
    }

    #[test]
    fn a_flood_of_names_takes_bounded_memory() {
        let budget = Budget::with_clock("requests_by_user", Rate::per_second(1), FakeRelativeClock::default());
        for name in 0..300_000_u32 {
            let _ = budget.take(&name);
        }
        assert!(budget.limiter.len() as u64 <= BUCKETS);
    }
}

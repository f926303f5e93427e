//! Concurrency limits for connections and streams: in total, and per key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Reason why no permit is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReached {
    /// The total is reached.
    Full,
    /// The key holds its maximum.
    Share,
}

impl LimitReached {
    /// Returns the metric label of this reason.
    pub(super) const fn of(self, full: &'static str, share: &'static str) -> &'static str {
        match self {
            Self::Full => full,
            Self::Share => share,
        }
    }
}

/// Counts held limit. Clones share the counts.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit<K: Eq + Hash + Copy> {
    total: usize,
    share: usize,
    /// Guards both counts, which change together; held for a look-up, never across an await.
    held: Arc<Mutex<Held<K>>>,
}

struct Held<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

/// A held permit; dropping it releases it.
#[must_use = "a permit is held for as long as this lives"]
pub struct Permit<K: Eq + Hash + Copy> {
    key: K,
    limit: ConcurrencyLimit<K>,
}

impl<K: Eq + Hash + Copy> ConcurrencyLimit<K> {
    /// Allows `total` permits, of which each key may hold `share`.
    pub(super) fn new(total: usize, share: usize) -> Self {
        Self { total, share, held: Arc::new(Mutex::new(Held { total: 0, by_key: HashMap::new() })) }
    }

    /// Takes a permit for `key`, if one is available.
    pub(super) fn take(&self, key: K) -> Result<Permit<K>, LimitReached> {
        self.take_up_to(self.share, key)
    }

    /// Takes a permit for a `key` that stands for many clients: limited by the total only.
    pub(super) fn take_beyond_share(&self, key: K) -> Result<Permit<K>, LimitReached> {
        self.take_up_to(usize::MAX, key)
    }

    /// Number of held permits.
    pub(super) fn held(&self) -> usize {
        self.counts().total
    }

    /// Number of permits held by `key`.
    pub(super) fn held_by(&self, key: K) -> usize {
        self.counts().by_key.get(&key).copied().unwrap_or(0)
    }

    fn take_up_to(&self, share: usize, key: K) -> Result<Permit<K>, LimitReached> {
        let mut held = self.counts();
        if held.total >= self.total {
            return Err(LimitReached::Full);
        }
        if held.by_key.get(&key).copied().unwrap_or(0) >= share {
            return Err(LimitReached::Share);
        }
        *held.by_key.entry(key).or_default() += 1;
        held.total += 1;
        Ok(Permit { key, limit: self.clone() })
    }

    fn counts(&self) -> MutexGuard<'_, Held<K>> {
        // No code under this lock can panic half-way through a change.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut held = self.limit.counts();
        held.total -= 1;
        if let Entry::Occupied(mut own) = held.by_key.entry(self.key) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_limited_to_its_share_and_all_keys_to_the_total() {
        let limit = ConcurrencyLimit::new(3, 2);
        let _first = limit.take("a").unwrap();
        let second = limit.take("a").unwrap();
        assert_eq!(limit.take("a").err(), Some(LimitReached::Share));
        let _third = limit.take("b").unwrap();
        assert_eq!(limit.take("c").err(), Some(LimitReached::Full));
        drop(second);
        assert!(limit.take("c").is_ok());
    }

    #[test]
    fn a_proxy_is_limited_by_the_total_only() {
        let limit = ConcurrencyLimit::new(3, 1);
        let _held = [(); 3].map(|()| limit.take_beyond_share("proxy").unwrap());
        assert_eq!(limit.take_beyond_share("proxy").err(), Some(LimitReached::Full));
    }

    #[test]
    fn a_released_permit_leaves_no_entry() {
        let limit = ConcurrencyLimit::new(10, 1);
        drop(limit.take("a").unwrap());
        assert!(limit.counts().by_key.is_empty());
        assert_eq!(limit.counts().total, 0);
    }

    #[test]
    fn a_share_of_zero_leaves_no_entry() {
        let limit = ConcurrencyLimit::new(10, 0);
        assert_eq!(limit.take("a").err(), Some(LimitReached::Share));
        assert!(limit.counts().by_key.is_empty());
    }
}

//! Concurrency limits for connections and streams: in total, and per key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why no place is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// The total is reached.
    Full,
    /// The key holds its maximum.
    Share,
}

impl Crowded {
    /// Returns the metric label of this reason.
    pub(super) const fn of(self, full: &'static str, share: &'static str) -> &'static str {
        match self {
            Self::Full => full,
            Self::Share => share,
        }
    }
}

/// Counts held places. Clones share the counts.
#[derive(Clone)]
pub(super) struct Places<K: Eq + Hash + Copy> {
    total: usize,
    share: usize,
    /// Guards both counts, which change together; held for a look-up, never across an await.
    held: Arc<Mutex<Held<K>>>,
}

struct Held<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

/// A held place; dropping it releases it.
#[must_use = "a place is held for as long as this lives"]
pub struct Place<K: Eq + Hash + Copy> {
    key: K,
    places: Places<K>,
}

impl<K: Eq + Hash + Copy> Places<K> {
    /// Allows `total` places, of which each key may hold `share`.
    pub(super) fn new(total: usize, share: usize) -> Self {
        Self { total, share, held: Arc::new(Mutex::new(Held { total: 0, by_key: HashMap::new() })) }
    }

    /// Takes a place for `key`, if one is available.
    pub(super) fn take(&self, key: K) -> Result<Place<K>, Crowded> {
        self.take_up_to(self.share, key)
    }

    /// Takes a place for a `key` that stands for many clients: limited by the total only.
    pub(super) fn take_beyond_share(&self, key: K) -> Result<Place<K>, Crowded> {
        self.take_up_to(usize::MAX, key)
    }

    /// Number of held places.
    pub(super) fn held(&self) -> usize {
        self.books().total
    }

    /// Number of places held by `key`.
    pub(super) fn held_by(&self, key: K) -> usize {
        self.books().by_key.get(&key).copied().unwrap_or(0)
    }

    fn take_up_to(&self, share: usize, key: K) -> Result<Place<K>, Crowded> {
        let mut held = self.books();
        if held.total >= self.total {
            return Err(Crowded::Full);
        }
        if held.by_key.get(&key).copied().unwrap_or(0) >= share {
            return Err(Crowded::Share);
        }
        *held.by_key.entry(key).or_default() += 1;
        held.total += 1;
        Ok(Place { key, places: self.clone() })
    }

    fn books(&self) -> MutexGuard<'_, Held<K>> {
        // No code under this lock can panic half-way through a change.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.books();
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
    fn nobody_holds_more_than_a_share_and_all_no_more_than_there_is() {
        let places = Places::new(3, 2);
        let _first = places.take("a").unwrap();
        let second = places.take("a").unwrap();
        assert_eq!(places.take("a").err(), Some(Crowded::Share));
        let _third = places.take("b").unwrap();
        assert_eq!(places.take("c").err(), Some(Crowded::Full));
        drop(second);
        assert!(places.take("c").is_ok());
    }

    #[test]
    fn beyond_its_share_a_proxy_is_bounded_by_the_total() {
        let places = Places::new(3, 1);
        let _held = [(); 3].map(|()| places.take_beyond_share("proxy").unwrap());
        assert_eq!(places.take_beyond_share("proxy").err(), Some(Crowded::Full));
    }

    #[test]
    fn a_place_given_back_leaves_nothing_behind() {
        let places = Places::new(10, 1);
        drop(places.take("a").unwrap());
        assert!(places.books().by_key.is_empty());
        assert_eq!(places.books().total, 0);
    }

    #[test]
    fn a_share_of_nothing_leaves_no_empty_entry() {
        let places = Places::new(10, 0);
        assert_eq!(places.take("a").err(), Some(Crowded::Share));
        assert!(places.books().by_key.is_empty());
    }
}

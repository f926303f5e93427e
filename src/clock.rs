//! The time as a parameter: the system's in service, a test's own in tests.
//!
//! Only what decides by the time asks here (tokens, limits). What is *recorded* takes its time from the
//! database, under the lock of the log, so that times there follow positions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

/// Where the time comes from. A clone of a manual clock shows the same time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Stands still until it is moved.
    Manual(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// A clock that stands at `now` until [`advance`](Self::advance) moves it.
    pub fn manual(now: OffsetDateTime) -> Self {
        Self::Manual(Arc::new(Mutex::new(now)))
    }

    /// The time, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
            Self::System => OffsetDateTime::now_utc(),
            Self::Manual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    ///
    /// On the system's clock, which is not ours to move.
    pub fn advance(&self, by: Duration) {
        match self {
            Self::System => panic!("only a manual clock can be moved"),
            Self::Manual(now) => *now.lock().unwrap_or_else(PoisonError::into_inner) += by,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved_and_its_clones_move_with_it() {
        let clock = Clock::manual(OffsetDateTime::UNIX_EPOCH);
        let same = clock.clone();
        assert_eq!(same.now(), OffsetDateTime::UNIX_EPOCH);
        clock.advance(Duration::from_mins(1));
        assert_eq!(same.now().unix_timestamp(), 60);
    }
}

//! The clock, passed as a parameter: the system's in production, a manual one in tests.
//!
//! Used only for decisions that depend on the time (tokens, limits). *Recorded* times come from the database, under the
//! lock of the log, so that they are in the order of positions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

/// A source of time. Clones of a manual clock share its time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// Changes only by [`advance`](Self::advance).
    Manual(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// Makes a clock that shows `now` until [`advance`](Self::advance) moves it.
    pub fn manual(now: OffsetDateTime) -> Self {
        Self::Manual(Arc::new(Mutex::new(now)))
    }

    /// Returns the current time, in UTC.
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
    /// On the system's clock, which cannot be moved.
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
    fn a_manual_clock_is_moved_together_with_its_clones() {
        let clock = Clock::manual(OffsetDateTime::UNIX_EPOCH);
        let same = clock.clone();
        assert_eq!(same.now(), OffsetDateTime::UNIX_EPOCH);
        clock.advance(Duration::from_mins(1));
        assert_eq!(same.now().unix_timestamp(), 60);
    }
}

//! Throttles repeated log lines: a recurring failure is logged when it begins, and then once a minute.

use std::time::{Duration, Instant};

const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct LogThrottle {
    last: Option<(String, Instant)>,
}

impl LogThrottle {
    /// Returns whether this reason should be logged now.
    pub fn is_new(&mut self, reason: &str) -> bool {
        let is_known = self.last.as_ref().is_some_and(|(last, at)| last == reason && at.elapsed() < AGAIN_AFTER);
        if !is_known {
            self.last = Some((reason.to_owned(), Instant::now()));
        }
        !is_known
    }

    /// Resets after success: the next failure is logged at once.
    pub fn settle(&mut self) {
        self.last = None;
    }
}

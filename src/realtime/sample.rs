//! One delivery that is timed, of those that are made together.
//!
//! To time each would cost as much as the delivery. So of the events that are applied in one hold of the feed, the
//! first with a reader goes to one reader, whose turn it is by position, with a sample beside it; it comes out of the
//! mailbox with its frame, and is done when that is written. A reader who is behind drops it: how far behind readers
//! are is counted elsewhere.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::telemetry::trace::{Span, Trace};

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Sample {
    /// When the database numbered the event.
    pub committed_at: OffsetDateTime,
    /// When it was left in the mailbox.
    pub left_at: Instant,
    pub trace: Trace,
}

impl Sample {
    /// Its frame is written; `now` by the clock. Where the database's clock is ahead of this one, it took no time.
    pub fn is_written(self, now: OffsetDateTime) {
        let took = Duration::try_from(now - self.committed_at).unwrap_or_default();
        metrics::histogram!("gapless_commit_to_client_seconds").record(took);
        Span::since("stream.write", self.trace, self.left_at).end();
    }
}

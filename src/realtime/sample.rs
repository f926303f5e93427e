//! Measures the time of one delivery in each group of deliveries.
//!
//! Timing every delivery would cost as much as the delivery itself. So of the events that are applied in one hold of
//! the feed's lock, one delivery to one reader (chosen by position) carries a sample. It leaves the mailbox together
//! with its frame and is recorded when the frame has been written. A reader who is behind drops the sample: other
//! metrics show how many readers are behind.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::telemetry::trace::{Span, Trace};

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Sample {
    /// Time at which the database gave the event its position.
    pub committed_at: OffsetDateTime,
    /// Time at which it was put into the mailbox.
    pub left_at: Instant,
    pub trace: Trace,
}

impl Sample {
    /// Records that the frame was written at `now`. If the database's clock is ahead of this one, records zero.
    pub fn is_written(self, now: OffsetDateTime) {
        let took = Duration::try_from(now - self.committed_at).unwrap_or_default();
        metrics::histogram!("gapless_commit_to_client_seconds").record(took);
        Span::since("stream.write", self.trace, self.left_at).end();
    }
}

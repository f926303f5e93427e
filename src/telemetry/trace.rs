//! Traces of single posts, from the request to the first write on a stream, on this instance and on others.
//!
//! Recorded with the feature `otlp`, and sent to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`. Without the feature
//! every type here is empty and every call does nothing; with it, but without a collector, a request costs one
//! additional check.
//!
//! ```text
//! POST /messages                        the request
//! ├── writer.queue                      the wait for a batch; linked to its commit
//! └── writer.commit                     the batch: linked to every request in it, below the first of them
//!     └── publish                       news to this instance and the others
//!         └── apply                     put in order and left in mailboxes; on each instance
//!             └── stream.write          the first that is timed (see `realtime::sample`)
//! ```
//!
//! A span records an operation and its duration, under a name that is fixed in the code. It contains no token, query,
//! address, body or username. A caller's `traceparent` is ignored: clients must not decide which traces are sampled.

#[cfg(feature = "otlp")]
#[path = "trace/kept.rs"]
mod way;
#[cfg(not(feature = "otlp"))]
#[path = "trace/nothing.rs"]
mod way;

use std::collections::VecDeque;
use std::time::Instant;

use crate::id::Pos;

pub use way::{Span, Trace, finish, follow, start};

/// Variable with the collector's address; OpenTelemetry's other variables also apply (`OTEL_SERVICE_NAME`,
/// `OTEL_TRACES_SAMPLER`).
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Returns the collector's address, if one is set.
fn endpoint() -> Option<String> {
    std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty())
}

/// Traces of received news, until the news is applied.
#[derive(Debug, Default)]
pub struct PendingTraces {
    /// Last position of the news, its trace, and when it was received. The oldest are dropped beyond [`MOST_AWAITED`].
    news: VecDeque<(Pos, Trace, Instant)>,
}

/// Maximum number of batches that wait for a gap to be filled before their traces are dropped.
const MOST_AWAITED: usize = 64;

impl PendingTraces {
    /// Records the trace of news up to `upto`.
    pub fn heard(&mut self, upto: Option<Pos>, trace: Trace, now: Instant) {
        let Some(upto) = upto.filter(|_| trace.is_kept()) else { return };
        if self.news.len() == MOST_AWAITED {
            self.news.pop_front();
        }
        self.news.push_back((upto, trace, now));
    }

    /// Returns a span for applying this position, in the trace of the news that contains it, if that is recorded.
    pub fn apply(&mut self, next: Pos) -> Span {
        self.news.retain(|(upto, ..)| *upto >= next);
        let first = self.news.iter().min_by_key(|(upto, ..)| *upto);
        first.map_or_else(Span::none, |(_, trace, since)| Span::since("apply", *trace, *since))
    }
}

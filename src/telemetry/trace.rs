//! The way of single posts, from the request to the first write on a stream, on this instance and on others.
//!
//! Kept by the feature `otlp` and sent to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names. Without the feature
//! every type here is empty and every call nothing; with it, and without a collector, a request pays for one look.
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
//! A span says what was done and how long it took, by names that stand in the code. It holds no token, no query, no
//! address, no body and no name of anybody. A caller's own `traceparent` is not believed: whoever may ask must not
//! decide what is kept.

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

/// Where the collector is; the rest of OpenTelemetry's variables count too (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`).
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The collector's address, if one is set.
fn endpoint() -> Option<String> {
    std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty())
}

/// News whose trace is kept, until it is applied.
#[derive(Debug, Default)]
pub struct Awaited {
    /// The last position of the news, its trace, and when it was heard. Older ones are forgotten beyond [`MOST_AWAITED`].
    news: VecDeque<(Pos, Trace, Instant)>,
}

/// Batches that may wait for a hole to be closed before their traces are given up.
const MOST_AWAITED: usize = 64;

impl Awaited {
    /// News up to `upto` came in.
    pub fn heard(&mut self, upto: Option<Pos>, trace: Trace, now: Instant) {
        let Some(upto) = upto.filter(|_| trace.is_kept()) else { return };
        if self.news.len() == MOST_AWAITED {
            self.news.pop_front();
        }
        self.news.push_back((upto, trace, now));
    }

    /// What is applied next is this position: a span of the news that brought it, if its trace is kept.
    pub fn apply(&mut self, next: Pos) -> Span {
        self.news.retain(|(upto, ..)| *upto >= next);
        let first = self.news.iter().min_by_key(|(upto, ..)| *upto);
        first.map_or_else(Span::none, |(_, trace, since)| Span::since("apply", *trace, *since))
    }
}

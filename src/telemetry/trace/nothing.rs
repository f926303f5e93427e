//! Traces without the feature `otlp`: every type is empty, and the calls compile to nothing.

use std::time::Instant;

use axum::Router;

use super::{ENDPOINT, endpoint};

/// Parent of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace(());

impl Trace {
    /// Returns the trace of the current request.
    pub const fn current() -> Self {
        Self(())
    }

    pub const fn is_kept(self) -> bool {
        false
    }

    /// Returns the trace as news carries it.
    pub const fn to_news(self) -> Option<String> {
        None
    }

    /// Parses the trace of received news.
    pub const fn from_news(_said: Option<&str>) -> Self {
        Self(())
    }
}

/// A span.
#[derive(Debug)]
pub struct Span;

impl Span {
    pub const fn none() -> Self {
        Self
    }

    /// Starts a span now.
    pub const fn below(_name: &'static str, _parent: Trace) -> Self {
        Self
    }

    /// Starts a span that began earlier.
    pub const fn since(_name: &'static str, _parent: Trace, _began: Instant) -> Self {
        Self
    }

    /// Starts the span of a commit.
    pub fn of_batch(_posts: impl Iterator<Item = (Trace, Instant)>) -> Self {
        Self
    }

    /// Returns the trace for child spans.
    pub const fn trace(&self) -> Trace {
        Trace(())
    }

    /// Ends the span now.
    pub const fn end(self) {}
}

/// Warns if a collector is configured, since this program was built without traces.
pub fn start() {
    if endpoint().is_some() {
        tracing::warn!("{ENDPOINT} is set, but this program was built without the feature `otlp`; traces are not sent");
    }
}

/// Sends the remaining traces.
pub const fn finish() {}

/// Starts a trace for each request.
pub const fn follow(router: Router) -> Router {
    router
}

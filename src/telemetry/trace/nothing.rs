//! Nothing is kept: every type is empty and every call is gone once compiled.

use std::time::Instant;

use axum::Router;

use super::{ENDPOINT, endpoint};

/// What something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace(());

impl Trace {
    /// Of the request that is being handled.
    pub const fn current() -> Self {
        Self(())
    }

    pub const fn is_kept(self) -> bool {
        false
    }

    /// As news carries it.
    pub const fn to_news(self) -> Option<String> {
        None
    }

    /// As news carried it.
    pub const fn from_news(_said: Option<&str>) -> Self {
        Self(())
    }
}

/// Something that takes time.
#[derive(Debug)]
pub struct Span;

impl Span {
    pub const fn none() -> Self {
        Self
    }

    /// Begins now.
    pub const fn below(_name: &'static str, _parent: Trace) -> Self {
        Self
    }

    /// Began before.
    pub const fn since(_name: &'static str, _parent: Trace, _began: Instant) -> Self {
        Self
    }

    /// A commit begins of posts that belong to these, and were queued then.
    pub fn of_batch(_posts: impl Iterator<Item = (Trace, Instant)>) -> Self {
        Self
    }

    /// For what happens within it.
    pub const fn trace(&self) -> Trace {
        Trace(())
    }

    /// Ends now.
    pub const fn end(self) {}
}

/// A collector was asked for that this program has nothing to send to.
pub fn start() {
    if endpoint().is_some() {
        tracing::warn!("{ENDPOINT} is set, but this program was built without the feature `otlp`; no traces are kept");
    }
}

/// Sends what is left.
pub const fn finish() {}

/// Begins a trace for each request.
pub const fn follow(router: Router) -> Router {
    router
}

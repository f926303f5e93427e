//! Graceful shutdown, from the signal to the end: no acknowledged message is lost, and every client resumes elsewhere.
//!
//! There are three stages. `retiring` only affects readiness: the instance is not ready but serves as before, until the
//! proxy has had time to route elsewhere. `leaving` is soft: not ready, no new connections, streams send `drain` and
//! close one by one, and pending requests are answered. `stop` is hard, and comes when the last connection is closed or
//! the grace period is over: queued posts are committed, then the tasks end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Part of the grace period reserved for committing queued posts; connections get the rest.
const LAST_COMMITS: Duration = Duration::from_secs(4);

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    pub retiring: CancellationToken,
    pub leaving: CancellationToken,
    pub stop: CancellationToken,
    /// Background tasks of this instance, which end after `stop`.
    pub tasks: TaskTracker,
    /// Open connections, which end after `leaving`.
    pub connections: TaskTracker,
}

impl Lifecycle {
    /// Reports not ready and keeps serving for `delay`: a proxy needs that long to notice, and connections that it
    /// opens after `leaving` are refused.
    pub async fn retire(&self, delay: Duration) {
        self.retiring.cancel();
        tokio::time::sleep(delay).await;
    }

    /// Shuts down within `grace`. `farewell` is called once all connections are closed, or their time is over.
    pub async fn leave(&self, grace: Duration, farewell: impl FnOnce()) {
        self.leaving.cancel();
        self.connections.close();
        let for_connections = grace.saturating_sub(LAST_COMMITS);
        if tokio::time::timeout(for_connections, self.connections.wait()).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "the grace period is over; closing the remaining connections"
            );
        }
        farewell();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_COMMITS, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                "some background tasks did not stop in time; exiting without them"
            );
        }
    }

    /// Returns the period over which closing streams are spread: half of the time that connections have.
    pub fn spread(grace: Duration) -> Duration {
        grace.saturating_sub(LAST_COMMITS) / 2
    }
}

/// Waits for the signal to stop.
pub async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM can be set");
        let mut interrupt = signal(SignalKind::interrupt()).expect("a handler for SIGINT can be set");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.expect("a handler for Ctrl-C can be set");
}

//! From the signal to stop until the end: nothing acknowledged is lost, and every client resumes elsewhere.
//!
//! Three signals travel. `retiring` is a word to the proxy alone: not ready, and all else as before, until it has had
//! the time to send people elsewhere. `leaving` is soft: not ready, no new connections, streams say `drain` and close one by
//! one, requests under way are answered. `stop` is hard, and comes when the last connection is gone or the
//! grace is over: queued posts are committed, then the tasks end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Left of the grace for committing what is queued, after the connections were given the rest.
const LAST_COMMITS: Duration = Duration::from_secs(4);

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    pub retiring: CancellationToken,
    pub leaving: CancellationToken,
    pub stop: CancellationToken,
    /// Tasks of this instance, which end after `stop`.
    pub tasks: TaskTracker,
    /// Open connections, which end after `leaving`.
    pub connections: TaskTracker,
}

impl Lifecycle {
    /// Says that nobody should be sent here any more, and goes on serving for `delay`: a proxy needs that long to
    /// notice, and a request that it sends meanwhile would be refused by a closed door.
    pub async fn retire(&self, delay: Duration) {
        self.retiring.cancel();
        tokio::time::sleep(delay).await;
    }

    /// Leaves, within `grace`. `farewell` is said when no connection is left.
    pub async fn leave(&self, grace: Duration, farewell: impl FnOnce()) {
        self.leaving.cancel();
        self.connections.close();
        let for_connections = grace.saturating_sub(LAST_COMMITS);
        if tokio::time::timeout(for_connections, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "the grace is over; cutting what is still open");
        }
        farewell();
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(LAST_COMMITS, self.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.tasks.len(), "some tasks did not end in time");
        }
    }

    /// For how long streams are spread while leaving: half of what connections have.
    pub fn spread(grace: Duration) -> Duration {
        grace.saturating_sub(LAST_COMMITS) / 2
    }
}

/// Waits until the program is told to stop.
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

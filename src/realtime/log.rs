//! Access to the log for the real-time core: reads and appends, with time limits.
//!
//! SQL is in [`crate::store::log`]. Unit tests replace the database by a log in memory.

#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::clock::Clock;
use crate::event::Event;
use crate::id::Pos;
use crate::post::NewMessage;
use crate::store::log::replay::{Found, Request};
use crate::store::log::{Batch, Head, Snapshot};
use crate::store::{self, Db};

#[cfg(test)]
pub mod memory;

/// Time limit of a read; longer than the database lets a statement run.
const PATIENCE: Duration = Duration::from_secs(3);

/// The log's storage; a handle, cheap to clone. Errors are temporary: every caller retries.
#[derive(Clone)]
pub enum Log {
    Database(Database),
    #[cfg(test)]
    Memory(Arc<memory::Memory>),
}

/// The log in PostgreSQL.
#[derive(Clone)]
pub struct Database {
    /// For posts and the applier.
    pub db: Db,
    /// For resuming readers: shares no connections with `db`.
    pub replay_db: Db,
    pub clock: Clock,
    /// Time for which ended sessions are kept in memory: the lifetime of an access token.
    pub remember_ended: Duration,
}

/// A commit failed.
#[derive(Debug)]
pub enum CommitError {
    /// The database was unavailable or too slow; the batch may or may not be committed. Retrying is safe.
    Outage(anyhow::Error),
    /// The database refused the batch as a whole, because of one of its rows.
    Refused(anyhow::Error),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> Self {
        if store::is_outage(&error) { Self::Outage(error.into()) } else { Self::Refused(error.into()) }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// Returns the events in `(after, ..=upto]`, in order, without a gap.
    pub async fn read(&self, after: Pos, upto: Pos) -> anyhow::Result<Vec<Event>> {
        match self {
            Self::Database(log) => in_time(store::log::read(&log.db, after, upto)).await,
            #[cfg(test)]
            Self::Memory(log) => log.read(after, upto).await,
        }
    }

    /// Reads missed events by topic, for resuming readers, over their own connections. The first `own` requests are
    /// always answered, the others until there are enough events.
    pub async fn replay(&self, epoch: &str, requests: &[Request], own: usize, upto: Pos) -> anyhow::Result<Found> {
        match self {
            Self::Database(log) => in_time(store::log::replay::read(&log.replay_db, epoch, requests, own, upto))
                .await?
                .context("the log has another history, or lacks events that were applied"),
            #[cfg(test)]
            Self::Memory(log) => Ok(memory::find(&log.read(Pos(0), upto).await?, requests, upto)),
        }
    }

    /// Returns the log's head, and when the event at `passed` was committed.
    pub async fn head(&self, passed: Pos) -> anyhow::Result<Head> {
        match self {
            Self::Database(log) => in_time(store::log::head_and_landmark(&log.db, passed)).await,
            #[cfg(test)]
            Self::Memory(log) => Ok(log.head()),
        }
    }

    /// Returns the state that an instance keeps in memory. `abandon`: the epoch of a history that has lost positions; a
    /// new one is begun first.
    pub async fn snapshot(&self, abandon: Option<&str>) -> anyhow::Result<Snapshot> {
        match self {
            Self::Database(log) => {
                let ended_since = log.clock.now() - log.remember_ended;
                // Boxed: it is called once, and would make the futures of all its callers large.
                Box::pin(in_time(store::log::snapshot(&log.db, ended_since, abandon))).await
            }
            #[cfg(test)]
            Self::Memory(log) => Ok(log.snapshot()),
        }
    }

    /// Commits a batch of posts.
    pub async fn append(&self, batch: &[NewMessage]) -> Result<Batch, CommitError> {
        match self {
            Self::Database(log) => Ok(store::log::append_batch(&log.db, batch).await?),
            #[cfg(test)]
            Self::Memory(log) => Ok(Batch { outcomes: log.append(batch).await?, upto: None }),
        }
    }
}

async fn in_time<T>(query: impl Future<Output = sqlx::Result<T>>) -> anyhow::Result<T> {
    Ok(tokio::time::timeout(PATIENCE, query).await.context("the database did not answer in time")??)
}

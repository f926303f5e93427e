//! Background deletion: expired messages, and the words of erased users.
//!
//! Every instance sweeps. Each batch is a transaction under the log's lock that looks again at what it deletes, so
//! instances share the work instead of electing one of them; and each deletion takes its position like one by
//! hand, so that streams and pages follow. See `migrations/0008_forgetting.sql`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::id::{RoomId, UserId};
use crate::realtime::Realtime;
use crate::store::erasure::{self, Progress, Words};
use crate::store::{Db, retention};

/// Interval of sweeps.
const EVERY: Duration = Duration::from_mins(1);
/// Messages in a batch: 10 to 20 ms under the log's lock (measured at 0.1 ms a message on two busy cores).
const BATCH: i32 = 100;
/// Between two batches posts have the log to themselves.
const PAUSE: Duration = Duration::from_millis(20);
/// How long whoever erased somebody waits for the words to be gone; after that the sweep goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sweep of this instance; a handle, cheap to clone.
#[derive(Clone)]
pub struct Sweep {
    db: Db,
    realtime: Realtime,
    /// For rooms without a setting of their own; `None` keeps messages for ever.
    retention_days: Option<i32>,
    due: Arc<Notify>,
}

impl Sweep {
    pub fn new(db: Db, realtime: Realtime, retention_days: Option<i32>) -> Self {
        Self { db, realtime, retention_days, due: Arc::default() }
    }

    /// Starts a sweep now.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Sweeps at once, whenever it is woken, and once a minute, until it is dropped.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "retention sweep failed; retrying in 60 s");
            }
            let _ = tokio::time::timeout(EVERY, self.due.notified()).await;
        }
    }

    /// Deletes everything that is due now.
    async fn sweep(&self) -> sqlx::Result<()> {
        for user in erasure::unfinished(&self.db).await? {
            self.forget_words(user, None).await?;
        }
        for room in retention::rooms_with_expired(&self.db, self.retention_days).await? {
            self.expire(room).await?;
        }
        Ok(())
    }

    async fn expire(&self, room: RoomId) -> sqlx::Result<()> {
        let mut count = 0;
        loop {
            let batch = retention::expire(&self.db, room, self.retention_days, BATCH).await?;
            count += batch.passed;
            if let Some(pos) = batch.pos {
                self.realtime.settle(pos).await;
            }
            if batch.passed < i64::from(BATCH) {
                tracing::info!(%room, count, "deleted expired messages");
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Forgets what an erased user had said, for as long as somebody who asked should wait; the rest follows.
    pub async fn forget_now(&self, user: UserId) {
        match self.forget_words(user, Some(Instant::now() + PATIENCE)).await {
            Ok(true) => {}
            Ok(false) => self.wake(),
            Err(error) => tracing::warn!(%error, %user, "deleting an erased user's messages failed; retrying in 60 s"),
        }
    }

    /// Whether all was forgotten before the deadline.
    async fn forget_words(&self, user: UserId, deadline: Option<Instant>) -> sqlx::Result<bool> {
        let mut words = Words::of(user);
        while let Progress::More(pos) = words.forget_some(&self.db).await? {
            if let Some(pos) = pos {
                self.realtime.settle(pos).await;
                tokio::time::sleep(PAUSE).await;
            }
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Ok(false);
            }
        }
        tracing::info!(%user, "deleted an erased user's messages");
        Ok(true)
    }
}

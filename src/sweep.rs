//! Background deletion: expired messages, and the messages of erased users.
//!
//! Every instance does it. Each batch is a transaction under the log's lock that checks again what it deletes, so
//! instances share the work without electing a leader. Deletions take positions, so that streams and pages follow: one
//! for a batch of expired messages, and one for each message of an erased user. See `migrations/0026_trims.sql` and
//! `0008_forgetting.sql`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::id::{Pos, RoomId, UserId};
use crate::realtime::Realtime;
use crate::store::erasure::{self, ErasedMessages, Progress};
use crate::store::{Db, retention};

/// Interval of sweeps.
const EVERY: Duration = Duration::from_mins(1);
/// Messages in a batch: 10 to 20 ms under the log's lock (measured at 15 to 40 µs a message on two busy cores).
const BATCH: i32 = 500;
/// Interval of the walk over old trims in the log.
const WALK_EVERY: Duration = Duration::from_hours(1);
/// Pause between two batches, for posts.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum time that the request to erase a user waits for the deletion; after that it continues in the background.
const PATIENCE: Duration = Duration::from_secs(2);

/// Background deletion of this instance; a handle, cheap to clone.
#[derive(Clone)]
pub struct Sweep {
    db: Db,
    realtime: Realtime,
    /// For rooms without their own setting; `None` keeps messages for ever.
    retention_days: Option<i32>,
    due: Arc<Notify>,
}

impl Sweep {
    pub fn new(db: Db, realtime: Realtime, retention_days: Option<i32>) -> Self {
        Self { db, realtime, retention_days, due: Arc::default() }
    }

    /// Starts a run now.
    pub fn wake(&self) {
        self.due.notify_one();
    }

    /// Runs at once, whenever it is woken, and once a minute, until it is dropped.
    pub async fn run(self) {
        let mut walked_at: Option<Instant> = None;
        loop {
            let mut swept = self.sweep().await;
            if swept.is_ok() && walked_at.is_none_or(|walked_at| walked_at.elapsed() >= WALK_EVERY) {
                swept = self.remove_superseded_trims().await;
                walked_at = Some(Instant::now());
            }
            if let Err(error) = swept {
                tracing::warn!(%error, "retention sweep failed; retrying in 60 s");
            }
            let _ = tokio::time::timeout(EVERY, self.due.notified()).await;
        }
    }

    /// Deletes everything that is due.
    async fn sweep(&self) -> sqlx::Result<()> {
        for user in erasure::unfinished(&self.db).await? {
            self.forget_words(user, None).await?;
        }
        for room in retention::rooms_to_trim(&self.db, self.retention_days).await? {
            self.trim(room).await?;
        }
        Ok(())
    }

    async fn remove_superseded_trims(&self) -> sqlx::Result<()> {
        let mut next = Some(Pos(0));
        while let Some(after) = next {
            next = retention::remove_superseded(&self.db, after, BATCH).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn trim(&self, room: RoomId) -> sqlx::Result<()> {
        let mut count = 0;
        loop {
            let batch = retention::trim(&self.db, room, self.retention_days, BATCH).await?;
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

    /// Deletes an erased user's messages for as long as the caller should wait; the rest is deleted in the background.
    pub async fn forget_now(&self, user: UserId) {
        match self.forget_words(user, Some(Instant::now() + PATIENCE)).await {
            Ok(true) => {}
            Ok(false) => self.wake(),
            Err(error) => tracing::warn!(%error, %user, "deleting an erased user's messages failed; retrying in 60 s"),
        }
    }

    /// Returns whether everything was deleted before the deadline.
    async fn forget_words(&self, user: UserId, deadline: Option<Instant>) -> sqlx::Result<bool> {
        let mut messages = ErasedMessages::of(user);
        while let Progress::More(pos) = messages.forget_some(&self.db).await? {
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

//! What goes by itself: messages that are older than their room keeps them, and the words of whoever was erased.
//!
//! Every instance sweeps. Each batch is a transaction under the log's lock that looks again at what it deletes, so
//! instances share the work instead of electing one of them; and each deletion takes its position like one by
//! hand, so that streams and pages follow. See `migrations/0008_forgetting.sql`.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::app::App;
use crate::id::{RoomId, UserId};
use crate::store::erasure::{self, Progress, Words};
use crate::store::retention;

/// How late a message may go that nobody asked about.
const EVERY: Duration = Duration::from_mins(1);
/// Messages in a batch: 10 to 20 ms under the log's lock (measured at 0.1 ms a message on two busy cores).
const BATCH: i32 = 100;
/// Between two batches posts have the log to themselves.
const PAUSE: Duration = Duration::from_millis(20);
/// How long whoever erased somebody waits for the words to be gone; after that the sweep goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Wakes the sweep of this instance before its time.
#[derive(Debug, Default)]
pub struct Sweep {
    due: Notify,
}

impl Sweep {
    /// There is something to do now.
    pub fn wake(&self) {
        self.due.notify_one();
    }
}

/// Sweeps at once, whenever it is woken, and once in a while, until it is dropped.
pub async fn run(app: App) {
    loop {
        if let Err(error) = sweep(&app).await {
            tracing::warn!(%error, "what should go stays for another while");
        }
        let _ = tokio::time::timeout(EVERY, app.sweep.due.notified()).await;
    }
}

/// Everything that is due now.
async fn sweep(app: &App) -> sqlx::Result<()> {
    for user in erasure::unfinished(&app.db).await? {
        forget_words(app, user, None).await?;
    }
    for room in retention::rooms_with_expired(&app.db, app.config.retention_days).await? {
        expire(app, room).await?;
    }
    Ok(())
}

async fn expire(app: &App, room: RoomId) -> sqlx::Result<()> {
    let mut count = 0;
    loop {
        let batch = retention::expire(&app.db, room, app.config.retention_days, BATCH).await?;
        count += batch.passed;
        if let Some(pos) = batch.pos {
            app.realtime.settle(pos).await;
        }
        if batch.passed < i64::from(BATCH) {
            tracing::info!(%room, count, "messages went by their age");
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Forgets what an erased user had said, for as long as somebody who asked should wait; the rest follows.
pub async fn forget_now(app: &App, user: UserId) {
    match forget_words(app, user, Some(Instant::now() + PATIENCE)).await {
        Ok(true) => {}
        Ok(false) => app.sweep.wake(),
        Err(error) => tracing::warn!(%error, %user, "an erased user's words stay for another while"),
    }
}

/// Whether all was forgotten before the deadline.
async fn forget_words(app: &App, user: UserId, deadline: Option<Instant>) -> sqlx::Result<bool> {
    let mut words = Words::of(user);
    while let Progress::More(pos) = words.forget_some(&app.db).await? {
        if let Some(pos) = pos {
            app.realtime.settle(pos).await;
            tokio::time::sleep(PAUSE).await;
        }
        if deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return Ok(false);
        }
    }
    tracing::info!(%user, "an erased user's words are forgotten");
    Ok(true)
}

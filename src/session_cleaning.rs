//! Background deletion of session rows: sessions that ended, and those whose refresh tokens have expired.
//!
//! Every instance does this, in batches of a few milliseconds that lock only the rows they delete. So a script that
//! signs in for weeks does not make a table grow for ever, and a batch never hits the statement timeout.
//! Next: `migrations/0012_sessions.sql`.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::id::SessionId;
use crate::store::{Db, sessions};

/// Rows or sessions per batch.
const BATCH: i32 = 500;
/// Pause between two batches, for sign-ins.
const PAUSE: Duration = Duration::from_millis(20);
/// Interval of the walk over all sessions, for those that no index finds.
const WALK_EVERY: Duration = Duration::from_hours(1);

/// Time of the last walk over all sessions.
#[derive(Debug, Default)]
pub struct Cleaning {
    walked_at: Option<Instant>,
}

impl Cleaning {
    /// Deletes all rows that have expired at `now`. `forgotten`: the access tokens of sessions that ended before this
    /// time have expired.
    ///
    /// # Errors
    /// If the database is unavailable. The rest is deleted by a later run.
    pub async fn remove_old(&mut self, db: &Db, now: OffsetDateTime, forgotten: OffsetDateTime) -> sqlx::Result<()> {
        while sessions::remove_expired_tokens(db, now, BATCH).await? > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        while sessions::remove_ended(db, forgotten, BATCH).await? > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if self.walked_at.is_none_or(|walked_at| walked_at.elapsed() >= WALK_EVERY) {
            let mut next = Some(SessionId(Uuid::nil()));
            while let Some(after) = next {
                next = sessions::remove_dead(db, after, forgotten, BATCH).await?;
                tokio::time::sleep(PAUSE).await;
            }
            self.walked_at = Some(Instant::now());
        }
        Ok(())
    }
}

//! Background deletion of session rows: sessions that ended, and those whose refresh tokens have expired.
//!
//! Every instance does this, in batches of a few milliseconds that take no lock but on what they delete. So a script
//! that signs in for weeks leaves no table that grows for ever, and a batch never meets the statement timeout.
//! Next: `migrations/0012_sessions.sql`.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::app::App;
use crate::id::SessionId;
use crate::store::sessions;

/// Rows or sessions in a batch.
const BATCH: i32 = 500;
/// Between two batches sign-ins have the tables to themselves.
const PAUSE: Duration = Duration::from_millis(20);
/// How often all sessions are looked at, for those that no index finds.
const WALK_EVERY: Duration = Duration::from_hours(1);

/// When all sessions were looked at last.
#[derive(Debug, Default)]
pub struct Cleaning {
    walked_at: Option<Instant>,
}

impl Cleaning {
    /// Removes everything that is due. `forgotten`: no access token of a session that ended before is alive.
    ///
    /// # Errors
    /// When the database is away. The rest is removed another time.
    pub async fn remove_old(&mut self, app: &App, forgotten: OffsetDateTime) -> sqlx::Result<()> {
        while sessions::remove_expired_tokens(&app.db, app.clock.now(), BATCH).await? > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        while sessions::remove_ended(&app.db, forgotten, BATCH).await? > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        if self.walked_at.is_none_or(|walked_at| walked_at.elapsed() >= WALK_EVERY) {
            let mut next = Some(SessionId(Uuid::nil()));
            while let Some(after) = next {
                next = sessions::remove_dead(&app.db, after, forgotten, BATCH).await?;
                tokio::time::sleep(PAUSE).await;
            }
            self.walked_at = Some(Instant::now());
        }
        Ok(())
    }
}

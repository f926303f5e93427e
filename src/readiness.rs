//! Readiness of this instance. Health checks are frequent and open to everybody, so the result is cached for one second
//! and shared: one short query, and nothing is published.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::realtime::Realtime;
use crate::store::{self, Db};

/// Maximum age of a cached result.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Timeout of the check. A load balancer asks every few seconds; a slower result means not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Readiness {
    /// The last result and its time. Locked during a check, so that concurrent callers wait for its result.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// True if the database answers and every change in the log has been applied here.
    pub async fn check(&self, db: &Db, realtime: &Realtime) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, is_ready)) = *last
            && at.elapsed() < FRESH_FOR
        {
            return is_ready;
        }
        let is_ready = tokio::time::timeout(PATIENCE, is_ready(db, realtime)).await.unwrap_or(false);
        *last = Some((Instant::now(), is_ready));
        is_ready
    }
}

async fn is_ready(db: &Db, realtime: &Realtime) -> bool {
    metrics::counter!("gapless_readiness_probes_total").increment(1);
    let Ok(head) = store::log::head(db).await else { return false };
    realtime.hears(head.pos).await
}

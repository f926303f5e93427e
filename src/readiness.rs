//! Readiness of this instance. Health checks come from many at once and from anybody, so the answer is looked up once a
//! second for all of them: one short query, and nothing is published.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::app::App;
use crate::store;

/// How old an answer may be.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// A load balancer asks every few seconds; an answer that takes longer than this means no.
const PATIENCE: Duration = Duration::from_secs(2);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Readiness {
    /// The last answer and when it was found. Held while the next is looked up, so that whoever asks meanwhile waits
    /// for that one.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// True if the database answers and every change in the log has been applied here.
    pub async fn of(&self, app: &App) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, is_ready)) = *last
            && at.elapsed() < FRESH_FOR
        {
            return is_ready;
        }
        let is_ready = tokio::time::timeout(PATIENCE, is_ready(app)).await.unwrap_or(false);
        *last = Some((Instant::now(), is_ready));
        is_ready
    }
}

async fn is_ready(app: &App) -> bool {
    metrics::counter!("gapless_readiness_probes_total").increment(1);
    let Ok(head) = store::log::head(&app.db).await else { return false };
    app.realtime.hears(head.pos).await
}

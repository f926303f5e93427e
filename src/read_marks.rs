//! Collects read marks into batches and commits them.
//!
//! A mark takes the log's lock, and in a busy room every reader sets one for every few messages. Committed one by one
//! they would take the lock as often as all posts together. So marks collect while a batch is committed and for a pause
//! after it; a mark that comes alone is committed at once.

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::batches::{self, PAUSE, Submit, Submits};
use crate::outcome::Outcome;
use crate::post::WriteError;
use crate::realtime::Realtime;
use crate::store::Db;
use crate::store::read_marks::{self, NewMark};
use crate::telemetry::trace::Trace;

/// Maximum number of marks in a batch: about 10 ms under the log's lock.
const MOST_IN_BATCH: usize = 100;

/// See the [module](self). A handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadMarks {
    queue: Submits<NewMark>,
}

impl ReadMarks {
    /// Starts the task that commits marks. It ends after `stop`; marks still in the queue are refused.
    pub fn spawn(db: Db, realtime: Realtime, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (queue, submits) = batches::queue();
        tasks.spawn(stop.run_until_cancelled_owned(commit_all(submits, db, realtime)));
        Self { queue }
    }

    /// Commits one mark and publishes its event. If the queue is full, the mark is refused; the client's next one
    /// contains it.
    ///
    /// # Errors
    /// [`WriteError`]; the caller may retry after each.
    pub async fn set(&self, mark: NewMark) -> Result<Outcome<()>, WriteError> {
        self.queue.commit(mark).await
    }
}

async fn commit_all(mut submits: mpsc::Receiver<Submit<NewMark>>, db: Db, realtime: Realtime) {
    let mut batch = Vec::new();
    while submits.recv_many(&mut batch, MOST_IN_BATCH).await > 0 {
        let now = Instant::now();
        batch.retain(|submit| submit.is_awaited(now));
        let marks: Vec<NewMark> = batch.iter().map(|submit| submit.change).collect();
        if marks.is_empty() {
            continue;
        }
        match batches::committed("read marks", read_marks::set(&db, &marks)).await {
            Some(outcomes) => {
                realtime.publish(outcomes.iter().flatten().flatten().cloned().collect(), Trace::default());
                for (outcome, submit) in outcomes.into_iter().zip(batch.drain(..)) {
                    submit.answer(Ok(outcome.map(drop)));
                }
            }
            None => batch.drain(..).for_each(|submit| submit.answer(Err(WriteError::Unavailable))),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

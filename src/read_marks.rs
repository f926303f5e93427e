//! Collects read marks into batches and commits them.
//!
//! A mark takes the log's lock, and in a busy room every reader sets one for every few messages. Committed one by one
//! they would take the lock as often as all posts together. So marks collect while a batch is committed and for a pause
//! after it; a mark that comes alone is committed at once.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::event::Event;
use crate::outcome::Outcome;
use crate::post::WriteError;
use crate::realtime::Realtime;
use crate::store::Db;
use crate::store::read_marks::{self, NewMark};
use crate::telemetry::trace::Trace;

/// Maximum number of marks in a batch: about 10 ms under the log's lock.
const MOST_IN_BATCH: usize = 100;

/// Pause between two batches, for posts: marks take the lock at most twenty times a second.
const PAUSE: Duration = Duration::from_millis(50);

/// Capacity of the queue: as many marks as are committed within [`PATIENCE`]. Full means that a mark is refused; the
/// client's next one contains it.
const QUEUE: usize = 4096;

/// Time limit of a mark, including its wait in the queue. Below the three seconds within which a caller must get an
/// answer.
const PATIENCE: Duration = Duration::from_millis(2500);

struct Submit {
    mark: NewMark,
    answer: oneshot::Sender<Result<Outcome<()>, WriteError>>,
    deadline: Instant,
}

/// See the [module](self). A handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadMarks {
    queue: mpsc::Sender<Submit>,
}

impl ReadMarks {
    /// Starts the task that commits marks. It ends after `stop`; marks still in the queue are refused.
    pub fn spawn(db: Db, realtime: Realtime, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (queue, submits) = mpsc::channel(QUEUE);
        tasks.spawn(stop.run_until_cancelled_owned(commit_all(submits, db, realtime)));
        Self { queue }
    }

    /// Commits one mark and publishes its event.
    ///
    /// # Errors
    /// [`WriteError`]; the caller may retry after each.
    ///
    /// # Cancellation
    /// Once this was polled, the mark is in the queue and will be committed even if the caller is gone.
    pub async fn set(&self, mark: NewMark) -> Result<Outcome<()>, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let deadline = Instant::now() + PATIENCE;
        self.queue.try_send(Submit { mark, answer, deadline }).map_err(|_| WriteError::Full)?;
        let answered = tokio::time::timeout_at(deadline, outcome).await;
        answered.unwrap_or(Ok(Err(WriteError::Unavailable))).unwrap_or(Err(WriteError::Unavailable))
    }
}

async fn commit_all(mut submits: mpsc::Receiver<Submit>, db: Db, realtime: Realtime) {
    let mut batch = Vec::new();
    while submits.recv_many(&mut batch, MOST_IN_BATCH).await > 0 {
        // Drops expired marks: their callers were already told to retry.
        let now = Instant::now();
        batch.retain(|submit| submit.deadline > now);
        let (marks, answers): (Vec<_>, Vec<_>) = batch.drain(..).map(|submit| (submit.mark, submit.answer)).unzip();
        if marks.is_empty() {
            continue;
        }
        match commit(&db, &marks).await {
            Some(outcomes) => {
                realtime.publish(outcomes.iter().flatten().flatten().cloned().collect(), Trace::default());
                for (outcome, answer) in outcomes.into_iter().zip(answers) {
                    // The client may have disconnected; the mark is committed all the same.
                    answer.send(Ok(outcome.map(drop))).ok();
                }
            }
            None => {
                for answer in answers {
                    answer.send(Err(WriteError::Unavailable)).ok();
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn commit(db: &Db, marks: &[NewMark]) -> Option<Vec<Outcome<Option<Event>>>> {
    match tokio::time::timeout(PATIENCE, read_marks::set(db, marks)).await {
        Ok(Ok(outcomes)) => return Some(outcomes),
        Ok(Err(error)) => tracing::warn!(%error, marks = marks.len(), "cannot store read marks; answering 503"),
        Err(_) => tracing::warn!(marks = marks.len(), "the database did not commit in time; answering 503"),
    }
    None
}

//! Collects posts into batches and commits them.
//!
//! While commits are in flight, further posts collect into the next batch. There is no timer, so a single post is
//! committed at once and concurrent ones share an fsync. The queue is bounded: when it is full, a post is refused at
//! once, which is better for its caller than a wait that ends in a timeout.
//!
//! **The acknowledgement guarantee.** `post` returns success only after the commit. After an error, the message may
//! still have been committed; posting again with the same `client_id` finds out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Realtime;
use super::log::{CommitError, Log};
use crate::event::{Event, Message};
use crate::id::Pos;
use crate::outcome::{Outcome, Posted};
use crate::post::{NewMessage, WriteError};
use crate::store::events;
use crate::store::log::Batch;
use crate::telemetry::posts;
use crate::telemetry::trace::{Span, Trace};

/// Maximum number of posts in a batch: at 4 KiB each, a few megabytes in one message to Postgres. Larger batches no
/// longer reduce the cost per post.
const MOST_IN_BATCH: usize = 512;

/// Maximum number of commits in flight. The log's lock lets one proceed; the second is already parsed and waits for the
/// lock, so that Postgres is not idle during a round trip. A third would only make batches smaller.
const COMMITS_IN_FLIGHT: usize = 2;

/// Time limit of a post, including its wait in the queue and retries. Below the three seconds within which a caller
/// must get an answer.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Pause before a failed commit is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

struct Submit {
    message: NewMessage,
    answer: oneshot::Sender<Result<Outcome<Posted<Message>>, WriteError>>,
    /// Time at which the caller gets an error, since the outcome is unknown. Includes the wait behind other batches: if
    /// the database hangs, each of them takes its whole time limit.
    deadline: tokio::time::Instant,
    trace: Trace,
}

impl Submit {
    fn queued_at(&self) -> Instant {
        self.deadline.into_std().checked_sub(PATIENCE).unwrap_or_else(Instant::now)
    }
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Writer {
    /// Full means that more posts are queued than the database commits within [`PATIENCE`].
    queue: mpsc::Sender<Submit>,
}

impl Writer {
    /// Starts the writer's task. After `stop` it accepts no more posts, commits those in the queue, and ends.
    pub fn spawn(capacity: usize, log: Log, realtime: Realtime, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (queue, submits) = mpsc::channel(capacity);
        tasks.spawn(write(submits, log, realtime, tasks.clone(), stop));
        Self { queue }
    }

    /// Commits one message.
    ///
    /// # Errors
    /// [`WriteError`]; the caller may retry after each, with the same `client_id`.
    ///
    /// # Cancellation
    /// Once this was polled, the message is in the queue and will be committed even if the caller is gone.
    pub async fn post(&self, message: NewMessage) -> Result<Outcome<Posted<Message>>, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        self.queue.try_send(Submit { message, answer, deadline, trace: Trace::current() }).map_err(|_| {
            metrics::counter!("gapless_posts_refused_total", "reason" => "queue_full").increment(1);
            WriteError::Full
        })?;
        let answered = tokio::time::timeout_at(deadline, outcome).await;
        answered.unwrap_or(Ok(Err(WriteError::Unavailable))).unwrap_or(Err(WriteError::Unavailable))
    }

    /// Returns the number of posts in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

async fn write(
    mut submits: mpsc::Receiver<Submit>,
    log: Log,
    realtime: Realtime,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let in_flight = Arc::new(Semaphore::new(COMMITS_IN_FLIGHT));
    loop {
        // Takes the permit first, so that posts arriving while commits are in flight form one batch.
        let permit = Arc::clone(&in_flight).acquire_owned().await.expect("the semaphore is never closed");
        let mut batch = Vec::new();
        let taken = tokio::select! {
            taken = submits.recv_many(&mut batch, MOST_IN_BATCH) => taken,
            () = stop.cancelled(), if !submits.is_closed() => {
                submits.close();
                submits.recv_many(&mut batch, MOST_IN_BATCH).await
            }
        };
        if taken == 0 {
            return;
        }
        // Drops expired posts: their callers were already told to retry, and must not find the first attempt posted
        // much later.
        let now = tokio::time::Instant::now();
        batch.retain(|submit| submit.deadline > now);
        if batch.len() < taken {
            metrics::counter!("gapless_posts_refused_total", "reason" => "late")
                .increment((taken - batch.len()) as u64);
        }
        if batch.is_empty() {
            continue;
        }
        let (log, realtime) = (log.clone(), realtime.clone());
        tasks.spawn(async move {
            let began = Instant::now();
            let span = Span::of_batch(batch.iter().map(|submit| (submit.trace, submit.queued_at())));
            let (messages, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|submit| (submit.message, submit.answer)).unzip();
            metrics::histogram!("gapless_writer_batch_size").record(u32::try_from(messages.len()).unwrap_or(u32::MAX));
            let mut upto = None;
            let outcomes = commit_patiently(&log, &messages, &mut upto).await;
            drop(permit);
            metrics::histogram!("gapless_writer_commit_seconds").record(began.elapsed());
            posts::count(&outcomes);
            let trace = span.trace();
            span.end();
            realtime.publish(outcomes.iter().flatten().filter_map(accepted).collect(), trace);
            if let Some(pos) = upto {
                realtime.announce(pos);
            }
            for (outcome, answer) in outcomes.into_iter().zip(answers) {
                // The client may have disconnected; the message is committed all the same.
                answer.send(outcome).ok();
            }
        });
    }
}

/// Returns the event that a commit added to the log; `None` for a duplicate or a refusal.
fn accepted(outcome: &Outcome<Posted<Message>>) -> Option<Event> {
    let Ok(Posted::Accepted(message)) = outcome else { return None };
    Some(events::messages::posted(message))
}

/// Retries until [`PATIENCE`] is over. If the database refuses a row, only that row fails. `upto` becomes the position up
/// to which the log has events of the batch beside its posts.
async fn commit_patiently(
    log: &Log,
    batch: &[NewMessage],
    upto: &mut Option<Pos>,
) -> Vec<Result<Outcome<Posted<Message>>, WriteError>> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut is_first = true;
    loop {
        match tokio::time::timeout_at(deadline, log.append(batch)).await {
            Ok(Ok(Batch { outcomes, upto: reached })) => {
                debug_assert_eq!(outcomes.len(), batch.len(), "every row gets its outcome");
                *upto = reached.max(*upto);
                // A duplicate with the same id was committed by an earlier attempt, whose answer was lost.
                return batch.iter().zip(outcomes).map(|(sent, outcome)| Ok(own(sent, outcome))).collect();
            }
            Ok(Err(CommitError::Refused(error))) if batch.len() > 1 => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the database refused a batch of posts; committing them one by one"
                );
                let mut outcomes = Vec::with_capacity(batch.len());
                for message in batch {
                    let alone = std::slice::from_ref(message);
                    outcomes.extend(Box::pin(commit_patiently(log, alone, upto)).await);
                }
                return outcomes;
            }
            Ok(Err(CommitError::Refused(error))) => {
                tracing::error!(error = format!("{error:#}"), "the database refused a post; answering 503");
                return vec![Err(WriteError::Unavailable)];
            }
            Ok(Err(CommitError::Outage(error))) => {
                metrics::counter!("gapless_writer_retries_total").increment(1);
                if std::mem::take(&mut is_first) {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        posts = batch.len(),
                        "a commit failed; retrying every 50 ms"
                    );
                }
                if tokio::time::timeout_at(deadline, tokio::time::sleep(RETRY_PAUSE)).await.is_ok() {
                    continue;
                }
            }
            Err(_) => tracing::warn!(posts = batch.len(), "the database did not commit in time; answering 503"),
        }
        return batch.iter().map(|_| Err(WriteError::Unavailable)).collect();
    }
}

fn own(sent: &NewMessage, outcome: Outcome<Posted<Message>>) -> Outcome<Posted<Message>> {
    match outcome {
        Ok(Posted::Duplicate(message)) if message.id == sent.id => Ok(Posted::Accepted(message)),
        other => other,
    }
}

#[cfg(test)]
mod tests;

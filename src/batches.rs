//! Changes that are committed in batches while their callers wait: read marks and reactions.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::outcome::Outcome;
use crate::post::WriteError;

/// Pause between two batches, for posts: each kind of change takes the log's lock at most twenty times a second.
pub const PAUSE: Duration = Duration::from_millis(50);

/// Capacity of a queue. Full means that a change is refused, and its caller told to retry.
pub const QUEUE: usize = 4096;

/// Time limit of a change, including its wait in the queue. Below the three seconds within which a caller must get an
/// answer.
const PATIENCE: Duration = Duration::from_millis(2500);

/// A change whose caller waits.
#[derive(Debug)]
pub struct Submit<T> {
    pub change: T,
    answer: oneshot::Sender<Result<Outcome<()>, WriteError>>,
    deadline: Instant,
}

impl<T> Submit<T> {
    /// Returns whether the caller still waits. One whose time is over was told to retry, so its change is dropped.
    pub fn is_awaited(&self, now: Instant) -> bool {
        self.deadline > now
    }

    /// Tells the caller the outcome. It may have disconnected; the change is committed all the same.
    pub fn answer(self, outcome: Result<Outcome<()>, WriteError>) {
        self.answer.send(outcome).ok();
    }
}

/// The sending side of a queue.
#[derive(Debug)]
pub struct Submits<T>(mpsc::Sender<Submit<T>>);

impl<T> Clone for Submits<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Makes a queue of changes.
pub fn queue<T>() -> (Submits<T>, mpsc::Receiver<Submit<T>>) {
    let (queue, submits) = mpsc::channel(QUEUE);
    (Submits(queue), submits)
}

impl<T> Submits<T> {
    /// Waits until the change is committed, and returns its outcome.
    ///
    /// # Errors
    /// [`WriteError`]; the caller may retry after each.
    ///
    /// # Cancellation
    /// Once this was polled, the change is in the queue and will be committed even if the caller is gone.
    pub async fn commit(&self, change: T) -> Result<Outcome<()>, WriteError> {
        let (answer, outcome) = oneshot::channel();
        let deadline = Instant::now() + PATIENCE;
        self.0.try_send(Submit { change, answer, deadline }).map_err(|_| WriteError::Full)?;
        let answered = tokio::time::timeout_at(deadline, outcome).await;
        answered.unwrap_or(Ok(Err(WriteError::Unavailable))).unwrap_or(Err(WriteError::Unavailable))
    }
}

/// Waits for the commit of a batch, and logs why there is no answer. `what`: the changes, for the log.
pub async fn committed<R>(what: &'static str, commit: impl Future<Output = sqlx::Result<R>>) -> Option<R> {
    match tokio::time::timeout(PATIENCE, commit).await {
        Ok(Ok(committed)) => return Some(committed),
        Ok(Err(error)) => tracing::warn!(%error, "cannot store {what}; answering 503"),
        Err(_) => tracing::warn!("the database did not commit {what} in time; answering 503"),
    }
    None
}

/// A change that nobody waits for, with the time limit of one that was just submitted.
#[cfg(test)]
pub fn submit<T>(change: T) -> Submit<T> {
    Submit { change, answer: oneshot::channel().0, deadline: Instant::now() + PATIENCE }
}

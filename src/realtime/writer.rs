//! Posts, gathered into batches and committed.
//!
//! While one commit is in flight the next batch gathers; there is no timer, so a lone post waits for nothing
//! and a crowd shares its fsyncs. The queue is bounded: when it is full a post is refused at once, which is
//! kinder than a wait that ends in a time-out.
//!
//! **The acknowledgement guarantee.** `post` answers only after the commit. When it answers an error the
//! message may still have been committed; sending again with the same `client_id` tells.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::log::BoxFuture;
use crate::event::{Author, Change, Event, Message};
use crate::id::{ClientId, MessageId, RoomId};
use crate::mutant::{self, Mutant};

/// A batch is at most this many posts: at 4 KiB each it still is one packet of a few megabytes to Postgres,
/// and beyond it the gain per post is gone.
const MOST_IN_BATCH: usize = 512;

/// Commits in flight. The log's lock lets one proceed; the second is parsed and waiting behind it, so that
/// Postgres is never idle for the length of a round trip. A third would only make batches smaller.
const COMMITS_IN_FLIGHT: usize = 2;

/// How long a post waits and is tried before it is refused. Below the three seconds after which a caller must know.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Pause before a failed commit is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What an author submits.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Made by the server for this attempt; a retry by the client has another.
    pub id: MessageId,
    pub room_id: RoomId,
    pub author: Author,
    pub client_id: ClientId,
    pub body: Arc<str>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Committed now.
    Accepted(Message),
    /// Committed before, under the same `client_id`: this is how it stands now.
    Duplicate(Message),
    /// The `client_id` was used for something else.
    Conflict,
    UnknownRoom,
    Archived,
    Banned,
    Muted,
    UnknownUser,
}

/// Why nothing can be said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the queue of posts is full")]
    Full,
    #[error("the database did not answer in time")]
    Unavailable,
}

/// Why a commit failed.
#[derive(Debug)]
pub enum CommitError {
    /// The database was away or too slow; the batch may or may not be committed. Trying again is safe.
    Outage(anyhow::Error),
    /// The database refused the batch as a whole, because of one of its rows.
    Refused(anyhow::Error),
}

/// Commits a batch: an outcome for each, in the same order.
pub type Commit = Arc<dyn Fn(Arc<[NewMessage]>) -> BoxFuture<Result<Vec<Outcome>, CommitError>> + Send + Sync>;
/// Told of what was committed; must not wait.
pub type Publish = Arc<dyn Fn(Vec<Event>) + Send + Sync>;

struct Submit {
    message: NewMessage,
    answer: oneshot::Sender<Result<Outcome, WriteError>>,
    /// When its caller is told that nothing can be said. The wait behind other batches counts: a database that
    /// hangs holds each of them for as long as it is tried.
    deadline: tokio::time::Instant,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Writer {
    /// Full means: more posts wait than the database commits within a caller's patience.
    queue: mpsc::Sender<Submit>,
}

impl Writer {
    /// Starts the task that writes. After `stop` it takes nothing new, commits what is queued, and ends.
    pub fn spawn(
        capacity: usize,
        commit: Commit,
        publish: Publish,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (queue, submits) = mpsc::channel(capacity);
        tasks.spawn(write(submits, commit, publish, tasks.clone(), stop));
        Self { queue }
    }

    /// Commits one message.
    ///
    /// # Errors
    /// [`WriteError`], each of which a caller may try again under the same `client_id`.
    ///
    /// # Cancellation
    /// Once this was polled the message is in the queue and will be tried, whole, whoever still listens.
    pub async fn post(&self, mut message: NewMessage) -> Result<Outcome, WriteError> {
        if mutant::is(Mutant::NoDedupe) {
            message.client_id = ClientId::new();
        }
        let (answer, outcome) = oneshot::channel();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        self.queue.try_send(Submit { message, answer, deadline }).map_err(|_| {
            metrics::counter!("gapless_posts_refused_total", "reason" => "queue_full").increment(1);
            WriteError::Full
        })?;
        let answered = tokio::time::timeout_at(deadline, outcome).await;
        answered.unwrap_or(Ok(Err(WriteError::Unavailable))).unwrap_or(Err(WriteError::Unavailable))
    }
}

async fn write(
    mut submits: mpsc::Receiver<Submit>,
    commit: Commit,
    publish: Publish,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let in_flight = Arc::new(Semaphore::new(COMMITS_IN_FLIGHT));
    loop {
        // The permit first, so that whatever arrives while commits are in flight is gathered.
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
        // Whoever was told to try again must not find the first attempt posted long after.
        let now = tokio::time::Instant::now();
        batch.retain(|submit| submit.deadline > now);
        if batch.is_empty() {
            continue;
        }
        let (commit, publish) = (Arc::clone(&commit), Arc::clone(&publish));
        tasks.spawn(async move {
            let began = Instant::now();
            let (messages, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|submit| (submit.message, submit.answer)).unzip();
            metrics::histogram!("gapless_writer_batch_size").record(u32::try_from(messages.len()).unwrap_or(u32::MAX));
            let outcomes = commit_patiently(&commit, messages.into()).await;
            drop(permit);
            metrics::histogram!("gapless_writer_commit_seconds").record(began.elapsed());
            publish(outcomes.iter().flatten().filter_map(accepted).collect());
            for (outcome, answer) in outcomes.into_iter().zip(answers) {
                // Nobody listens when the client hung up; the message stands all the same.
                answer.send(outcome).ok();
            }
        });
    }
}

/// What a commit has added to the log.
pub fn accepted(outcome: &Outcome) -> Option<Event> {
    let Outcome::Accepted(message) = outcome else { return None };
    Some(Event { pos: message.pos, at: message.created_at, change: Change::MessagePosted(message.clone()) })
}

/// Tries until the patience ends. A row that the database refuses fails alone.
async fn commit_patiently(commit: &Commit, batch: Arc<[NewMessage]>) -> Vec<Result<Outcome, WriteError>> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut is_first = true;
    loop {
        match tokio::time::timeout_at(deadline, commit(Arc::clone(&batch))).await {
            Ok(Ok(outcomes)) => {
                debug_assert_eq!(outcomes.len(), batch.len(), "every row gets its outcome");
                // An attempt whose answer was lost did commit when the second finds the very same id.
                return batch.iter().zip(outcomes).map(|(sent, outcome)| Ok(own(sent, outcome))).collect();
            }
            Ok(Err(CommitError::Refused(error))) if batch.len() > 1 => {
                tracing::warn!(error = format!("{error:#}"), "the database refused a batch; its posts go one by one");
                let mut outcomes = Vec::with_capacity(batch.len());
                for message in batch.iter() {
                    outcomes.extend(Box::pin(commit_patiently(commit, [message.clone()].into())).await);
                }
                return outcomes;
            }
            Ok(Err(CommitError::Refused(error))) => {
                tracing::error!(error = format!("{error:#}"), "the database refused a post");
                return vec![Err(WriteError::Unavailable)];
            }
            Ok(Err(CommitError::Outage(error))) => {
                if std::mem::take(&mut is_first) {
                    tracing::warn!(error = format!("{error:#}"), posts = batch.len(), "a commit failed; trying again");
                }
                if tokio::time::timeout_at(deadline, tokio::time::sleep(RETRY_PAUSE)).await.is_ok() {
                    continue;
                }
            }
            Err(_) => tracing::warn!(posts = batch.len(), "the database did not commit in time"),
        }
        return batch.iter().map(|_| Err(WriteError::Unavailable)).collect();
    }
}

fn own(sent: &NewMessage, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Duplicate(message) if message.id == sent.id => Outcome::Accepted(message),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::id::{Pos, Seq, UserId};

    fn new_message(body: &str) -> NewMessage {
        NewMessage {
            id: MessageId::new(),
            room_id: RoomId(Uuid::nil()),
            author: Author { id: UserId(Uuid::nil()), username: "ali".into() },
            client_id: ClientId::new(),
            body: body.into(),
        }
    }

    fn message(new: &NewMessage) -> Message {
        Message {
            id: new.id,
            room_id: new.room_id,
            pos: Pos(1),
            seq: Seq(1),
            client_id: new.client_id,
            author: new.author.clone(),
            body: Some(Arc::clone(&new.body)),
            created_at: OffsetDateTime::UNIX_EPOCH,
            edited_at: None,
            deleted_at: None,
        }
    }

    fn writer(capacity: usize, commit: Commit) -> (Writer, Arc<Mutex<Vec<Event>>>) {
        let published = Arc::new(Mutex::new(Vec::new()));
        let publish: Publish = {
            let published = Arc::clone(&published);
            Arc::new(move |events| published.lock().unwrap().extend(events))
        };
        let tasks = TaskTracker::new();
        (Writer::spawn(capacity, commit, publish, &tasks, CancellationToken::new()), published)
    }

    fn accept_all(batch: &[NewMessage]) -> Vec<Outcome> {
        batch.iter().map(|new| Outcome::Accepted(message(new))).collect()
    }

    #[tokio::test]
    async fn what_gathers_while_a_commit_is_in_flight_is_one_batch() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(0));
        let commit: Commit = {
            let (sizes, gate) = (Arc::clone(&sizes), Arc::clone(&gate));
            Arc::new(move |batch| {
                sizes.lock().unwrap().push(batch.len());
                let gate = Arc::clone(&gate);
                Box::pin(async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(accept_all(&batch))
                })
            })
        };
        let (writer, _) = writer(100, commit);
        let mut posts = tokio::task::JoinSet::new();
        // Each of the first two finds a free place in flight; the others gather behind them.
        for n in 0..52 {
            let writer = writer.clone();
            posts.spawn(async move { writer.post(new_message("hi")).await.unwrap() });
            while n < COMMITS_IN_FLIGHT && sizes.lock().unwrap().len() <= n {
                tokio::task::yield_now().await;
            }
        }
        tokio::task::yield_now().await;
        gate.add_permits(100);
        while posts.join_next().await.is_some() {}
        assert_eq!(*sizes.lock().unwrap(), [1, 1, 50]);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let commit: Commit = Arc::new(|_| Box::pin(std::future::pending()));
        let (writer, _) = writer(1, commit);
        let mut posts = tokio::task::JoinSet::new();
        let refused = loop {
            let attempt = writer.clone();
            posts.spawn(async move { attempt.post(new_message("hi")).await });
            tokio::task::yield_now().await;
            if let Some(done) = posts.try_join_next() {
                break done.unwrap();
            }
        };
        assert_eq!(refused, Err(WriteError::Full));
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_whose_answer_was_lost_is_still_accepted_once() {
        let tries = Arc::new(Mutex::new(0));
        let commit: Commit = {
            let tries = Arc::clone(&tries);
            Arc::new(move |batch| {
                let tries = Arc::clone(&tries);
                Box::pin(async move {
                    let mut tries = tries.lock().unwrap();
                    *tries += 1;
                    if *tries == 1 {
                        return Err(CommitError::Outage(anyhow::anyhow!("connection reset")));
                    }
                    Ok(batch.iter().map(|new| Outcome::Duplicate(message(new))).collect())
                })
            })
        };
        let (writer, published) = writer(10, commit);
        assert!(matches!(writer.post(new_message("hi")).await, Ok(Outcome::Accepted(_))));
        assert_eq!(published.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_hangs_is_503_within_three_seconds() {
        let commit: Commit = Arc::new(|_| Box::pin(std::future::pending()));
        let (writer, published) = writer(10, commit);
        let began = tokio::time::Instant::now();
        assert_eq!(writer.post(new_message("hi")).await, Err(WriteError::Unavailable));
        assert!(began.elapsed() < Duration::from_secs(3));
        assert!(published.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_behind_a_batch_that_hangs_counts() {
        let commit: Commit = Arc::new(|_| Box::pin(std::future::pending()));
        let (writer, _) = writer(10, commit);
        let mut posts = tokio::task::JoinSet::new();
        let began = tokio::time::Instant::now();
        for _ in 0..=COMMITS_IN_FLIGHT {
            let writer = writer.clone();
            posts.spawn(async move { writer.post(new_message("hi")).await });
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(posts.join_all().await.iter().all(|answer| *answer == Err(WriteError::Unavailable)));
        assert!(began.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_bad_row_fails_alone() {
        let commit: Commit = Arc::new(|batch| {
            Box::pin(async move {
                if batch.iter().any(|new| &*new.body == "bad") {
                    return Err(CommitError::Refused(anyhow::anyhow!("no")));
                }
                Ok(accept_all(&batch))
            })
        });
        let batch = ["good", "bad", "fine"].map(new_message);
        let outcomes = commit_patiently(&commit, batch.into()).await;
        assert!(matches!(outcomes[..], [Ok(Outcome::Accepted(_)), Err(_), Ok(Outcome::Accepted(_))]));
    }
}

//! The writer with a database that commits, hangs, breaks off and refuses as it is told.

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
        Arc::new(move |events, _| published.lock().unwrap().extend(events))
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

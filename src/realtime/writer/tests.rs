//! The writer with an in-memory log that commits, hangs, loses an answer or refuses, as each test needs.

use uuid::Uuid;

use super::*;
use crate::event::Author;
use crate::id::{ClientId, MessageId, RoomId, UserId};
use crate::realtime::log::memory::{Commits, Memory};

fn new_message(body: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        room_id: RoomId(Uuid::nil()),
        author: Author { id: UserId(Uuid::nil()), username: "ali".into() },
        client_id: ClientId::new(),
        body: body.into(),
        reply_to: None,
        mentions: Vec::new(),
        audience: None,
    }
}

/// Fixture: the writer, its log, and the real-time core to which it publishes.
struct Bench {
    writer: Writer,
    log: Arc<Memory>,
    realtime: Realtime,
}

async fn bench(capacity: usize, commits: Commits) -> Bench {
    let memory = Arc::new(Memory { commits, ..Memory::default() });
    let log = Log::Memory(Arc::clone(&memory));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let realtime = Realtime::start(log.clone(), 1_000_000, None, &tasks, &stop).await.unwrap();
    Bench { writer: Writer::spawn(capacity, log, realtime.clone(), &tasks, stop), log: memory, realtime }
}

#[tokio::test]
async fn posts_that_arrive_during_a_commit_form_one_batch() {
    let Bench { writer, log, .. } = bench(100, Commits::Wait(Semaphore::new(0))).await;
    let mut posts = tokio::task::JoinSet::new();
    // The first two are committed at once, each alone; the others collect behind them.
    for n in 0..52 {
        let writer = writer.clone();
        posts.spawn(async move { writer.post(new_message("hi")).await.unwrap() });
        while n < COMMITS_IN_FLIGHT && log.batches.lock().unwrap().len() <= n {
            tokio::task::yield_now().await;
        }
    }
    tokio::task::yield_now().await;
    let Commits::Wait(permits) = &log.commits else { unreachable!("see above") };
    permits.add_permits(100);
    while posts.join_next().await.is_some() {}
    assert_eq!(*log.batches.lock().unwrap(), [1, 1, 50]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let Bench { writer, .. } = bench(1, Commits::Hang).await;
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
    let Bench { writer, realtime, .. } = bench(10, Commits::LoseFirstAnswer).await;
    assert!(matches!(writer.post(new_message("hi")).await, Ok(Ok(Posted::Accepted(_)))));
    assert!(realtime.hears(Pos(1)).await, "it was published");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_is_503_within_three_seconds() {
    let Bench { writer, realtime, .. } = bench(10, Commits::Hang).await;
    let began = tokio::time::Instant::now();
    assert_eq!(writer.post(new_message("hi")).await, Err(WriteError::Unavailable));
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(realtime.applied(), Pos(0), "nothing was published");
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_includes_the_wait_behind_a_hanging_batch() {
    let Bench { writer, .. } = bench(10, Commits::Hang).await;
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
async fn a_refused_row_does_not_fail_its_batch() {
    let Bench { log, .. } = bench(1, Commits::Refuse("bad")).await;
    let batch = ["good", "bad", "fine"].map(new_message);
    let outcomes = commit_patiently(&Log::Memory(log), &batch, &mut None).await;
    assert!(matches!(outcomes[..], [Ok(Ok(Posted::Accepted(_))), Err(_), Ok(Ok(Posted::Accepted(_)))]));
}

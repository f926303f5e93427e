//! Cost of a resume: that of the events missed in one's own rooms, however many were posted in others.

use std::time::Instant;

use gapless::event::Room;
use gapless::store::Db;
use tokio::task::JoinSet;

use crate::actors::{Database, FOUNDER, Launch, PASSWORD, Program, User};

/// A few events; earlier ones are read from the database.
const TINY_RING: usize = 2_000;
const READS: &str = "gapless_replay_reads_total";

/// A cursor in a quiet room, where ten messages were posted after it, each followed by many in another room.
struct Missed {
    program: Program,
    founder: User,
    quiet: Room,
    cursor: String,
}

impl Missed {
    /// `busy`: number of messages in the other room after each of the quiet one.
    async fn start(database: &Database, busy: i32) -> Self {
        let program = Launch::on(&database.url()).with("REPLAY_RING_BYTES", TINY_RING).start().await;
        let founder = User::sign_in(program.guest(), FOUNDER, PASSWORD).await;
        let (quiet, other) = (founder.create_room("quiet").await, founder.create_room("busy").await);
        let cursor = program.guest().listen(&quiet).await.cursor;
        post(&database.pool(), &founder, &quiet, &other, busy, 10).await;
        program.is_ready().await;
        Self { program, founder, quiet, cursor }
    }
}

/// Posts by SQL: one message to the quiet room before each `busy` to the other one.
async fn post(db: &Db, author: &User, quiet: &Room, other: &Room, busy: i32, rounds: i32) {
    for round in 0..rounds {
        for (room, count) in [(quiet, 1), (other, busy)] {
            let accepted: i64 = sqlx::query_scalar(
                "select count(*) from (
                     select array_agg(gen_random_uuid()) as ids, array_agg($1) as rooms, array_agg($2) as authors,
                            array_agg(gen_random_uuid()) as clients, array_agg('\\x00'::bytea) as fingerprints,
                            array_agg('message ' || $4) as bodies
                     from generate_series(1, $3) n
                 ) batch, append_messages(ids, rooms, authors, clients, fingerprints, bodies) where outcome = 'accepted'",
            )
            .bind(room.id.0)
            .bind(author.id.0)
            .bind(count)
            .bind(round.to_string())
            .fetch_one(db)
            .await
            .expect("the log takes them");
            assert_eq!(accepted, i64::from(count));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_a_quiet_room_is_live_after_three_reads_at_most() {
    let database = Database::create().await;
    let Missed { program, founder, quiet, cursor } = Missed::start(&database, 300).await;

    for limit in [None, Some(500)] {
        let before = program.metric(READS, "").await;
        let began = Instant::now();
        let opening = founder.opening().room(&quiet).from(&cursor);
        let opening = if let Some(limit) = limit { opening.with("replay_limit", limit) } else { opening };
        let mut stream = opening.open().await;
        for round in 0..10 {
            stream.expect_message(&format!("message {round}")).await;
        }
        // The online counts are sent when a stream becomes live.
        stream.expect("presence").await;
        let took = began.elapsed();
        let reads = program.metric(READS, "").await - before;
        println!(
            "figure: 3,010 positions behind, 10 of them its own: live after {reads} reads, {} ms",
            took.as_millis()
        );
        assert!(reads <= 3.0, "{reads} reads");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_readers_who_resume_together_share_two_reads_at_most() {
    let database = Database::create().await;
    let Missed { program, quiet, cursor, .. } = Missed::start(&database, 100).await;

    let before = program.metric(READS, "").await;
    let mut crowd = JoinSet::new();
    for _ in 0..200 {
        let opening = program.guest().opening().room(&quiet).from(&cursor);
        crowd.spawn(async move {
            let mut stream = opening.open().await;
            for round in 0..10 {
                stream.expect_message(&format!("message {round}")).await;
            }
        });
    }
    while let Some(reader) = crowd.join_next().await {
        reader.expect("a reader hears what it missed");
    }
    let reads = program.metric(READS, "").await - before;
    println!("figure: 200 readers resumed together: {reads} reads");
    assert!(reads <= 2.0, "{reads} reads");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hello_comes_before_it_is_known_how_much_was_missed() {
    let database = Database::create().await;
    let Missed { program, founder, quiet, cursor } = Missed::start(&database, 100).await;

    // Nobody can read the log: `hello` comes nevertheless, at the cursor, so that a stream that is cut now resumes there.
    let db = database.pool();
    let mut lock = db.begin().await.expect("a connection");
    sqlx::query("lock table messages in access exclusive mode")
        .persistent(false)
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let mut streams = Vec::new();
    for limit in [9, 10] {
        let stream = program.guest().opening().room(&quiet).from(&cursor).with("replay_limit", limit).open().await;
        assert_eq!(stream.hello["cursor"], cursor);
        streams.push(stream);
    }
    lock.rollback().await.expect("the lock is released");
    streams[0].expect_reset("replay_limit").await;
    for round in 0..10 {
        streams[1].expect_message(&format!("message {round}")).await;
    }
    founder.post(&quiet, "live").await;
    for stream in &mut streams {
        stream.expect_message("live").await;
    }
}

//! A newer release on the same database: it writes log entries that this release does not understand. They are skipped:
//! no reader receives them, and positions advance past them.

use std::process::Command;
use std::time::{Duration, Instant};

use gapless::event::Room;
use gapless::id::RoomId;
use gapless::store::Db;

use super::{are_joined, founder, people, rooms};
use crate::actors::{Database, Guest, Launch, Program, Redis, Stream, User};

const WITHIN: Duration = Duration::from_secs(1);

/// Appends one entry as a function of a newer schema would.
async fn append(db: &Db, kind: &str, room: Option<RoomId>, message: Option<uuid::Uuid>) -> i64 {
    let appended = "with head as (select lock_log() + 1 as pos)
         insert into log (pos, kind, at, room_id, message_id, detail)
         select pos, $1::log_kind, now(), $2, $3, '{\"of\": \"a newer release\"}' from head returning pos";
    let appended = sqlx::query_scalar(appended).bind(kind).bind(room).bind(message);
    appended.fetch_one(db).await.expect("an entry")
}

/// One entry of a new kind, and one of each known kind whose subject or detail this release cannot read.
async fn append_unreadable(db: &Db, room: &Room) -> i64 {
    append(db, "message.sung", Some(room.id), None).await;
    append(db, "room.painted", None, None).await;
    for kind in
        ["message.posted", "message.edited", "message.deleted", "message.reactions", "message.pinned", "direct.posted"]
    {
        append(db, kind, Some(room.id), Some(uuid::Uuid::now_v7())).await;
    }
    for kind in ["room.renamed", "room.read", "user.role_set", "user.muted", "sessions.ended", "user.erased"] {
        append(db, kind, None, None).await;
    }
    append(db, "message.sung", Some(room.id), None).await
}

fn at(person: &User, instance: &Program) -> Guest {
    Guest { address: instance.address, ..Guest::clone(person) }
}

/// Waits for a heartbeat at or beyond this position.
async fn passes(stream: &mut Stream, pos: i64) {
    let began = Instant::now();
    while stream.expect("heartbeat").await.pos() < pos {
        assert!(began.elapsed() < Duration::from_secs(5), "the stream did not pass {pos}");
    }
}

async fn goes_on_by(mut instances: Vec<Program>, database: &Database) {
    let db = database.pool();
    let admin = founder(&instances[0]).await;
    let room = rooms(&admin, &["general"]).await.remove(0);
    let people = people(&instances[0], 2).await;
    let (alice, bob) = (&people[0], &people[1]);
    for kind in ["message.sung", "room.painted"] {
        let extended = format!("alter type log_kind add value if not exists '{kind}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(extended)).execute(&db).await.expect("a new kind");
    }

    let (mut readers, mut bobs) = (Vec::new(), Vec::new());
    for instance in &instances {
        instance.is_ready().await;
        readers.push(instance.guest().listen(&room).await);
        bobs.push(at(bob, instance).listen(&room).await);
    }
    let before = readers[0].cursor.clone();
    alice.post(&room, "before").await;
    append_unreadable(&db, &room).await;
    let posted = Instant::now();
    alice.post(&room, "after").await;
    for reader in readers.iter_mut().chain(&mut bobs) {
        reader.expect_message("before").await;
        reader.expect_message("after").await;
    }
    println!("figure: a post behind unknown entries is received everywhere within {:?}", posted.elapsed());
    assert!(posted.elapsed() < Duration::from_secs(3), "{:?}", posted.elapsed());

    // A ban right after such entries takes effect in time.
    append_unreadable(&db, &room).await;
    let banned = Instant::now();
    admin.ban(bob).await;
    for (instance, stream) in instances.iter().zip(&mut bobs) {
        stream.expect_bye("revoked").await;
        while at(bob, instance).get("/users/me").await.status != 401 {
            assert!(banned.elapsed() < WITHIN, "a ban has no effect after {:?}", banned.elapsed());
        }
    }
    assert!(banned.elapsed() < WITHIN, "a ban took effect only after {:?}", banned.elapsed());

    // No entry follows: positions advance all the same, and each instance is ready.
    let last = append_unreadable(&db, &room).await;
    for (instance, reader) in instances.iter().zip(&mut readers) {
        passes(reader, last).await;
        instance.guest().get("/readyz").await.is(200);
    }
    let trail = admin.get("/audit?limit=100").await.is(200);
    assert!(trail.text.contains("user.banned") && !trail.text.contains("message.sung"), "{}", trail.text);

    // First from memory, and after a restart from the database.
    for restarted in [false, true] {
        for instance in &mut instances {
            if restarted {
                instance.kill();
                instance.start_again();
                instance.is_ready().await;
            }
            let mut resumed = instance.guest().opening().room(&room).from(&before).open().await;
            resumed.expect_message("before").await;
            resumed.expect_message("after").await;
            passes(&mut resumed, last).await;
        }
    }

    // An export reports that a posted message is missing, which is correct: those entries are deleted first.
    sqlx::query("delete from log where kind in ('message.posted', 'direct.posted') and detail is not null")
        .execute(&db)
        .await
        .expect("the log");
    let exported = Command::new(env!("CARGO_BIN_EXE_gapless"))
        .arg("export")
        .env("DATABASE_URL", database.url())
        .output()
        .expect("the program runs");
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert!(String::from_utf8_lossy(&exported.stdout).contains("after"));
    for instance in &instances {
        let told = instance.log().matches("does not understand").count();
        assert!((1..=40).contains(&told), "each kind is logged once by each run: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_newer_release_are_skipped_by_one_instance() {
    let database = Database::create().await;
    let server = Launch::on(&database.url()).start().await;
    goes_on_by(vec![server], &database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_a_newer_release_are_skipped_by_two_instances() {
    let Some(redis) = Redis::start().await else { return };
    let database = Database::create().await;
    let launch = || Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url());
    let (here, there) = tokio::join!(launch().start(), launch().start());
    are_joined([&here, &there]).await;
    goes_on_by(vec![here, there], &database).await;
}

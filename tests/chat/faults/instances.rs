//! Two instances that share a Redis are one chat, whatever happens to Redis.

use std::time::{Duration, Instant};

use gapless::event::Room;
use rustix::process::Signal;

use super::{are_joined, founder, people, rooms};
use crate::actors::{Database, Follower, Guest, Launch, Ledger, Load, Program, Redis, Stream, Temper, User};

/// Maximum time that users of a killed instance still count as online.
const LEASE: Duration = Duration::from_secs(30);
/// One polling interval without Redis, and a margin for a busy machine.
const DEAF_WITHIN: Duration = Duration::from_secs(2);

/// A chat of two instances.
struct Pair {
    here: Program,
    there: Program,
    database: Database,
}

impl Pair {
    async fn start(redis: &Redis) -> Self {
        let database = Database::create().await;
        let launch = || Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url());
        let (here, there) = tokio::join!(launch().start(), launch().start());
        Self { here, there, database }
    }

    async fn are_joined(&self) {
        are_joined([&self.here, &self.there]).await;
    }
}

/// Repeatedly posts to one instance and waits for the delivery by the other. Returns the median and the longest time.
async fn ways(author: &User, room: &Room, stream: &mut Stream, times: u32, what: &str) -> (Duration, Duration) {
    let mut ways = Vec::new();
    for number in 0..times {
        let body = format!("{what} {number}");
        let posted = Instant::now();
        author.post(room, &body).await;
        stream.expect_message(&body).await;
        ways.push(posted.elapsed());
    }
    ways.sort_unstable();
    (ways[ways.len() / 2], ways[ways.len() - 1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_during_faults_of_redis() {
    let Some(mut redis) = Redis::start().await else { return };
    redis.kill();
    // Redis is not running at the start: they serve anyway.
    let pair = Pair::start(&redis).await;
    let rooms = rooms(&founder(&pair.here).await, &["one", "other"]).await;
    let posters = people(&pair.here, 4).await;
    pair.there.is_ready().await;
    let mut stream = pair.there.guest().listen(&rooms[0]).await;
    let (median, longest) = ways(&posters[0], &rooms[0], &mut stream, 8, "deaf").await;
    assert!(longest < DEAF_WITHIN, "{longest:?}");
    println!("figure: without Redis: posted here, received there in {median:?} (median), {longest:?} (longest)");
    redis.start_again().await;
    pair.are_joined().await;
    let (median, longest) = ways(&posters[0], &rooms[0], &mut stream, 50, "joined").await;
    assert!(longest < DEAF_WITHIN, "{longest:?}");
    println!("figure: with Redis: posted here, received there in {median:?} (median), {longest:?} (longest)");
    drop(stream);
    let early = Ledger::read(&pair.database.pool()).await.messages.len();

    let both = [pair.here.address, pair.there.address];
    let mut followers = Vec::new();
    for temper in [Temper::Steady, Temper::Restless(25), Temper::Restless(60)] {
        followers.push(Follower::start(&pair.here.guest(), &rooms, &both, temper).await);
    }
    let load = Load::start(&posters, &rooms, &both);
    let channel = channel(&pair.database).await;
    let mut hung = Vec::new();
    for round in 0..2 {
        redis.kill();
        load.goes_on_by(60).await;
        redis.start_again().await;
        pair.are_joined().await;
        load.goes_on_by(60).await;
        redis.command(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).await;
        load.goes_on_by(60).await;
        redis.command(&[b"FLUSHALL"]).await;
        publish_garbage(&redis, &channel, round).await;
        load.goes_on_by(60).await;
        redis.freeze();
        load.goes_on_by(60).await;
        let posted = Instant::now();
        hung.push(posters[0].post(&rooms[0], &format!("while Redis hangs {round}")).await);
        assert!(posted.elapsed() < Duration::from_secs(1), "a hanging Redis slows a post: {:?}", posted.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
        redis.thaw();
        load.goes_on_by(60).await;
    }
    let mut acknowledged = load.stop().await;
    acknowledged.push(hung);

    let mut ledger = Ledger::read(&pair.database.pool()).await;
    ledger.messages.drain(..early);
    let count = ledger.holds(&acknowledged);
    let mut streams = 0;
    for follower in followers {
        let followed = follower.finish_at(ledger.head).await;
        assert_eq!(ledger.is_what_was_heard(&followed, &rooms), count);
        streams += followed.streams;
    }
    println!(
        "figure: Redis killed 2 times, stopped 2, its subscribers cut 2, emptied 2, garbage on its channel: \
         acknowledged {count}, heard by 3 readers over {streams} streams on 2 instances, missed 0, repeated 0"
    );
    let garbage = pair.here.metric("gapless_backplane_garbage_total", "").await;
    assert!(garbage >= 1.0, "garbage arrives and is counted");
}

/// Returns the Redis channel of a chat.
async fn channel(database: &Database) -> String {
    let chat: String =
        sqlx::query_scalar("select chat::text from log_head").fetch_one(&database.pool()).await.expect("a name");
    format!("gapless:{chat}")
}

/// Publishes all kinds of invalid messages on the channel.
async fn publish_garbage(redis: &Redis, channel: &str, round: i64) {
    let stranger = "01890000-0000-7000-8000-000000000000";
    let foreign = [
        format!(r#"{{"from":"{stranger}","epoch":"another","bulletin":{{"committed":[]}}}}"#),
        format!(r#"{{"from":"{stranger}","epoch":"another","bulletin":{{"head":{}}}}}"#, 1_000_000 + round),
        format!(r#"{{"from":"{stranger}","epoch":"another","bulletin":"gone"}}"#),
        format!(r#"{{"from":"{stranger}","epoch":"another","bulletin":"ask_presence"}}"#),
        r#"{"from":"nobody"}"#.to_owned(),
        "{".repeat(10_000),
    ];
    for message in foreign.iter().map(String::as_bytes).chain([&b"\xff\x00\xfe"[..], b""]) {
        redis.command(&[b"PUBLISH", channel.as_bytes(), message]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_head_on_the_channel_has_no_effect() {
    let Some(redis) = Redis::start().await else { return };
    let pair = Pair::start(&redis).await;
    pair.are_joined().await;
    let rooms = rooms(&founder(&pair.here).await, &["general"]).await;
    let alice = people(&pair.here, 1).await.remove(0);
    let mut stream = pair.there.guest().listen(&rooms[0]).await;
    let epoch = stream.cursor.rsplit_once('.').expect("a cursor").0.to_owned();
    let lie = format!(
        r#"{{"from":"01890000-0000-7000-8000-000000000000","epoch":"{epoch}","bulletin":{{"head":1000000000}}}}"#
    );
    redis.command(&[b"PUBLISH", channel(&pair.database).await.as_bytes(), lie.as_bytes()]).await;
    let (_, longest) = ways(&alice, &rooms[0], &mut stream, 20, "after a lie").await;
    println!("figure: after a forged head on the channel, posted here, received there in {longest:?} (longest)");
    assert!(longest < DEAF_WITHIN, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_chats_on_one_redis_are_independent() {
    let Some(redis) = Redis::start().await else { return };
    let (mut chats, mut streams) = (Vec::new(), Vec::new());
    for name in ["red", "blue"] {
        let database = Database::create().await;
        // The databases of these tests are copies of one, so their chats have the same name.
        sqlx::query("update log_head set chat = gen_random_uuid()").execute(&database.pool()).await.expect("a name");
        let server = Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url()).start().await;
        let room = rooms(&founder(&server).await, &[name]).await.remove(0);
        let author = people(&server, 1).await.remove(0);
        streams.push(author.opening().room(&room).open().await);
        chats.push((server, database, room, author));
    }
    for number in 0..20 {
        for (stream, (_, _, room, author)) in streams.iter_mut().zip(&chats) {
            let body = format!("{} {number}", room.name);
            author.post(room, &body).await;
            stream.expect_message(&body).await;
        }
    }
    for (stream, (_, _, room, author)) in streams.iter_mut().zip(&chats) {
        let other = if room.name == "red" { "blue" } else { "red" };
        assert!(!stream.transcript.contains(other), "{}", stream.transcript);
        assert_eq!(author.read_room(room.id).await.online.users, 1);
    }
    println!("figure: two chats on one Redis: 40 messages, received by the other chat 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_counts_people_once_while_instances_start_and_stop() {
    let Some(redis) = Redis::start().await else { return };
    let mut pair = Pair::start(&redis).await;
    pair.are_joined().await;
    let room = rooms(&founder(&pair.here).await, &["general"]).await.remove(0);
    let people = people(&pair.here, 3).await;
    let at = |person: &User, instance: &Program| Guest { address: instance.address, ..Guest::clone(person) };

    // The first user observes the counts here; the second is on both instances, the third there, a guest on each.
    let mut watch = people[0].listen(&room).await;
    let _here = [at(&people[1], &pair.here).listen(&room).await, pair.here.guest().listen(&room).await];
    let there = [
        at(&people[1], &pair.there).listen(&room).await,
        at(&people[2], &pair.there).listen(&room).await,
        pair.there.guest().listen(&room).await,
    ];
    watch.expect_online(room.id, 3, 2).await;
    assert_eq!(pair.there.guest().read_room(room.id).await.online.users, 3, "the other instance has the same counts");

    // SIGTERM: its users are gone as soon as it has exited.
    pair.there.signal(Signal::TERM);
    pair.there.ends_within(Duration::from_secs(25)).await;
    let left = Instant::now();
    drop(there);
    watch.expect_online(room.id, 2, 1).await;
    let after_leaving = left.elapsed();
    assert!(after_leaving < Duration::from_secs(3), "{after_leaving:?}");

    pair.there.start_again();
    pair.there.is_ready().await;
    pair.are_joined().await;
    let there = [at(&people[2], &pair.there).listen(&room).await, pair.there.guest().listen(&room).await];
    watch.expect_online(room.id, 3, 2).await;

    // Killed: its lease expires.
    pair.there.kill();
    let killed = Instant::now();
    drop(there);
    let gone = async {
        while pair.here.guest().read_room(room.id).await.online.users != 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LEASE, gone).await.expect("users of a killed instance are gone");
    println!(
        "figure: presence over two instances: gone {} ms after the exit by SIGTERM, {} ms after kill -9",
        after_leaving.as_millis(),
        killed.elapsed().as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_recovers_soon_after_redis_is_back() {
    let Some(mut redis) = Redis::start().await else { return };
    let pair = Pair::start(&redis).await;
    pair.are_joined().await;
    let room = rooms(&founder(&pair.here).await, &["general"]).await.remove(0);
    let mut watch = pair.here.guest().listen(&room).await;
    let first = pair.there.guest().listen(&room).await;
    watch.expect_online(room.id, 0, 2).await;

    redis.kill();
    // Changes that cannot be reported meanwhile.
    let others = [pair.there.guest().listen(&room).await, pair.there.guest().listen(&room).await];
    drop(first);
    tokio::time::sleep(Duration::from_secs(4)).await;
    redis.start_again().await;
    let back = Instant::now();
    let right = async {
        while pair.here.guest().read_room(room.id).await.online.guests != 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), right).await.expect("presence is correct again");
    println!("figure: presence is correct again {} ms after Redis is back", back.elapsed().as_millis());
    drop(others);
}

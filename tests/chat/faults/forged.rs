//! An attacker with write access to Redis: forged publications cause a check of the log, and are never accepted.

use std::process::Command;
use std::time::{Duration, Instant};

use gapless::event::Room;
use redis::{AsyncConnectionConfig, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{are_joined, founder, people, rooms};
use crate::actors::{Database, Guest, Launch, Program, Redis, Stream, User};

const STRANGER: &str = "01890000-0000-7000-8000-000000000000";

/// Two instances, a room, and a member of it.
struct Scene {
    redis: Redis,
    database: Database,
    servers: [Program; 2],
    channel: String,
    admin: User,
    alice: User,
    room: Room,
}

impl Scene {
    async fn set() -> Option<Self> {
        let redis = Redis::start().await?;
        let database = Database::create().await;
        let launch = || Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url());
        let (one, other) = tokio::join!(launch().start(), launch().start());
        are_joined([&one, &other]).await;
        let chat: String =
            sqlx::query_scalar("select chat::text from log_head").fetch_one(&database.pool()).await.expect("a name");
        let admin = founder(&one).await;
        let room = rooms(&admin, &["general"]).await.remove(0);
        let alice = people(&one, 1).await.remove(0);
        other.is_ready().await;
        Some(Self { redis, database, servers: [one, other], channel: format!("gapless:{chat}"), admin, alice, room })
    }

    async fn publish(&self, payload: &[u8]) {
        self.redis.command(&[b"PUBLISH", self.channel.as_bytes(), payload]).await;
    }

    async fn says(&self, bulletin: Value) {
        let epoch: String =
            sqlx::query_scalar("select epoch from log_head").fetch_one(&self.database.pool()).await.expect("an epoch");
        let said = json!({"from": STRANGER, "epoch": epoch, "bulletin": bulletin});
        self.publish(said.to_string().as_bytes()).await;
    }

    async fn head(&self) -> i64 {
        sqlx::query_scalar("select pos from log_head").fetch_one(&self.database.pool()).await.expect("a head")
    }

    async fn readers(&self) -> Vec<Stream> {
        let mut readers = Vec::new();
        for server in &self.servers {
            readers.push(server.guest().listen(&self.room).await);
        }
        readers
    }

    /// The next event of each reader is a new post: no forged event, and no `reset`.
    async fn hear_next(&self, readers: &mut [Stream], body: &str) -> Duration {
        let posted = Instant::now();
        self.alice.post(&self.room, body).await;
        for reader in readers {
            reader.expect_message(body).await;
        }
        posted.elapsed()
    }
}

fn at(person: &User, instance: &Program) -> Guest {
    Guest { address: instance.address, ..Guest::clone(person) }
}

/// Records every publication on the channel from now on.
async fn listen_in(redis: &Redis, channel: &str) -> mpsc::Receiver<Vec<u8>> {
    let info = redis.url().into_connection_info().expect("its own address");
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = redis::Client::open(info.set_redis_settings(settings)).expect("its own address");
    let (push, mut pushed) = mpsc::channel::<PushInfo>(1_000);
    let config = AsyncConnectionConfig::new().set_push_sender(move |pushed| push.try_send(pushed));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("it runs");
    connection.subscribe(channel).await.expect("a channel");
    let (pass_on, heard) = mpsc::channel(1_000);
    tokio::spawn(async move {
        let _kept_open = connection;
        while let Some(push) = pushed.recv().await {
            if push.kind == PushKind::Message
                && let Some(redis::Value::BulkString(payload)) = push.data.last()
                && pass_on.try_send(payload.clone()).is_err()
            {
                return;
            }
        }
    });
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_news_grants_no_rights_and_shows_no_messages() {
    let Some(scene) = Scene::set().await else { return };
    let mut readers = scene.readers().await;
    let mallory = User::sign_up(scene.servers[0].guest(), "mallory").await;
    let (mut asked, began) = (0, Instant::now());
    while began.elapsed() < Duration::from_secs(2) {
        let pos = scene.head().await + 1;
        let standing = json!({"id": mallory.id, "username": mallory.name, "role": "admin", "muted_until": null,
            "mute_reason": null});
        scene
            .says(json!({"committed": [{"pos": pos, "at": "2026-11-29T12:00:00Z", "change": {"standing": standing}}]}))
            .await;
        for server in &scene.servers {
            for path in ["/users", "/audit"] {
                at(&mallory, server).get(path).await.refused(403, "not_admin");
                asked += 1;
            }
        }
    }
    println!("figure: {asked} reads by a user whom forged news makes an admin, permitted 0");
    let slowest = scene.hear_next(&mut readers, "true").await;
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");

    for round in 0..20 {
        let pos = scene.head().await + 1;
        let message = json!({"id": uuid::Uuid::now_v7(), "room_id": scene.room.id, "pos": pos, "seq": 2,
            "client_id": uuid::Uuid::now_v7(), "author": {"id": scene.admin.id, "username": "founder"},
            "body": "forged", "created_at": "2026-11-29T12:00:00Z", "edited_at": null, "deleted_at": null});
        scene
            .says(json!({"committed": [{"pos": pos, "at": "2026-11-29T12:00:00Z",
                "change": {"message_posted": message}}]}))
            .await;
        // At past positions, and far ahead.
        for pos in [1, pos + 1_000_000] {
            scene.says(json!({"head": pos})).await;
        }
        let slowest = scene.hear_next(&mut readers, &format!("true {round}")).await;
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    }
    for reader in &readers {
        assert!(!reader.transcript.contains("forged") && !reader.transcript.contains("event: reset"));
    }
    for server in &scene.servers {
        assert!(server.metric("gapless_epoch_changes_total", "").await < 1.0);
        assert!(server.metric("gapless_backplane_garbage_total", "").await >= 20.0, "it is counted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replayed_or_modified_news_has_no_effect() {
    let Some(scene) = Scene::set().await else { return };
    let mut readers = scene.readers().await;
    let mut heard = listen_in(&scene.redis, &scene.channel).await;
    let mut recorded = Vec::new();
    for number in 0..5 {
        scene.hear_next(&mut readers, &format!("recorded {number}")).await;
    }
    while recorded.iter().filter(|news: &&Vec<u8>| contains(news, b"recorded")).count() < 5 {
        recorded.push(tokio::time::timeout(Duration::from_secs(5), heard.recv()).await.expect("news").expect("news"));
    }
    for server in &scene.servers {
        while server.guest().read_room(scene.room.id).await.online.guests != 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for news in &recorded {
        // Replayed, truncated, and with one word changed.
        scene.publish(news).await;
        scene.publish(&news[..news.len() / 2]).await;
        let text =
            String::from_utf8_lossy(news).replace("recorded", "rewriten").replace("\"guests\":1", "\"guests\":7");
        scene.publish(text.as_bytes()).await;
    }
    scene.hear_next(&mut readers, "after all that").await;
    for (server, reader) in scene.servers.iter().zip(&readers) {
        assert!(!reader.transcript.contains("rewriten") && !reader.transcript.contains("event: reset"));
        assert_eq!(server.guest().read_room(scene.room.id).await.online.guests, 2);
    }
    println!("figure: {} publications recorded and replayed, delivered twice 0", recorded.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_presence_is_ignored() {
    let Some(scene) = Scene::set().await else { return };
    let mut readers = scene.readers().await;
    for reader in &mut readers {
        reader.expect_online(scene.room.id, 0, 2).await;
    }
    for number in 1..20 {
        let report = json!({"number": number, "is_full": true, "rooms": [
            {"room": scene.room.id, "joined": [scene.alice.id], "left": [], "guests": 999}]});
        scene.says(json!({"present": report})).await;
        for server in &scene.servers {
            let online = server.guest().read_room(scene.room.id).await.online;
            assert_eq!((online.users, online.guests), (0, 2));
        }
    }
    let user = json!({"id": scene.alice.id, "username": scene.alice.name});
    scene.says(json!({"typing": [{"room": scene.room.id, "user": user}]})).await;
    for word in ["gone", "ask_presence", "probe", "unheard_of"] {
        scene.says(json!(word)).await;
    }
    scene.hear_next(&mut readers, "still two").await;
    for server in &scene.servers {
        let online = server.guest().read_room(scene.room.id).await.online;
        assert_eq!((online.users, online.guests), (0, 2));
        assert!(server.metric("gapless_instances_heard", "").await < 1.5, "a foreign sender is counted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_on_the_channel_costs_a_bounded_number_of_log_checks() {
    const FLOOD: usize = 4_000;
    let Some(scene) = Scene::set().await else { return };
    let mut readers = scene.readers().await;
    let server = &scene.servers[1];
    let looks = server.metric("gapless_log_looks_total", "hint").await;
    let began = Instant::now();
    let huge = "x".repeat(3 << 20);
    for number in 0..FLOOD {
        match number % 4 {
            0 => scene.says(json!({"head": 1_000_000 + number})).await,
            1 => scene.publish(b"{\"from\":\"nobody\"}").await,
            2 if number % 400 == 2 => scene.publish(huge.as_bytes()).await,
            _ => scene.publish(b"\xff\x00").await,
        }
        if number % 400 == 0 {
            let slowest = scene.hear_next(&mut readers, &format!("through the flood {number}")).await;
            assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        }
    }
    let looks = server.metric("gapless_log_looks_total", "hint").await - looks;
    let most = 12.0 * began.elapsed().as_secs_f64() + 5.0;
    println!("figure: {FLOOD} forged messages in {:?}: {looks} checks of the log", began.elapsed());
    assert!((1.0..most).contains(&looks), "{looks} checks, at most {most} expected");
}

/// Runs `gapless doctor` with this Redis and returns its output.
fn doctor(database: &Database, redis: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gapless"))
        .arg("doctor")
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("DATABASE_URL", database.url())
        .env("JWT_SIGNING_KEY", "07".repeat(32))
        .env("REDIS_CONNECTION", redis)
        .output()
        .expect("the program runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    told.lines().find(|line| line.contains("Redis")).unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_rights_of_the_redis_user_are_reported() {
    let Some(redis) = Redis::start().await else { return };
    let database = Database::create().await;
    for (name, rights) in [
        ("whole", &[&b"~*"[..], b"&gapless:*", b"+@all"][..]),
        ("mute", &[b"~*", b"&*", b"+@all", b"-publish"]),
        ("deaf", &[b"~*", b"&*", b"+@all", b"-subscribe"]),
        ("channelless", &[b"~*", b"resetchannels", b"+@all"]),
        ("elsewhere", &[b"~*", b"resetchannels", b"&another:*", b"+@all"]),
    ] {
        let user = [&b"ACL"[..], b"SETUSER", name.as_bytes(), b"on", b">secret"];
        redis.command(&[&user[..], rights].concat()).await;
    }
    let url = |name: &str| format!("redis://{name}:secret@{}", redis.address);
    let whole = doctor(&database, &url("whole"));
    assert!(whole.starts_with("ok"), "{whole}");
    for (name, word) in
        [("mute", "PUBLISH"), ("deaf", "SUBSCRIBE"), ("channelless", "channel"), ("elsewhere", "channel")]
    {
        let told = doctor(&database, &url(name));
        assert!(told.starts_with("FAIL") && told.contains(word) && told.contains("ACL SETUSER"), "{name}: {told}");
    }

    // The gauge reports it too, and the chat continues by reading the log.
    let launch = |user: &str| Launch::on(&database.url()).with("REDIS_CONNECTION", url(user));
    let (whole, mute) = tokio::join!(launch("whole").start(), launch("mute").start());
    let room = rooms(&founder(&mute).await, &["general"]).await.remove(0);
    let alice = people(&mute, 1).await.remove(0);
    whole.is_ready().await;
    let mut reader = whole.guest().listen(&room).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        assert!(mute.metric("gapless_backplane_connected", "").await < 0.5, "it must not receive its own probes");
        alice.post(&room, "by the log").await;
        reader.expect_message("by the log").await;
    }
    assert!(whole.metric("gapless_backplane_connected", "").await > 0.5);
    assert!(mute.metric("gapless_backplane_dropped_total", "").await >= 1.0);
    let told = mute.log().matches("PUBLISH").count();
    assert!((1..5).contains(&told), "logged, but not for every publication: {told}");
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

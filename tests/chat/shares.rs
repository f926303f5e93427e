//! Fair shares: readers that are far behind, loops of opening streams, health checks and nonexistent rooms slow down
//! only their own origin.

use std::time::{Duration, Instant};

use gapless::telemetry;
use serde_json::Value;

use crate::actors::{Chat, Guest};

/// A few entries; earlier events are read from the database.
const TINY_RING: usize = 2_000;

/// Returns the sum of a metric of this process.
fn metric(name: &str) -> f64 {
    let text = telemetry::render_metrics();
    let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    text.lines().filter(of_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_and_requests_continue_while_replay_uses_all_its_connections() {
    let chat = Chat::start_with(|config| config.ring_bytes = TINY_RING).await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    let start = chat.guest().listen(&room).await.cursor;
    chat.fill(&room, &alice, 1_200).await;

    // Resuming readers wait: all connections are taken.
    let replay = &chat.first.app.replay_db;
    let mut taken = Vec::new();
    for _ in 0..replay.limit() {
        taken.push(replay.begin().await.expect("a connection"));
    }
    let mut behind = Vec::new();
    for _ in 0..10 {
        behind.push(chat.guest().opening().room(&room).from(&start).open().await);
    }
    let mut live = chat.guest().listen(&room).await;
    let began = Instant::now();
    for number in 0..20 {
        let body = format!("while others wait {number}");
        alice.post(&room, &body).await;
        live.expect_message(&body).await;
        chat.guest().get(&format!("/messages?room_id={}", room.id)).await.is(200);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    chat.guest().get("/readyz").await.is(200);

    drop(taken);
    for mut stream in behind {
        for number in 0..1_200 {
            stream.expect_message(&format!("message {number}")).await;
        }
        stream.expect_message("while others wait 0").await;
    }
}

/// Returns the beginning of this guest's next stream.
async fn begins(guest: &Guest) -> String {
    guest.opening().connect().await.next().await.name
}

#[tokio::test]
async fn a_loop_of_openings_gets_bye_busy_and_reloads_do_not() {
    let chat = Chat::start_with(|config| {
        config.rate_limits = true;
        config.max_streams_per_address = 64;
    })
    .await;
    let (guest, mut opened) = (chat.guest(), 0);
    // Simulates a page that reloads at key repeat rate for some seconds.
    while opened < 120 {
        assert_eq!(begins(&guest).await, "hello", "after {opened}");
        opened += 1;
    }
    while begins(&guest).await == "hello" {
        opened += 1;
        assert!(opened < 1_000, "the loop was never refused");
    }
    assert!(metric("gapless_limits_hit_total") >= 1.0);
    // The response makes the browser retry: 200, and `bye busy`.
    let mut refused = guest.opening().connect().await;
    refused.expect_bye("busy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_health_checks_cost_one_database_check_a_second() {
    let chat = Chat::start().await;
    chat.guest().get("/readyz").await.is(200);
    let (probes, began) = (metric("gapless_readiness_probes_total"), Instant::now());
    let mut checkers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let guest = chat.guest();
        checkers.spawn(async move {
            let (mut asked, began) = (0_u32, Instant::now());
            while began.elapsed() < Duration::from_millis(1_500) {
                guest.get("/readyz").await.is(200);
                asked += 1;
            }
            asked
        });
    }
    let asked: u32 = checkers.join_all().await.into_iter().sum();
    let probes = metric("gapless_readiness_probes_total") - probes;
    println!("figure: {asked} health checks in {:?}: {probes} database checks", began.elapsed());
    assert!(asked > 20 && probes <= began.elapsed().as_secs_f64() + 1.0, "{probes} checks for {asked}");

    // Shutting down takes effect at once, even with a recent cached result.
    chat.guest().get("/readyz").await.is(200);
    chat.first.app.lifecycle.retiring.cancel();
    chat.guest().get("/readyz").await.is(503);
}

#[tokio::test]
async fn nonexistent_rooms_have_no_counts_and_no_events() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let mut watch = chat.guest().listen(&room).await;
    watch.expect_online(room.id, 0, 1).await;

    let invented: Vec<_> = (0..99).map(|_| uuid::Uuid::now_v7()).collect();
    let asks = invented.iter().fold(chat.guest().opening().room(&room), |asks, id| asks.with("room", id));
    let mut stream = asks.open().await;
    let missing = stream.hello["missing"].as_array().expect("a list");
    assert_eq!(missing.len(), 99);
    watch.expect_online(room.id, 0, 2).await;
    let gauges = chat.first.app.realtime.gauges();
    assert_eq!(gauges.rooms_with_readers, 1);

    // Existing rooms are counted, archived or not.
    let admin = chat.founder().await;
    admin.archive(&room).await;
    stream.expect("room.archived").await;
    let late = chat.guest().opening().room(&room).open().await;
    assert_eq!(late.hello["missing"][0], Value::from(room.id.to_string()));
    admin.restore(&room).await;
    stream.expect("room.restored").await;
    assert_eq!(chat.guest().read_room(room.id).await.online.guests, 3);
    admin.post(&room, "back").await;
    stream.expect_message("back").await;
    drop(stream);
    let told = watch.transcript.clone();
    assert!(invented.iter().all(|id| !told.contains(&id.to_string())));
}

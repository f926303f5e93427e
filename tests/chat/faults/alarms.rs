//! Provokes every alert that can be provoked in seconds: the metrics in `docs/alerts.yml` change when the condition
//! occurs, and return afterwards. `docs/alerts_test.yml` tests when a rule fires on such metrics.

use std::time::{Duration, Instant};

use super::{are_joined, founder, people, rooms};
use crate::actors::{Database, Launch, LinkFault, PrivatePostgres, Program, Redis, link_to_database};

/// Longer than a check of the log, which fails after three seconds.
const SEEN_WITHIN: Duration = Duration::from_secs(15);

/// Waits until a metric satisfies the condition.
async fn until(program: &Program, (name, label): (&str, &str), satisfies: impl Fn(f64) -> bool) -> f64 {
    let began = Instant::now();
    loop {
        let found = program.metric(name, label).await;
        if satisfies(found) {
            return found;
        }
        assert!(began.elapsed() < SEEN_WITHIN, "{name}{{{label}}} stays {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_faults_show_in_the_metrics() {
    const REFUSED: (&str, &str) =
        ("gapless_http_request_duration_seconds_count", r#"method="POST",path="/messages",status="503""#);
    const FAILED_LOOKS: (&str, &str) = ("gapless_log_read_failures_total", "");
    const RETRIES: (&str, &str) = ("gapless_writer_retries_total", "");
    let postgres = PrivatePostgres::start().await;
    let link = link_to_database(&postgres.options()).await;
    let options = postgres.options();
    let (user, name) = (options.get_username(), options.get_database().expect("it has a name"));
    let url = format!("postgres://{user}@{}/{name}?sslmode=disable", link.address);
    let mut server = Launch::on(&url).start().await;
    let room = rooms(&founder(&server).await, &["general"]).await.remove(0);
    let alice = people(&server, 1).await.remove(0);

    // CommitsAreSlow.
    alice.post(&room, "quick").await;
    let commits = server.metric("gapless_writer_commit_seconds_count", "").await;
    let quick = server.metric("gapless_writer_commit_seconds_bucket", r#"le="0.25""#).await;
    // Short enough for a commit over a new connection, which takes several round trips.
    link.inject(LinkFault::Delay { least: Duration::from_millis(150), jitter: Duration::ZERO });
    alice.post(&room, "slow").await;
    until(&server, ("gapless_writer_commit_seconds_count", ""), |now| now >= commits + 1.0).await;
    let still = server.metric("gapless_writer_commit_seconds_bucket", r#"le="0.25""#).await;
    assert!((still - quick).abs() < 0.5, "a commit of 300 ms was counted as one within 250 ms");

    // PostsAreRefused and DatabaseIsAway.
    link.inject(LinkFault::Reset);
    alice.try_post(&room, "lost?").await.is(503);
    until(&server, REFUSED, |now| now >= 1.0).await;
    until(&server, RETRIES, |now| now >= 1.0).await;
    until(&server, FAILED_LOOKS, |now| now >= 2.0).await;
    assert!(server.metric("gapless_posts_total", "unavailable").await >= 1.0);

    // ConnectionsRunOut: requests to a database that does not answer occupy their connections.
    link.heal();
    server.is_ready().await;
    link.inject(LinkFault::BlackHole);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let guest = server.guest();
        asking.spawn(async move { guest.get("/rooms").await.is(503) });
    }
    let pool = r#"pool="requests",state="used""#;
    until(&server, ("gapless_db_connections", pool), |now| now >= 8.0).await;
    asking.join_all().await;
    link.heal();
    server.is_ready().await;
    let failures = server.metric(FAILED_LOOKS.0, "").await;
    alice.post(&room, "back").await;
    until(&server, ("gapless_db_connections", pool), |now| now < 8.0).await;

    // HistoryChanged: the database is replaced by another copy.
    sqlx::query("update log_head set epoch = 'another'").execute(&postgres.pool()).await.expect("the log's head");
    until(&server, ("gapless_epoch_changes_total", ""), |now| now >= 1.0).await;

    // InstanceRestarts.
    let started = server.metric("process_start_time_seconds", "").await;
    server.kill();
    server.start_again();
    server.is_ready().await;
    assert!(server.metric("process_start_time_seconds", "").await > started, "a restart changes the start time");
    println!("figure: database slow, gone, hanging and replaced: each shown in /metrics; {failures} failed checks");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_between_instances_show_in_the_metrics() {
    const JOINED: (&str, &str) = ("gapless_backplane_connected", "");
    let Some(mut redis) = Redis::start().await else { return };
    let database = Database::create().await;
    let launch = || Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url());
    let (here, there) = tokio::join!(launch().start(), launch().start());
    are_joined([&here, &there]).await;
    until(&there, ("gapless_instances_heard", ""), |now| (now - 1.0).abs() < 0.5).await;
    let room = rooms(&founder(&here).await, &["general"]).await.remove(0);
    let alice = people(&here, 1).await.remove(0);
    let mut stream = there.guest().listen(&room).await;

    // NewsIsLost: news is lost when its connection is cut; the next news shows the hole.
    let reads = there.metric("gapless_catch_up_reads_total", "").await;
    let mut rounds = 0;
    while there.metric("gapless_hole_heal_seconds_count", "read").await < 1.0 {
        rounds += 1;
        assert!(rounds <= 50, "cutting the connection never lost any news");
        redis.command(&[b"CLIENT", b"KILL", b"TYPE", b"normal"]).await;
        for part in ["lost", "later"] {
            let body = format!("{part} {rounds}");
            alice.post(&room, &body).await;
            // The reader receives the message even if its news was lost.
            if part == "later" {
                stream.expect_message(&format!("lost {rounds}")).await;
                stream.expect_message(&body).await;
            }
        }
    }
    assert!(there.metric("gapless_holes_total", "").await >= 1.0);
    assert!(there.metric("gapless_catch_up_reads_total", "").await > reads);
    assert!(here.metric("gapless_backplane_dropped_total", "").await >= 1.0);
    assert!(here.metric("gapless_backplane_published_total", "").await >= 1.0);
    // DeliveryIsSlow uses this metric, also on an instance that commits nothing itself.
    until(&there, ("gapless_commit_to_client_seconds_count", ""), |now| now >= 1.0).await;
    until(&there, ("gapless_log_lag", ""), |now| now < 0.5).await;

    // RedisIsAway.
    redis.kill();
    until(&here, JOINED, |now| now < 0.5).await;
    until(&there, JOINED, |now| now < 0.5).await;
    redis.start_again().await;
    are_joined([&here, &there]).await;
    println!(
        "figure: news lost after {rounds} cut connections, shown as a hole, closed by a read; loss of Redis shown by both"
    );
}

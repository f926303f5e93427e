//! Observability: metrics are correct, contain no personal data, and their number does not grow with the chat; each
//! request is one log line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gapless::event::Room;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Database, FOUNDER, Launch, PASSWORD, Program, User};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Time limit for a metric to include an event.
const NOTED_WITHIN: Duration = Duration::from_secs(10);

async fn founder(program: &Program) -> User {
    User::sign_in(program.guest(), FOUNDER, PASSWORD).await
}

/// Waits until a metric is at least this value.
async fn is_at_least(program: &Program, name: &str, label: &str, least: f64) {
    let began = Instant::now();
    loop {
        let found = program.metric(name, label).await;
        if found >= least {
            return;
        }
        assert!(began.elapsed() < NOTED_WITHIN, "{name}{{{label}}} is {found}, and not {least}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn events_and_requests_are_counted() {
    let database = Database::create().await;
    let program = Launch::on(&database.url()).start().await;
    let ada = founder(&program).await;
    let room = ada.create_room("general").await;
    let archived = ada.create_room("old").await;
    ada.archive(&archived).await;
    let alice = User::sign_up(program.guest(), "alice").await;
    let mut stream = alice.listen(&room).await;

    let client_id = Uuid::new_v4().to_string();
    alice.try_post_as(room.id, "one", &client_id).await.is(201);
    alice.try_post_as(room.id, "one", &client_id).await.is(200);
    alice.try_post_as(room.id, "another", &client_id).await.is(422);
    alice.post(&room, "two").await;
    alice.try_post(&archived, "late").await.is(409);
    ada.mute(&alice, 60).await;
    alice.try_post(&room, "quiet").await.is(403);
    stream.expect_message("one").await;
    assert!((program.metric("gapless_rooms_with_readers", "").await - 1.0).abs() < 0.5, "alice reads a room");
    program.guest().send("/auth/login", json!({"username": "alice", "password": "wrong-password"})).await.is(401);
    let spent = json!({"refresh_token": alice.refresh_token});
    alice.refreshed().await.refreshed().await;
    program.guest().send("/auth/refresh", spent).await.is(401);

    for (name, label, exactly) in [
        ("gapless_posts_total", "accepted", 2.0),
        ("gapless_posts_total", "duplicate", 1.0),
        ("gapless_posts_total", "conflict", 1.0),
        ("gapless_posts_total", "no_room", 1.0),
        ("gapless_posts_total", "no_right", 1.0),
        ("gapless_writer_batch_size_sum", "", 6.0),
        ("gapless_writer_queue_length", "", 0.0),
        ("gapless_sign_ins_total", "succeeded", 1.0),
        ("gapless_sign_ins_total", "wrong_credentials", 1.0),
        ("gapless_refresh_tokens_reused_total", "", 1.0),
        ("gapless_refusals_total", "\"muted\"", 1.0),
        ("gapless_refusals_total", "\"room_archived\"", 1.0),
        ("gapless_rooms", "active", 1.0),
        ("gapless_rooms", "archived", 1.0),
        // The session whose refresh token was reused has ended, and its reader is no longer counted.
        ("gapless_rooms_with_readers", "", 0.0),
        ("gapless_streams_opened_total", "live", 1.0),
        ("gapless_db_connections_limit", "requests", 8.0),
        ("gapless_db_connections_limit", "core", 4.0),
        ("gapless_db_connections_limit", "replay", 2.0),
        ("gapless_log_lag", "", 0.0),
        ("gapless_draining", "", 0.0),
        ("gapless_holes_total", "", 0.0),
    ] {
        let found = program.metric(name, label).await;
        assert!((found - exactly).abs() < 0.5, "{name}{{{label}}} is {found}, and not {exactly}");
    }
    // One sample for the message. The reader may receive it before the sample is recorded.
    is_at_least(&program, "gapless_commit_to_client_seconds_count", "", 1.0).await;
    let seconds = program.metric("gapless_commit_to_client_seconds_sum", "").await;
    assert!(seconds > 0.0 && seconds < 30.0, "{seconds} s from commits to the client");
    for (name, least) in [
        ("process_resident_memory_bytes", 10e6),
        ("process_open_fds", 10.0),
        ("process_max_fds", 64.0),
        ("process_threads", 2.0),
        ("process_virtual_memory_bytes", 10e6),
        ("process_start_time_seconds", 1.7e9),
        ("gapless_tokio_tasks", 5.0),
        ("gapless_connections", 1.0),
        ("gapless_log_position", 4.0),
        ("gapless_db_connections", 1.0),
    ] {
        is_at_least(&program, name, "", least).await;
    }
    drop(stream);
    is_at_least(&program, "gapless_streams_ended_total", "", 1.0).await;
    assert!(program.metric("gapless_streams", "").await < 0.5, "no stream is left");
}

#[tokio::test]
async fn refusals_are_counted_by_limit() {
    let database = Database::create().await;
    let launch = Launch::on(&database.url()).with("RATE_LIMITS", "on").with("MAX_STREAMS", 1);
    let program = launch.start().await;
    let room = founder(&program).await.create_room("general").await;
    let _first = program.guest().listen(&room).await;
    let mut second = program.guest().opening().room(&room).connect().await;
    second.expect_bye("busy").await;
    for _ in 0..12 {
        let guess = json!({"username": "nobody", "password": "a guess or two"});
        program.guest().send("/auth/login", guess).await;
    }
    is_at_least(&program, "gapless_limits_hit_total", "\"streams\"", 1.0).await;
    is_at_least(&program, "gapless_limits_hit_total", "sign_ins_by_account", 2.0).await;
    is_at_least(&program, "gapless_sign_ins_total", "too_many_requests", 2.0).await;
    is_at_least(&program, "gapless_refusals_total", "too_many_requests", 2.0).await;
}

#[tokio::test]
async fn the_number_of_series_does_not_grow_and_labels_name_nobody() {
    let database = Database::create().await;
    let program = Launch::on(&database.url()).start().await;
    let ada = founder(&program).await;
    // Twice, so that every possible series exists after the first time.
    live(&program, &ada, 0).await;
    live(&program, &ada, 1).await;
    let before = series(&program).await;
    let mut names = Vec::new();
    for round in 2..8 {
        names.extend(live(&program, &ada, round).await);
    }
    let after = series(&program).await;
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "more rooms, users, paths and methods must not add series: {new:#?}");
    assert!(after.len() < 1_500, "{} series", after.len());

    let said = program.guest().metrics().await;
    names.extend([FOUNDER, "zebra", "savanna", "gazelle", "127.0.0.1"].map(str::to_owned));
    for name in &names {
        assert!(!said.contains(name.as_str()), "{name} is in a metric");
    }
    println!("figure: {} series after 8 rooms and users, as many as after 2", after.len());
}

/// Performs every action, as a new user in a new room and at new addresses. Returns the resulting names and ids.
async fn live(program: &Program, ada: &User, round: usize) -> Vec<String> {
    let guest = program.guest();
    let room: Room = ada.create_room(&format!("savanna {round}")).await;
    let user = User::sign_up(guest.clone(), &format!("zebra{round}")).await;
    let streams = program.metric("gapless_streams_ended_total", "gone").await;
    let mut stream = user.listen(&room).await;
    let body = format!("gazelle {round}");
    let message = user.post(&room, &body).await;
    stream.expect_message(&body).await;
    let direct = ada.write_to(&user, &body).await;
    stream.expect_direct(&body).await;
    user.delete_message(message.id).await;
    ada.mute(&user, 60).await;
    user.try_post(&room, "quiet").await.is(403);
    for path in [format!("/zebra/{round}"), format!("/rooms/{}", Uuid::new_v4()), format!("/messages?room_id={round}")]
    {
        guest.get(&path).await;
        let method = Method::from_bytes(format!("GAZELLE{round}").as_bytes()).expect("letters are a method");
        guest.call(method, &path, None).await;
    }
    let wrong = json!({"username": format!("zebra-{round}"), "password": "a guess or two"});
    guest.send("/auth/login", wrong).await.is(401);
    guest.with_token(&format!("zebra{round}")).get("/users/me").await.is(401);
    drop(stream);
    is_at_least(program, "gapless_streams_ended_total", "gone", streams + 1.0).await;
    is_at_least(program, "gapless_commit_to_client_seconds_count", "", 1.0).await;
    vec![room.id.to_string(), user.id.to_string(), message.id.to_string(), direct.id.to_string()]
}

/// Returns every series, without its value.
async fn series(program: &Program) -> BTreeSet<String> {
    let said = program.guest().metrics().await;
    let lines = said.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[tokio::test]
async fn metrics_are_only_for_the_operator() {
    let database = Database::create().await;
    let program = Launch::on(&database.url()).with("METRICS_TOKEN", "hush").start().await;
    let guest = program.guest();
    let ada = founder(&program).await;
    let nobody = guest.with_token("hus");
    for refused in [guest.get("/metrics").await, ada.get("/metrics").await, nobody.get("/metrics").await] {
        let refused = refused.refused(401, "unauthenticated");
        assert!(!refused.text.contains("gapless_") && !refused.text.contains("process_"), "{}", refused.text);
    }
    let said = guest.with_token("hush").get("/metrics").await.is(200);
    assert_eq!(said.header(CONTENT_TYPE), "text/plain; version=0.0.4; charset=utf-8");
    assert!(said.text.contains("# HELP gapless_streams "), "{}", said.text);

    // A proxy on the same machine also connects from the loopback, whatever its headers say.
    let program = Launch::on(&database.url()).with("METRICS_TOKEN", "").start().await;
    program.guest().get("/metrics").await.refused(403, "metrics_closed");
    program.guest().with_token("scraper").get("/metrics").await.refused(403, "metrics_closed");
    assert!(program.log().contains("nobody can read /metrics"), "{}", program.log());
}

#[tokio::test]
async fn a_request_is_one_line_of_json_without_its_query() {
    let database = Database::create().await;
    let program = Launch::on(&database.url()).with("LOG_FORMAT", "json").start().await;
    let guest = program.guest();
    let mut asked = Vec::new();
    for (method, path, route, status) in [
        (Method::GET, "/rooms?archived=zebra", "/rooms", 400),
        (Method::GET, "/rooms", "/rooms", 200),
        (Method::POST, "/auth/login?token=zebra", "/auth/login", 422),
        (Method::GET, "/zebra?zebra=zebra", "other", 404),
        (Method::GET, "/users/me?access_token=zebra", "/users/me", 401),
        (Method::GET, "/sse?access_token=zebra", "/sse", 401),
        (Method::DELETE, "/rooms?zebra", "/rooms", 405),
    ] {
        let body = (method == Method::POST).then(|| json!({"username": "zebra"}));
        let answer = guest.call(method.clone(), path, body).await.is(status);
        asked.push((answer.header(REQUEST_ID).to_owned(), method.to_string(), route, status));
    }
    let log = program.log();
    assert!(!log.contains("zebra"), "a query is in the log: {log}");
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect();
    for (id, method, route, status) in asked {
        let of_it: Vec<_> = lines.iter().filter(|line| line["id"] == *id).collect();
        let [line] = of_it[..] else { panic!("{} lines of {method} {route}: {of_it:?}", of_it.len()) };
        assert_eq!((&line["method"], &line["path"], &line["status"]), (&json!(method), &json!(route), &json!(status)));
        assert!(
            line["message"] == "answered" && line["elapsed"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
}

//! Connections pooled by a proxy: a refusal keeps them usable or announces that they close, an idle one outlives the
//! proxy's pool, but silent or slow ones are closed early.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use gapless::config::Config;
use gapless::{routes, server};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;

use crate::actors::{Chat, DEADLINE, Wire};

/// Pause between two packets, so that the server reads the first before the second arrives.
const APART: Duration = Duration::from_millis(30);

const NEXT: &str = "GET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n";

/// A request whose body arrives in a later packet than its head.
struct Late {
    what: &'static str,
    head: String,
    body: &'static str,
    status: u16,
}

fn late(what: &'static str, line: &str, headers: &str, status: u16) -> Late {
    let body = r#"{"name":"Garden"}"#;
    let json = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    Late { what, head: format!("{line} HTTP/1.1\r\nHost: chat.test\r\n{json}{headers}\r\n"), body, status }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_needs_no_body_leaves_the_connection_usable() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let as_alice = format!("Authorization: Bearer {}\r\n", alice.access_token());
    let preflight = "Origin: https://else.test\r\nAccess-Control-Request-Method: POST\r\n";
    let chunked = "POST /rooms HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let login = "POST /auth/login HTTP/1.1\r\nHost: chat.test\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n";
    let main = [
        late("no token", "POST /rooms", "", 401),
        late("a bad token", "POST /rooms", "Authorization: Bearer x\r\n", 401),
        late("no right", "POST /rooms", &as_alice, 403),
        late("no such address", "POST /nowhere", "", 404),
        late("a file", "POST /index.html", "", 404),
        late("no such id", "PATCH /rooms/garden", &as_alice, 403),
        late("another method", "DELETE /livez", "", 405),
        late("another method of the stream", "POST /sse", "", 405),
        Late { what: "another type", head: login.to_owned(), body: "{}", status: 415 },
        late("a bad query", "GET /rooms?archived=perhaps", "", 400),
        late("a preflight", "OPTIONS /rooms", preflight, 200),
        late("a body that means nothing", "GET /livez", "", 200),
        late("closed metrics", "GET /metrics", "", 401),
        Late { what: "chunks", head: chunked.clone(), body: "2\r\n{}\r\n0\r\n\r\n", status: 401 },
        Late { what: "chunks and a trailer", head: chunked, body: "2\r\n{}\r\n0\r\nX: y\r\n\r\n", status: 401 },
    ];
    each_keeps_its_connection(alice.address, &main).await;

    let app = || chat.first.app.clone();
    let metrics = serve(&chat, routes::metrics_router(app())).await;
    each_keeps_its_connection(metrics, &[late("the port of metrics", "POST /metrics", "", 405)]).await;
    let broken = Router::new().route("/rooms", post(panics)).layer(CatchPanicLayer::new());
    let broken = serve(&chat, broken).await;
    each_keeps_its_connection(broken, &[late("a panic", "POST /rooms", "", 500)]).await;
}

async fn serve(chat: &Chat, router: Router) -> SocketAddr {
    let listener = TcpListener::bind((chat.config.host, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(server::serve(listener, chat.first.app.clone(), router));
    address
}

async fn panics() {
    panic!("a bug");
}

async fn each_keeps_its_connection(address: SocketAddr, requests: &[Late]) {
    for Late { what, head, body, status } in requests {
        let mut wire = Wire::connect(address).await.expect("it listens");
        for round in ["first", "second"] {
            wire.send(head).await.expect("it reads");
            tokio::time::sleep(APART).await;
            wire.send(body).await.expect("it reads");
            let answer = wire.answer().await.unwrap_or_else(|error| panic!("{what}, {round}: {error}"));
            assert_eq!(answer.0, *status, "{what}: {}", answer.1);
            assert!(!answer.1.contains("connection: close"), "{what}: {}", answer.1);
        }
        wire.send(NEXT).await.expect("it reads");
        let next = wire.answer().await.unwrap_or_else(|error| panic!("the request after {what}: {error}"));
        assert!([200, 404].contains(&next.0), "{what}: {}", next.1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_closes_the_connection_announces_it_and_arrives() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "x".repeat(100_000));
    let head = |headers: &str| format!("POST /rooms HTTP/1.1\r\nHost: chat.test\r\n{headers}\r\n");
    for (what, request, status) in [
        ("ten megabytes announced", head("Content-Length: 10000000\r\n"), 401),
        ("ten megabytes sent", head("Content-Length: 10000000\r\n") + &"x".repeat(10_000_000), 401),
        ("a body with Expect: 100-continue", head("Content-Length: 2\r\nExpect: 100-continue\r\n"), 401),
        ("a body that does not come", head("Content-Length: 2\r\n"), 401),
        ("a body that comes in part", head("Content-Length: 20\r\n") + "{}", 401),
        ("too many chunks", head("Transfer-Encoding: chunked\r\n") + &chunk + &chunk, 401),
        ("invalid chunks", head("Transfer-Encoding: chunked\r\n") + "xyz\r\n", 401),
        ("too large a body", Wire::post(&alice, "/messages", &"x".repeat(100_000)), 413),
    ] {
        let mut wire = Wire::connect(alice.address).await.expect("it listens");
        wire.send(request).await.ok();
        let (answered, head) = tokio::time::timeout(DEADLINE, wire.answer())
            .await
            .unwrap_or_else(|_| panic!("{what}: no response"))
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(answered, status, "{what}: {head}");
        assert!(head.contains("connection: close"), "{what}: {head}");
        assert!(wire.ends_within(DEADLINE).await, "{what}: the connection stays open");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_expects_100_continue_receives_it() {
    let chat = Chat::start().await;
    let mut wire = Wire::connect(chat.guest().address).await.expect("it listens");
    let body = r#"{"username":"nobody","password":"wrong"}"#;
    let request = Wire::post(&chat.guest(), "/auth/login", body).replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    let request = request.replace("Authorization: Bearer \r\n", "");
    wire.send(&request[..request.len() - body.len()]).await.expect("it reads");
    assert_eq!(wire.answer().await.expect("an answer").0, 100);
    wire.send(body).await.expect("it reads");
    assert_eq!(wire.answer().await.expect("an answer").0, 401);
    wire.send(NEXT).await.expect("it reads");
    assert_eq!(wire.answer().await.expect("an answer").0, 200);
}

#[test]
fn by_default_an_idle_connection_outlives_the_pools_of_proxies() {
    assert!(Config::for_tests().keep_alive > Duration::from_mins(2), "Caddy keeps idle connections for two minutes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_kept_but_not_a_silent_one_or_half_a_head() {
    let (head, idle) = (Duration::from_millis(300), Duration::from_millis(2_500));
    let chat = Chat::start_with(|config| (config.head_timeout, config.keep_alive) = (head, idle)).await;
    let alice = chat.user("alice").await;
    let connected = || async { Wire::connect(alice.address).await.expect("it listens") };
    let answered = || async {
        let mut wire = connected().await;
        wire.send(NEXT).await.expect("it reads");
        assert_eq!(wire.answer().await.expect("an answer").0, 200);
        wire
    };
    let lasts = |mut wire: Wire, sent: &'static str| async move {
        let began = Instant::now();
        wire.send(sent).await.expect("it reads");
        assert!(wire.ends_within(DEADLINE).await, "after {sent:?} the connection stays open");
        began.elapsed()
    };
    let used_again = async {
        let mut wire = answered().await;
        let began = Instant::now();
        while began.elapsed() < idle + head {
            assert!(!wire.ends_within(idle * 2 / 3).await, "an idle connection ends early");
            wire.send(NEXT).await.expect("it reads");
            assert_eq!(wire.answer().await.expect("an answer").0, 200);
        }
    };
    let slow_body = async {
        let mut wire = connected().await;
        let request = Wire::post(&alice, "/direct-messages", "{}");
        let (start, rest) = request.split_at(request.len() - 1);
        wire.send(start).await.expect("it reads");
        assert!(!wire.ends_within(head * 2).await, "a body has a time limit of its own");
        wire.send(rest).await.expect("it reads");
        assert_eq!(wire.answer().await.expect("an answer").0, 422);
    };
    let (silent, half, second_half, drip, after_lines, quiet, (), ()) = tokio::join!(
        async { lasts(connected().await, "").await },
        async { lasts(connected().await, "G").await },
        async { lasts(answered().await, "G").await },
        async { lasts(answered().await, "GET / HTTP/1.1\r\nHost: chat.test\r\n").await },
        async { lasts(answered().await, "\r\n").await },
        async { lasts(answered().await, "").await },
        used_again,
        slow_body,
    );
    for (what, took) in
        [("silence", silent), ("half a head", half), ("half a later head", second_half), ("no empty line", drip)]
    {
        assert!(took + Duration::from_millis(50) >= head && took < idle / 2, "{what} is closed after {took:?}");
    }
    for (what, took) in [("an idle connection", quiet), ("one that sent an empty line", after_lines)] {
        assert!(took + Duration::from_millis(50) >= idle, "{what} is closed after {took:?}");
    }
}

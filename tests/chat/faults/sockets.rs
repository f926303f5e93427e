//! Misbehaving connections: silent, slow, too large. Each is closed, with a response if possible. (For a stalled reader
//! see [`super::slow`], for a vanished one [`super::network`].)

use std::time::{Duration, Instant};

use serde_json::json;

use crate::actors::{Chat, Wire};

/// Time limit for closing a connection whose head does not arrive, or arrives slowly.
const CLOSED_WITHIN: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_slow_connections_are_closed() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let address = alice.address;
    let silent = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        closes(&mut wire, None).await
    };
    let slow_head = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        wire.send("GET /livez HTTP/1.1\r\nHost: chat.test\r\nX-Slow: ").await.expect("it reads");
        closes(&mut wire, Some("a")).await
    };
    let second_head = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        wire.send("GET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n").await.expect("it reads");
        assert_eq!(wire.head().await.expect("an answer").0, 200);
        closes(&mut wire, Some("a")).await
    };
    let slow_body = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        let body = json!({"room_id": alice.id, "body": "x".repeat(200)}).to_string();
        let request = Wire::post(&alice, "/messages", &body);
        wire.send(&request[..request.len() - 180]).await.expect("it reads");
        let began = Instant::now();
        let (status, head) = tokio::time::timeout(CLOSED_WITHIN, wire.head()).await.expect("in time").expect("a head");
        assert_eq!(status, 408, "{head}");
        closes(&mut wire, None).await;
        began.elapsed()
    };
    let (silent, slow_head, second_head, slow_body) = tokio::join!(silent, slow_head, second_head, slow_body);
    for (what, took) in [
        ("a silent connection", silent),
        ("a slow head", slow_head),
        ("a slow second head", second_head),
        ("a slow body (408)", slow_body),
    ] {
        println!("figure: {what} is closed after {} ms", took.as_millis());
    }
}

/// Waits for the end, sending `drip` twice a second. Returns the time it took.
async fn closes(wire: &mut Wire, drip: Option<&str>) -> Duration {
    let began = Instant::now();
    while !wire.ends_within(Duration::from_millis(500)).await {
        assert!(began.elapsed() < CLOSED_WITHIN, "the connection is still open");
        if let Some(drip) = drip {
            wire.send(drip).await.ok();
        }
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_requests_are_refused_with_a_response() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let long = "x".repeat(100_000);
    let head = |name: &str| format!("GET /{name} HTTP/1.1\r\nHost: chat.test\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunked = format!(
        "POST /messages HTTP/1.1\r\nHost: chat.test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
        alice.access_token(),
        chunk(&long),
        chunk(&long),
    );
    let too_large = [
        ("a header of 100,000 bytes", head("livez") + "X-Long: " + &long + "\r\n\r\n", 431),
        ("an address of 100,000 bytes", head(&long) + "\r\n", 414),
        ("2,000 headers", head("livez") + &"X-Many: y\r\n".repeat(2_000) + "\r\n", 431),
        ("a body of 100,000 bytes", Wire::post(&alice, "/messages", &long), 413),
        ("a body of 200,000 bytes in chunks", chunked, 413),
        ("a body of 10 MB", Wire::post(&alice, "/messages", &long.repeat(100)), 413),
    ];
    for (what, request, expected) in too_large {
        let mut wire = Wire::connect(alice.address).await.expect("it listens");
        // It may be refused before it has been read completely.
        wire.send(request).await.ok();
        let answered = wire.head().await;
        let (status, _) = answered.unwrap_or_else(|error| panic!("{what} gets no response: {error}"));
        let is_refused = status == expected || (expected == 414 && status == 431);
        assert!(is_refused, "{what} gets {status}");
        assert!(wire.ends_within(CLOSED_WITHIN).await, "the connection is still open after {what}");
        println!("figure: {what}: {status}");
    }
    assert_eq!(alice.get("/users/me").await.status, 200, "others are not affected");
}

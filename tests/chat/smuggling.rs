//! Request smuggling: requests that a proxy and the server could parse differently, so that one hides in another's
//! body; and heads that violate the grammar of HTTP. Each is refused or parsed according to RFC 9112, an ambiguous one
//! closes its connection, and no hidden request is ever answered.

use std::time::Duration;

use crate::actors::{Chat, Wire};

const PATIENCE: Duration = Duration::from_secs(15);

/// The hidden request; its response would be the list of rooms.
const HIDDEN: &str = "GET /rooms HTTP/1.1\r\nHost: chat.test\r\n\r\n";

/// The result of a request.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// Refused, and the connection closed: no later bytes are parsed as a request.
    Closed(u16),
    /// Answered once; the connection stays usable for the next request.
    Served(u16),
}
use Fate::{Closed, Served};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_can_be_smuggled() {
    let chat = Chat::start().await;
    let post = |headers: &str, body: &str| {
        format!("POST /auth/login HTTP/1.1\r\nHost: chat.test\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
    };
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body);
    let get = |head: &str| format!("GET {head}\r\n\r\n");
    let body = r#"{"username":"nobody","password":"wrong"}"#;
    let length = body.len();
    let chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let cases = [
        // The valid forms, without which the others would prove nothing.
        ("a length", post(&format!("Content-Length: {length}\r\n"), body), Served(401)),
        ("chunks", chunked(&chunk), Served(401)),
        // A length beside chunks is an attack or an error (RFC 9112, 6.3): the chunks count, and the connection closes.
        (
            "a length and chunks",
            post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &format!("{chunk}{HIDDEN}")),
            Closed(401),
        ),
        (
            "chunks and a length",
            post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &format!("{chunk}{HIDDEN}")),
            Closed(401),
        ),
        ("two lengths", post(&format!("Content-Length: 0\r\nContent-Length: {length}\r\n"), HIDDEN), Closed(400)),
        ("a list of lengths", post(&format!("Content-Length: {length}, 0\r\n"), HIDDEN), Closed(400)),
        ("a length with a sign", post("Content-Length: +4\r\n", HIDDEN), Closed(400)),
        ("a negative length", post("Content-Length: -1\r\n", HIDDEN), Closed(400)),
        ("a length in hex", post("Content-Length: 0x4\r\n", HIDDEN), Closed(400)),
        ("a length that overflows", post("Content-Length: 99999999999999999999\r\n", HIDDEN), Closed(400)),
        ("an unknown coding", post("Transfer-Encoding: xchunked\r\n", HIDDEN), Closed(400)),
        ("chunks that are not last", post("Transfer-Encoding: chunked, identity\r\n", HIDDEN), Closed(400)),
        ("chunks by another spelling", post("Transfer-Encoding: \x0bchunked\r\n", HIDDEN), Closed(400)),
        ("space before the colon", post("Transfer-Encoding : chunked\r\n", HIDDEN), Closed(400)),
        ("a folded header", post("Transfer-Encoding:\r\n chunked\r\n", HIDDEN), Closed(400)),
        ("a chunk without a number", chunked(&format!("zz\r\n{body}\r\n0\r\n\r\n{HIDDEN}")), Closed(400)),
        ("a chunk size that overflows", chunked(&format!("fffffffffffffffff\r\n{HIDDEN}")), Closed(400)),
        ("a chunk longer than its size", chunked(&format!("1\r\n{body}\r\n0\r\n\r\n{HIDDEN}")), Closed(400)),
        ("an endless extension of a chunk", chunked(&format!("1;{}", "x".repeat(100_000))), Closed(400)),
        // Extensions are ignored (RFC 9112, 7.1.1), and a bare LF does not end one.
        ("an extension", chunked(&chunk.replacen("\r\n", ";a=b\r\n", 1)), Served(401)),
        ("LF within an extension", chunked(&format!("{length:x};a\nb\r\n{body}\r\n0\r\n\r\n{HIDDEN}")), Closed(400)),
        ("a name with a NUL", get("/livez HTTP/1.1\r\nHost: chat.test\r\nX\0Y: z"), Closed(400)),
        ("a value with a NUL", get("/livez HTTP/1.1\r\nHost: chat.test\r\nX: a\0b"), Closed(400)),
        ("a value with a bare CR", get("/livez HTTP/1.1\r\nHost: chat.test\r\nX: a\rY: b"), Closed(400)),
        ("a line without a colon", get("/livez HTTP/1.1\r\nHost: chat.test\r\nnonsense"), Closed(400)),
        ("another protocol", get("/livez HTTP/9.9\r\nHost: chat.test"), Closed(400)),
        ("no protocol", "GET /livez\r\n\r\n".to_owned(), Closed(400)),
        // A bare LF ends a line for some parsers only (RFC 9112, 2.2); it is refused everywhere.
        ("LF behind the request line", "GET /livez HTTP/1.1\nHost: chat.test\r\n\r\n".to_owned(), Closed(400)),
        ("LF behind a header", "GET /livez HTTP/1.1\r\nHost: chat.test\nX: y\r\n\r\n".to_owned(), Closed(400)),
        ("LF for the empty line", "GET /livez HTTP/1.1\r\nHost: chat.test\r\n\n".to_owned(), Closed(400)),
        ("only LF", "GET /livez HTTP/1.1\nHost: chat.test\n\n".to_owned(), Closed(400)),
        ("LF before the request", "\nGET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned(), Closed(400)),
        ("CR LF before the request", "\r\nGET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned(), Served(200)),
        ("LF within a trailer", chunked(&format!("{length:x}\r\n{body}\r\n0\r\nX: y\n\r\n\r\n{HIDDEN}")), Closed(400)),
        ("a trailer", chunked(&format!("{length:x}\r\n{body}\r\n0\r\nX: y\r\n\r\n")), Served(401)),
        // One `Host`: two servers may route the request differently (RFC 9112, 3.2).
        ("no host", get("/livez HTTP/1.1"), Closed(400)),
        ("two hosts", get("/livez HTTP/1.1\r\nHost: chat.test\r\nHost: else.test"), Closed(400)),
        ("the same host twice", get("/livez HTTP/1.1\r\nHost: chat.test\r\nHost: chat.test"), Closed(400)),
        ("two hosts in one", get("/livez HTTP/1.1\r\nHost: chat.test, else.test"), Closed(400)),
        ("a host with a user", get("/livez HTTP/1.1\r\nHost: me@chat.test"), Closed(400)),
        ("a host with a path", get("/livez HTTP/1.1\r\nHost: chat.test/rooms"), Closed(400)),
        ("a complete URL without a host", get("http://chat.test/livez HTTP/1.1"), Closed(400)),
        ("no host, with a body", get("/livez HTTP/1.1\r\nContent-Length: 57") + HIDDEN, Closed(400)),
        ("a host with a port", get("/livez HTTP/1.1\r\nHost: chat.test:8080"), Served(200)),
        ("a host by number", get("/livez HTTP/1.1\r\nHost: [2001:db8::1]:80"), Served(200)),
        ("an empty host", get("/livez HTTP/1.1\r\nHost:"), Served(200)),
        ("a method with a space", "G ET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned(), Closed(400)),
        // A target may be a complete URL (RFC 9112, 3.2.2): it is the same resource, and gives no access to others.
        ("a complete URL", get("http://chat.test/livez HTTP/1.1\r\nHost: chat.test"), Served(200)),
        ("a complete URL of another host", get("http://127.0.0.1:1/livez HTTP/1.1\r\nHost: chat.test"), Served(200)),
        ("a tunnel", "CONNECT chat.test:443 HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned(), Served(404)),
        (
            "another protocol asked for",
            get("/livez HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: h2c"),
            Served(200),
        ),
    ];
    let mut faults = Vec::new();
    for (what, request, expected) in &cases {
        let fate = fate(&chat, request).await;
        if fate.as_ref().ok() != Some(expected) {
            faults.push(format!("{what}: {fate:?} instead of {expected:?}"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    println!("figure: {} ambiguous requests, none of which hid another", cases.len());
}

/// A proxy sends many requests on one connection; every one is checked, not only the first.
#[tokio::test]
async fn later_heads_are_parsed_as_strictly_as_the_first() {
    let chat = Chat::start().await;
    let before = [
        ("nothing", String::new()),
        ("a request without a body", "GET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n".to_owned()),
        ("a body with a length", Wire::post(&chat.guest(), "/auth/login", "{}")),
        (
            "a body in chunks",
            "POST /rooms HTTP/1.1\r\nHost: chat.test\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n{}\r\n0\r\n\r\n"
                .to_owned(),
        ),
    ];
    for (what, before) in before {
        for after in ["GET /livez HTTP/1.1\nHost: chat.test\r\n\r\n", "GET /livez HTTP/1.1\r\nHost: chat.test\n\r\n"] {
            for is_at_once in [true, false] {
                let mut wire = Wire::connect(chat.guest().address).await.expect("it listens");
                if is_at_once {
                    wire.send(format!("{before}{after}{HIDDEN}")).await.expect("it reads");
                } else {
                    wire.send(&before).await.expect("it reads");
                }
                if !before.is_empty() {
                    let (status, _) = wire.answer().await.expect("an answer");
                    assert!(status < 429 && status != 400, "{what}: {status}");
                }
                if !is_at_once {
                    wire.send(format!("{after}{HIDDEN}")).await.expect("it reads");
                }
                assert_eq!(wire.answer().await.expect("an answer").0, 400, "after {what}: {after:?}");
                assert_eq!(wire.all_within(PATIENCE).await.as_deref(), Some(""), "after {what}: {after:?}");
            }
        }
    }
}

/// HTTP/1.0 had no `Host` (RFC 9112, section 3.2).
#[tokio::test]
async fn an_old_client_may_omit_the_host() {
    let chat = Chat::start().await;
    for (headers, expected) in [("", 200), ("Host: chat.test\r\n", 200), ("Host: a\r\nHost: b\r\n", 400)] {
        let mut wire = Wire::connect(chat.guest().address).await.expect("it listens");
        wire.send(format!("GET /livez HTTP/1.0\r\n{headers}\r\n")).await.expect("it reads");
        assert_eq!(wire.answer().await.expect("an answer").0, expected, "{headers:?}");
        assert!(wire.ends_within(PATIENCE).await, "HTTP/1.0 closes the connection by default");
    }
}

/// Sends it, followed by another request, whose response shows that the connection stays usable.
async fn fate(chat: &Chat, request: &str) -> Result<Fate, String> {
    let mut wire = Wire::connect(chat.guest().address).await.expect("it listens");
    wire.send(request).await.ok();
    wire.send("GET /readyz HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await.ok();
    let said = wire.all_within(PATIENCE).await.ok_or("the connection stays open")?;
    let answers = said.split("HTTP/1.1 ").skip(1);
    let statuses: Vec<u16> = answers.filter_map(|answer| answer.split(' ').next()?.parse().ok()).collect();
    if said.contains("\"rooms\"") {
        return Err(format!("the hidden request is answered: {said}"));
    }
    match statuses[..] {
        [status] => Ok(Closed(status)),
        [status, 200] => Ok(Served(status)),
        _ => Err(format!("{statuses:?}: {said}")),
    }
}

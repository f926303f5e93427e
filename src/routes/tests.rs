//! Tests of the middleware that every request passes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower::ServiceExt as _;

use super::visitor::Chat;
use super::{edge, method_not_allowed, router};
use crate::config::{Config, TrustedProxy};

const ORIGIN: &str = "https://chat.example";

async fn chat(database: PgConnectOptions) -> Chat {
    let config = Config { allowed_origins: vec![HeaderValue::from_static(ORIGIN)], ..Config::for_tests() };
    Chat::with(database, config).await
}

async fn ask(router: &Router, request: axum::http::request::Builder, body: impl Into<Body>) -> Response {
    let Ok(response) = router.clone().oneshot(request.body(body.into()).expect("a request")).await;
    response
}

async fn code(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{status}");
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let problem: Value = serde_json::from_slice(&body).expect("a problem");
    assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status.as_u16())));
    (status, problem["code"].clone())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("text"))
}

#[sqlx::test(migrations = false)]
async fn every_way_to_ask_wrongly_has_its_own_problem(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let router = router(chat.app.clone());
    let post = || Request::post("/auth/login");
    let sent_as_json = || post().header("content-type", "application/json");
    for (request, body, expected) in [
        (Request::get("/nowhere"), Body::empty(), (404, "not_found")),
        (Request::post("/nowhere"), Body::empty(), (404, "not_found")),
        (Request::delete("/rooms"), Body::empty(), (405, "method_not_allowed")),
        (Request::post("/sse"), Body::empty(), (405, "method_not_allowed")),
        (post(), Body::from("{}"), (415, "unsupported_media_type")),
        (sent_as_json(), Body::from("{"), (400, "malformed")),
        (sent_as_json(), Body::from("{}"), (422, "invalid")),
        (sent_as_json(), Body::from(vec![b' '; 65_537]), (413, "too_large")),
        (Request::get("/rooms").header("authorization", "Bearer x"), Body::empty(), (401, "invalid_token")),
        (Request::get("/users/me"), Body::empty(), (401, "unauthenticated")),
    ] {
        let (status, code) = code(ask(&router, request, body).await).await;
        assert_eq!((status.as_u16(), code.as_str().expect("a code")), expected);
    }
    let refused = ask(&router, Request::delete("/rooms"), Body::empty()).await;
    assert_eq!(header(refused.headers(), "allow"), "GET,HEAD,POST");
    let refused = ask(&router, Request::get("/users/me"), Body::empty()).await;
    assert_eq!(header(refused.headers(), "www-authenticate"), "Bearer");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn only_pages_of_named_origins_may_call(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let router = router(chat.app.clone());
    for (origin, allowed) in [(ORIGIN, ORIGIN), ("https://evil.example", ""), ("https://chat.example.evil", "")] {
        let preflight = Request::options("/messages")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type");
        for request in [preflight, Request::get("/rooms").header("origin", origin)] {
            let answer = ask(&router, request, Body::empty()).await;
            assert_eq!(answer.status(), 200);
            assert_eq!(header(answer.headers(), "access-control-allow-origin"), allowed);
            assert_eq!(header(answer.headers(), "access-control-allow-credentials"), "");
            assert!(answer.headers().get_all("vary").iter().any(|vary| vary == "origin"));
        }
    }
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn answers_make_browsers_careful(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let router = router(chat.app.clone());
    let answer = ask(&router, Request::get("/server"), Body::empty()).await;
    let headers = answer.headers();
    assert_eq!(header(headers, "cache-control"), "no-store");
    assert_eq!(header(headers, "x-content-type-options"), "nosniff");
    assert_eq!(header(headers, "referrer-policy"), "no-referrer");
    assert!(header(headers, "content-security-policy").contains("frame-ancestors 'none'"));
    assert!(header(headers, "x-request-id").parse::<uuid::Uuid>().is_ok());
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn long_answers_are_compressed_and_streams_never(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let router = router(chat.app.clone());
    for (address, encoding) in [("/openapi.json", "gzip"), ("/livez", ""), ("/sse", "identity")] {
        let answer = ask(&router, Request::get(address).header("accept-encoding", "gzip"), Body::empty()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(answer.headers(), "content-encoding"), encoding, "{address}");
    }
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn it_is_ready_until_the_database_is_away_or_it_leaves(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let guest = chat.guest();
    let ready = guest.get("/readyz").await.expect(200);
    assert_eq!((&ready["status"], &ready["demo"]), (&json!("ready"), &json!(false)));
    chat.app.lifecycle.leaving.cancel();
    guest.get("/readyz").await.expect_refusal(503, "unavailable");
    assert_eq!(guest.get("/server").await.expect(200)["demo"], false, "it is told without the database");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn without_a_database_the_answer_is_to_come_back(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    chat.app.db.close().await;
    let guest = chat.guest();
    for path in ["/rooms", "/readyz"] {
        let answer = guest.get(path).await;
        assert_eq!(header(&answer.headers, "retry-after"), "1");
        answer.expect_refusal(503, "unavailable");
    }
    chat.stop().await;
}

/// The layers alone, over handlers that no real route has.
fn misbehaving() -> Router {
    use axum::middleware::from_fn;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn panics() -> &'static str {
        panic!("a bug")
    }
    async fn hangs() {
        std::future::pending::<()>().await;
    }
    Router::new()
        .route("/panics", get(panics))
        .route("/hangs", get(hangs))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(CatchPanicLayer::custom(edge::answer_panic))
        .layer(from_fn(edge::give_up_late))
}

#[tokio::test]
async fn a_panic_is_an_answer_that_tells_nothing() {
    let answer = ask(&misbehaving(), Request::get("/panics"), Body::empty()).await;
    let (status, code) = code(answer).await;
    assert_eq!((status.as_u16(), code), (500, json!("internal")));
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_given_up() {
    let begun = tokio::time::Instant::now();
    let (status, code) = code(ask(&misbehaving(), Request::get("/hangs"), Body::empty()).await).await;
    assert_eq!((status.as_u16(), code), (503, json!("unavailable")));
    assert!(begun.elapsed() < Duration::from_secs(3), "after {:?}", begun.elapsed());
}

/// Sends 600 requests on connections from `peer`, each with its own header, and returns how many were refused.
async fn refused_of_600(router: &Router, peer: [u8; 4], forwarded_for: impl Fn(u16) -> String) -> usize {
    let mut refused = 0;
    for n in 0..600 {
        let peer = ConnectInfo(SocketAddr::from((peer, 50_000)));
        let request = Request::get("/users/me").header("x-forwarded-for", forwarded_for(n)).extension(peer);
        refused += usize::from(ask(router, request, Body::empty()).await.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    refused
}

#[sqlx::test(migrations = false)]
async fn a_forged_header_is_no_way_round_the_limits(_: PgPoolOptions, database: PgConnectOptions) {
    const PROXY: [u8; 4] = [10, 0, 0, 1];
    let trusted_proxy = TrustedProxy::parse(Some("10.0.0.1"), "x-forwarded-for").expect("a proxy");
    let config = Config { rate_limits: true, trusted_proxy, ..Config::for_tests() };
    let chat = Chat::with(database, config).await;
    let router = router(chat.app.clone());
    let own = |n: u16| format!("198.51.{}.{}", n / 250, n % 250);

    assert_eq!(refused_of_600(&router, PROXY, own).await, 0, "behind the proxy everybody is somebody else");
    let stranger = refused_of_600(&router, [203, 0, 113, 7], own).await;
    assert!(stranger > 100, "only {stranger} of a stranger's who names another each time");
    let forger = refused_of_600(&router, PROXY, |n| format!("{}, 203.0.113.8", own(n))).await;
    assert!(forger > 100, "only {forger} of a caller's who had written to the header before the proxy did");
    chat.stop().await;
}

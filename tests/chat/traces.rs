//! The trace of a post as exported to a collector: from the request to the first write on a stream, on this and on
//! another instance. Run with `--features otlp`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Json, State};
use axum::routing::post;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::actors::{Database, FOUNDER, Launch, PASSWORD, Program, Redis, User};

const TOLD_WITHIN: Duration = Duration::from_secs(20);

/// Receives traces by OTLP over HTTP, and stores them.
struct Collector {
    address: SocketAddr,
    told: Told,
}

/// All requests of exporters, as JSON.
type Told = Arc<Mutex<Vec<Value>>>;

/// A span, and the instance that exported it.
#[derive(Debug, Clone)]
struct Span {
    instance: String,
    said: Value,
}

impl Collector {
    async fn start() -> Self {
        let told = Told::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&told));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { address, told }
    }

    /// Settings of a program that exports to this collector without delay.
    fn told_by(&self, launch: Launch) -> Launch {
        launch
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.address))
            .with("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
            .with("OTEL_BSP_SCHEDULE_DELAY", 100)
    }

    fn spans(&self) -> Vec<Span> {
        let told = self.told.lock().expect("nobody panics while holding this");
        let mut spans = Vec::new();
        for resource in told.iter().flat_map(|told| list(&told["resourceSpans"])) {
            let attributes = &resource["resource"]["attributes"];
            assert_eq!(attribute(attributes, "service.name"), "gapless");
            let instance = attribute(attributes, "service.instance.id");
            let scopes = list(&resource["scopeSpans"]);
            let said = scopes.flat_map(|scope| list(&scope["spans"]));
            spans.extend(said.map(|span| Span { instance: instance.clone(), said: span.clone() }));
        }
        spans
    }

    fn text(&self) -> String {
        Value::from(self.told.lock().expect("nobody panics while holding this").clone()).to_string()
    }
}

impl Span {
    fn is(&self, name: &str) -> bool {
        self.said["name"] == name
    }

    fn is_below(&self, parent: &Self) -> bool {
        self.said["traceId"] == parent.said["traceId"] && self.said["parentSpanId"] == parent.said["spanId"]
    }

    fn is_linked_to(&self, other: &Self) -> bool {
        list(&self.said["links"])
            .any(|link| link["traceId"] == other.said["traceId"] && link["spanId"] == other.said["spanId"])
    }

    fn nanos(&self, field: &str) -> u64 {
        self.said[field].as_str().and_then(|nanos| nanos.parse().ok()).expect("a time")
    }
}

async fn take(State(told): State<Told>, Json(traces): Json<Value>) -> Json<Value> {
    told.lock().expect("nobody panics while holding this").push(traces);
    Json(json!({}))
}

/// Replaces `axum::serve`, which the program's features do not include.
async fn axum_serve(listener: TcpListener, router: Router) {
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    while let Ok((socket, _)) = listener.accept().await {
        let service = TowerToHyperService::new(router.clone());
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
        tokio::spawn(connection);
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn attribute(attributes: &Value, key: &str) -> String {
    let found = list(attributes).find(|attribute| attribute["key"] == key);
    let value = &found.unwrap_or_else(|| panic!("no {key} in {attributes}"))["value"];
    value["stringValue"]
        .as_str()
        .or_else(|| value["intValue"].as_str())
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the complete path of one post, from `POST /messages` to a write on a stream of each of two instances.
fn whole_way(spans: &[Span]) -> Option<Vec<Span>> {
    let find =
        |name: &'static str, parent: &Span| spans.iter().find(|span| span.is(name) && span.is_below(parent)).cloned();
    spans.iter().filter(|span| span.is("POST /messages")).find_map(|request| {
        let commit = find("writer.commit", request)?;
        let queue = find("writer.queue", request)?;
        let publish = find("publish", &commit)?;
        let applied: Vec<_> = spans.iter().filter(|span| span.is("apply") && span.is_below(&publish)).collect();
        let here = applied.iter().find(|span| span.instance == request.instance)?;
        let there = applied.iter().find(|span| span.instance != request.instance)?;
        let written = (find("stream.write", here)?, find("stream.write", there)?);
        Some(vec![request.clone(), queue, commit, publish, (*here).clone(), (*there).clone(), written.0, written.1])
    })
}

async fn founder(program: &Program) -> User {
    User::sign_in(program.guest(), FOUNDER, PASSWORD).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_follows_a_post_to_the_streams_of_two_instances() {
    let Some(redis) = Redis::start().await else { return };
    let (collector, database) = (Collector::start().await, Database::create().await);
    let launch = || {
        let launch = Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url()).with("RUST_LOG", "trace");
        collector.told_by(launch).start()
    };
    let (here, mut there) = tokio::join!(launch(), launch());
    let ada = founder(&here).await;
    let alice = User::sign_up(here.guest(), "zebra").await;
    let room = ada.create_room("savanna").await;
    let mut near = alice.opening().room(&room).token_in_query().open().await;
    let mut far = there.guest().listen(&room).await;

    let began = Instant::now();
    let way = loop {
        // A caller's own trace is not continued.
        let body = json!({"room_id": room.id, "body": "gazelle"});
        let foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let posted = alice.request(reqwest::Method::POST, "/messages").header("traceparent", foreign).json(&body);
        assert_eq!(posted.send().await.expect("an answer").status(), 201);
        near.expect_message("gazelle").await;
        far.expect_message("gazelle").await;
        if let Some(way) = whole_way(&collector.spans()) {
            break way;
        }
        assert!(began.elapsed() < TOLD_WITHIN, "no complete path among {:#?}", collector.spans());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let [request, queue, commit, _, _, _, near_write, far_write] = &way[..] else { unreachable!("eight spans") };
    assert!(commit.is_linked_to(request) && queue.is_linked_to(commit));
    assert_ne!(request.said["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(request.said["parentSpanId"].as_str().unwrap_or_default(), "");
    let attributes = &request.said["attributes"];
    assert_eq!(attribute(attributes, "http.route"), "/messages");
    assert_eq!(attribute(attributes, "http.response.status_code"), "201");
    assert_eq!(attribute(attributes, "http.response.header.x-request-id").len(), 36);
    assert!(near_write.nanos("endTimeUnixNano") >= commit.nanos("endTimeUnixNano"), "delivered before the commit");
    let since = request.nanos("startTimeUnixNano");
    println!(
        "figure: a post followed through {} spans; written to a stream here {} µs after its request began, on another instance {} µs",
        way.len(),
        (near_write.nanos("endTimeUnixNano") - since) / 1_000,
        (far_write.nanos("endTimeUnixNano") - since) / 1_000,
    );

    // Neither secrets nor noise may be exported. The last spans are sent when the program ends.
    ada.write_to(&alice, "oryx").await;
    here.guest().get("/messages?room_id=zebra&access_token=okapi").await;
    here.guest().with_token("okapi").get("/users/me").await.is(401);
    there.guest().get("/rooms?archived=last").await;
    drop((near, far));
    there.signal(Signal::TERM);
    assert!(there.ends_within(TOLD_WITHIN).await.success());
    let told = collector.text();
    let mut secrets: Vec<&str> = alice.access_token().split('.').chain([alice.refresh_token.as_str()]).collect();
    let ids = [room.id.to_string(), alice.id.to_string()];
    secrets.extend(ids.iter().map(String::as_str));
    secrets.extend(["zebra", "savanna", "gazelle", "oryx", "okapi", "127.0.0.1", PASSWORD, "livez", "readyz"]);
    for secret in secrets {
        assert!(!told.contains(secret), "{secret} is in a trace");
    }
    assert!(collector.spans().iter().any(|span| span.is("GET /rooms") && span.instance != request.instance));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsampled_traces_are_not_exported() {
    let (collector, database) = (Collector::start().await, Database::create().await);
    let launch = collector.told_by(Launch::on(&database.url())).with("OTEL_TRACES_SAMPLER", "always_off");
    let mut program = launch.start().await;
    let ada = founder(&program).await;
    let room = ada.create_room("general").await;
    let mut stream = program.guest().listen(&room).await;
    ada.post(&room, "hi").await;
    stream.expect_message("hi").await;
    drop(stream);
    program.signal(Signal::TERM);
    assert!(program.ends_within(TOLD_WITHIN).await.success());
    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_collector_does_not_delay_posts() {
    let (gone, database) = (Redis::away(), Database::create().await);
    let launch = Launch::on(&database.url()).with("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", gone.address));
    let mut program = launch.with("OTEL_BSP_SCHEDULE_DELAY", 100).start().await;
    let ada = founder(&program).await;
    let room = ada.create_room("general").await;
    let began = Instant::now();
    for number in 0..20 {
        ada.post(&room, &number.to_string()).await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "posts wait for the collector: {:?}", began.elapsed());
    program.signal(Signal::TERM);
    assert!(program.ends_within(Duration::from_secs(30)).await.success(), "it ends anyway");
}

//! The Shuttle entry point, started as by the platform: a mock answers the two calls of its runtime, PostgreSQL is
//! real, and clients use the chat. Run by
//! `cargo test --no-default-features --features shuttle --test shuttle`.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Json;
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use gapless::store::embedded::EmbeddedPostgres;
use rand::Rng as _;
use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);
/// Exit code of the platform's runtime after a signal.
const ENDED_BY_SIGNAL: i32 = 10;

#[tokio::test]
async fn the_entry_point_starts_serves_and_drains_on_the_platform() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let postgres = EmbeddedPostgres::start(dir.path(), None).await.expect("a private PostgreSQL");
    let platform = platform(postgres.url().to_owned()).await;
    let mut chat = Chat::boot(platform, dir.path()).await;
    let http = Client::new();

    let session: Value = ask(chat.post("/auth/login", &json!({"username": "ali", "password": "test"}))).await;
    let token = session["access_token"].as_str().expect("a token");
    let rooms: Value = ask(http.get(chat.at("/rooms"))).await;
    let room = rooms["rooms"][0]["id"].as_str().expect("a room of the demo");
    let stream = http.get(chat.at(&format!("/sse?room={room}"))).send().await.expect("a stream");
    let mut heard = Heard { bytes: Box::pin(stream.bytes_stream()), text: String::new() };
    heard.until("event: hello").await;

    let message = json!({"room_id": room, "body": "from the cloud", "client_id": uuid::Uuid::new_v4()});
    let posted: Value = ask(chat.post("/messages", &message).bearer_auth(token)).await;
    heard.until("from the cloud").await;

    chat.signal(Signal::TERM);
    heard.until("event: drain").await;
    assert_eq!(chat.ended().await, ENDED_BY_SIGNAL);

    // Acknowledged messages exist when the next deployment starts on the same database.
    let chat = Chat::boot(platform, dir.path()).await;
    let page: Value = ask(http.get(chat.at(&format!("/messages?room_id={room}&limit=1")))).await;
    assert_eq!(page["messages"][0], posted);
}

/// Mocks the two calls of the platform's runtime: the project's secrets, and its database.
async fn platform(database_url: String) -> SocketAddr {
    let ready = |kind: &str, output: Value| json!({"type": kind, "state": "ready", "config": null, "output": output});
    let secrets = json!({
        "DEMO_MODE": "true",
        "JWT_SIGNING_KEY": "07".repeat(32),
        "RATE_LIMITS": "off",
        // The platform's address takes precedence; with this one the test would fail.
        "DATABASE_URL": "postgres://nobody@192.0.2.1/nowhere",
    });
    let secrets = ready("secrets", secrets);
    let database = ready("database::shared::postgres", database_url.into());
    let router = Router::new()
        .route("/projects/{project}/resources/secrets", get(async move || Json(secrets)))
        .route("/projects/{project}/resources", post(async move || Json(database)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Chat {
    child: Child,
    address: SocketAddr,
}

impl Chat {
    async fn boot(platform: SocketAddr, dir: &std::path::Path) -> Self {
        let port = rand::rng().random_range(20_000..32_000);
        let child = Command::new(env!("CARGO_BIN_EXE_shuttle"))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs([
                ("SHUTTLE_ENV", "production"),
                ("SHUTTLE_PROJECT_ID", "proj_1"),
                ("SHUTTLE_PROJECT_NAME", "gapless"),
            ])
            .envs([("SHUTTLE_RUNTIME_IP", "127.0.0.1".to_owned()), ("SHUTTLE_RUNTIME_PORT", port.to_string())])
            .env("SHUTTLE_API", format!("http://{platform}"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .spawn()
            .expect("the entry point starts");
        let chat = Self { child, address: (Ipv4Addr::LOCALHOST, port).into() };
        let began = Instant::now();
        while !reqwest::get(chat.at("/readyz")).await.is_ok_and(|answer| answer.status() == 200) {
            assert!(began.elapsed() < START, "the entry point is not ready");
            tokio::time::sleep(POLL).await;
        }
        chat
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        Client::new().post(self.at(path)).json(body)
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, signal).expect("it is our child");
    }

    async fn ended(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status.code().expect("it ended by itself");
            }
            assert!(began.elapsed() < START, "it does not end");
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Heard<S> {
    bytes: S,
    text: String,
}

impl<B: AsRef<[u8]>, E: std::fmt::Debug, S: futures_util::Stream<Item = Result<B, E>> + Unpin> Heard<S> {
    async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let next = tokio::time::timeout(START, self.bytes.next()).await.expect("the stream is silent");
            let bytes = next.expect("the stream continues").expect("the connection holds");
            self.text.push_str(&String::from_utf8_lossy(bytes.as_ref()));
        }
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    answer.json().await.expect("JSON")
}

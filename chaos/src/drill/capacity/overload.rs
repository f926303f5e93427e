//! Clients that request more than the capacity, and the answers that they receive.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gapless_client::http::{Connection, EventStream, Request, ask};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::super::post::post;
use crate::environment::{Environment, PASSWORD};
use crate::schedule::INSTANCES;

/// Client timeout for a log-in, which may wait in the server's queue.
const LOG_IN_TIMEOUT: Duration = Duration::from_secs(20);

/// The overloaded capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overload {
    Streams,
    Posts,
    LogIns,
}

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Streams => "streams",
            Self::Posts => "posts",
            Self::LogIns => "log-ins",
        })
    }
}

/// Numbers of answers by kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    /// `bye busy`; 429 or 503 with `Retry-After`.
    pub polite: u64,
    /// Any other failure: an error, a refusal without `Retry-After`, no answer.
    pub impolite: u64,
    pub admitted: u64,
}

/// See the [module](self).
pub struct RunningOverload {
    clients: JoinSet<Answers>,
    is_over: Arc<AtomicBool>,
    /// Streams that occupy the remaining capacity until the overload is stopped.
    occupying: JoinSet<()>,
}

impl Overload {
    pub const ALL: [Self; 3] = [Self::Streams, Self::Posts, Self::LogIns];

    /// Returns the number of simultaneous clients and the interval of their requests: more posts than the queue of
    /// posts holds, and more log-ins than the queue of log-ins.
    const fn size(self) -> (usize, Duration) {
        match self {
            Self::Streams => (60, Duration::from_millis(100)),
            Self::Posts => (150, Duration::from_millis(250)),
            Self::LogIns => (450, Duration::from_secs(1)),
        }
    }

    pub async fn start(self, env: &Arc<Environment>) -> anyhow::Result<RunningOverload> {
        let mut occupying = JoinSet::new();
        if self == Self::Streams {
            for instance in 0..INSTANCES {
                while let Some(stream) = open_stream(env, instance).await? {
                    occupying.spawn(stream.drain());
                }
            }
        }
        let (count, every) = self.size();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for client in 0..count {
            let (env, is_over) = (Arc::clone(env), Arc::clone(&is_over));
            clients.spawn(async move {
                let mut answers = Answers::default();
                let mut kept = None;
                let mut interval = tokio::time::interval(every);
                interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
                interval.tick().await;
                while !is_over.load(Ordering::Relaxed) {
                    match self.request(&env, client, &mut kept).await {
                        Some(true) => answers.polite += 1,
                        Some(false) => answers.admitted += 1,
                        None => answers.impolite += 1,
                    }
                    interval.tick().await;
                }
                answers
            });
        }
        Ok(RunningOverload { clients, is_over, occupying })
    }

    /// Sends one request; see [`is_polite`] for the result.
    async fn request(self, env: &Environment, client: usize, kept: &mut Option<Connection>) -> Option<bool> {
        let instance = client % INSTANCES;
        let author = &env.authors[client % env.authors.len()];
        match self {
            Self::Streams => open_stream(env, instance).await.ok().map(|stream| stream.is_none()),
            Self::Posts => {
                let token = author.token(env).await?;
                let room = env.rooms[client % env.rooms.len()];
                let attempt = post(env, author, room, &token.access, instance, kept).await;
                is_polite(attempt.status, attempt.retry_after)
            }
            Self::LogIns => {
                let credentials = json!({ "username": author.name, "password": PASSWORD });
                let address = env.cluster.instances[instance].requests.address;
                let request = Request::post("/auth/login", credentials);
                let answer = tokio::time::timeout(LOG_IN_TIMEOUT, ask(address, &request)).await.ok()?.ok()?;
                is_polite(answer.status, answer.retry_after)
            }
        }
    }
}

impl RunningOverload {
    pub async fn stop(mut self) -> Answers {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Answers::default();
        while let Some(one) = self.clients.join_next().await {
            let one = one.expect("a client does not panic");
            all.polite += one.polite;
            all.impolite += one.impolite;
            all.admitted += one.admitted;
        }
        self.occupying.shutdown().await;
        all
    }
}

/// Returns whether an answer is a polite refusal rather than a success. `None`: it is neither.
const fn is_polite(status: u16, retry_after: bool) -> Option<bool> {
    match status {
        200..=299 => Some(false),
        429 | 503 if retry_after => Some(true),
        _ => None,
    }
}

/// Opens a stream. `None`: the instance refused it with `bye busy`.
async fn open_stream(env: &Environment, instance: usize) -> anyhow::Result<Option<EventStream>> {
    let stream = env.open_stream(instance, &format!("room={}", env.rooms[0])).await;
    let mut stream = stream.map_err(|refused| anyhow::anyhow!("a stream was refused: {refused:?}"))?;
    let first = stream.next().await.context("a stream ended before its first event")?;
    if first.name == "hello" {
        return Ok(Some(stream));
    }
    ensure!(first.name == "bye" && first.data.contains("busy"), "a stream began with {first:?}");
    Ok(None)
}

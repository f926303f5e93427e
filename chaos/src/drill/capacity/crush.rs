//! A crowd that asks for more than there is, and what it is told.

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
use crate::schedule::INSTANCES;
use crate::stage::{PASSWORD, Stage};

/// How long somebody stays in the line of those who log in.
const IN_LINE: Duration = Duration::from_secs(20);

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crush {
    Streams,
    Posts,
    LogIns,
}

impl fmt::Display for Crush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Streams => "streams",
            Self::Posts => "posts",
            Self::LogIns => "log-ins",
        })
    }
}

/// How those who came too many were answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refusals {
    /// `bye busy`; 429 or 503 with the time to come back.
    pub polite: u64,
    /// Anything else that is not a success: an error, a refusal without a time, silence.
    pub impolite: u64,
    pub admitted: u64,
}

/// See the [module](self).
pub struct Crowd {
    pushing: JoinSet<Refusals>,
    is_over: Arc<AtomicBool>,
    /// Streams that take the last places; they end with this.
    seated: JoinSet<()>,
}

impl Crush {
    pub const ALL: [Self; 3] = [Self::Streams, Self::Posts, Self::LogIns];

    /// How many ask in the same moment, and how often they do. More posts than the queue holds, and more log-ins than
    /// wait for a worker.
    const fn size(self) -> (usize, Duration) {
        match self {
            Self::Streams => (60, Duration::from_millis(100)),
            Self::Posts => (150, Duration::from_millis(250)),
            Self::LogIns => (450, Duration::from_secs(1)),
        }
    }

    pub async fn begin(self, stage: &Arc<Stage>) -> anyhow::Result<Crowd> {
        let mut seated = JoinSet::new();
        if self == Self::Streams {
            for instance in 0..INSTANCES {
                while let Some(stream) = take_place(stage, instance).await? {
                    seated.spawn(stream.drain());
                }
            }
        }
        let (members, pace) = self.size();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut pushing = JoinSet::new();
        for member in 0..members {
            let (stage, is_over) = (Arc::clone(stage), Arc::clone(&is_over));
            pushing.spawn(async move {
                let mut refusals = Refusals::default();
                let mut kept = None;
                let mut moment = tokio::time::interval(pace);
                moment.set_missed_tick_behavior(MissedTickBehavior::Skip);
                moment.tick().await;
                while !is_over.load(Ordering::Relaxed) {
                    match self.push(&stage, member, &mut kept).await {
                        Some(true) => refusals.polite += 1,
                        Some(false) => refusals.admitted += 1,
                        None => refusals.impolite += 1,
                    }
                    moment.tick().await;
                }
                refusals
            });
        }
        Ok(Crowd { pushing, is_over, seated })
    }

    /// Asks once. `None`: the answer was neither a success nor a polite refusal.
    async fn push(self, stage: &Stage, member: usize, kept: &mut Option<Connection>) -> Option<bool> {
        let on = member % INSTANCES;
        match self {
            Self::Streams => take_place(stage, on).await.ok().map(|stream| stream.is_none()),
            Self::Posts => {
                let author = &stage.authors[member % stage.authors.len()];
                let token = author.token(stage).await?;
                let room = stage.rooms[member % stage.rooms.len()];
                let (status, says_when) = post(stage, author, room, &token.access, on, kept).await;
                is_polite(status, says_when)
            }
            Self::LogIns => {
                let name = &stage.authors[member % stage.authors.len()].name;
                let credentials = json!({ "username": name, "password": PASSWORD });
                let address = stage.cluster.instances[on].posts.address;
                let request = Request::post("/auth/login", credentials);
                let answer = tokio::time::timeout(IN_LINE, ask(address, &request)).await.ok()?.ok()?;
                is_polite(answer.status, answer.retry_after)
            }
        }
    }
}

impl Crowd {
    pub async fn disperse(mut self) -> Refusals {
        self.is_over.store(true, Ordering::Relaxed);
        let mut all = Refusals::default();
        while let Some(one) = self.pushing.join_next().await {
            let one = one.expect("nobody panics in a crowd");
            all.polite += one.polite;
            all.impolite += one.impolite;
            all.admitted += one.admitted;
        }
        self.seated.shutdown().await;
        all
    }
}

const fn is_polite(status: u16, says_when: bool) -> Option<bool> {
    match status {
        200..=299 => Some(false),
        429 | 503 if says_when => Some(true),
        _ => None,
    }
}

/// A stream, or none where it is told that there is no place.
async fn take_place(stage: &Stage, instance: usize) -> anyhow::Result<Option<EventStream>> {
    let query = format!("room={}", stage.rooms[0]);
    let address = stage.cluster.instances[instance].streams.address;
    let stream = EventStream::open(address, &query, None, None).await;
    let mut stream = stream.map_err(|refused| anyhow::anyhow!("a stream was refused: {refused:?}"))?;
    let first = stream.next().await.context("a stream ended before its first event")?;
    if first.name == "hello" {
        return Ok(Some(stream));
    }
    ensure!(first.name == "bye" && first.data.contains("busy"), "a stream began with {first:?}");
    Ok(None)
}

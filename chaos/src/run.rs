//! One run: everything started, broken, healed, quiet again, and judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gapless_client::http::{EventStream, Request, ask};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::authors::Author;
use crate::checker::truth::Truth;
use crate::checker::{self, Findings};
use crate::cluster::{Cluster, Terms};
use crate::history::{History, Record};
use crate::readers::{Kind, Reader, audience};
use crate::schedule::{FaultKind, plan};
use crate::stage::{Cast, Phase, Stage};
use crate::{injector, law, vitals};

/// The history's name in a run's directory.
pub const HISTORY: &str = "history.jsonl";
/// Submits that were begun are finished by their authors in this time.
pub const LAST_SUBMITS: Duration = Duration::from_secs(45);
/// Streams that hear everything come to the end of the log in this time once everything is whole.
const CATCH_UP: Duration = Duration::from_secs(40);
/// Longer than a reader who left still counts, and than the reports between instances take.
const STEADY_FOR: Duration = Duration::from_secs(5);
/// A killed instance's guests are counted no longer than this.
const LONGEST_GHOST: Duration = Duration::from_secs(40);
/// Shorter runs do not wait for ghosts.
const GHOSTS_FROM: Duration = Duration::from_secs(100);
const GHOSTS: usize = 5;

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub length: Duration,
    pub rate: f64,
    pub kinds: Vec<FaultKind>,
    pub mutant: Option<&'static str>,
    pub server: PathBuf,
    /// Where history and logs go.
    pub dir: PathBuf,
}

/// Runs and judges.
pub async fn run(plan: &Plan) -> anyhow::Result<Findings> {
    ensure!(plan.server.is_file(), "the server program {} does not exist", plan.server.display());
    if plan.dir.exists() {
        fs::remove_dir_all(&plan.dir).with_context(|| format!("cannot clear {}", plan.dir.display()))?;
    }
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let history =
        History::begin(&plan.dir.join(HISTORY), plan.seed, plan.length.as_secs(), plan.mutant.map(str::to_owned))?;
    let terms = Terms { mutant: plan.mutant, ..Terms::default() };
    let cluster = Cluster::start(&plan.server, &plan.dir, &terms).await?;
    let stage = Stage::set(cluster, history, plan.seed, Cast::of_chaos(plan.rate)).await?;
    perform(&stage, plan).await?;
    close(stage, &plan.dir).await
}

/// Ends everything, and judges what was written down in `dir`.
pub async fn close(stage: Arc<Stage>, dir: &Path) -> anyhow::Result<Findings> {
    let mut db = stage.cluster.postgres.connect().await?;
    let truth = Truth::read(&mut db).await?;
    drop(db);
    let stage = Arc::into_inner(stage).context("a task still holds the stage")?;
    let Stage { cluster, history, .. } = stage;
    history.end().context("cannot write the history")?;
    cluster.keep_logs(dir);
    drop(cluster);
    truth.write(&dir.join("database.json"))?;
    checker::check(&dir.join(HISTORY), &truth)
}

/// Judges again what a run has left in its directory.
pub fn judge(dir: &Path) -> anyhow::Result<Findings> {
    checker::check(&dir.join(HISTORY), &Truth::reread(&dir.join("database.json"))?)
}

async fn perform(stage: &Arc<Stage>, plan: &Plan) -> anyhow::Result<()> {
    vitals::look(stage).await;
    let watching = tokio::spawn(vitals::watch(Arc::clone(stage)));
    let keeping = tokio::spawn(vitals::keep_alive(Arc::clone(stage)));
    let mut readers = JoinSet::new();
    let mut places = Vec::new();
    for reader in audience(stage) {
        places.push((reader.number, reader.kind, reader.reached()));
        readers.spawn(Reader::read(reader));
    }
    let mut writers = JoinSet::new();
    for person in &stage.authors {
        writers.spawn(Author::new(Arc::clone(stage), Arc::clone(person)).write());
    }
    for person in &stage.admins {
        writers.spawn(Author::new(Arc::clone(stage), Arc::clone(person)).whisper());
    }
    for room in stage.contested_rooms() {
        writers.spawn(law::contest(Arc::clone(stage), *room));
    }
    for victim in 0..stage.victims.len() {
        writers.spawn(law::judge(Arc::clone(stage), victim));
    }
    writers.spawn(law::pry(Arc::clone(stage)));

    let began = Instant::now();
    let planned = crate::schedule::plan(plan.seed, plan.length, &plan.kinds);
    injector::inject(Arc::clone(stage), planned).await;
    tokio::time::sleep_until(began + plan.length).await;

    stage.phase.send_replace(Phase::Settling);
    tokio::time::timeout(LAST_SUBMITS, writers.join_all()).await.ok();
    settle(stage, &places).await?;
    if plan.length >= GHOSTS_FROM {
        raise_ghosts(stage).await?;
    }
    stage.phase.send_replace(Phase::Over);
    readers.join_all().await;
    // Leaves have a short grace, and whoever went without a word is still waited for.
    tokio::time::sleep(Duration::from_secs(10)).await;
    for task in [watching, keeping] {
        task.abort();
        task.await.ok();
    }
    vitals::look(stage).await;
    Ok(())
}

/// A reader's number and kind, and how far it has come.
pub type Place = (u32, Kind, Arc<AtomicI64>);

/// Waits until every stream that is read has come to the end of the log, and writes down how far each has come.
pub async fn settle(stage: &Stage, places: &[Place]) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let mut db = stage.cluster.postgres.connect().await?;
        let (head,): (i64,) = sqlx::query_as("select pos from log_head").fetch_one(&mut db).await?;
        let is_behind = |place: &&Place| place.1 != Kind::HalfOpen && place.2.load(Ordering::Relaxed) < head;
        if places.iter().find(is_behind).is_none() || began.elapsed() > CATCH_UP {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for (reader, kind, reached) in places {
        if *kind != Kind::HalfOpen {
            let pos = reached.load(Ordering::Relaxed);
            stage.history.record(Record::Settled { at: stage.history.now(), reader: *reader, pos });
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Room {
    online: Online,
}

#[derive(Deserialize)]
struct Online {
    guests: u64,
}

/// How long guests of a killed instance are counted by another.
async fn raise_ghosts(stage: &Stage) -> anyhow::Result<()> {
    let room = *stage.rooms.first().context("there are no rooms")?;
    let (doomed, witness) = (&stage.cluster.instances[0], &stage.cluster.instances[1]);
    let before = steady_guests(witness.address, room).await?;
    let mut streams = Vec::new();
    for _ in 0..GHOSTS {
        let query = format!("room={room}");
        streams.extend(EventStream::open(doomed.address, &query, None, None).await.ok());
    }
    let began = Instant::now();
    while guests(witness.address, room).await.is_none_or(|now| now < before + GHOSTS as u64) {
        ensure!(began.elapsed() < LONGEST_GHOST, "the guests of one instance are not counted by another");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    doomed.kill();
    let killed = Instant::now();
    let here = guests(witness.address, room).await.unwrap_or_default();
    // Readers of the killed instance come elsewhere meanwhile; only its own guests go.
    while killed.elapsed() < LONGEST_GHOST
        && guests(witness.address, room).await.is_none_or(|now| now + GHOSTS as u64 > here.max(before + GHOSTS as u64))
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let millis = u64::try_from(killed.elapsed().as_millis()).unwrap_or(u64::MAX);
    stage.history.record(Record::Ghost { millis });
    doomed.run()?;
    doomed.is_ready().await
}

/// Waits until the count stays the same: readers who changed instances count on both until the former one's grace ends.
async fn steady_guests(address: std::net::SocketAddr, room: Uuid) -> anyhow::Result<u64> {
    let began = Instant::now();
    let (mut count, mut since) = (None, began);
    while count.is_none() || since.elapsed() < STEADY_FOR {
        ensure!(began.elapsed() < LONGEST_GHOST, "the number of guests does not become steady: {count:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = guests(address, room).await;
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    count.context("the guests were counted")
}

async fn guests(address: std::net::SocketAddr, room: Uuid) -> Option<u64> {
    let request = Request::get(format!("/rooms/{room}"));
    let asked = tokio::time::timeout(Duration::from_secs(2), ask(address, &request));
    Some(asked.await.ok()?.ok()?.json::<Room>().ok()?.online.guests)
}

/// The schedule, for people.
pub fn print_schedule(seed: u64, length: Duration, kinds: &[FaultKind]) {
    for fault in plan(seed, length, kinds) {
        println!("{fault}");
    }
}

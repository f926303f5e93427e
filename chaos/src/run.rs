//! One chaos run: starts cluster and clients, injects faults, heals them, and checks the history.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use crate::checker::truth::Truth;
use crate::checker::{self, Findings};
use crate::clients::Clients;
use crate::cluster::{Cluster, ClusterOptions};
use crate::environment::{Environment, Workload};
use crate::history::{self, History};
use crate::schedule::FaultKind;
use crate::{injector, moderation, monitor, readers, schedule, stale_presence};

/// Name of the file with the final database in a run's directory.
const DATABASE: &str = "database.json";
/// Length from which a run measures stale presence.
const STALE_PRESENCE_FROM: Duration = Duration::from_secs(100);
/// Time after which instances must have closed all streams of readers that left, those without a goodbye included.
const LAST_STREAMS: Duration = Duration::from_secs(10);

/// Parameters of a run.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    pub seed: u64,
    pub length: Duration,
    pub rate: f64,
    pub kinds: &'static [FaultKind],
    pub mutant: Option<&'static str>,
    pub server: &'a Path,
    /// Directory for history and logs.
    pub dir: PathBuf,
}

/// Performs a run and checks its history.
pub async fn run(plan: &Plan<'_>) -> anyhow::Result<Findings> {
    prepare(plan.server, &plan.dir)?;
    let path = plan.dir.join(history::FILE_NAME);
    let history = History::begin(&path, plan.seed, plan.length.as_secs(), plan.mutant.map(str::to_owned))?;
    let options = ClusterOptions { mutant: plan.mutant, ..ClusterOptions::default() };
    let cluster = Cluster::start(plan.server, &plan.dir, &options).await?;
    let env = Environment::create(cluster, history, plan.seed, Workload::of_chaos_run(plan.rate)).await?;
    perform(&env, plan).await?;
    stop_and_check(env, &plan.dir).await
}

/// Creates an empty directory for a run of this server.
pub fn prepare(server: &Path, dir: &Path) -> anyhow::Result<()> {
    ensure!(server.is_file(), "the server program {} does not exist", server.display());
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot clear {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

/// Stops the cluster and checks the history in `dir`.
pub async fn stop_and_check(env: Arc<Environment>, dir: &Path) -> anyhow::Result<Findings> {
    let mut db = env.cluster.postgres.connect().await?;
    let truth = Truth::read(&mut db).await?;
    drop(db);
    let Environment { cluster, history, .. } = Arc::into_inner(env).context("a task still uses the environment")?;
    history.end().context("cannot write the history")?;
    cluster.keep_logs(dir);
    drop(cluster);
    truth.write(&dir.join(DATABASE))?;
    checker::check(&dir.join(history::FILE_NAME), &truth)
}

/// Checks again the history that a run left in its directory.
pub fn check_again(dir: &Path) -> anyhow::Result<Findings> {
    checker::check(&dir.join(history::FILE_NAME), &Truth::from_file(&dir.join(DATABASE))?)
}

async fn perform(env: &Arc<Environment>, plan: &Plan<'_>) -> anyhow::Result<()> {
    monitor::sample(env).await;
    let sampling = tokio::spawn(monitor::sample_periodically(Arc::clone(env)));
    let supervising = tokio::spawn(monitor::supervise(Arc::clone(env)));
    let mut clients = Clients::start_readers(readers::of_all_kinds(env));
    clients.start_authors(env);
    for room in env.contested_rooms() {
        clients.start_writer(moderation::archive_and_restore(Arc::clone(env), *room));
    }
    for victim in 0..env.victims.len() {
        clients.start_writer(moderation::revoke_and_restore(Arc::clone(env), victim));
    }
    clients.start_writer(moderation::look_for_leaks(Arc::clone(env)));

    let began = Instant::now();
    injector::inject_all(Arc::clone(env), schedule::plan(plan.seed, plan.length, plan.kinds)).await;
    tokio::time::sleep_until(began + plan.length).await;

    clients.settle(env).await?;
    if plan.length >= STALE_PRESENCE_FROM {
        stale_presence::measure(env).await?;
    }
    clients.end(env).await;
    tokio::time::sleep(LAST_STREAMS).await;
    for task in [sampling, supervising] {
        task.abort();
        task.await.ok();
    }
    monitor::sample(env).await;
    Ok(())
}

/// Prints the schedule of faults.
pub fn print_schedule(seed: u64, length: Duration, kinds: &[FaultKind]) {
    for fault in schedule::plan(seed, length, kinds) {
        println!("{fault}");
    }
}

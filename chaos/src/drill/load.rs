//! The environment of a drill, and its simulated readers and writers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::time::Instant;

use super::{DrillOptions, ResultTable};
use crate::checker::Findings;
use crate::clients::Clients;
use crate::cluster::{Cluster, ClusterOptions};
use crate::environment::{Environment, Phase, Workload};
use crate::history::{self, History};
use crate::readers;
use crate::run::stop_and_check;

/// Drills have no random schedule: the same seed for each.
const SEED: u64 = 1;
/// Timeout for all streams to receive `hello`.
const LIVE_TIMEOUT: Duration = Duration::from_mins(1);
/// The product's defaults, with shorter heartbeats and drain so that a drill waits less.
pub const SETTINGS: &[(&str, &str)] = &[
    ("ACCESS_TOKEN_TTL_SECS", "900"),
    ("HEARTBEAT_SECS", "5"),
    ("DB_POOL_SIZE", "20"),
    ("DRAIN_GRACE_SECS", "12"),
    ("REPLAY_RING_BYTES", "67108864"),
];

/// Starts three instances without proxies, creates accounts and rooms, and signs the accounts in.
pub async fn create_environment(
    options: &DrillOptions<'_>,
    settings: &'static [(&str, &str)],
    workload: Workload,
) -> anyhow::Result<Arc<Environment>> {
    let history = History::begin(&options.dir.join(history::FILE_NAME), SEED, 0, None)?;
    let cluster_options = ClusterOptions { mutant: options.mutant, settings, without_proxies: true };
    let cluster = Cluster::start(options.server, options.dir, &cluster_options).await?;
    let env = Environment::create(cluster, history, SEED, workload).await?;
    // In advance, because hashing a password takes longer than anything that is measured.
    for account in env.authors.iter().chain(&env.admins).chain(&env.two_tab_users) {
        account.token(&env).await.with_context(|| format!("{} cannot sign in", account.name))?;
    }
    Ok(env)
}

/// Stops the cluster, checks the history and adds the checker's figures, for drills without a [`Load`].
pub async fn finish(
    env: Arc<Environment>,
    options: &DrillOptions<'_>,
    results: &mut ResultTable,
) -> anyhow::Result<Findings> {
    env.phase.send_replace(Phase::Over);
    let findings = stop_and_check(env, options.dir).await?;
    results.findings(&findings);
    Ok(findings)
}

/// See the [module](self).
pub struct Load(Clients);

impl Load {
    /// Opens the streams, all at once, and starts the authors when all are live.
    pub async fn start(env: &Arc<Environment>, streams: usize) -> anyhow::Result<Self> {
        let mut clients = Clients::start_readers(readers::persistent(env, streams));
        wait_live(env, streams).await?;
        clients.start_authors(env);
        Ok(Self(clients))
    }

    /// Lets all readers reach the end of the log, stops everything and checks the history.
    pub async fn finish(
        mut self,
        env: Arc<Environment>,
        options: &DrillOptions<'_>,
        results: &mut ResultTable,
    ) -> anyhow::Result<Findings> {
        self.0.settle(&env).await?;
        self.0.end(&env).await;
        finish(env, options, results).await
    }
}

/// Waits until this number of streams is live.
pub async fn wait_live(env: &Environment, streams: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    while env.live.load(Ordering::Relaxed) < streams {
        let live = env.live.load(Ordering::Relaxed);
        ensure!(began.elapsed() < LIVE_TIMEOUT, "only {live} of {streams} streams are live after {LIVE_TIMEOUT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

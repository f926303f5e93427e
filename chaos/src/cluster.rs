//! The processes of a run: PostgreSQL, Redis and three instances, and the links between them.

mod instance;
mod postgres;
mod process;
mod redis;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use instance::{Instance, Metrics};
pub use postgres::Postgres;
pub use process::send;
pub use redis::Redis;

use crate::schedule::INSTANCES;

/// See the [module](self). Dropping it ends all processes.
#[derive(Debug)]
pub struct Cluster {
    // The fields are dropped in this order.
    pub instances: Vec<Instance>,
    pub redis: Redis,
    pub postgres: Postgres,
    data: tempfile::TempDir,
}

impl Cluster {
    /// Starts all processes; the three instances start at once, on an empty database.
    pub async fn start(server: &Path, logs: &Path, options: &ClusterOptions) -> anyhow::Result<Self> {
        let data =
            tempfile::Builder::new().prefix("gapless-chaos-").tempdir().context("cannot create a data directory")?;
        let postgres = Postgres::start(data.path(), options.mutant == Some("async-commit")).await?;
        let redis = Redis::start(data.path()).await.context("cannot start Redis")?;
        let mut instances = Vec::with_capacity(INSTANCES);
        for number in 0..INSTANCES {
            let launch = Launch { server, logs, options };
            instances.push(Instance::start(number, &launch, &postgres, &redis).await?);
        }
        for instance in &instances {
            instance.wait_until_ready().await.with_context(|| format!("instance {} did not start", instance.number))?;
        }
        Ok(Self { instances, redis, postgres, data })
    }

    /// Copies the logs of PostgreSQL's last two runs to the directory with those of the instances.
    pub fn keep_logs(&self, dir: &Path) {
        for name in ["postgres.log", "postgres.log.old"] {
            std::fs::copy(self.data.path().join(name), dir.join(name)).ok();
        }
    }
}

/// Options of a cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterOptions {
    /// Seeded bug of the instances.
    pub mutant: Option<&'static str>,
    /// Settings that replace those of a chaos run.
    pub settings: &'static [(&'static str, &'static str)],
    /// Connects clients, PostgreSQL and Redis directly to the instances: for drills, which inject no link faults.
    pub without_proxies: bool,
}

/// Parameters that all instances share.
struct Launch<'a> {
    server: &'a Path,
    logs: &'a Path,
    options: &'a ClusterOptions,
}

impl Launch<'_> {
    fn log_of(&self, number: usize) -> PathBuf {
        self.logs.join(format!("instance-{number}.log"))
    }
}

/// Returns a free port below the range for outgoing connections, so that a killed process can bind it again. Each call
/// begins its search at a random port.
fn free_port() -> io::Result<u16> {
    const FIRST: u32 = 22_000;
    const PORTS: u32 = 9_000;
    let begin = std::process::id().wrapping_mul(37) + rand::random_range(0..PORTS);
    (0..PORTS)
        .map(|n| u16::try_from(FIRST + (begin.wrapping_add(n)) % PORTS).expect("it is below 32768"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

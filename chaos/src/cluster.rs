//! Everything that a run starts and breaks: Postgres, Redis, three instances, and the links between them all.

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

/// See the [module](self). Dropping it ends every process.
#[derive(Debug)]
pub struct Cluster {
    // In the order in which they are dropped.
    pub instances: Vec<Instance>,
    pub redis: Redis,
    pub postgres: Postgres,
    data: tempfile::TempDir,
}

impl Cluster {
    /// Starts everything, the three instances at once on an empty database.
    pub async fn start(server: &Path, logs: &Path, terms: &Terms) -> anyhow::Result<Self> {
        let data =
            tempfile::Builder::new().prefix("gapless-chaos-").tempdir().context("cannot create a data directory")?;
        let postgres = Postgres::start(data.path(), terms.mutant == Some("async-commit")).await?;
        let redis = Redis::start(data.path()).await.context("cannot start Redis")?;
        let mut instances = Vec::with_capacity(INSTANCES);
        for number in 0..INSTANCES {
            let place = Place { server, logs, terms };
            instances.push(Instance::start(number, &place, &postgres, &redis).await?);
        }
        for instance in &instances {
            instance.is_ready().await.with_context(|| format!("instance {} did not start", instance.number))?;
        }
        Ok(Self { instances, redis, postgres, data })
    }

    /// Copies the database's own words, of its last run and the one before, beside those of the instances.
    pub fn keep_logs(&self, dir: &Path) {
        for name in ["postgres.log", "postgres.log.old"] {
            std::fs::copy(self.data.path().join(name), dir.join(name)).ok();
        }
    }
}

/// What a cluster is started for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms {
    /// The bug that the instances have.
    pub mutant: Option<&'static str>,
    /// Settings that replace those of a chaos run.
    pub settings: &'static [(&'static str, &'static str)],
    /// Nothing lies between an instance and its clients, Postgres and Redis: for what measures and breaks no link.
    pub is_straight: bool,
}

/// What the instances have in common.
struct Place<'a> {
    server: &'a Path,
    logs: &'a Path,
    terms: &'a Terms,
}

impl Place<'_> {
    fn log_of(&self, number: usize) -> PathBuf {
        self.logs.join(format!("instance-{number}.log"))
    }
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections: what is killed must
/// find its port still free. Each call looks from another place on.
fn free_port() -> io::Result<u16> {
    const FIRST: u32 = 22_000;
    const PORTS: u32 = 9_000;
    let begin = std::process::id().wrapping_mul(37) + rand::random_range(0..PORTS);
    (0..PORTS)
        .map(|n| u16::try_from(FIRST + (begin.wrapping_add(n)) % PORTS).expect("it is below 32768"))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

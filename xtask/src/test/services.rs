//! What tests talk to: one real PostgreSQL, in which each test makes a database of its own, and one Redis.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::embedded::cluster::Cluster;
use crate::process::Running;
use crate::{database, step, tools};

/// Started together; stopped, with all their data, when dropped, whatever the tests did.
pub struct Services {
    database_url: String,
    redis_url: Option<String>,
    // In the order in which they are dropped: programs before their directory.
    _redis: Option<Running>,
    _cluster: Option<Cluster>,
    _dir: Scratch,
}

/// A directory that goes with its value.
pub struct Scratch(pub PathBuf);

impl Services {
    /// `TEST_DATABASE_URL` and `TEST_REDIS_URL` name servers that run already.
    pub fn start() -> anyhow::Result<Self> {
        let dir = Scratch::make("gapless-test")?;
        let (database_url, cluster) = if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            (url, None)
        } else {
            // Many tests at a time, each with a pool.
            let cluster = database::start(&dir.0, &[("max_connections", "400")])?;
            (cluster.url().to_owned(), Some(cluster))
        };
        let (redis_url, redis) = match std::env::var("TEST_REDIS_URL") {
            Ok(url) => (Some(url), None),
            Err(_) => match start_redis(&dir) {
                Ok((url, redis)) => (Some(url), Some(redis)),
                Err(error) => {
                    step::note(&format!("{error:#}; tests that need it are not run"));
                    (None, None)
                }
            },
        };
        Ok(Self { database_url, redis_url, _redis: redis, _cluster: cluster, _dir: dir })
    }

    /// Tells `command` where the services are. `DATABASE_URL` is for `sqlx::test`.
    pub fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DATABASE_URL", &self.database_url).env("TEST_DATABASE_URL", &self.database_url);
        if let Some(url) = &self.redis_url {
            command.env("TEST_REDIS_URL", url);
        }
        command
    }
}

fn start_redis(dir: &Scratch) -> anyhow::Result<(String, Running)> {
    let program = tools::redis()?;
    let port = free_port()?;
    let redis = Running::start(
        Command::new(program)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .current_dir(&dir.0)
            .stdout(Stdio::null()),
    )?;
    Ok((format!("redis://127.0.0.1:{port}"), redis))
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

impl Scratch {
    pub fn make(name: &str) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! Services for tests: one real PostgreSQL, in which each test creates a database of its own, and one Redis.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use embedded_postgres::cluster::Cluster;

use crate::process::Running;
use crate::{database, step, tools};

const REDIS_START: Duration = Duration::from_secs(10);

/// Started together; stopped and deleted with all their data when dropped.
pub struct Services {
    database_url: String,
    redis_url: Option<String>,
    // Fields are dropped in this order: programs before their directory.
    _redis: Option<Running>,
    _cluster: Option<Cluster>,
    _dir: Scratch,
}

/// A directory that is deleted with its value.
pub struct Scratch(pub PathBuf);

impl Services {
    /// `TEST_DATABASE_URL` and `TEST_REDIS_URL` name running servers to use instead.
    pub fn start() -> anyhow::Result<Self> {
        let dir = Scratch::make("gapless-test")?;
        let (database_url, cluster) = if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            (url, None)
        } else {
            // Many tests run at a time, each with a pool.
            let cluster = database::start(&dir.0, &[("max_connections", "400")])?;
            (cluster.url().to_owned(), Some(cluster))
        };
        let (redis_url, redis) = match std::env::var("TEST_REDIS_URL") {
            Ok(url) => (Some(url), None),
            Err(_) => match start_redis(&dir) {
                Ok((url, redis)) => (Some(url), Some(redis)),
                Err(error) => {
                    step::note(&format!("{error:#}; skipping the tests that need it"));
                    (None, None)
                }
            },
        };
        Ok(Self { database_url, redis_url, _redis: redis, _cluster: cluster, _dir: dir })
    }

    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Sets the services' addresses in the environment of `command`. `sqlx::test` reads `DATABASE_URL`.
    pub fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DATABASE_URL", &self.database_url).env("TEST_DATABASE_URL", &self.database_url);
        if let Some(url) = &self.redis_url {
            command.env("TEST_REDIS_URL", url);
        }
        command
    }
}

/// Starts Redis on a port of its own and returns its address.
pub fn start_redis(dir: &Scratch) -> anyhow::Result<(String, Running)> {
    let program = tools::redis()?;
    let port = free_port()?;
    let redis = Running::start(
        Command::new(program)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(port.to_string())
            .current_dir(&dir.0)
            .stdout(Stdio::null()),
    )?;
    let since = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        ensure!(since.elapsed() < REDIS_START, "Redis did not start within {} s", REDIS_START.as_secs());
        sleep(Duration::from_millis(10));
    }
    Ok((format!("redis://127.0.0.1:{port}"), redis))
}

/// Returns a free port below the range that the system uses for outgoing connections, so that a test that
/// restarts a server finds its port still free. Never returns the same port twice, because the first caller may not
/// listen yet.
pub fn free_port() -> anyhow::Result<u16> {
    const PORTS: Range<u16> = 20_000..30_000;
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    // Concurrent runs begin at different ports.
    let first = usize::try_from(std::process::id())?;
    for _ in PORTS {
        let next = (first + GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS.len();
        let port = PORTS.start + u16::try_from(next)?;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("there is no free port from 20000 to 29999")
}

impl Scratch {
    pub fn make(name: &str) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

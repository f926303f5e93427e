//! One process of the server, with links to its clients, PostgreSQL and Redis.

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use gapless_client::http::{Request, ask};
use rustix::process::Signal;

use super::process::{Child, cpu_of, descriptors_of, status_of};
use super::{ClusterOptions, Launch, Postgres, Redis};
use gapless_client::link::{Link, Upstream};

/// Timeout for a start; the first one creates the schema, which takes long on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Timeout for the exit after SIGTERM.
const EXIT_TIMEOUT: Duration = Duration::from_secs(12);
/// Minimum age of a process that is restarted after it exited, as service managers limit restarts.
const RESTART_DELAY: Duration = Duration::from_millis(500);
/// Shared by all instances, so that each accepts the others' tokens.
const SIGNING_KEY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
/// Token with which the drills read `/metrics`.
const METRICS_TOKEN: &str = "drill";
/// So short that tokens expire while streams are open.
const TOKEN_SECS: u64 = 40;

/// See the [module](self).
#[derive(Debug)]
pub struct Instance {
    pub number: usize,
    process: Child,
    /// The process is restarted if it exits by itself.
    should_run: AtomicBool,
    server: PathBuf,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Clients may choose this instance, as a load balancer decides.
    pub accepts_clients: AtomicBool,
    /// Address of the process itself, which bypasses the links.
    pub address: SocketAddr,
    /// Clients send requests and open streams over separate links.
    pub requests: Link,
    pub streams: Link,
    pub to_postgres: Link,
    pub to_redis: Link,
}

impl Instance {
    pub(super) async fn start(
        number: usize,
        launch: &Launch<'_>,
        postgres: &Postgres,
        redis: &Redis,
    ) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, super::free_port()?));
        let ClusterOptions { mutant, settings: replaced, without_proxies } = *launch.options;
        let to_postgres = Link::to(postgres.upstream()).await?;
        let to_redis = Link::to(Upstream::Tcp(redis.address)).await?;
        let client_link = || async move {
            if without_proxies { Ok(Link::direct(address)) } else { Link::to(Upstream::Tcp(address)).await }
        };
        let mut settings = vec![
            ("HOST", Ipv4Addr::LOCALHOST.to_string()),
            ("PORT", address.port().to_string()),
            ("DATABASE_URL", format!("postgres://gapless@{}/gapless?sslmode=disable", to_postgres.address)),
            ("REDIS_CONNECTION", format!("redis://{}", to_redis.address)),
            ("JWT_SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("ACCESS_TOKEN_TTL_SECS", TOKEN_SECS.to_string()),
            ("METRICS_TOKEN", METRICS_TOKEN.to_owned()),
            ("RATE_LIMITS", "off".to_owned()),
            ("HEARTBEAT_SECS", "1".to_owned()),
            ("DB_POOL_SIZE", "8".to_owned()),
            ("DRAIN_GRACE_SECS", "7".to_owned()),
            // Small, and smaller for each instance, so that some resumes are served from memory and others by PostgreSQL.
            ("REPLAY_RING_BYTES", (200_000_usize >> (3 * number)).to_string()),
            ("RUST_LOG", "info".to_owned()),
        ];
        settings.extend(mutant.map(|mutant| ("GAPLESS_MUTANT", mutant.to_owned())));
        // The last value of a setting applies.
        if without_proxies {
            settings.push(("DATABASE_URL", postgres.url().to_owned()));
            settings.push(("REDIS_CONNECTION", format!("redis://{}", redis.address)));
        }
        settings.extend(replaced.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let instance = Self {
            number,
            process: Child::default(),
            should_run: AtomicBool::new(false),
            server: launch.server.to_owned(),
            settings,
            log: launch.log_of(number),
            address,
            accepts_clients: AtomicBool::new(true),
            requests: client_link().await?,
            streams: client_link().await?,
            to_postgres,
            to_redis,
        };
        instance.start_process()?;
        Ok(instance)
    }

    /// Starts or restarts the process at the same address, without waiting for it to be ready.
    pub fn start_process(&self) -> io::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.server)
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.log.parent().unwrap_or(Path::new(".")))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process.replace(child);
        self.should_run.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < START_TIMEOUT {
            if self.process.has_ended() {
                bail!("it exited during start; its log is {}", self.log.display());
            }
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("it is not ready after {START_TIMEOUT:?}; its log is {}", self.log.display())
    }

    /// Restarts the process if it exited by itself, for example because the database was unavailable at its start.
    /// Returns whether it did.
    pub fn restart_if_exited(&self) -> io::Result<bool> {
        let is_needed =
            self.should_run.load(Ordering::SeqCst) && self.process.has_ended() && self.process.age() > RESTART_DELAY;
        if is_needed {
            self.start_process()?;
        }
        Ok(is_needed)
    }

    pub fn kill(&self) {
        self.should_run.store(false, Ordering::SeqCst);
        self.process.kill();
    }

    /// Sends SIGTERM; the process is not restarted before [`start_process`](Self::start_process) is called.
    pub fn terminate(&self) {
        self.should_run.store(false, Ordering::SeqCst);
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Returns whether the process exits in time.
    pub async fn wait_for_exit(&self) -> bool {
        let began = tokio::time::Instant::now();
        while began.elapsed() < EXIT_TIMEOUT {
            if self.process.has_ended() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Returns whether `/readyz` answers 200.
    pub async fn is_ready(&self) -> bool {
        let request = Request::get("/readyz");
        let asked = tokio::time::timeout(Duration::from_secs(2), ask(self.address, &request));
        matches!(asked.await, Ok(Ok(answer)) if answer.status == 200)
    }

    /// Returns the CPU time of the current process so far.
    pub fn cpu(&self) -> Option<Duration> {
        cpu_of(self.pid()?)
    }

    /// Returns process id, resident memory in KiB, and the numbers of descriptors and threads.
    pub fn resources(&self) -> Option<(u32, u64, u64, u64)> {
        let pid = self.pid()?;
        Some((pid, status_of(pid, "VmRSS")?, descriptors_of(pid)?, status_of(pid, "Threads")?))
    }

    pub async fn metrics(&self) -> Option<Metrics> {
        let asked = tokio::time::timeout(
            Duration::from_secs(1),
            ask(self.address, &Request::get("/metrics").by(METRICS_TOKEN)),
        )
        .await;
        Some(Metrics(String::from_utf8(asked.ok()?.ok()?.body).ok()?))
    }
}

/// An answer of `/metrics`.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Returns the sum of an integer metric over all label sets.
    pub fn sum(&self, name: &str) -> u64 {
        let has_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        self.0.lines().filter(has_name).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

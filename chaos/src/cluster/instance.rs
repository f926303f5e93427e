//! One instance of the real program, with a link on each of its sides.

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
use super::{Place, Postgres, Redis, Terms};
use gapless_client::link::{Link, Upstream};

/// The first start makes the schema; on a busy machine that takes a while.
const START: Duration = Duration::from_mins(1);
/// SIGTERM leads to the end within the grace given; what takes longer has failed.
const LEAVING: Duration = Duration::from_secs(12);
/// What keeps services running does not start one again at once, and for ever.
const REVIVED_AFTER: Duration = Duration::from_millis(500);
/// The same for all: each honours the tokens of the others.
const SIGNING_KEY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
/// Token with which the drills read `/metrics`.
const METRICS_TOKEN: &str = "drill";
/// So short that tokens end in the middle of streams.
pub const TOKEN_SECS: u64 = 40;

/// See the [module](self).
#[derive(Debug)]
pub struct Instance {
    pub number: usize,
    process: Child,
    /// It is meant to run; whatever keeps services running starts it again when it ends.
    wanted: AtomicBool,
    server: PathBuf,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Whether people are sent to it: what a proxy in front believes.
    pub is_open: AtomicBool,
    /// Where it listens, past every link.
    pub address: SocketAddr,
    /// How requests reach it, and how streams do.
    pub posts: Link,
    pub streams: Link,
    pub to_postgres: Link,
    pub to_redis: Link,
}

impl Instance {
    pub(super) async fn start(
        number: usize,
        place: &Place<'_>,
        postgres: &Postgres,
        redis: &Redis,
    ) -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, super::free_port()?));
        let Terms { mutant, settings: replaced, is_straight } = *place.terms;
        let to_postgres = Link::to(postgres.upstream()).await?;
        let to_redis = Link::to(Upstream::Tcp(redis.address)).await?;
        let to_it = || async move {
            if is_straight { Ok(Link::direct(address)) } else { Link::to(Upstream::Tcp(address)).await }
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
            // Small and smaller: what a stream resumes from is partly in memory, partly in Postgres.
            ("REPLAY_RING_BYTES", (200_000_usize >> (3 * number)).to_string()),
            ("RUST_LOG", "info".to_owned()),
        ];
        settings.extend(mutant.map(|mutant| ("GAPLESS_MUTANT", mutant.to_owned())));
        // What is named twice is what it was named last.
        if is_straight {
            settings.push(("DATABASE_URL", postgres.url().to_owned()));
            settings.push(("REDIS_CONNECTION", format!("redis://{}", redis.address)));
        }
        settings.extend(replaced.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let instance = Self {
            number,
            process: Child::default(),
            wanted: AtomicBool::new(false),
            server: place.server.to_owned(),
            settings,
            log: place.log_of(number),
            address,
            is_open: AtomicBool::new(true),
            posts: to_it().await?,
            streams: to_it().await?,
            to_postgres,
            to_redis,
        };
        instance.run()?;
        Ok(instance)
    }

    /// Starts it, or starts it again at the same address; does not wait for it.
    pub fn run(&self) -> io::Result<()> {
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
        self.wanted.store(true, Ordering::SeqCst);
        Ok(())
    }

    pub async fn is_ready(&self) -> anyhow::Result<()> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < START {
            if self.process.has_ended() {
                bail!("it exited during start; its log is {}", self.log.display());
            }
            if self.says_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("it is not ready after {START:?}; its log is {}", self.log.display())
    }

    /// Starts it again where it ended by itself, as it does when the database is away at its start.
    pub fn revive(&self) -> io::Result<bool> {
        let is_needed =
            self.wanted.load(Ordering::SeqCst) && self.process.has_ended() && self.process.age() > REVIVED_AFTER;
        if is_needed {
            self.run()?;
        }
        Ok(is_needed)
    }

    pub fn kill(&self) {
        self.wanted.store(false, Ordering::SeqCst);
        self.process.kill();
    }

    /// SIGTERM: it leaves, and is not started again before it is told to run.
    pub fn dismiss(&self) {
        self.wanted.store(false, Ordering::SeqCst);
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Whether it ended by itself before its time was over.
    pub async fn ends(&self) -> bool {
        let began = tokio::time::Instant::now();
        while began.elapsed() < LEAVING {
            if self.process.has_ended() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// Whether it says of itself that people may be sent to it.
    pub async fn says_ready(&self) -> bool {
        let request = Request::get("/readyz");
        let asked = tokio::time::timeout(Duration::from_secs(2), ask(self.address, &request));
        matches!(asked.await, Ok(Ok(answer)) if answer.status == 200)
    }

    /// Processor time so far, of the process that runs now.
    pub fn cpu(&self) -> Option<Duration> {
        cpu_of(self.pid()?)
    }

    /// Resident memory in KiB, descriptors and threads.
    pub fn takes(&self) -> Option<(u32, u64, u64, u64)> {
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

/// What `/metrics` said.
#[derive(Debug)]
pub struct Metrics(String);

impl Metrics {
    /// The sum over all label sets. Counts are whole numbers.
    pub fn sum(&self, name: &str) -> u64 {
        let of_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        self.0.lines().filter(of_it).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }
}

//! The server as a process: it can be killed, stopped, measured and restarted at the same address.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::Rng as _;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::{Guest, METRICS_TOKEN};

/// A first start creates the schema, which takes a while on a busy machine.
const START: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(10);

/// Shared by all, so that each accepts the others' tokens, like instances of one chat.
const SIGNING_KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

/// Settings for starting the program.
#[derive(Debug, Clone)]
pub struct Launch {
    settings: Vec<(&'static str, String)>,
}

impl Launch {
    /// Returns production settings for this database, with short heartbeats and without rate limits.
    pub fn on(database_url: &str) -> Self {
        Self { settings: Vec::new() }
            .with("HOST", Ipv4Addr::LOCALHOST)
            .with("DATABASE_URL", database_url)
            .with("JWT_SIGNING_KEY", SIGNING_KEY)
            .with("RATE_LIMITS", "off")
            .with("HEARTBEAT_SECS", 1)
            .with("DB_POOL_SIZE", 8)
            .with("METRICS_TOKEN", METRICS_TOKEN)
            .with("RUST_LOG", "info")
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Program {
        let program = self.spawn();
        program.is_ready().await;
        program
    }

    /// Starts it without waiting.
    pub fn spawn(self) -> Program {
        self.spawn_through(Command::new(env!("CARGO_BIN_EXE_gapless")))
    }

    /// Starts it by a command that finally executes it.
    pub fn spawn_through(self, command: Command) -> Program {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let launch = self.with("PORT", port).with("DATA_DIR", dir.path().display());
        let child = launch.run(command, &dir);
        Program { child, address: (Ipv4Addr::LOCALHOST, port).into(), launch, dir }
    }

    fn run(&self, mut command: Command, dir: &TempDir) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log_in(dir)).expect("a log file");
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts")
    }
}

/// See the [module](self). Dropping it kills the process, and after a failed test prints its log.
#[derive(Debug)]
pub struct Program {
    child: Child,
    pub address: SocketAddr,
    launch: Launch,
    dir: TempDir,
}

impl Program {
    /// Waits until the server is ready and has applied everything committed before this call.
    pub async fn is_ready(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            assert!(began.elapsed() < START, "the program does not listen: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
        // The port is open before the database is ready; the first request waits for both.
        let first = self.guest().request(reqwest::Method::GET, "/metrics").timeout(START).send().await;
        assert!(first.is_ok(), "the program does not answer: {}", self.log());
        // A result may be a second old; one of a later probe is new.
        let probes = self.readiness_probes().await;
        loop {
            let asked = self.guest().request(reqwest::Method::GET, "/readyz").timeout(START).send().await;
            let is_ready = asked.is_ok_and(|answer| answer.status() == 200);
            if is_ready && (probes.is_none() || self.readiness_probes().await > probes) {
                return;
            }
            assert!(began.elapsed() < START, "the program is not ready: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn guest(&self) -> Guest {
        Guest::at(self.address)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    /// Restarts it at the same address without waiting.
    pub fn start_again(&mut self) {
        self.child = self.launch.run(Command::new(env!("CARGO_BIN_EXE_gapless")), &self.dir);
    }

    pub fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Waits for its end.
    pub async fn ends_within(&mut self, patience: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(began.elapsed() < patience, "still running after {patience:?}: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Resident memory in KiB (`/proc/PID/status`, `VmRSS`).
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a running process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }

    /// Returns the sum of a metric over the label sets whose line contains `label`.
    pub async fn metric(&self, name: &str, label: &str) -> f64 {
        sum(&self.guest().metrics().await, name, label)
    }

    /// Returns the number of readiness probes so far; `None` if `/metrics` is not accessible.
    async fn readiness_probes(&self) -> Option<f64> {
        let answer = self.guest().with_token(METRICS_TOKEN).get("/metrics").await;
        (answer.status == 200).then(|| sum(&answer.text, "gapless_readiness_probes_total", ""))
    }

    /// Returns its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_in(&self.dir)).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let newest: Vec<_> = log.lines().rev().filter(|line| !line.contains("answered")).take(30).collect();
            eprintln!("The end of the log of the program at {}:", self.address);
            newest.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// Returns the sum over the label sets whose line contains `label`.
fn sum(text: &str, name: &str, label: &str) -> f64 {
    let of_it =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])) && line.contains(label);
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    text.lines().filter(of_it).filter_map(value).sum()
}

fn log_in(dir: &TempDir) -> PathBuf {
    dir.path().join("log")
}

/// Signals a process; ignores one that has ended.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a positive number");
    let _ = kill_process(pid, signal);
}

/// Returns a port that stays free while the program that uses it is restarted: below the range that systems
/// use for outgoing connections.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

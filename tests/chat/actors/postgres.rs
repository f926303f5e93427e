//! A PostgreSQL for one test, so that it can be killed and stopped.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gapless::store::Db;
use gapless::store::embedded::EmbeddedPostgres;
use rustix::process::Signal;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tempfile::TempDir;

use super::database;
use super::program::send;

/// Time limit for recovery after a crash under load.
const RECOVERY: Duration = Duration::from_secs(30);

/// See the [module](self). It is restarted automatically whenever it dies.
pub struct PrivatePostgres {
    server: EmbeddedPostgres,
    dir: TempDir,
}

impl PrivatePostgres {
    /// Creates one with the schema and the founder.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = EmbeddedPostgres::start(dir.path(), None).await.expect("a private PostgreSQL");
        let postgres = Self { server, dir };
        database::fill(postgres.options()).await;
        postgres
    }

    /// Copies the files as they are at one moment under load, like the snapshot of a volume. Every process is stopped
    /// meanwhile.
    pub fn snapshot(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary directory");
        let (from, to) = (self.dir.path().join("postgres/."), copy.path().join("postgres"));
        self.freeze();
        // Tests run by root start the database under another account, which keeps owning these files.
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status();
        self.thaw();
        assert!(copied.expect("there is cp").success(), "{} can be copied", from.display());
        fs::remove_file(to.join("postmaster.pid")).expect("a running server has a pid file");
        copy
    }

    /// Starts from a snapshot, as after a crash.
    pub async fn start_from(snapshot: TempDir) -> Self {
        let server = EmbeddedPostgres::start(snapshot.path(), None).await.expect("a private PostgreSQL");
        Self { server, dir: snapshot }
    }

    pub fn url(&self) -> &str {
        self.server.url()
    }

    pub fn options(&self) -> PgConnectOptions {
        self.url().parse().expect("its own address")
    }

    /// Opens a pool for a test that reads the tables directly.
    pub fn pool(&self) -> Db {
        PgPoolOptions::new().max_connections(2).acquire_timeout(RECOVERY).connect_lazy_with(self.options()).into()
    }

    /// Sends `kill -9` to every process at once, and waits until the server is back.
    pub async fn kill(&self) {
        let former = self.postmaster();
        // Stop all first, so that none notices the death of another and cleans up.
        self.freeze();
        self.processes().into_iter().for_each(|pid| send(pid, Signal::KILL));
        let began = Instant::now();
        while self.postmaster() == former || self.options().connect().await.map(drop).is_err() {
            assert!(began.elapsed() < RECOVERY, "the database did not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops every process: connections stay open, but nothing answers.
    pub fn freeze(&self) {
        // The postmaster first, so that it starts no more children.
        self.postmaster().into_iter().for_each(|pid| send(pid, Signal::STOP));
        self.processes().into_iter().for_each(|pid| send(pid, Signal::STOP));
    }

    pub fn thaw(&self) {
        self.processes().into_iter().for_each(|pid| send(pid, Signal::CONT));
    }

    /// Returns the postmaster and its children; it may start another at any time.
    fn processes(&self) -> Vec<u32> {
        self.postmaster()
            .into_iter()
            .flat_map(|postmaster| children_of(postmaster).into_iter().chain([postmaster]))
            .collect()
    }

    fn postmaster(&self) -> Option<u32> {
        let file: PathBuf = self.dir.path().join("postgres/postmaster.pid");
        fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.thaw();
    }
}

/// `/proc/PID/stat` begins `pid (name) state ppid`; the name may contain any character and ends at the last `)`.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("this system shows its processes").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        after_name.split(' ').nth(1).and_then(|ppid| ppid.parse().ok()) == Some(parent)
    };
    numbers.filter(is_child).collect()
}

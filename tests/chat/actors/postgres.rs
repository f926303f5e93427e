//! A PostgreSQL of a test's own, so that it can be killed and stopped.

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

/// A crash under load is repaired within this.
const RECOVERY: Duration = Duration::from_secs(30);

/// See the [module](self). It is started again by itself whenever it dies.
pub struct PrivatePostgres {
    server: EmbeddedPostgres,
    dir: TempDir,
}

impl PrivatePostgres {
    /// With the schema and the founder.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = EmbeddedPostgres::start(dir.path(), None).await.expect("a private PostgreSQL");
        let postgres = Self { server, dir };
        database::fill(postgres.options()).await;
        postgres
    }

    /// What a volume's snapshot has: the files as they are in one moment, under whatever load. Every process stands
    /// still meanwhile.
    pub fn snapshot(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a temporary directory");
        let (from, to) = (self.dir.path().join("postgres/."), copy.path().join("postgres"));
        self.freeze();
        // Root's tests run the database under another account, whose files these stay.
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status();
        self.thaw();
        assert!(copied.expect("there is cp").success(), "{} can be copied", from.display());
        fs::remove_file(to.join("postmaster.pid")).expect("a running server has left its number");
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

    /// A pool for a test that looks at the tables themselves.
    pub fn pool(&self) -> Db {
        PgPoolOptions::new().max_connections(2).acquire_timeout(RECOVERY).connect_lazy_with(self.options()).into()
    }

    /// `kill -9` of every process at once, then waits until it is there again.
    pub async fn kill(&self) {
        let former = self.postmaster();
        // Frozen first, so that none sees another die and cleans up after it.
        self.freeze();
        self.processes().into_iter().for_each(|pid| send(pid, Signal::KILL));
        let began = Instant::now();
        while self.postmaster() == former || self.options().connect().await.map(drop).is_err() {
            assert!(began.elapsed() < RECOVERY, "the database does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every process stands still: connections stay open, and nothing answers.
    pub fn freeze(&self) {
        // The postmaster alone first: from then on it has no more children.
        self.postmaster().into_iter().for_each(|pid| send(pid, Signal::STOP));
        self.processes().into_iter().for_each(|pid| send(pid, Signal::STOP));
    }

    pub fn thaw(&self) {
        self.processes().into_iter().for_each(|pid| send(pid, Signal::CONT));
    }

    /// The postmaster and its children, of whom it may start another at any time.
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

/// `/proc/PID/stat` begins `pid (name) state ppid`; a name may hold anything but ends at the last `)`.
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

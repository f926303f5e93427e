//! A private PostgreSQL that can be killed and stopped. `embedded-postgres` restarts it when it exits.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr as _;

use anyhow::Context as _;
use embedded_postgres::cluster::{Cluster, Options};
use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _};

use super::process::{children, send};
use gapless_client::link::Upstream;

/// See the [module](self).
pub struct Postgres {
    cluster: Cluster,
    data: PathBuf,
    options: PgConnectOptions,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("url", &self.cluster.url()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Starts the server. `delay_wal`: WAL of asynchronous commits is written late, so that a crash loses them.
    pub async fn start(dir: &Path, delay_wal: bool) -> anyhow::Result<Self> {
        let mut settings = vec![("max_connections", "120"), ("shared_buffers", "64MB")];
        if delay_wal {
            settings.extend([("wal_writer_delay", "10s"), ("wal_writer_flush_after", "1GB"), ("wal_buffers", "16MB")]);
        }
        let bin_dir = std::env::var_os("POSTGRES_BIN_DIR").map(PathBuf::from);
        let options = Options { data_dir: dir.to_owned(), bin_dir, settings, notice: |_| () };
        let cluster = tokio::task::spawn_blocking(|| Cluster::start(options))
            .await
            .expect("starting a database does not panic")?;
        let options = PgConnectOptions::from_str(cluster.url()).context("cannot parse the database URL")?;
        Ok(Self { cluster, data: dir.join("postgres"), options })
    }

    pub fn upstream(&self) -> Upstream {
        let socket = self.options.get_socket().expect("a private database listens on a socket");
        Upstream::Unix(socket.join(format!(".s.PGSQL.{}", self.options.get_port())))
    }

    /// URL of the server itself, which bypasses the links.
    pub fn url(&self) -> &str {
        self.cluster.url()
    }

    /// Opens a connection that bypasses the links.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        // Retries: the server may be restarting after a kill.
        for _ in 0..600 {
            if let Ok(connection) = PgConnection::connect_with(&self.options).await {
                return Ok(connection);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        PgConnection::connect_with(&self.options).await.context("cannot connect to PostgreSQL")
    }

    pub async fn execute(&self, sql: &'static str) -> anyhow::Result<()> {
        self.connect().await?.execute(sql).await?;
        Ok(())
    }

    /// Returns the process ids of the server and its current children.
    fn processes(&self) -> Vec<u32> {
        let file = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let server: Option<u32> = file.lines().next().and_then(|line| line.trim().parse().ok());
        server.into_iter().flat_map(|server| [server].into_iter().chain(children(server))).collect()
    }

    /// Signals all processes, the server first, so that it cannot replace its children.
    pub fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            send(pid, signal);
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Lets all calls of fsync fail until the result is dropped. `None`: `strace` cannot be started.
    pub fn refuse_syncs(&self) -> Option<RefusedSyncs> {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync,fdatasync:error=EIO"]);
        for pid in self.processes() {
            command.args(["-p", &pid.to_string()]);
        }
        let strace = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Some(RefusedSyncs(strace.ok()?))
    }
}

/// See [`Postgres::refuse_syncs`].
pub struct RefusedSyncs(std::process::Child);

impl Drop for RefusedSyncs {
    fn drop(&mut self) {
        // SIGTERM rather than SIGKILL, so that it detaches from the traced processes.
        send(self.0.id(), Signal::TERM);
        self.0.wait().ok();
    }
}

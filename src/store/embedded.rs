//! The private PostgreSQL that runs where no `DATABASE_URL` is set: [`embedded_postgres`] for asynchronous callers.

use std::path::Path;

use embedded_postgres::cluster::{Cluster, Options};
pub use embedded_postgres::error::EmbeddedError;
use tracing::info;

/// A running private PostgreSQL.
///
/// Dropping it stops the database as [`stop`](Self::stop) does, but blocks the thread meanwhile. A
/// `kill -9` of this program stops the database too: see [`embedded_postgres::postmaster`].
pub struct EmbeddedPostgres {
    cluster: Cluster,
}

impl EmbeddedPostgres {
    /// Starts the database kept under `data_dir`, making it first if there is none, and returns once it
    /// takes connections: within a second, except for the first time and after a crash under load.
    ///
    /// `bin_dir` names the directory of PostgreSQL's binaries; without it they are searched for.
    ///
    /// # Errors
    ///
    /// Each variant of [`EmbeddedError`] is one sentence for a person, with the way out.
    ///
    /// # Cancellation
    ///
    /// Safe: a start that nobody waits for any more is finished and then stopped in the background.
    pub async fn start(data_dir: &Path, bin_dir: Option<&Path>) -> Result<Self, EmbeddedError> {
        let options = Options {
            data_dir: data_dir.to_owned(),
            bin_dir: bin_dir.map(Path::to_owned),
            settings: Vec::new(),
            notice: |what| info!("{what}"),
        };
        let cluster = tokio::task::spawn_blocking(|| Cluster::start(options))
            .await
            .expect("starting a database does not panic")?;
        Ok(Self { cluster })
    }

    /// The address for `sqlx` or `psql`; it carries no secret, since the socket's directory is the lock.
    pub fn url(&self) -> &str {
        self.cluster.url()
    }

    /// Stops the database, all data on disk, and returns when its process has ended.
    pub async fn stop(self) {
        tokio::task::spawn_blocking(|| drop(self)).await.expect("stopping a database does not panic");
    }
}

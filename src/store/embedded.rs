//! The private PostgreSQL that runs if `DATABASE_URL` is not set: [`embedded_postgres`] for asynchronous callers.

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
    /// Starts the database in `data_dir`, creating it if there is none, and returns once it accepts connections: within
    /// a second, except for the first time and after a crash under load.
    ///
    /// `bin_dir`: the directory of PostgreSQL's binaries; `None` searches for them.
    ///
    /// # Errors
    ///
    /// Each variant of [`EmbeddedError`] explains itself in one sentence, with a remedy.
    ///
    /// # Cancellation
    ///
    /// Safe: a cancelled start finishes in the background, and the database is then stopped.
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

    /// Returns the address for `sqlx` or `psql`. It contains no secret: access is limited by the permissions of the
    /// socket's directory.
    pub fn url(&self) -> &str {
        self.cluster.url()
    }

    /// Stops the database, with all data on disk, and returns when its process has ended.
    pub async fn stop(self) {
        tokio::task::spawn_blocking(|| drop(self)).await.expect("stopping a database does not panic");
    }
}

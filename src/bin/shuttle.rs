//! The same instance under Shuttle's runtime, which provides the database and the secrets. Shuttle has closed its
//! platform: see `docs/adr/0006-fly-is-the-live-target.md`.

use std::net::SocketAddr;

use gapless::config::Config;
use gapless::{instance, server};
use shuttle_runtime::{CustomError, SecretStore};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, block_in_place};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Secrets are settings under their usual names (`JWT_SIGNING_KEY`, `REDIS_CONNECTION`, `ALLOWED_ORIGINS`, …); the
/// database always comes from the platform. Its address is passed as text, because the platform's pool uses a different
/// release of sqlx.
#[shuttle_runtime::main]
#[expect(clippy::unused_async, reason = "the platform's attribute takes nothing else")]
async fn main(
    #[shuttle_shared_db::Postgres] database_url: String,
    #[shuttle_runtime::Secrets] secrets: SecretStore,
) -> Result<Chat, shuttle_runtime::Error> {
    let secrets = secrets.into_iter().filter(|(name, _)| name != "DATABASE_URL");
    let config = Config::from_variables(secrets.chain([("DATABASE_URL".to_owned(), database_url)]))?;
    instance::prepare(&config);
    Ok(Chat(config))
}

struct Chat(Config);

#[shuttle_runtime::async_trait]
impl shuttle_runtime::Service for Chat {
    async fn bind(self, address: SocketAddr) -> Result<(), shuttle_runtime::Error> {
        let listener = server::listen(address).map_err(CustomError::new)?;
        let mut running = Running(tokio::spawn(instance::run_at(listener, self.0)));
        Ok((&mut running.0).await.map_err(CustomError::new)??)
    }
}

/// A running instance. On SIGTERM the runtime drops it and then ends the process. The instance receives the signal as
/// well, and dropping it waits here until the shutdown is complete.
struct Running(JoinHandle<anyhow::Result<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.is_finished() {
            return;
        }
        if let Err(error) = block_in_place(|| Handle::current().block_on(&mut self.0)) {
            tracing::error!(%error, "shutdown failed");
        }
    }
}

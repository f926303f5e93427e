//! A chat of a test's own: one or several instances in this process, on a database of their own.

use std::net::SocketAddr;

use gapless::clock::Clock;
use gapless::config::Config;
use gapless::store::Db;
use gapless::{App, routes, server, telemetry};
use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::database::{Database, FOUNDER};
use super::{Guest, User};
use gapless::event::Room;

/// The chat as one world: what its people share.
pub struct Chat {
    pub first: Instance,
    /// Stands still unless a test moves it.
    pub clock: Clock,
    pub config: Config,
    // Last, so that the instances are gone before their database is.
    database: Database,
}

/// One running server of the chat.
pub struct Instance {
    pub app: App,
    pub address: SocketAddr,
}

impl Chat {
    /// With the settings of a service, but without limits on requests.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With other settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        telemetry::start_metrics();
        let mut config = Config::for_tests();
        change(&mut config);
        let database = Database::create().await;
        let clock = Clock::manual(system_time());
        let first = Instance::start(&config, &database, &clock).await;
        Self { first, clock, config, database }
    }

    /// Another server on the same database.
    pub async fn second_instance(&self) -> Instance {
        Instance::start(&self.config, &self.database, &self.clock).await
    }

    /// Somebody without an account.
    pub fn guest(&self) -> Guest {
        Guest::at(self.first.address)
    }

    /// Signs somebody up under this name.
    pub async fn user(&self, name: &str) -> User {
        User::sign_up(self.guest(), name).await
    }

    /// The admin that every new chat has.
    pub async fn founder(&self) -> User {
        User::sign_in(self.guest(), FOUNDER.0, FOUNDER.1).await
    }

    /// Signs somebody up whom the founder makes an admin.
    pub async fn admin(&self, name: &str) -> User {
        let user = self.user(name).await;
        self.founder().await.set_role(&user, "admin").await;
        user
    }

    /// A new room of this name.
    pub async fn room(&self, name: &str) -> Room {
        self.founder().await.create_room(name).await
    }

    /// The tables themselves.
    pub fn db(&self) -> Db {
        self.database.pool()
    }

    /// A PostgreSQL URL for programs of their own.
    pub fn database_url(&self) -> String {
        use sqlx::ConnectOptions as _;
        self.database.options.to_url_lossy().to_string()
    }
}

impl Instance {
    async fn start(config: &Config, database: &Database, clock: &Clock) -> Self {
        let listener = TcpListener::bind((config.host, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = App::start(config.clone(), database.options.clone(), clock.clone()).await.expect("the app starts");
        tokio::spawn(server::serve(listener, app.clone(), routes::router(app.clone())));
        Self { app, address }
    }

    /// Somebody without an account, here.
    pub fn guest(&self) -> Guest {
        Guest::at(self.address)
    }
}

/// Whole seconds, as tokens count them.
#[expect(clippy::disallowed_methods, reason = "a manual clock begins at the database's time, which is the system's")]
fn system_time() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).expect("zero is a nanosecond")
}

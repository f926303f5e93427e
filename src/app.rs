//! Builds and joins all parts of the server: the only place that knows all of them.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::FromRef;
use secrecy::ExposeSecret as _;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use crate::auth::Auth;
use crate::auth::password::Passwords;
use crate::clock::Clock;
use crate::config::{Config, SigningKey};
use crate::here::PeopleHere;
use crate::id::Pos;
use crate::lifecycle::Lifecycle;
use crate::limits::Limits;
use crate::push::Push;
use crate::reactions::Reactions;
use crate::read_marks::ReadMarks;
use crate::readiness::Readiness;
use crate::realtime::log::{self, Log};
use crate::realtime::replay::READS_AT_ONCE;
use crate::realtime::writer::Writer;
use crate::realtime::{Peers, Realtime};
use crate::session_cleaning::Cleaning;
use crate::store::embedded::EmbeddedPostgres;
use crate::store::{self, Access, Db, Turn};
use crate::sweep::Sweep;
use crate::{demo, telemetry};

/// Connections reserved for posts and the log, so that a flood of other requests delays neither: one for each commit in
/// flight, one for the applier's reads of the log and one for checks of its head.
const CORE_CONNECTIONS: u32 = 4;

/// Connections reserved for replays, so that resuming readers delay neither posts nor requests.
const REPLAY_CONNECTIONS: u32 = READS_AT_ONCE;

/// Connections in addition to those for requests (`DB_POOL_SIZE`).
pub(crate) const OWN_CONNECTIONS: u32 = CORE_CONNECTIONS + REPLAY_CONNECTIONS;

/// Interval at which sessions whose tokens have all expired are forgotten, and expired tokens removed.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Everything that a handler may need: axum's state. Cloning it is cheap and shares all parts.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// See [`App`].
pub struct Parts {
    pub config: Config,
    pub db: Db,
    /// Used for posts and the log only.
    pub core_db: Db,
    /// Connections reserved for replays.
    pub replay_db: Db,
    pub realtime: Realtime,
    pub writer: Writer,
    pub reactions: Reactions,
    pub read_marks: ReadMarks,
    pub people_here: PeopleHere,
    pub push: Push,
    pub auth: Arc<Auth>,
    pub passwords: Passwords,
    pub limits: Arc<Limits>,
    pub sweep: Sweep,
    pub readiness: Readiness,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<App> for Arc<Auth> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.auth)
    }
}

impl FromRef<App> for Arc<Limits> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.limits)
    }
}

impl App {
    /// Migrates the schema, starts the background tasks of this instance, and builds its parts.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn start(config: Config, database: PgConnectOptions, clock: Clock) -> anyhow::Result<Self> {
        let database = Database::at(database, &config);
        let turn = database.prepare().await?;
        let access = database.access().await?;
        let db = access.connect(config.db_pool_size);
        if !config.demo_mode {
            store::assert_durable(&db).await?;
        }
        store::cluster::recognise(&db).await.context("Cannot identify the database")?;
        let renewed =
            store::rooms::renew_name_keys(&db).await.context("Cannot update the lookup keys of room names")?;
        if renewed > 0 {
            tracing::info!(rooms = renewed, "updated the lookup keys of room names");
        }
        let passwords = Passwords::new();
        if config.demo_mode {
            demo::seed(&db, &passwords).await.context("Cannot create the demo accounts and rooms")?;
        }
        drop(turn);

        let lifecycle = Lifecycle::default();
        let replay_db = access.connect(REPLAY_CONNECTIONS);
        let core = access.connect(CORE_CONNECTIONS);
        let log = Log::Database(log::Database {
            db: core.clone(),
            replay_db: replay_db.clone(),
            clock: clock.clone(),
            remember_ended: config.access_token_ttl + FORGET_EVERY,
        });
        let keys = std::iter::once(&config.jwt_signing_key).chain(&config.jwt_previous_keys);
        let keys = keys.map(SigningKey::as_bytes).collect();
        let others = config.redis_connection.as_ref().map(|redis| Peers { redis, keys });
        let realtime = Realtime::start(log.clone(), config.ring_bytes, others, &lifecycle.tasks, &lifecycle.stop)
            .await
            .context("Cannot start live delivery")?;
        let (tasks, stop) = (&lifecycle.tasks, lifecycle.stop.clone());
        let writer = Writer::spawn(config.write_queue, log, realtime.clone(), tasks, stop);
        let reactions = Reactions::spawn(db.clone(), realtime.clone(), tasks, lifecycle.stop.clone());
        let read_marks = ReadMarks::spawn(db.clone(), realtime.clone(), tasks, lifecycle.stop.clone());
        let push = Push::spawn(&config.push, db.clone(), clock.clone(), tasks, lifecycle.leaving.clone());
        let limits = Arc::new(Limits::new(&config));
        let auth = Arc::new(Auth::new(&config, realtime.clone(), Arc::clone(&limits), clock.clone()));
        let sweep = Sweep::new(db.clone(), realtime.clone(), config.retention_days);
        let app = Self(Arc::new(Parts {
            config,
            db,
            core_db: core,
            replay_db,
            realtime,
            writer,
            reactions,
            read_marks,
            people_here: PeopleHere::default(),
            push,
            auth,
            passwords,
            limits,
            sweep,
            readiness: Readiness::default(),
            clock,
            lifecycle,
        }));
        app.spawn_upkeep();
        Ok(app)
    }

    /// Waits for at most a second until a committed change is applied here, so that its caller reads its own write.
    pub async fn settled(&self, changed: Option<Pos>) {
        if let Some(pos) = changed {
            self.realtime.settle(pos).await;
        }
    }

    /// Returns whether this instance is shutting down.
    pub fn is_draining(&self) -> bool {
        self.lifecycle.retiring.is_cancelled() || self.lifecycle.leaving.is_cancelled()
    }

    /// Shuts down: see [`Lifecycle`].
    pub async fn leave(&self) {
        self.lifecycle.retire(self.config.drain_delay).await;
        self.lifecycle.leave(self.config.drain_grace, || self.realtime.leave()).await;
    }

    fn spawn_upkeep(&self) {
        let app = self.clone();
        self.lifecycle.tasks.spawn(self.lifecycle.stop.clone().run_until_cancelled_owned(async move {
            let mut tick = tokio::time::interval(FORGET_EVERY);
            let mut cleaning = Cleaning::default();
            loop {
                tick.tick().await;
                let forgotten = app.clock.now() - app.config.access_token_ttl - FORGET_EVERY;
                app.realtime.forget_sessions_before(forgotten);
                if let Err(error) = cleaning.remove_old(&app.db, app.clock.now(), forgotten).await {
                    tracing::warn!(%error, "removing old sessions failed; retrying in 60 s");
                }
                if let Err(error) = store::search::merge_pending(&app.db).await {
                    tracing::debug!(%error, "merging new messages into the index of search failed; retrying in 60 s");
                }
            }
        }));
        let sweep = self.lifecycle.stop.clone().run_until_cancelled_owned(self.sweep.clone().run());
        self.lifecycle.tasks.spawn(sweep);
        self.lifecycle.tasks.spawn(self.lifecycle.stop.clone().run_until_cancelled_owned(telemetry::keep_up_metrics()));
    }
}

/// The configured database, or a private one.
pub struct Database {
    /// Database address used for queries; may be a pooler's.
    pub options: PgConnectOptions,
    /// Direct address of the same database, bypassing the pooler; equal to `options` if none is configured.
    pub direct: PgConnectOptions,
    embedded: Option<EmbeddedPostgres>,
}

impl Database {
    /// # Errors
    /// A message for the operator.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        if let Some(url) = &config.database_url {
            let options = url
                .expose_secret()
                .parse()
                .context("DATABASE_URL is not a PostgreSQL URL (postgres://user:password@host:port/name)")?;
            return Ok(Self::at(options, config));
        }
        let bin_dir = config.postgres_bin_dir.as_deref().map(Path::new);
        let embedded = EmbeddedPostgres::start(&config.data_dir, bin_dir).await?;
        let options: PgConnectOptions = embedded.url().parse().context("cannot parse the private database's URL")?;
        Ok(Self { direct: options.clone(), options, embedded: Some(embedded) })
    }

    /// Uses this address, and the direct address from the settings.
    pub fn at(options: PgConnectOptions, config: &Config) -> Self {
        let direct = config.database_direct_url.as_ref().map(|url| url.expose_secret().parse());
        let direct = direct.map(|parsed| parsed.expect("it was parsed when the settings were read"));
        Self { direct: direct.unwrap_or_else(|| options.clone()), options, embedded: None }
    }

    /// Migrates the schema through the direct address. Other starting instances wait until it has finished.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn prepare(&self) -> anyhow::Result<Turn> {
        let turn = store::take_turn(&self.direct).await.context("Cannot use the database (DATABASE_URL)")?;
        store::migrate(&self.direct).await.context("Cannot update the database schema")?;
        Ok(turn)
    }

    /// Determines how statements reach the database.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn access(&self) -> anyhow::Result<Access> {
        let access = Access::find(&self.options).await.map_err(|error| store::explain(error, &self.options));
        access.context("Cannot use the database (DATABASE_URL)")
    }

    /// Determines the same without changing anything.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn measure(&self) -> anyhow::Result<Access> {
        let access = Access::measure(&self.options).await.map_err(|error| store::explain(error, &self.options));
        access.context("Cannot use the database (DATABASE_URL)")
    }

    /// Opens a dedicated connection for one long transaction.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn connect_directly(&self) -> anyhow::Result<PgConnection> {
        store::connect_alone(&self.direct)
            .await
            .context("Cannot use the database (DATABASE_DIRECT_URL or DATABASE_URL)")
    }

    /// Stops a private database; leaves any other running.
    pub async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

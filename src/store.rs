//! What is kept: SQL by table. Knows nothing of HTTP; of the real-time half, only the plain types that it
//! fills and empties.
//!
//! Every durable change is a function of the database (see `migrations/0003_changes.sql`), called in
//! autocommit: one round trip, one transaction. [`log`](mod@log) reads and writes the log itself;
//! [`embedded`] is the PostgreSQL that a newcomer gets.

pub mod audit;
pub mod cluster;
pub mod direct_messages;
pub mod embedded;
pub mod erasure;
pub mod invitations;
pub mod log;
pub mod messages;
pub mod retention;
pub mod rooms;
mod schema;
pub mod sessions;
pub mod transfer;
pub mod users;

use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

pub use schema::{MIGRATIONS, migrate};

/// A pool of connections to the database.
pub type Db = sqlx::PgPool;

/// How long a starting instance waits for the database to let it in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a caller waits for a connection. With [`STATEMENT_TIMEOUT`] below the three seconds after which
/// a caller must know that the database is away.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// No statement of ours is honest work after this long.
const STATEMENT_TIMEOUT: &str = "2500ms";
/// The log's lock is held for one commit; whoever waits longer than this waits for something broken.
const LOCK_TIMEOUT: &str = "2000ms";

/// Opens the pool. Connections are made when they are needed.
pub fn connect(options: PgConnectOptions, size: u32) -> Db {
    let options = options.application_name("gapless").options([
        // Every statement here is short: compiling one takes longer than running it.
        ("jit", "off"),
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", STATEMENT_TIMEOUT),
    ]);
    PgPoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE_TIMEOUT).connect_lazy_with(options)
}

/// Held by the one instance that prepares the database: others that start wait for it.
pub struct Turn(#[expect(dead_code, reason = "the lock lasts as long as its connection")] PgConnection);

/// Waits for the turn to prepare the database.
///
/// # Errors
/// When the database cannot be reached.
pub async fn take_turn(options: &PgConnectOptions) -> anyhow::Result<Turn> {
    /// Any number that nobody else locks in this database.
    const PREPARING: i64 = 0x0067_6170_6c65_7373;
    let mut connection = tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(options))
        .await
        .context("it does not answer")?
        .context("it cannot be reached, or refuses the account")?;
    sqlx::query("select pg_advisory_lock($1)").bind(PREPARING).execute(&mut connection).await?;
    Ok(Turn(connection))
}

/// An acknowledgement means durable only where the database makes it so.
///
/// # Errors
/// Names the setting that would lose acknowledged messages.
pub async fn assert_durable(db: &Db) -> anyhow::Result<()> {
    for (setting, refused) in [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")] {
        let value: String = sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(db).await?;
        if value == refused {
            bail!(
                "The database runs with {setting} = {value}, so it may lose messages that were acknowledged. \
                 Turn {setting} on, or run in demo mode (DEMO_MODE=true) if that is meant."
            );
        }
    }
    Ok(())
}

/// Whether the database is away or too slow, as opposed to having refused what it was asked.
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // SQLSTATE classes: connection exceptions, a refused login, too little of something, operator
            // intervention (shut down, statement timed out), disk errors; and a database that is gone or closed
            // for maintenance, a lock that was not had in time, a standby that cannot write, a deadlock or
            // serialisation failure.
            ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || ["3D000", "55000", "55P03", "25006", "40001", "40P01"].contains(&code.as_ref())
        }),
        _ => false,
    }
}

/// Whether the database refused something because of this named constraint.
pub fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) == Some(constraint)
}

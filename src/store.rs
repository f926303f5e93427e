//! SQL, one module for each table. Knows nothing of HTTP or of the real-time part.
//!
//! Every durable change is a function of the database (see `migrations/0003_changes.sql`), called in autocommit: one
//! round trip, one transaction. [`log`](mod@log) reads and writes the log itself; [`embedded`] runs a private
//! PostgreSQL if no database is configured.

pub mod audit;
pub mod cluster;
mod db;
pub mod direct_messages;
pub mod embedded;
pub mod erasure;
pub mod events;
pub mod inbox;
pub mod invitations;
pub mod log;
pub mod messages;
pub mod people;
pub mod pins;
pub mod push;
pub mod reactions;
pub mod read_marks;
mod references;
mod refused;
pub mod retention;
pub mod room_list;
pub mod rooms;
mod route;
mod schema;
pub mod search;
pub mod sessions;
pub mod transfer;
pub mod user_search;
pub mod users;

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use crate::id::Pos;
use crate::outcome::{Outcome, Refusal};

pub use db::Db;
pub use refused::explain;
pub use route::{Access, Route};
pub use schema::{MIGRATIONS, migrate};

/// Time limit of connecting to the database at start.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// Time to wait at start for a database that is in recovery: exiting and restarting in the meantime might make a
/// supervisor give up.
const RECOVERY_PATIENCE: Duration = Duration::from_mins(2);
const RECOVERY_PAUSE: Duration = Duration::from_millis(200);

/// Parses the result of a database function that changes something. `subject`: the name of what it changes.
fn outcome((word, pos): (String, Option<Pos>), subject: &'static str) -> sqlx::Result<Outcome> {
    match word.as_str() {
        "done" => Ok(Ok(pos)),
        "unchanged" => Ok(Ok(None)),
        _ => refusal(&word, subject).map(Err),
    }
}

fn refusal(word: &str, subject: &'static str) -> sqlx::Result<Refusal> {
    Refusal::named(word, subject).ok_or_else(|| {
        sqlx::Error::Protocol(format!("the database returned outcome {word:?}, which this release does not know"))
    })
}

/// Lock of the instance that prepares the database: other starting instances wait for it.
pub struct Turn(#[expect(dead_code, reason = "the lock lasts as long as its connection")] PgConnection);

/// Waits for the lock to prepare the database. It is held by an open transaction, not by a session: a pooler in
/// transaction mode would give the session, and the lock with it, to another client. A waiting instance polls instead
/// of keeping a transaction open: behind a pooler with few servers, waiting instances would otherwise leave none to
/// the instance that holds the lock.
///
/// # Errors
/// When the database cannot be reached.
pub async fn take_turn(options: &PgConnectOptions) -> anyhow::Result<Turn> {
    const BEGIN: &str = "begin isolation level read committed; set local statement_timeout = 0; \
                         set local lock_timeout = 0; set local idle_in_transaction_session_timeout = 0";
    /// An arbitrary number that no other program uses for a lock in this database.
    const TRY: &str = "select pg_try_advisory_xact_lock(29099058084017011)::text";
    const PAUSE: Duration = Duration::from_millis(100);
    let mut connection = connect_alone(options).await?;
    loop {
        let tried = async {
            sqlx::raw_sql(BEGIN).execute(&mut connection).await?;
            let taken: String = connection.fetch_one(sqlx::raw_sql(TRY)).await?.try_get(0)?;
            if taken != "true" {
                sqlx::raw_sql("rollback").execute(&mut connection).await?;
            }
            Ok(taken == "true")
        };
        if tried.await.map_err(|error: sqlx::Error| explain(error, options))? {
            return Ok(Turn(connection));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Opens a single connection. Waits for a database that is in recovery, since after a power cut it starts at the same
/// time as this program. Returns any other error at once.
pub async fn connect_alone(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    /// SQLSTATE `cannot_connect_now`: starting up, or in recovery.
    const NOT_YET: &str = "57P03";
    let (began, options) = (Instant::now(), route::plain(options));
    let mut is_first = true;
    loop {
        let connecting = tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(&options));
        match connecting.await.context("no answer within 10 s")? {
            Err(sqlx::Error::Database(refusal))
                if refusal.code().as_deref() == Some(NOT_YET) && began.elapsed() < RECOVERY_PATIENCE =>
            {
                if std::mem::take(&mut is_first) {
                    tracing::warn!(reason = refusal.message(), "the database is not ready; retrying for up to 2 min");
                }
                tokio::time::sleep(RECOVERY_PAUSE).await;
            }
            connected => return connected.map_err(|error| explain(error, &options)),
        }
    }
}

/// Checks that the database's settings make commits durable, which acknowledgements rely on.
///
/// # Errors
/// Names the setting that would lose acknowledged messages.
pub async fn assert_durable(db: &Db) -> anyhow::Result<()> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let asked = sqlx::query_scalar("select current_setting($1, true)").bind(setting).fetch_one(db).await;
        let value: Option<String> = match asked {
            Err(error) if is_withheld(&error) => None,
            asked => asked?,
        };
        let Some(value) = value else {
            tracing::warn!(
                setting,
                "the database does not reveal this setting, so it is not checked; ask the hosting provider"
            );
            continue;
        };
        if value == "off" {
            bail!(
                "The database runs with {setting} = {value}, so it may lose acknowledged messages. \
                 Turn {setting} on, or set DEMO_MODE=true if losing messages is acceptable."
            );
        }
    }
    Ok(())
}

/// Returns whether the database is unavailable or too slow, as opposed to having refused a statement.
pub fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // SQLSTATE classes: connection exceptions, a refused login, insufficient resources, operator
            // intervention (shut down, statement timed out), disk errors; and a database that is gone or closed
            // for maintenance, a lock timeout, a read-only standby, a transaction whose client stalled, a deadlock or
            // serialisation failure.
            ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class))
                || ["3D000", "55000", "55P03", "25006", "25P03", "40001", "40P01"].contains(&code.as_ref())
        }),
        _ => false,
    }
}

/// Returns whether the database withholds something, as hosted ones do: a missing privilege, or a function that does
/// not exist or is not available to this account.
pub fn is_withheld(error: &sqlx::Error) -> bool {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    const UNDEFINED_FUNCTION: &str = "42883";
    const UNDEFINED_TABLE: &str = "42P01";
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| {
        [INSUFFICIENT_PRIVILEGE, UNDEFINED_FUNCTION, UNDEFINED_TABLE, FEATURE_NOT_SUPPORTED].contains(&&*code)
    })
}

/// Returns whether the database refused a statement because of this constraint.
pub fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) == Some(constraint)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgSslMode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Encodes an error as PostgreSQL sends it before it closes the connection.
    fn refusal(code: &str) -> Vec<u8> {
        let fields = format!("SFATAL\0VFATAL\0C{code}\0Mno\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap();
        [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
    }

    #[tokio::test]
    async fn a_database_in_recovery_is_waited_for_and_other_refusals_are_returned() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let refuses = tokio::spawn(async move {
            for code in ["57P03", "57P03", "28P01"] {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _asked = socket.read(&mut [0; 512]).await.unwrap();
                socket.write_all(&refusal(code)).await.unwrap();
            }
        });
        let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port).ssl_mode(PgSslMode::Disable);
        let told = connect_alone(&options).await.expect_err("the third is no recovery");
        assert!(told.to_string().contains("refuses the role"), "{told:#}");
        let asked = tokio::time::timeout(Duration::from_secs(5), refuses).await;
        asked.expect("it was asked three times").expect("the listener works");
    }
}

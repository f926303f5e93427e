//! SQL by table. Knows nothing of HTTP or of the real-time half.
//!
//! Every durable change is a function of the database (see `migrations/0003_changes.sql`), called in
//! autocommit: one round trip, one transaction. [`log`](mod@log) reads and writes the log itself;
//! [`embedded`] is the PostgreSQL that a newcomer gets.

pub mod audit;
pub mod cluster;
mod db;
pub mod direct_messages;
pub mod embedded;
pub mod erasure;
pub mod events;
pub mod invitations;
pub mod log;
pub mod messages;
mod refused;
pub mod retention;
pub mod rooms;
mod route;
mod schema;
pub mod sessions;
pub mod transfer;
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

/// How long a starting instance waits for the database to let it in.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits for one that has to recover first: supervisors give up what ends too often.
const RECOVERY_PATIENCE: Duration = Duration::from_mins(2);
const RECOVERY_PAUSE: Duration = Duration::from_millis(200);

/// Reads the answer of a database function that changes something. `subject`: what was to be changed.
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

/// Held by the one instance that prepares the database: others that start wait for it.
pub struct Turn(#[expect(dead_code, reason = "the lock lasts as long as its connection")] PgConnection);

/// Waits for the turn to prepare the database. The lock is one of a transaction that stays open, not of a session: a
/// pooler in transaction mode would give the session, and the lock with it, to somebody else. An instance that waits asks
/// again and again instead of holding a transaction: behind a pooler with few servers, waiting ones would leave none to
/// the instance whose turn it is.
///
/// # Errors
/// When the database cannot be reached.
pub async fn take_turn(options: &PgConnectOptions) -> anyhow::Result<Turn> {
    const BEGIN: &str = "begin; set local statement_timeout = 0; set local lock_timeout = 0; \
                         set local idle_in_transaction_session_timeout = 0";
    /// Any number that nobody else locks in this database.
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

/// After a power cut the program and its database start together. One that is there and has to recover first is waited
/// for; every other refusal is told at once.
pub async fn connect_alone(options: &PgConnectOptions) -> anyhow::Result<PgConnection> {
    /// SQLSTATE `cannot_connect_now`: starting up, or in recovery.
    const NOT_YET: &str = "57P03";
    let (began, options) = (Instant::now(), route::plain(options));
    let mut is_first = true;
    loop {
        let connecting = tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(&options));
        match connecting.await.context("it does not answer")? {
            Err(sqlx::Error::Database(refusal))
                if refusal.code().as_deref() == Some(NOT_YET) && began.elapsed() < RECOVERY_PATIENCE =>
            {
                if std::mem::take(&mut is_first) {
                    tracing::warn!(reason = refusal.message(), "waiting for the database");
                }
                tokio::time::sleep(RECOVERY_PAUSE).await;
            }
            connected => return connected.map_err(|error| explain(error, &options)),
        }
    }
}

/// An acknowledgement means durable only where the database makes it so.
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
                "the database does not reveal this setting, so it was not checked; it is up to the hosting provider"
            );
            continue;
        };
        if value == "off" {
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

/// Whether the database refused something because of this named constraint.
pub fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) == Some(constraint)
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgSslMode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A refusal as PostgreSQL writes it, before it hangs up.
    fn refusal(code: &str) -> Vec<u8> {
        let fields = format!("SFATAL\0VFATAL\0C{code}\0Mno\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap();
        [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
    }

    #[tokio::test]
    async fn a_database_in_recovery_is_waited_for_and_another_refusal_is_told() {
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

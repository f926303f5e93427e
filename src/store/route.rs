//! Detects what lies between this program and its database: nothing, or a pooler, and which features it preserves.
//!
//! `PgBouncer` and similar poolers do not accept settings at connection time, or drop them. In session mode a
//! connection has its own server, so settings can be made after connecting. In transaction mode each transaction may
//! use another server: no session state survives, and prepared statements work only with `PgBouncer` 1.21 and later.
//! None of this can be queried, so it is tested once at start. `docs/DEPLOY.md` describes the operator's side.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::Db;
use super::db::LIMITS;

/// Timeout after which a pooler is considered to have no free server.
const PATIENCE: Duration = Duration::from_secs(3);
/// Number of attempts. A pooler that switches servers reveals it at the first, unless another client interferes.
const TRIES: u32 = 4;

/// Route of statements to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Settings take effect at connection time.
    Direct,
    /// A pooler that gives each connection its own server. Settings are made after connecting.
    Session,
    /// A pooler that may send each transaction to another server, and supports prepared statements. Timeouts are
    /// defaults of the role in this database.
    Transaction,
    /// Like [`Transaction`](Self::Transaction), but prepared statements are lost, or the role cannot be given defaults.
    /// Each statement runs in its own transaction, with its timeouts: three more round trips each.
    Wrapped,
}

impl Route {
    /// Description of the route for operators.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Session => "through a pooler in session mode",
            Self::Transaction => "through a pooler in transaction mode, which keeps prepared statements",
            Self::Wrapped => {
                "through a pooler in transaction mode that does not keep prepared statements, so each statement takes \
                 three more round trips; PgBouncer 1.21 or later with max_prepared_statements = 200 avoids them"
            }
        }
    }
}

/// An address and its route.
#[derive(Debug, Clone)]
pub struct Access {
    options: PgConnectOptions,
    pub route: Route,
    /// True if a start would give the role its default timeouts, which [`Access::measure`] does not.
    pub lacks_limits: bool,
}

/// Purpose of finding the route: serving may change the role's defaults, measuring changes nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Serve,
    Measure,
}

impl Access {
    /// Tests which features work at this address. Behind a pooler in transaction mode, gives the role its default
    /// timeouts if they are missing.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn find(options: &PgConnectOptions) -> sqlx::Result<Self> {
        Self::found(options, Purpose::Serve).await
    }

    /// Tests the same and changes nothing.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn measure(options: &PgConnectOptions) -> sqlx::Result<Self> {
        Self::found(options, Purpose::Measure).await
    }

    async fn found(options: &PgConnectOptions, purpose: Purpose) -> sqlx::Result<Self> {
        let options = plain(options);
        // The limits alone would prove nothing: they may be defaults of the role.
        let mark = format!("{:016x}", rand::random::<u64>());
        let marked = options.clone().options(LIMITS).options([("gapless.mark", &mark)]);
        let is_direct = match PgConnection::connect_with(&marked).await {
            Ok(mut connection) => {
                said(&mut connection, "select coalesce(current_setting('gapless.mark', true), '')").await? == mark
            }
            Err(error) if refuses_settings(&error) => false,
            Err(error) => return Err(error),
        };
        let mut route = if is_direct { Route::Direct } else { through_pooler(&options).await? };
        let lacks_limits = route == Route::Transaction
            && !match purpose {
                Purpose::Serve => give_limits(&options).await,
                Purpose::Measure => have_limits(&options).await.unwrap_or(false),
            };
        if lacks_limits {
            route = Route::Wrapped;
        }
        if route != Route::Direct {
            tracing::info!("connected to the database {}", route.told());
        }
        Ok(Self { options, route, lacks_limits })
    }

    /// Opens a pool.
    pub fn connect(&self, size: u32) -> Db {
        Db::open(self.options.clone(), self.route, size)
    }
}

/// Options that poolers accept: `extra_float_digits`, which sqlx would send, is for PostgreSQL 11 and older.
pub(super) fn plain(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("gapless").extra_float_digits(None)
}

/// `PgBouncer`: "unsupported startup parameter: options".
fn refuses_settings(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|refusal| refusal.message().contains("startup parameter"))
}

async fn limits_hold(connection: &mut PgConnection) -> sqlx::Result<bool> {
    Ok(said(connection, "select current_setting('statement_timeout')").await? == "2500ms")
}

/// Queries one value as text without preparing a statement.
async fn said(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<String> {
    connection.fetch_one(sqlx::raw_sql(sql)).await?.try_get(0)
}

async fn through_pooler(options: &PgConnectOptions) -> sqlx::Result<Route> {
    let (mut one, mut other) = (PgConnection::connect_with(options).await?, PgConnection::connect_with(options).await?);
    let tried = timeout(PATIENCE, async {
        if !switches(&mut one, &mut other).await? {
            return Ok(Route::Session);
        }
        Ok(if carries_statements(&mut one, &mut other).await { Route::Transaction } else { Route::Wrapped })
    });
    // A single server that one connection holds while the other waits: nothing is proven, so assume the least.
    let route: sqlx::Result<Route> = tried.await.unwrap_or(Ok(Route::Wrapped));
    for connection in [one, other] {
        connection.close().await.ok();
    }
    route
}

const SERVER: &str = "select pg_backend_pid()::text";

/// Returns whether a connection gets another server after another connection took its previous one.
async fn switches(one: &mut PgConnection, other: &mut PgConnection) -> sqlx::Result<bool> {
    let home = said(one, SERVER).await?;
    for _ in 0..TRIES {
        sqlx::raw_sql("begin").execute(&mut *other).await?;
        let taken = said(other, SERVER).await?;
        let met = said(one, SERVER).await?;
        sqlx::raw_sql("rollback").execute(&mut *other).await?;
        if taken == home || met != home {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether a prepared statement works on a server where it was not prepared.
async fn carries_statements(one: &mut PgConnection, other: &mut PgConnection) -> bool {
    // A unique word: a statement that another instance prepared under the same name must not be mistaken for this one.
    let word = format!("{:016x}", rand::random::<u64>());
    for _ in 0..TRIES {
        let Ok(first) = prepared(one, &word).await else { return false };
        if sqlx::raw_sql("begin").execute(&mut *other).await.is_err() || said(other, SERVER).await.is_err() {
            return false;
        }
        let second = prepared(one, &word).await;
        if sqlx::raw_sql("rollback").execute(&mut *other).await.is_err() {
            return false;
        }
        match second {
            Ok(second) if second == first => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    false
}

/// Returns the server on which a named statement ran. If statements are not preserved, the name may be another client's
/// statement, hence read only.
async fn prepared(connection: &mut PgConnection, word: &str) -> sqlx::Result<i32> {
    sqlx::raw_sql("begin read only").execute(&mut *connection).await?;
    let asked = AssertSqlSafe(format!("select pg_backend_pid(), '{word}'"));
    let ran = sqlx::query_as::<_, (i32, String)>(asked).fetch_one(&mut *connection).await;
    sqlx::raw_sql("rollback").execute(connection).await?;
    match ran? {
        (server, echo) if echo == word => Ok(server),
        _ => Err(sqlx::Error::Protocol("another statement ran under the prepared name".to_owned())),
    }
}

/// Returns whether the server that the pooler gives has the timeouts.
async fn have_limits(options: &PgConnectOptions) -> sqlx::Result<bool> {
    limits_hold(&mut PgConnection::connect_with(options).await?).await
}

/// Gives the role its timeouts as defaults in this database, if missing, and returns whether they take effect.
async fn give_limits(options: &PgConnectOptions) -> bool {
    let mut reason = String::new();
    for _ in 0..SERVERS_REPLACED {
        match try_to_give_limits(options).await {
            Ok(true) => return true,
            // The server was started before the role had its defaults, and is replaced.
            Ok(false) => "the pooler's server connections are older than the defaults".clone_into(&mut reason),
            // Otherwise an old server was ended a moment ago.
            Err(error) => {
                reason = error.to_string();
                if !super::is_outage(&error) {
                    break;
                }
            }
        }
        tokio::time::sleep(REPLACEMENT_PAUSE).await;
    }
    tracing::warn!(reason, "the role's default timeouts are not in effect; sending them with each statement");
    false
}

/// Number of old servers of the pooler that a start replaces before it gives up on the role's defaults.
const SERVERS_REPLACED: u32 = 8;
const REPLACEMENT_PAUSE: Duration = Duration::from_millis(50);

/// Sets the timeouts if they are missing, and returns whether the server that the pooler gives has them. Ends a server
/// that was started before.
async fn try_to_give_limits(options: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut connection = PgConnection::connect_with(options).await?;
    let known = said(
        &mut connection,
        "select exists (
             select from pg_db_role_setting s
             join pg_database d on d.oid = s.setdatabase join pg_roles r on r.oid = s.setrole
             where d.datname = current_database() and r.rolname = current_user
               and s.setconfig @> array['statement_timeout=2500ms', 'lock_timeout=2s',
                                        'idle_in_transaction_session_timeout=2500ms', 'jit=off'])::text",
    );
    if known.await? == "false" {
        sqlx::raw_sql(GIVE_LIMITS).execute(&mut connection).await?;
        tracing::info!("set the role's default timeouts in this database, because its pooler drops session settings");
        sqlx::raw_sql(END_FORMER).execute(&mut connection).await.ok();
    }
    let hold = limits_hold(&mut connection).await?;
    if !hold {
        sqlx::raw_sql("select pg_terminate_backend(pg_backend_pid())").execute(&mut connection).await.ok();
    }
    Ok(hold)
}

/// A role may set its own defaults. `idle_in_transaction…` applies to the pooler's servers like the others.
const GIVE_LIMITS: &str = "do $$
    declare
        setting text;
    begin
        foreach setting in array array['jit = off', 'statement_timeout = ''2500ms''', 'lock_timeout = ''2s''',
                                       'idle_in_transaction_session_timeout = ''2500ms''']
        loop
            execute format('alter role %I in database %I set ', current_user, current_database()) || setting;
        end loop;
    end $$";
const END_FORMER: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user and state = 'idle' and pid <> pg_backend_pid()";

//! What lies between this program and its database: nothing, or a pooler, and what that pooler keeps.
//!
//! `PgBouncer` and its like do not let a client say its settings when it connects, or forget what it said. In session
//! mode a connection has a server of its own, and settings can be made once it is there. In transaction mode each
//! transaction may meet another server: nothing of a session holds, and a prepared statement is carried along only by
//! `PgBouncer` 1.21 and later. None of this can be asked for, so it is tried, once, at start. `docs/DEPLOY.md` has the
//! operator's side.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::Db;
use super::db::LIMITS;

/// A pooler that gives no server within this has none to give.
const PATIENCE: Duration = Duration::from_secs(3);
/// A pooler that switches servers shows it at the first try, unless another client comes between.
const TRIES: u32 = 4;

/// How statements reach the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Settings hold from the moment of connecting.
    Direct,
    /// A pooler that gives each connection a server of its own. Settings are made once it is there.
    Session,
    /// A pooler that may lead each transaction to another server, and carries prepared statements along. Time-outs are
    /// defaults of the role in this database.
    Transaction,
    /// As [`Transaction`](Self::Transaction), but prepared statements are lost, or the role cannot be given defaults.
    /// Each statement goes in a transaction of its own, with its time-outs: three more round trips each.
    Wrapped,
}

impl Route {
    /// As an operator is told it.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Session => "through a pooler in session mode",
            Self::Transaction => "through a pooler in transaction mode, which keeps prepared statements",
            Self::Wrapped => {
                "through a pooler in transaction mode that does not keep prepared statements, so each statement takes \
                 three more round trips; PgBouncer 1.21 or later with max_prepared_statements = 200 spares them"
            }
        }
    }
}

/// An address, and how it is reached.
#[derive(Debug, Clone)]
pub struct Access {
    options: PgConnectOptions,
    pub route: Route,
}

impl Access {
    /// Tries what holds on the way to this address.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn find(options: &PgConnectOptions) -> sqlx::Result<Self> {
        let options = plain(options);
        // The limits alone would prove nothing: the role may have them as defaults.
        let mark = format!("{:016x}", rand::random::<u64>());
        let marked = options.clone().options(LIMITS).options([("gapless.mark", &mark)]);
        let is_direct = match PgConnection::connect_with(&marked).await {
            Ok(mut connection) => {
                said(&mut connection, "select coalesce(current_setting('gapless.mark', true), '')").await? == mark
            }
            Err(error) if refuses_settings(&error) => false,
            Err(error) => return Err(error),
        };
        let route = if is_direct { Route::Direct } else { through_pooler(&options).await? };
        if route != Route::Direct {
            tracing::info!("the database is reached {}", route.told());
        }
        Ok(Self { options, route })
    }

    /// Opens a pool.
    pub fn connect(&self, size: u32) -> Db {
        Db::open(self.options.clone(), self.route, size)
    }

    /// With other options of the same address.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(PgConnectOptions) -> PgConnectOptions) -> Self {
        Self { options: change(self.options.clone()), route: self.route }
    }
}

/// Options that poolers let pass: `extra_float_digits`, which sqlx would send, is for PostgreSQL 11 and older.
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

/// One value as text, asked for in a way that prepares nothing.
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
    // A lone server that one connection holds while the other waits: nothing is proven, so nothing is relied on.
    let route: sqlx::Result<Route> = tried.await.unwrap_or(Ok(Route::Wrapped));
    for connection in [one, other] {
        connection.close().await.ok();
    }
    match route? {
        Route::Transaction if !have_limits(options).await => Ok(Route::Wrapped),
        route => Ok(route),
    }
}

const SERVER: &str = "select pg_backend_pid()::text";

/// Whether a connection meets another server after another connection took the one that it had.
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

/// Whether a prepared statement works on a server where it was not prepared.
async fn carries_statements(one: &mut PgConnection, other: &mut PgConnection) -> bool {
    // Nobody else's: what another instance prepared under the same name, when it tried the same, must not pass for this.
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

/// The server on which a statement ran that is kept under a name. Where statements are not carried along, that name may
/// be another client's statement, hence read only.
async fn prepared(connection: &mut PgConnection, word: &str) -> sqlx::Result<i32> {
    sqlx::raw_sql("begin read only").execute(&mut *connection).await?;
    let asked = AssertSqlSafe(format!("select pg_backend_pid(), '{word}'"));
    let ran = sqlx::query_as::<_, (i32, String)>(asked).fetch_one(&mut *connection).await;
    sqlx::raw_sql("rollback").execute(connection).await?;
    match ran? {
        (server, echo) if echo == word => Ok(server),
        _ => Err(sqlx::Error::Protocol("another statement ran".to_owned())),
    }
}

/// Gives the role its time-outs as defaults in this database, where it has them not, and looks whether they hold.
async fn have_limits(options: &PgConnectOptions) -> bool {
    let given = async {
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
            tracing::info!(
                "the role's statement_timeout and lock_timeout in this database are set: its pooler keeps none"
            );
            // Servers that were open before do not have them: those that are idle are ended, and this one last.
            sqlx::raw_sql(END_FORMER).execute(&mut connection).await.ok();
            sqlx::raw_sql("select pg_terminate_backend(pg_backend_pid())").execute(&mut connection).await.ok();
            connection = PgConnection::connect_with(options).await?;
        }
        limits_hold(&mut connection).await
    };
    match given.await {
        Ok(true) => true,
        Ok(false) => {
            tracing::warn!("the role's time-outs do not hold yet; each statement is sent with its own");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "the role cannot be given time-outs; each statement is sent with its own");
            false
        }
    }
}

/// A role may set its own defaults. `idle_in_transaction…` holds for the pooler's servers like the others.
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

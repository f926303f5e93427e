//! The connection pool used by the rest of the store, and the only place that sends statements to the database.
//!
//! Every durable change is one statement in autocommit, so an error reported by the server means that the statement had
//! no effect. That makes it safe to repeat one here whose prepared form became stale. A *connection* error is never
//! repeated here: the statement may have been committed, and its caller knows how to proceed.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, iter, once};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    Connection as _, Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr,
    Transaction,
};

use super::route::Route;

/// Timeout for getting a connection. With `statement_timeout` it stays below the three seconds within which a caller
/// must learn that the database is unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Limits for every statement. No regular one takes 2.5 s. The log's lock is held for one commit, so a wait of two
/// seconds means that something is broken. Compiling a plan takes longer than any of these statements.
pub(super) const LIMITS: [(&str, &str); 4] = [
    ("jit", "off"),
    ("statement_timeout", "2500ms"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "2500ms"),
];
/// [`LIMITS`] for a session.
const SET: &str = "set jit = off; set statement_timeout = '2500ms'; set lock_timeout = '2s'; \
                   set idle_in_transaction_session_timeout = '2500ms'";
/// [`LIMITS`] for one transaction, in the round trip that begins it.
const BEGIN: &str = "begin; set local jit = off; set local statement_timeout = '2500ms'; \
                     set local lock_timeout = '2s'; set local idle_in_transaction_session_timeout = '2500ms'";

/// A pool of connections to the database.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    /// See [`Route::Wrapped`].
    is_wrapped: bool,
}

/// A row, or the completion of one statement.
type Step = Either<PgQueryResult, PgRow>;

impl Db {
    /// Opens a pool. Connections are made on demand.
    pub(super) fn open(options: PgConnectOptions, route: Route, size: u32) -> Self {
        let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(ACQUIRE_TIMEOUT);
        let (pool, options) = match route {
            Route::Direct => (pool, options.options(LIMITS)),
            Route::Session => {
                let pool = pool.after_connect(|connection, _| {
                    Box::pin(async move { sqlx::raw_sql(SET).execute(connection).await.map(drop) })
                });
                (pool, options)
            }
            Route::Transaction => (pool, options),
            Route::Wrapped => (pool, options.statement_cache_capacity(0)),
        };
        Self { pool: pool.connect_lazy_with(options), is_wrapped: route == Route::Wrapped }
    }

    /// Begins a transaction of several statements. Each must be `persistent(false)`: behind some poolers a kept
    /// statement would be looked up on another server.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        // On other routes the limits are already set.
        self.begin_with(if self.is_wrapped { BEGIN } else { "begin" }).await
    }

    /// Like [`begin`](Self::begin), with another statement.
    ///
    /// # Errors
    /// When the database is unavailable.
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(statement).await
    }

    /// Closes all connections, after waiting for those in use.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Returns the number of open connections, and of idle ones among them.
    pub fn open_and_idle(&self) -> (usize, usize) {
        (usize::try_from(self.pool.size()).unwrap_or(usize::MAX), self.pool.num_idle())
    }

    /// Maximum number of connections.
    pub fn limit(&self) -> u32 {
        self.pool.options().get_max_connections()
    }

    async fn run(&self, sql: SqlStr, arguments: Option<PgArguments>) -> sqlx::Result<Vec<Step>> {
        if self.is_wrapped {
            let mut transaction = self.begin().await?;
            let steps = ask(&mut transaction, sql, arguments, false).await?;
            transaction.commit().await?;
            return Ok(steps);
        }
        let mut connection = self.pool.acquire().await?;
        match ask(&mut connection, sql.clone(), arguments.clone(), true).await {
            Err(error) if is_stale(&error) => {
                tracing::debug!(%error, "a prepared statement is out of date; preparing it again");
                connection.clear_cached_statements().await?;
                ask(&mut connection, sql, arguments, true).await
            }
            answered => answered,
        }
    }
}

/// Wraps an existing pool, for tests.
impl From<PgPool> for Db {
    fn from(pool: PgPool) -> Self {
        Self { pool, is_wrapped: false }
    }
}

async fn ask(
    connection: &mut PgConnection,
    sql: SqlStr,
    arguments: Option<PgArguments>,
    is_kept: bool,
) -> sqlx::Result<Vec<Step>> {
    match arguments {
        Some(arguments) => {
            let query = sqlx::query_with(sql, arguments).persistent(is_kept);
            connection.fetch_many(query).try_collect().await
        }
        None => connection.fetch_many(sqlx::raw_sql(sql)).try_collect().await,
    }
}

/// Returns whether a prepared statement became stale: a migration changed its result ("cached plan must not change
/// result type"), or a pooler switched to a server that does not have it, or has another under its name.
fn is_stale(error: &sqlx::Error) -> bool {
    const FEATURE_NOT_SUPPORTED: &str = "0A000";
    const NO_SUCH_STATEMENT: &str = "26000";
    const DUPLICATE_STATEMENT: &str = "42P05";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| [FEATURE_NOT_SUPPORTED, NO_SUCH_STATEMENT, DUPLICATE_STATEMENT].contains(&&*code))
}

impl<'c> Executor<'c> for &Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, mut query: E) -> BoxStream<'e, sqlx::Result<Step>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let (db, arguments) = (self.clone(), query.take_arguments().map_err(sqlx::Error::Encode));
        let sql = query.sql();
        let steps = once(async move { db.run(sql, arguments?).await });
        steps.map_ok(|steps| iter(steps.into_iter().map(Ok))).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, mut query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        E: 'q + Execute<'q, Postgres>,
    {
        let (db, arguments) = (self.clone(), query.take_arguments().map_err(sqlx::Error::Encode));
        let sql = query.sql();
        Box::pin(async move { Ok(db.run(sql, arguments?).await?.into_iter().find_map(Either::right)) })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        let pool = self.pool.clone();
        Box::pin(async move { pool.acquire().await?.prepare_with(sql, parameters).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        let pool = self.pool.clone();
        Box::pin(async move { pool.acquire().await?.describe(sql).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a statement on a bare pool and returns the error's code, to verify that the test provokes the fault.
    async fn plain(pool: &PgPool, sql: &'static str) -> Option<String> {
        let error = sqlx::query(sql).fetch_all(pool).await.err()?;
        Some(error.as_database_error()?.code()?.into_owned())
    }

    #[sqlx::test(migrations = false)]
    async fn a_statement_whose_result_changed_is_prepared_again(options: PgPoolOptions, database: PgConnectOptions) {
        const ALL: &str = "select * from notes";
        const INSERT: &str = "insert into notes (words) values ($1) returning *";
        let pool = options.max_connections(1).connect_with(database).await.unwrap();
        let db = Db::from(pool.clone());
        sqlx::raw_sql("create table notes (id int generated always as identity, words text)")
            .execute(&db)
            .await
            .unwrap();
        sqlx::query(ALL).execute(&db).await.unwrap();
        sqlx::query(INSERT).bind("one").execute(&db).await.unwrap();
        sqlx::raw_sql("alter table notes add colour text").execute(&db).await.unwrap();
        assert_eq!(plain(&pool, ALL).await.as_deref(), Some("0A000"));
        let written = sqlx::query(INSERT).bind("two").fetch_optional(&db).await.unwrap().expect("a row");
        assert_eq!(sqlx::Row::len(&written), 3);
        assert_eq!(sqlx::query(ALL).fetch_all(&db).await.unwrap().len(), 2, "written once each");
    }

    #[sqlx::test(migrations = false)]
    async fn a_statement_that_the_server_lost_is_prepared_again(options: PgPoolOptions, database: PgConnectOptions) {
        const ONE: &str = "select 1";
        let pool = options.max_connections(1).connect_with(database).await.unwrap();
        let db = Db::from(pool.clone());
        sqlx::query(ONE).execute(&db).await.unwrap();
        sqlx::raw_sql("deallocate all").execute(&db).await.unwrap();
        assert_eq!(plain(&pool, ONE).await.as_deref(), Some("26000"));
        sqlx::query(ONE).execute(&db).await.unwrap();

        // Simulates a pooler that switches to a server where another connection has prepared the next name.
        sqlx::raw_sql("prepare sqlx_s_3 as select 3").execute(&db).await.unwrap();
        let three: i32 = sqlx::query_scalar("select 1 + 2").fetch_one(&db).await.unwrap();
        assert_eq!(three, 3);
    }

    #[sqlx::test(migrations = false)]
    async fn limits_hold_on_every_route(_: PgPoolOptions, database: PgConnectOptions) {
        for route in [Route::Direct, Route::Session, Route::Wrapped] {
            let db = Db::open(database.clone(), route, 1);
            for (name, value) in LIMITS {
                let held: String =
                    sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&db).await.unwrap();
                assert_eq!(held, value, "{name} ({route:?})");
            }
            let mut transaction = db.begin().await.unwrap();
            let shown = sqlx::query_scalar::<_, String>("show statement_timeout").persistent(false);
            assert_eq!(shown.fetch_one(&mut *transaction).await.unwrap(), "2500ms");
        }
    }
}

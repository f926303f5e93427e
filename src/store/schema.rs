//! Migrations of the schema, embedded in the program. Two releases may share one schema: see
//! `migrations/0009_releases.sql`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use super::{connect_alone, explain};

/// All migrations, in order.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Begins a migration without the usual time limits, whatever the role's defaults are. A lock of the transaction lets
/// one instance at a time check and migrate. sqlx's own runner is not used: behind a pooler in transaction mode it
/// would lose its session lock and the statements that it prepares outside of transactions.
///
/// The wait for a table's lock is short and is repeated: all other statements on that table would queue behind a longer
/// one, for as long as a dump reads the table.
const BEGIN: &str = "begin; set local statement_timeout = 0; set local lock_timeout = 0; \
                     set local idle_in_transaction_session_timeout = 0; \
                     select pg_advisory_xact_lock(29099058084017012); set local lock_timeout = '1s'";
/// Pause before a table's lock is requested again.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Applies the missing migrations. Leaves a schema that a newer release has expanded as it is.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or a newer release has removed what this one needs.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    // sqlx would log the whole text of a migration that takes longer than a second.
    let options = &options.clone().disable_statement_logging();
    let mut connection = connect_alone(options).await?;
    let mut is_new = false;
    loop {
        match apply_next(&mut connection, &mut is_new).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if is_locked(&error) => {
                tracing::warn!("a long transaction, such as a dump, blocks a migration; retrying in 2 s");
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            Err(error) => return Err(explain(error, options)),
        }
    }
    connection.close().await.ok();
    Ok(())
}

fn is_locked(error: &anyhow::Error) -> bool {
    let refusal = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    refusal.is_some_and(|refusal| refusal.code().as_deref() == Some(LOCK_NOT_AVAILABLE))
}

/// Applies the oldest missing migration. Returns whether there was one. `is_new` is set if the database has no schema
/// yet: its migrations are not worth a line each.
async fn apply_next(connection: &mut PgConnection, is_new: &mut bool) -> anyhow::Result<bool> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    assert_known(&mut transaction).await?;
    let applied = applied(&mut transaction).await?;
    *is_new |= applied.is_empty();
    for migration in MIGRATIONS.iter() {
        if let Some(checksum) = applied.get(&migration.version) {
            ensure!(
                **checksum == *migration.checksum,
                "migration {} in the database has a different checksum than in this program",
                migration.version
            );
            continue;
        }
        let what = || format!("migration {} ({})", migration.version, migration.description);
        let began = Instant::now();
        if !*is_new {
            tracing::info!(migration = migration.version, description = %migration.description, "applying a migration");
        }
        if migration.no_tx {
            transaction.rollback().await?;
            build_index(connection, migration).await.with_context(what)?;
        } else {
            apply(&mut transaction, migration).await.with_context(what)?;
            transaction.commit().await.with_context(what)?;
        }
        tracing::debug!(migration = migration.version, seconds = began.elapsed().as_secs_f64(), "applied a migration");
        return Ok(true);
    }
    transaction.rollback().await?;
    Ok(false)
}

/// Returns the applied migrations and their checksums, from sqlx's own table, which its tools and older releases read.
async fn applied(transaction: &mut PgConnection) -> anyhow::Result<HashMap<i64, Vec<u8>>> {
    if !exists(transaction, "_sqlx_migrations").await? {
        let create = "create table _sqlx_migrations (
            version bigint primary key, description text not null, installed_on timestamptz not null default now(),
            success boolean not null, checksum bytea not null, execution_time bigint not null)";
        sqlx::raw_sql(create).execute(transaction).await?;
        return Ok(HashMap::new());
    }
    // Unknown ones belong to a newer release.
    let applied = sqlx::query_as("select version, checksum from _sqlx_migrations where success").persistent(false);
    Ok(applied.fetch_all(transaction).await?.into_iter().collect())
}

async fn apply(transaction: &mut PgConnection, migration: &Migration) -> sqlx::Result<()> {
    let began = Instant::now();
    sqlx::raw_sql(migration.sql.clone()).execute(&mut *transaction).await?;
    note(transaction, migration, began.elapsed()).await
}

/// Applies a migration that consists of one `create index concurrently if not exists`, which lets others write meanwhile
/// and cannot be part of a transaction. A program that was stopped while it built the index has left an invalid one,
/// which is dropped first. The caller of [`migrate`] holds a [`Turn`](super::Turn), so no other instance does the same.
async fn build_index(connection: &mut PgConnection, migration: &Migration) -> anyhow::Result<()> {
    const BEGINNING: &str = "create index concurrently if not exists ";
    let began = Instant::now();
    let sql = migration.sql.as_str();
    let name = sql.split_once(BEGINNING).and_then(|(_, rest)| rest.split_whitespace().next());
    let name = name.context("a migration without a transaction builds one index concurrently")?;
    remove_limits(connection).await?;
    let invalid = sqlx::query_scalar(
        "select exists (select from pg_index i where i.indexrelid = to_regclass($1) and not i.indisvalid)",
    );
    if invalid.bind(name).persistent(false).fetch_one(&mut *connection).await? {
        let drop = format!("drop index concurrently if exists {name}");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await?;
    }
    sqlx::raw_sql(migration.sql.clone()).execute(&mut *connection).await?;
    note(connection, migration, began.elapsed()).await?;
    Ok(())
}

/// Removes the role's time limits from this session, if it has any: behind a pooler, the next client would have the
/// session.
async fn remove_limits(connection: &mut PgConnection) -> sqlx::Result<()> {
    for limit in ["statement_timeout", "lock_timeout"] {
        let is_set = sqlx::query_scalar("select current_setting($1) <> '0'").bind(limit).persistent(false);
        if is_set.fetch_one(&mut *connection).await? {
            sqlx::raw_sql(AssertSqlSafe(format!("set {limit} = 0"))).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Notes that the migration was applied, in sqlx's own table.
async fn note(connection: &mut PgConnection, migration: &Migration, took: Duration) -> sqlx::Result<()> {
    let noted = sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values ($1, $2, true, $3, $4)",
    );
    noted
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .bind(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX))
        .persistent(false)
        .execute(connection)
        .await?;
    Ok(())
}

async fn assert_known(transaction: &mut PgConnection) -> anyhow::Result<()> {
    if exists(transaction, "schema_needs").await? {
        let needed = sqlx::query_scalar("select migration from schema_needs").persistent(false);
        let needed: i64 = needed.fetch_one(transaction).await?;
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        ensure!(
            needed <= newest,
            "a newer release has changed the schema: it requires migration {needed}, but this program knows only up to \
             {newest}. Start the newer release; rolling back this far requires a backup from before"
        );
    }
    Ok(())
}

async fn exists(transaction: &mut PgConnection, table: &str) -> sqlx::Result<bool> {
    let exists = sqlx::query_scalar("select to_regclass($1) is not null").bind(table).persistent(false);
    exists.fetch_one(transaction).await
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgPoolOptions;
    use sqlx::{ConnectOptions as _, Executor as _};

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn a_release_runs_on_a_schema_that_the_next_has_expanded_but_not_contracted(
        _: PgPoolOptions,
        options: PgConnectOptions,
    ) {
        migrate(&options).await.unwrap();
        migrate(&options).await.unwrap();
        let mut next = options.connect().await.unwrap();
        next.execute("alter table stored_rooms add colour text").await.unwrap();
        next.execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'colours', true, '\\x00', 1)",
        )
        .await
        .unwrap();
        migrate(&options).await.expect("it does not miss what it does not know");

        next.execute("update schema_needs set migration = 9999").await.unwrap();
        let refused = migrate(&options).await.unwrap_err().to_string();
        assert!(refused.contains("migration 9999"), "{refused}");
    }

    #[sqlx::test(migrations = false)]
    async fn an_index_that_was_left_half_built_is_built_again(_: PgPoolOptions, options: PgConnectOptions) {
        migrate(&options).await.unwrap();
        let mut connection = options.connect().await.unwrap();
        connection
            .execute(
                "update pg_index set indisvalid = false where indexrelid = 'messages_by_terms'::regclass;
                 delete from _sqlx_migrations where version = 37",
            )
            .await
            .unwrap();
        migrate(&options).await.unwrap();
        let valid: bool =
            sqlx::query_scalar("select indisvalid from pg_index where indexrelid = 'messages_by_terms'::regclass")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert!(valid);
    }
}

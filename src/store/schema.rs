//! The schema, embedded in the program, and how two releases share one: see `migrations/0009_releases.sql`.

use anyhow::{Context as _, ensure};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::Db;

/// Every change of the schema, in order.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Brings the schema up to date. One that a newer release has expanded is left as it is.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or a newer release has taken away what this one needs.
pub async fn migrate(options: &PgConnectOptions) -> anyhow::Result<()> {
    // A connection of its own: a migration may take longer than a statement may.
    let db = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.context("connecting")?;
    assert_known(&db).await?;
    // Migrations that this program does not know are a newer release's; that it can work with them was just asked.
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_ignore_missing(true);
    migrations.run(&db).await.context("migrating")?;
    db.close().await;
    Ok(())
}

async fn assert_known(db: &Db) -> anyhow::Result<()> {
    let told: bool = sqlx::query_scalar("select to_regclass('schema_needs') is not null").fetch_one(db).await?;
    if told {
        let needed: i64 = sqlx::query_scalar("select migration from schema_needs").fetch_one(db).await?;
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        ensure!(
            needed <= newest,
            "a newer release has changed the schema: it needs a program that knows migration {needed}, and this one \
             knows up to {newest}. Start the newer release; a roll-back this far needs a backup from before"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::{ConnectOptions as _, Executor as _};

    use super::*;

    #[sqlx::test(migrations = false)]
    async fn a_release_runs_on_what_the_next_has_expanded_and_not_on_what_it_has_contracted(
        _: PgPoolOptions,
        options: PgConnectOptions,
    ) {
        migrate(&options).await.unwrap();
        migrate(&options).await.unwrap();
        let mut next = options.connect().await.unwrap();
        next.execute("alter table rooms add colour text").await.unwrap();
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
}

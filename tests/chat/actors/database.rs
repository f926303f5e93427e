//! A database for each test: a copy of a template that was migrated once, dropped after the test.

use std::time::Duration;

use gapless::auth::password::Passwords;
use gapless::event::Role;
use gapless::id::UserId;
use gapless::store::{self, Db};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use super::PASSWORD;

/// Key of the advisory lock under which templates are created, by tests in any number of processes.
const TEMPLATE_LOCK: i64 = 0x6761_706c;

/// Name of the admin of every new chat.
pub const FOUNDER: &str = "founder";

/// Dropping it drops the database.
pub struct Database {
    /// Direct address of the database, for tests that read its tables.
    pub options: PgConnectOptions,
    /// Address used by the chat under test: that of the pooler in `TEST_POOLED_URL`, if set.
    pub served: PgConnectOptions,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// Creates one with the schema and the founder.
    pub async fn create() -> Self {
        let (server, mut connection) = server().await;
        let template = template(&server, &mut connection).await;
        Self::of(server, connection, &template).await
    }

    /// Creates one without a schema.
    pub async fn empty() -> Self {
        let (server, connection) = server().await;
        Self::of(server, connection, "template0").await
    }

    async fn of(server: PgConnectOptions, mut connection: PgConnection, template: &str) -> Self {
        let name = format!("gapless_test_{}", Uuid::now_v7().simple());
        execute(&mut connection, format!("create database {name} template {template}")).await;
        connection.close().await.ok();
        let pooled = std::env::var("TEST_POOLED_URL").ok().filter(|url| !url.is_empty());
        let pooled = pooled.map(|url| url.parse::<PgConnectOptions>().expect("TEST_POOLED_URL is a PostgreSQL URL"));
        let reached = pooled.unwrap_or_else(|| server.clone()).database(&name);
        Self { options: server.clone().database(&name), served: reached, server, name }
    }

    /// Its address, for a separate process.
    pub fn url(&self) -> String {
        self.served.to_url_lossy().to_string()
    }

    /// Direct address, for programs other than the chat.
    pub fn direct_url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    pub async fn take_away(&self) {
        let mut connection = self.server.connect().await.expect("the server answers");
        execute(&mut connection, format!("alter database {} with allow_connections false", self.name)).await;
        let cut = "select pg_terminate_backend(pid) from pg_stat_activity where datname = ";
        execute(&mut connection, format!("{cut}'{}'", self.name)).await;
    }

    pub async fn bring_back(&self) {
        let mut connection = self.server.connect().await.expect("the server answers");
        execute(&mut connection, format!("alter database {} with allow_connections true", self.name)).await;
    }

    /// Opens a pool for a test that reads the tables directly.
    pub fn pool(&self) -> Db {
        PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(self.options.clone())
            .into()
    }
}

async fn server() -> (PgConnectOptions, PgConnection) {
    let url = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL names a PostgreSQL server for tests; `cargo xtask test` starts one");
    let server: PgConnectOptions = url.parse().expect("DATABASE_URL is a PostgreSQL URL");
    let connection = server.connect().await.expect("the server of DATABASE_URL answers");
    (server, connection)
}

/// Returns the template of this schema, created by the first test that needs it.
async fn template(server: &PgConnectOptions, connection: &mut PgConnection) -> String {
    let schema = store::MIGRATIONS.iter().fold(Sha256::new(), |schema, one| schema.chain_update(&one.checksum));
    let digest = schema.chain_update(PASSWORD).finalize();
    let name = format!("gapless_template_{:016x}", u64::from_be_bytes(*digest.first_chunk().expect("32 bytes")));

    lock(connection, "pg_advisory_lock").await;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await
        .expect("the server lists its databases");
    if !exists {
        // Created under another name, so that an interrupted one is never mistaken for a complete one.
        let draft = format!("{name}_draft");
        execute(connection, format!("drop database if exists {draft}")).await;
        execute(connection, format!("create database {draft}")).await;
        fill(server.clone().database(&draft)).await;
        execute(connection, format!("alter database {draft} rename to {name}")).await;
    }
    lock(connection, "pg_advisory_unlock").await;
    name
}

pub(super) async fn fill(options: PgConnectOptions) {
    store::migrate(&options).await.expect("the schema migrates");
    let db = Db::from(PgPoolOptions::new().max_connections(1).connect_lazy_with(options));
    let password_hash = Passwords::new().hash(PASSWORD.into()).await.expect("a password can be hashed");
    store::users::create(&db, UserId::new(), FOUNDER, &password_hash, Role::Admin).await.expect("the founder");
    db.close().await;
}

async fn lock(connection: &mut PgConnection, function: &str) {
    execute(connection, format!("select {function}({TEMPLATE_LOCK})")).await;
}

async fn execute(connection: &mut PgConnection, statement: String) {
    // All names in it are generated by this module.
    connection.execute(AssertSqlSafe(statement.clone())).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // On a separate thread and runtime, because blocking inside the test's own runtime is not possible.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                if let Ok(mut connection) = server.connect().await {
                    connection
                        .execute(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
                        .await
                        .ok();
                }
            });
        });
        dropped.join().ok();
    }
}

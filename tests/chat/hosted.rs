//! A hosted database: an account without superuser rights, restricted functions, and a pooler in between.

use gapless::App;
use gapless::clock::Clock;
use gapless::config::Config;
use gapless::store::Access;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::actors::{Chat, Database};

/// A database role, dropped with this value.
struct Account<'a> {
    name: String,
    database: &'a Database,
}

impl<'a> Account<'a> {
    async fn of(database: &'a Database) -> Self {
        let name = format!("hosted_{}", Uuid::new_v4().simple());
        let account = Self { name, database };
        account.run(&format!("create role {} login password 'secret'", account.name)).await;
        account
    }

    /// Runs the statement as the database's owner.
    async fn run(&self, statement: &str) {
        let run = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&self.database.pool()).await;
        run.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    async fn starts(&self) -> anyhow::Result<App> {
        rustls::crypto::ring::default_provider().install_default().ok();
        let options = self.database.options.clone().username(&self.name).password("secret");
        App::start(Config::for_tests(), options, Clock::System).await
    }

    async fn goes(self) {
        self.run(&format!("drop owned by {0} cascade; drop role {0}", self.name)).await;
    }
}

#[tokio::test]
async fn a_role_without_rights_on_public_is_told_the_missing_grant() {
    let database = Database::empty().await;
    let account = Account::of(&database).await;
    let refused = account.starts().await.err().expect("it may not create tables").root_cause().to_string();
    let grant = format!("grant usage, create on schema public to {}", account.name);
    assert!(refused.contains(&grant), "{refused}");
    assert_eq!(refused.lines().count(), 1, "{refused}");
    account.run(&grant).await;
    let app = account.starts().await.expect("no other right is missing");
    app.leave().await;
    account.goes().await;
}

#[tokio::test]
async fn a_host_with_restricted_system_functions_is_supported() {
    let database = Database::empty().await;
    let account = Account::of(&database).await;
    account.run(&format!("grant usage, create on schema public to {}", account.name)).await;
    for function in ["pg_control_system()", "pg_current_wal_lsn()", "pg_walfile_name(pg_lsn)"] {
        account.run(&format!("revoke execute on function {function} from public")).await;
    }
    account.run("revoke select on pg_stat_ssl, pg_stat_activity, pg_settings from public").await;
    let app = account.starts().await.expect("it starts anyway");
    assert_eq!(gapless::store::cluster::identity(&app.db).await.expect("an answer"), None);
    app.leave().await;
    account.goes().await;
}

#[tokio::test]
async fn a_read_only_or_missing_database_is_reported_in_one_sentence() {
    let database = Database::empty().await;
    let account = Account::of(&database).await;
    account.run(&format!("grant usage, create on schema public to {}", account.name)).await;
    account.run(&format!("alter role {} set default_transaction_read_only = on", account.name)).await;
    let refused = account.starts().await.err().expect("it may not write").root_cause().to_string();
    assert!(refused.contains("read-only"), "{refused}");

    let options = database.options.clone().database("nowhere_at_all");
    let error = Access::find(&options).await.expect_err("no such database");
    let refused = gapless::store::explain(error, &options).to_string();
    assert!(refused.contains("has no database nowhere_at_all"), "{refused}");
    account.goes().await;
}

/// The route is direct, unless `cargo xtask test` uses a pooler, whose route is in `TEST_POOLED_ROUTE`.
#[tokio::test]
async fn the_route_to_the_database_is_detected_and_its_timeouts_work() {
    const CANCELLED: &str = "57014";
    let database = Database::create().await;
    let expected = std::env::var("TEST_POOLED_ROUTE").unwrap_or_else(|_| "Direct".to_owned());
    // A pooled database without role defaults: measuring detects this and changes nothing.
    let measured = Access::measure(&database.served).await.expect("the database answers");
    assert_eq!(measured.lacks_limits, expected == "Transaction");
    let defaults = sqlx::query_scalar::<_, i64>(
        "select count(*) from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
         where d.datname = current_database()",
    );
    let db = measured.connect(1);
    assert_eq!(defaults.fetch_one(&db).await.expect("a count"), 0);
    db.close().await;
    // Simulates instances that start one after the other: state left on the servers must not mislead the next one.
    for _ in 0..12 {
        let access = Access::find(&database.served).await.expect("the database answers");
        assert_eq!(format!("{:?}", access.route), expected);
    }
    for _ in 0..2 {
        let access = Access::find(&database.served).await.expect("the database answers");
        assert_eq!(format!("{:?}", access.route), expected);
        let db = access.connect(4);
        let slept =
            futures_util::future::join_all((0..4).map(|_| sqlx::query("select pg_sleep(5)").execute(&db))).await;
        for slept in slept {
            let error = slept.expect_err("a statement of 5 s is cancelled");
            let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), Some(CANCELLED), "{error}");
        }
        db.close().await;
    }
}

/// Two connections that prepare statements under the same name each get their own.
#[tokio::test]
async fn prepared_statements_are_not_mixed_up() {
    let chat = Chat::start().await;
    let (one, other) = (&chat.first.app.db, &chat.first.app.core_db);
    for round in 0..50_i64 {
        let numbers = (0..8).map(|number| {
            sqlx::query_scalar::<_, i64>("select $1::bigint + 1").bind(round * 8 + number).fetch_one(one)
        });
        let words = (0..6).map(|number| {
            sqlx::query_scalar::<_, i64>("select $1::bigint * -1").bind(round * 6 + number).fetch_one(other)
        });
        let (numbers, words) =
            tokio::join!(futures_util::future::join_all(numbers), futures_util::future::join_all(words));
        for (number, got) in (0..8).zip(numbers) {
            assert_eq!(got.expect("a sum"), round * 8 + number + 1);
        }
        for (number, got) in (0..6).zip(words) {
            assert_eq!(got.expect("a product"), -(round * 6 + number));
        }
    }
}

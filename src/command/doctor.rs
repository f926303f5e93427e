//! `gapless doctor`: checks the environment, and reports what is right, what is wrong and how to fix it. It changes
//! nothing.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use redis::IntoConnectionInfo as _;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

use crate::app::Database;
use crate::clock::Clock;
use crate::config::{Config, SigningKey};
use crate::realtime::backplane::redis::rights;
use crate::realtime::backplane::seal::Seal;
use crate::server::BACKLOG;
use crate::store::{self, Access, Db, Route};

/// Timeout of each check.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum clock difference. Tokens have no leeway, so instances disagree for that long about which have expired.
const MOST_SKEW: Duration = Duration::from_secs(2);
/// PostgreSQL 14 and older lack features that the schema uses.
const OLDEST_POSTGRES: i32 = 150_000;
/// Connections for checks that run concurrently.
const CONNECTIONS: u32 = 3;
/// File descriptors in addition to those of streams: for requests, the database and files.
const OTHER_DESCRIPTORS: u64 = 5_000;

/// A check's name, and its result: what was found, or what is wrong and how to fix it.
type Finding = (&'static str, anyhow::Result<String>);

pub(super) async fn examine(config: Config) -> anyhow::Result<()> {
    let mut findings: Vec<Finding> =
        vec![("origins", origins(&config)), ("descriptors", descriptors(&config)), ("backlog", Ok(backlog()))];
    let mut chat = None;
    match Database::open(&config).await {
        Ok(database) => {
            findings.extend(examine_database(&database, &config).await);
            chat = name_of_chat(&database).await;
            database.close().await;
        }
        Err(error) => findings.push(("database", Err(error))),
    }
    if let Some(redis) = &config.redis_connection {
        findings.push(("Redis", in_time(examine_redis(redis, chat.as_deref(), &config)).await));
    } else {
        findings.push(("Redis", Ok("not set; this must be the only instance".to_owned())));
    }

    let wrong = findings.iter().filter(|(_, found)| found.is_err()).count();
    for (what, found) in findings {
        match found {
            Ok(found) => println!("ok    {what}: {found}"),
            Err(error) => println!("FAIL  {what}: {error:#}"),
        }
    }
    anyhow::ensure!(wrong == 0, "{wrong} of these checks failed");
    Ok(())
}

async fn examine_database(database: &Database, config: &Config) -> Vec<Finding> {
    let access = match in_time(database.measure()).await {
        Ok(access) => access,
        Err(error) => return vec![("database", Err(error))],
    };
    let db = access.connect(CONNECTIONS);
    let mut findings = vec![
        ("database", in_time(version(&db, access.route)).await),
        ("route", Ok(way(&access))),
        ("timeouts", in_time(time_outs(&db)).await),
        ("durability", in_time(durability(&db, config)).await),
        ("restores", in_time(restores(&db)).await),
        ("schema", in_time(schema(&db)).await),
        ("connections", in_time(connections(&db, config, access.route)).await),
        ("clock", in_time(clock(&db)).await),
    ];
    if config.database_direct_url.is_some() {
        findings.push(("direct address", in_time(direct(database)).await));
    }
    db.close().await;
    findings
}

fn way(access: &Access) -> String {
    if access.lacks_limits {
        "through a pooler in transaction mode; the role has no default timeouts: the server sets them at start if \
         permitted, and otherwise sends them with each statement"
            .to_owned()
    } else {
        access.route.told().to_owned()
    }
}

async fn in_time<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.context("no answer within 5 s")?
}

async fn version(db: &Db, route: Route) -> anyhow::Result<String> {
    let asked = "select current_setting('server_version'), current_setting('server_version_num')::int";
    let (name, number): (String, i32) = sqlx::query_as(asked).fetch_one(db).await?;
    anyhow::ensure!(number >= OLDEST_POSTGRES, "PostgreSQL {name} is too old; use 15 or newer");
    if route != Route::Direct {
        return Ok(format!("PostgreSQL {name}; its pooler does not reveal whether the connection is encrypted"));
    }
    let asked = "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)";
    let is_encrypted = match sqlx::query_scalar(asked).fetch_one(db).await {
        Err(error) if store::is_withheld(&error) => {
            return Ok(format!("PostgreSQL {name}, which does not reveal whether the connection is encrypted"));
        }
        asked => asked?,
    };
    // Only the operator knows whether others can listen on the network in between.
    Ok(if is_encrypted {
        format!("PostgreSQL {name}, over TLS")
    } else {
        format!("PostgreSQL {name}, not encrypted; outside a private network add ?sslmode=verify-full to DATABASE_URL")
    })
}

/// Verifies that the session settings took effect: a pooler may have dropped them.
async fn time_outs(db: &Db) -> anyhow::Result<String> {
    let statement = async {
        let began = Instant::now();
        let slept = sqlx::query("select pg_sleep(4)").execute(db).await;
        is_ended(slept, began, "a statement of 4 s", "statement_timeout")
    };
    let lock = async {
        let key: i64 = rand::random();
        let lock = || sqlx::query("select pg_advisory_xact_lock($1)").bind(key);
        let mut holder = db.begin().await?;
        lock().persistent(false).execute(&mut *holder).await?;
        let began = Instant::now();
        let waited = lock().execute(db).await;
        let ended = is_ended(waited, began, "a wait for a lock", "lock_timeout");
        // The database may have ended the transaction by now, which is also correct.
        holder.rollback().await.ok();
        ended
    };
    // The first lost connection ends both: a lock wait without a timeout would never end.
    let (statement, lock) = tokio::try_join!(statement, lock)?;
    Ok(format!("a statement is cancelled after {statement:.1} s, a wait for a lock after {lock:.1} s"))
}

/// Returns the seconds until the database ended the transaction.
fn is_ended<T>(outcome: sqlx::Result<T>, began: Instant, what: &str, setting: &str) -> anyhow::Result<f64> {
    const CANCELLED: &str = "57014";
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    match outcome {
        Ok(_) => anyhow::bail!("{what} was not cancelled: {setting} is lost, perhaps dropped by a pooler"),
        Err(sqlx::Error::Database(ended))
            if ended.code().is_some_and(|code| [CANCELLED, LOCK_NOT_AVAILABLE].contains(&&*code)) =>
        {
            Ok(began.elapsed().as_secs_f64())
        }
        Err(other) => Err(other.into()),
    }
}

async fn restores(db: &Db) -> anyhow::Result<String> {
    Ok(if store::cluster::identity(db).await?.is_some() {
        "a backup restored elsewhere is detected".to_owned()
    } else {
        "the database does not reveal its cluster; after a restore run `gapless new-epoch`".to_owned()
    })
}

async fn direct(database: &Database) -> anyhow::Result<String> {
    let mut connection = database.connect_directly().await?;
    let there: String = sqlx::query_scalar("select current_database()").fetch_one(&mut connection).await?;
    Ok(format!("reaches the database {there}"))
}

async fn durability(db: &Db, config: &Config) -> anyhow::Result<String> {
    match store::assert_durable(db).await {
        Ok(()) => Ok("acknowledged messages are on disk".to_owned()),
        Err(error) if config.demo_mode => Ok(format!("{error} (ignored in demo mode)")),
        Err(error) => Err(error),
    }
}

async fn schema(db: &Db) -> anyhow::Result<String> {
    let there: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(db).await?;
    let newest = store::MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    anyhow::ensure!(there, "the schema does not exist yet; run `gapless migrate`, or start the server");
    let applied: Option<i64> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations where success").fetch_one(db).await?;
    let applied = applied.unwrap_or_default();
    anyhow::ensure!(
        applied >= newest,
        "the schema is at migration {applied} of {newest}; run `gapless migrate`, or start the server"
    );
    Ok(format!("at migration {applied}"))
}

async fn connections(db: &Db, config: &Config, route: Route) -> anyhow::Result<String> {
    let most: i32 = sqlx::query_scalar("select current_setting('max_connections')::int").fetch_one(db).await?;
    let own = i64::from(config.db_pool_size) + i64::from(crate::app::OWN_CONNECTIONS);
    if route != Route::Direct {
        return Ok(format!(
            "an instance opens up to {own} connections to the pooler, which shares the database's {most}"
        ));
    }
    let instances = i64::from(most) / own;
    anyhow::ensure!(
        instances >= 2,
        "the database allows {most} and an instance uses up to {own}, too many for a rolling deploy; \
         raise max_connections or lower DB_POOL_SIZE"
    );
    Ok(format!("an instance uses up to {own} of {most}, so {instances} instances fit"))
}

async fn clock(db: &Db) -> anyhow::Result<String> {
    let before = Clock::System.now();
    let theirs: OffsetDateTime = sqlx::query_scalar("select clock_timestamp()").fetch_one(db).await?;
    let after = Clock::System.now();
    let skew = if theirs < before { before - theirs } else { (theirs - after).max(time::Duration::ZERO) };
    anyhow::ensure!(
        skew <= MOST_SKEW,
        "it differs from the database's by {skew:.1}; synchronise both with NTP, or tokens expire early or late"
    );
    Ok("matches the database's".to_owned())
}

/// Returns the chat's id, which names its Redis channel; `None` before the schema exists.
async fn name_of_chat(database: &Database) -> Option<String> {
    let db = database.measure().await.ok()?.connect(1);
    let chat = sqlx::query_scalar("select chat::text from log_head").fetch_one(&db);
    let chat: Option<sqlx::Result<String>> = tokio::time::timeout(PATIENCE, chat).await.ok();
    db.close().await;
    chat?.ok()
}

/// Publishes a probe, which instances ignore, and waits to receive it.
async fn examine_redis(connection: &SecretString, chat: Option<&str>, config: &Config) -> anyhow::Result<String> {
    let answers = ping(connection).await?;
    let Some(chat) = chat else { return Ok(format!("{answers}; the channel is not checked until the schema exists")) };
    let keys = std::iter::once(&config.jwt_signing_key).chain(&config.jwt_previous_keys);
    let seal = Seal::new(&keys.map(SigningKey::as_bytes).collect::<Vec<_>>(), chat);
    rights::try_out(connection, &seal, chat).await?;
    Ok(format!("{answers}, and a probe published on the channel is received"))
}

async fn ping(connection: &SecretString) -> anyhow::Result<String> {
    let client = redis::Client::open(connection.expose_secret().into_connection_info()?)?;
    let mut connection = client.get_multiplexed_async_connection().await.context(
        "no answer; the chat works without Redis, but instances see each other's messages up to 200 ms later",
    )?;
    let _pong: String = redis::cmd("PING").query_async(&mut connection).await?;
    Ok("answers".to_owned())
}

fn origins(config: &Config) -> anyhow::Result<String> {
    let listed: Vec<_> = config.allowed_origins.iter().filter_map(|origin| origin.to_str().ok()).collect();
    match (listed.is_empty(), config.spa_dir.is_some() || cfg!(feature = "embed-spa")) {
        (false, _) => Ok(format!("pages of {} may call the API", listed.join(", "))),
        (true, true) => Ok("only this server's own pages may call the API".to_owned()),
        (true, false) => anyhow::bail!(
            "no page may call the API: set ALLOWED_ORIGINS to the app's origin, or SPA_DIR to serve the app from here"
        ),
    }
}

fn descriptors(config: &Config) -> anyhow::Result<String> {
    #[cfg(unix)]
    {
        // The server raises its limit to this maximum.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        let needed = config.max_streams as u64 + OTHER_DESCRIPTORS;
        if let Some(limit) = limit.filter(|limit| *limit < needed) {
            anyhow::bail!(
                "at most {limit} may be open, but MAX_STREAMS = {} needs {needed}; raise the limit (`ulimit -Hn`, \
                 LimitNOFILE) or lower MAX_STREAMS",
                config.max_streams
            );
        }
    }
    Ok(format!("enough for {} streams", config.max_streams))
}

/// A smaller backlog is acceptable if few clients connect at the same time.
fn backlog() -> String {
    let cap =
        std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok().and_then(|cap| cap.trim().parse::<u32>().ok());
    match cap.filter(|cap| *cap < BACKLOG) {
        None => format!("{BACKLOG} connections fit in the accept queue"),
        Some(cap) => format!(
            "{cap} connections fit in the accept queue; if thousands may reconnect at once, set net.core.somaxconn \
             to {BACKLOG}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::*;

    fn outcome<'a>(findings: &'a [Finding], what: &str) -> &'a anyhow::Result<String> {
        &findings.iter().find(|(name, _)| *name == what).expect("it was looked at").1
    }

    #[sqlx::test(migrations = false)]
    async fn a_database_is_found_empty_then_right(_: PgPoolOptions, options: PgConnectOptions) {
        let config = Config::for_tests();
        let database = Database::at(options.clone(), &config);
        let findings = examine_database(&database, &config).await;
        assert!(outcome(&findings, "database").is_ok());
        assert!(outcome(&findings, "schema").as_ref().unwrap_err().to_string().contains("gapless migrate"));

        store::migrate(&options).await.unwrap();
        let findings = examine_database(&database, &config).await;
        for what in ["database", "route", "timeouts", "restores", "schema", "connections", "clock"] {
            assert!(outcome(&findings, what).is_ok(), "{findings:?}");
        }
        let greedy = Config { db_pool_size: 1_000, ..Config::for_tests() };
        assert!(outcome(&examine_database(&database, &greedy).await, "connections").is_err());
    }

    /// Simulates a pooler that drops the client's startup options.
    #[sqlx::test(migrations = false)]
    async fn time_outs_that_do_not_hold_are_found(pool: sqlx::PgPool) {
        let lost = time_outs(&Db::from(pool)).await.unwrap_err().to_string();
        assert!(lost.contains("statement_timeout is lost"), "{lost}");
    }

    #[test]
    fn an_api_that_no_page_may_call_is_wrong() {
        assert_eq!(origins(&Config::for_tests()).is_err(), !cfg!(feature = "embed-spa"));
        assert!(origins(&Config { spa_dir: Some("dist".into()), ..Config::for_tests() }).is_ok());
    }
}

//! `cargo xtask seed`: fills a database, to see how the chat behaves at that size.
//!
//! This file reads the arguments and opens the database; [`fill`] has the contents.

mod fill;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use gapless::auth::password::Passwords;
use gapless::store::{self, Access, Db};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use fill::{Size, fill};

/// Interval of progress reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

#[derive(Parser)]
#[command(override_help = include_str!("usage.txt"))]
struct Options {
    #[arg(long, default_value_t = 1_000_000)]
    messages: usize,
    #[arg(long, default_value_t = 10_000)]
    rooms: usize,
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,
    #[arg(long)]
    password: Option<String>,
    #[arg(long)]
    force: bool,
    #[arg(long, env, hide_env_values = true)]
    database_url: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let options = Options::parse();
    let address: PgConnectOptions = options.database_url.parse().context("DATABASE_URL is not a PostgreSQL URL")?;
    store::migrate(&address).await?;
    let db = Access::find(&address).await?.connect(1);
    let seeded = seed(&db, options).await;
    db.close().await;
    let told = seeded?;

    println!("Updating the planner's statistics");
    // On a connection without the usual time limits.
    let mut connection = store::connect_alone(&address).await?;
    sqlx::raw_sql("vacuum (analyze)").execute(&mut connection).await?;
    connection.close().await?;
    println!("{told}");
    Ok(())
}

/// Returns how to sign in.
async fn seed(db: &Db, options: Options) -> anyhow::Result<String> {
    let has_messages: bool = sqlx::query_scalar("select exists (select from messages)").fetch_one(db).await?;
    if has_messages && !options.force {
        bail!("the database already has messages; add to them with `--force`");
    }
    let size = Size { accounts: options.accounts, rooms: options.rooms, messages: options.messages };
    ensure!(size.messages == 0 || size.rooms > 0 && size.accounts > 0, "messages need a room and an account");
    let password = options.password.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    let password_hash = Passwords::new().hash(password.as_str().into()).await?;
    let mut reported = Instant::now();
    let names = fill(db, size, &password_hash, |what, done, total| {
        if done == total || reported.elapsed() > REPORT_INTERVAL {
            reported = Instant::now();
            println!("{done} of {total} {what}");
            std::io::stdout().flush().ok();
        }
    })
    .await?;
    Ok(format!("Sign in as the admin {}, or as {} and so on. Password: {password}", names.admin(), names.account(0)))
}

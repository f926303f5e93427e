//! Operator commands, apart from `serve`.
//!
//! Each command has a file named after it. Commands print a sentence to standard output on success and to standard
//! error on failure.

mod admin;
mod completions;
mod doctor;
mod epoch;
mod export;
mod healthcheck;
mod import;
mod invite;
mod keys;
mod settings;

use anyhow::Context as _;
use clap::{ArgMatches, Subcommand};

use crate::app::Database;
use crate::config::{Config, Settings};
use crate::{routes, telemetry};

/// See each command's own file.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the server (default).
    Serve,
    /// Update the database schema and exit.
    Migrate,
    /// Create admins, repair accounts, and invite people.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Generate and rotate signing keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the effective settings, without secrets.
    Config(settings::Options),
    /// Check the database, Redis, the clock, system limits and allowed origins, and say how to fix problems.
    Doctor,
    /// Check whether the server on this machine is ready, for container images without a shell.
    Healthcheck(healthcheck::Healthcheck),
    /// Export the whole chat as JSON lines.
    Export(export::Export),
    /// Import an exported chat into a new database.
    Import(import::Import),
    /// Start a new epoch after restoring a backup in place, so that open pages reload what they show.
    NewEpoch,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print a shell completion script.
    Completions(completions::Completions),
    /// Print the description of all metrics, `docs/METRICS.md`.
    Metrics,
}

/// Runs any command but [`Command::Serve`] and [`Command::Completions`], which the caller handles.
///
/// # Errors
/// A message for the operator.
pub fn run(command: Command, settings: Settings, matches: &ArgMatches) -> anyhow::Result<()> {
    match command {
        Command::Serve | Command::Completions(_) => unreachable!("these are the caller's"),
        Command::Migrate => block_on(migrate(Config::resolve_without_key(settings)?)),
        Command::Admin(admin) => block_on(admin.run(Config::resolve_without_key(settings)?)),
        Command::Keys(keys) => keys.run(&settings),
        Command::Config(show) => show.run(settings, matches),
        Command::Doctor => block_on(doctor::examine(Config::resolve(settings)?)),
        Command::Healthcheck(healthcheck) => healthcheck.run(settings.port()),
        Command::Export(export) => block_on(export.run(Config::resolve_without_key(settings)?)),
        Command::Import(import) => block_on(import.run(Config::resolve_without_key(settings)?)),
        Command::NewEpoch => block_on(epoch::begin(Config::resolve_without_key(settings)?)),
        Command::Metrics => {
            print!("{}", telemetry::catalogue::page());
            Ok(())
        }
        Command::Openapi => {
            println!("{}", routes::document().to_pretty_json().context("cannot serialise the OpenAPI document")?);
            Ok(())
        }
    }
}

async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config).await?;
    let done = database.prepare().await;
    database.close().await;
    done?;
    println!("The schema is up to date.");
    Ok(())
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok();
    tokio::runtime::Runtime::new().context("cannot start the async runtime")?.block_on(work)
}

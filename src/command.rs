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
    /// Serve the chat. The default.
    Serve,
    /// Bring the database's schema up to date, and end.
    Migrate,
    /// Make and mend the accounts of admins, and invite people.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Make signing keys, and replace them.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Print the effective settings, without secrets.
    Config(settings::Show),
    /// Look at the database, Redis, the clock, the limits and the origins: what is right, and what to do about the rest.
    Doctor,
    /// Ask a server on this machine whether it takes traffic: for containers, whose images have no shell.
    Healthcheck(healthcheck::Healthcheck),
    /// Write the whole chat as lines of JSON.
    Export(export::Export),
    /// Bring an exported chat into a new database.
    Import(import::Import),
    /// Begin another history after a backup was put back in place: every open page reloads what it shows.
    NewEpoch,
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print what a shell has to know to complete these commands.
    Completions(completions::Completions),
    /// Print what `/metrics` says and what it means, as `docs/METRICS.md`.
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
            println!("{}", routes::document().to_pretty_json().context("the document as JSON")?);
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
    tokio::runtime::Runtime::new().context("the runtime cannot start")?.block_on(work)
}

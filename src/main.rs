//! The program: parses the command line, then runs [`gapless::instance`] or another of the [`gapless::command`]s.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use gapless::command::{self, Command};
use gapless::config::{Config, Settings, values};
use gapless::instance;
use gapless::version::VERSION;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A public multi-room chat whose acknowledged messages are never lost, doubled or out of order.
#[derive(Parser)]
#[command(name = "gapless", version = VERSION.as_str())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match cli.command {
        None | Some(Command::Serve) => Config::resolve(cli.settings).and_then(instance::run),
        Some(Command::Completions(completions)) => {
            completions.print(Cli::command());
            Ok(())
        }
        Some(other) => command::run(other, cli.settings, &matches),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // For a person at a terminal: the message and its causes.
            eprintln!("gapless: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reports a problem with the command line, or all problems with the environment.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind::{InvalidValue, ValueValidation};
    if matches!(error.kind(), InvalidValue | ValueValidation)
        && let Some(sentences) = values::explain(Cli::command())
    {
        eprintln!("gapless: {sentences}");
        return ExitCode::FAILURE;
    }
    error.exit()
}

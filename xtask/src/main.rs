//! The commands of this repository. `cargo xtask` alone lists them.
//!
//! Each command is one file, named after it. Shared modules: [`step`] prints each step and its duration,
//! [`process`] runs and stops programs, [`tools`] finds or installs the programs that a command needs.

#[cfg(not(unix))]
compile_error!("Gapless is developed on Linux and macOS; on Windows, use WSL");

mod bench;
mod chaos;
mod database;
mod dev;
mod frontend;
mod generated;
mod interrupt;
mod lint_deploy;
mod process;
mod rehearse;
mod run;
mod schemathesis;
mod seed;
mod step;
mod test;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory as _, Parser, Subcommand};

/// The commands of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build everything and open the chat in the browser
    Run(run::Options),
    /// Wait for the server that `run` starts, and open the browser
    #[command(hide = true)]
    Announce(run::Announcement),
    /// Check everything, or run the tests whose names contain FILTER
    Test(test::Options),
    /// Run the server and the front end, and rebuild both when a file changes
    Dev(dev::Options),
    /// Run the load benchmark
    #[command(override_help = include_str!("../../benches/load/usage.txt"))]
    Bench(Passed),
    /// Run three instances while everything around them fails
    #[command(override_help = include_str!("../../chaos/src/usage.txt"))]
    Chaos(Passed),
    /// Fill a database with messages, rooms and accounts
    #[command(override_help = include_str!("../../examples/seed/usage.txt"))]
    Seed(Passed),
    /// Regenerate frontend/openapi.json and the client generated from it
    Openapi,
    /// Check the workflows, images and platform files
    LintDeploy,
    /// Start the services of compose.yaml without a container engine, and test them in a browser
    Rehearse(rehearse::Options),
    /// Run the private PostgreSQL and print its address
    Database,
    /// Format Rust and the front end
    Fmt,
}

/// Arguments for the program that a command builds and runs.
#[derive(Debug, clap::Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    interrupt::listen();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt::came() => ExitCode::from(130),
        Err(error) => {
            // `{error:#}` includes the causes: the failed operation, then the reason.
            eprintln!("\n{} {error:#}", step::red("error:"));
            ExitCode::FAILURE
        }
    }
}

impl Cli {
    fn run(self) -> anyhow::Result<()> {
        match self.command {
            None => Ok(Self::command().print_help()?),
            Some(Task::Run(options)) => run::run(&options),
            Some(Task::Announce(announcement)) => {
                run::announce(&announcement);
                Ok(())
            }
            Some(Task::Test(options)) => test::test(&options),
            Some(Task::Dev(options)) => dev::dev(&options),
            Some(Task::Bench(Passed { args })) => bench::bench(&args),
            Some(Task::Chaos(Passed { args })) => chaos::chaos(args),
            Some(Task::Seed(Passed { args })) => seed::seed(&args),
            Some(Task::Openapi) => generated::regenerate(),
            Some(Task::LintDeploy) => lint_deploy::check().map(drop),
            Some(Task::Rehearse(options)) => {
                rehearse::rehearse(&options).and_then(|outcome| outcome.tally.all_passed())
            }
            Some(Task::Database) => database::serve(),
            Some(Task::Fmt) => fmt(),
        }
    }
}

fn fmt() -> anyhow::Result<()> {
    step::step("format Rust", || process::run(process::cargo().args(["fmt", "--all"])))?;
    frontend::prepare()?;
    step::step("format the front end", || frontend::npm_run("format", &[]))
}

/// The repository's directory, independent of the working directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// A directory for files that may be deleted at any time.
fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let dir = root().join("target").join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn every_command_has_help() {
        Cli::command().debug_assert();
        let names: Vec<_> = Cli::command().get_subcommands().map(|task| task.get_name().to_owned()).collect();
        assert!(names.len() > 10, "{names:?}");
        for words in names.iter().map(|name| vec![name.as_str()]).chain([vec![]]) {
            let words = ["cargo xtask"].into_iter().chain(words).chain(["--help"]);
            let help = Cli::try_parse_from(words).expect_err("help is printed instead of running a command");
            assert_eq!((help.kind(), help.exit_code()), (ErrorKind::DisplayHelp, 0), "{help}");
            assert!(help.to_string().contains("Usage:"), "{help}");
        }
    }

    #[test]
    fn arguments_are_passed_on_as_they_are() {
        for words in [&["chaos", "--seed", "7", "--help"][..], &["chaos", "--", "--seed", "7", "--help"]] {
            let cli = Cli::try_parse_from(["cargo xtask"].iter().chain(words)).unwrap();
            let Some(Task::Chaos(Passed { args })) = cli.command else { panic!("{cli:?}") };
            assert_eq!(args, ["--seed", "7", "--help"]);
        }
    }
}

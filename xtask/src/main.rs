//! The commands of this repository. `cargo xtask` alone lists them.
//!
//! Each command is one file, named after it. What they share: [`step`] says what happens and how long it took,
//! [`process`] runs programs and ends them, [`tools`] finds or installs what a command needs.

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
mod step;
mod test;
mod tools;

/// The server's own way of running a private PostgreSQL, compiled in here too: there is one way, and it is tested.
#[path = "../../src/store/embedded"]
mod embedded {
    pub mod account;
    pub mod binaries;
    pub mod cluster;
    pub mod error;
    pub mod home;
    pub mod postmaster;
}

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use lexopt::prelude::*;

use crate::test::Tally;

const COMMANDS: &str = "\
Usage: cargo xtask <command>

  run [--port N] [--release] [--no-open] [-- ARGS]
                   build everything and open the chat in the browser
  test [FILTER]    check everything; with a filter, only the tests whose names contain it
  test --pooled [FILTER]
                   the tests of the whole chat, through PgBouncer in each mode
  dev [--port N]   server and front end, both rebuilt on change
  bench [ARGS]     the load benchmark; `bench -- --help` lists its own arguments
  chaos [ARGS]     three instances with everything around them breaking; `chaos --help` lists its own arguments
  openapi          regenerate frontend/openapi.json and the client made from it
  lint-deploy      check the workflows, images and platform files
  rehearse [--server PATH]
                   run the steps of both Dockerfiles, start what they make as compose.yaml says, and use it in a browser
  database         run the private PostgreSQL alone and print its address
  fmt              format Rust and the front end
";

fn main() -> ExitCode {
    interrupt::listen();
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if interrupt::came() => ExitCode::from(130),
        Err(error) => {
            // The causes belong to the sentence: what failed, then why.
            eprintln!("\n{} {error:#}", step::red("error:"));
            ExitCode::FAILURE
        }
    }
}

fn command() -> anyhow::Result<()> {
    let mut args = lexopt::Parser::from_env();
    let command = match args.next()? {
        None | Some(Short('h') | Long("help")) => {
            print!("{COMMANDS}");
            return Ok(());
        }
        Some(Value(command)) => command.string()?,
        Some(other) => return Err(other.unexpected().into()),
    };
    match command.as_str() {
        "run" => run::run(&run::Options::parse(args)?),
        "announce" => run::announce(args),
        "test" => test::test(&test::Options::parse(args)?),
        "dev" => dev::dev(&dev::Options::parse(args)?),
        "bench" => bench::bench(args),
        "chaos" => chaos::chaos(args),
        "openapi" => generated::regenerate(),
        "lint-deploy" => lint_deploy::check().map(drop),
        "rehearse" => rehearse::rehearse(&rehearse::Options::parse(args)?).and_then(Tally::all_passed),
        "database" => database::serve(),
        "fmt" => fmt(),
        unknown => bail!("there is no command `{unknown}`; `cargo xtask` alone lists them all"),
    }
}

fn fmt() -> anyhow::Result<()> {
    step::step("format Rust", || process::run(process::cargo().args(["fmt", "--all"])))?;
    frontend::prepare()?;
    step::step("format the front end", || frontend::npm_run("format", &[]))
}

/// The repository, wherever the command was started.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// A directory for files that may be deleted at any time.
fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let dir = root().join("target").join(name);
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

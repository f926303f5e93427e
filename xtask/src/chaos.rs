//! `cargo xtask chaos`: runs three instances while faults are injected; see `docs/RELIABILITY.md`.

mod mutated;

use std::ffi::OsString;
use std::process::Command;

use crate::{database, process, root, scratch, step, tools};

/// Arguments of the run in `cargo xtask test`: one minute, with a different schedule each time.
const IN_TESTS: [&str; 2] = ["--seconds", "60"];

pub fn chaos(mut args: Vec<OsString>) -> anyhow::Result<()> {
    let is_release = args.iter().any(|arg| arg == "--release");
    args.retain(|arg| arg != "--release");
    process::run(&mut prepare(args, is_release)?)
}

/// The run in `cargo xtask test`.
pub fn check() -> anyhow::Result<()> {
    process::run(&mut prepare(IN_TESTS.map(OsString::from).into(), false)?)
}

/// Builds the programs, and returns the command that starts the run.
fn prepare(args: Vec<OsString>, is_release: bool) -> anyhow::Result<Command> {
    let mut build = process::cargo();
    // In one build, so that both use the same dependencies.
    build.args(["build", "--package", "gapless", "--package", "gapless-chaos"]);
    if is_release {
        build.arg("--release");
    }
    step::step("build the server and the chaos run", || process::run(&mut build))?;
    tools::redis()?;
    let is_mutated = args.iter().any(|arg| arg == "--mutant" || arg == "--mutants");
    let programs = root().join("target").join(if is_release { "release" } else { "debug" });
    let server = if is_mutated { mutated::build(is_release)? } else { programs.join("gapless") };
    let mut command = Command::new(programs.join("chaos"));
    command.args(args).arg("--server").arg(server).arg("--dir").arg(scratch("chaos")?);
    command.env("POSTGRES_BIN_DIR", database::find_or_fetch(&database::data_dir())?);
    Ok(command)
}

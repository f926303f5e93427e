//! `cargo xtask bench`: runs the load benchmark with the given arguments.

use std::ffi::OsString;

use crate::{database, process, scratch, step, tools};

pub fn bench(args: &[OsString]) -> anyhow::Result<()> {
    let mut command = process::cargo();
    command.args(["bench", "--bench", "load", "--"]).args(args);
    if database::is_private() {
        // The server under test keeps its data elsewhere, but uses the same PostgreSQL programs as every command.
        command.env("POSTGRES_BIN_DIR", database::find_or_fetch(&database::data_dir())?);
    }
    // For the measurements of several instances.
    tools::redis()?;
    let results = scratch("bench")?;
    step::step("build for release and measure (minutes)", || process::run(&mut command))?;
    step::note(&format!("results are in {}", results.display()));
    Ok(())
}

//! `cargo xtask bench`: the load benchmark, with whatever arguments it takes.

use std::ffi::OsString;

use crate::{database, process, scratch, step, tools};

pub fn bench(args: &[OsString]) -> anyhow::Result<()> {
    let mut command = process::cargo();
    command.args(["bench", "--bench", "load", "--"]).args(args);
    if database::is_private() {
        // The server under test keeps its data elsewhere, but finds PostgreSQL where every command does.
        command.env("POSTGRES_BIN_DIR", database::find_or_fetch(&database::data_dir())?);
    }
    // Instances that share one are measured, too.
    tools::redis()?;
    let results = scratch("bench")?;
    step::step("build for release and measure (minutes)", || process::run(&mut command))?;
    step::note(&format!("results are in {}", results.display()));
    Ok(())
}

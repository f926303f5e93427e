//! `cargo xtask seed`: fills a database, to see how the chat behaves at that size; see `examples/seed`.

use std::ffi::OsString;

use crate::{database, process, step};

pub fn seed(args: &[OsString]) -> anyhow::Result<()> {
    let mut build = process::cargo();
    build.args(["build", "--package", "gapless", "--example", "seed"]);
    step::step("build the program that seeds", || process::run(&mut build))?;
    let mut command = process::cargo();
    command.args(["run", "--quiet", "--package", "gapless", "--example", "seed", "--"]).args(args);
    // Stops when dropped.
    let _private = if database::is_private() {
        let cluster = database::start(&database::data_dir(), &[])?;
        command.env("DATABASE_URL", cluster.url());
        Some(cluster)
    } else {
        None
    };
    step::step("seed the database", || process::run(&mut command))
}

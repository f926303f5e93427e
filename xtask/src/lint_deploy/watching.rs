//! The rules that watch the program, held to Prometheus' own checker. That the names in them exist is tests/watching.rs's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{process, root, scratch, step};

/// The package of Debian that has it. It also has the server, which is not wanted: so it is unpacked, and not installed.
const PACKAGE: &str = "prometheus";

pub fn check() -> anyhow::Result<()> {
    let Some(promtool) = promtool()? else {
        step::note("promtool is not available; docs/alerts.yml was NOT CHECKED");
        return Ok(());
    };
    for args in [["check", "rules", "docs/alerts.yml"], ["test", "rules", "docs/alerts_test.yml"]] {
        process::run(Command::new(&promtool).args(args).current_dir(root()))?;
    }
    Ok(())
}

/// promtool: installed, fetched before, or fetched now.
fn promtool() -> anyhow::Result<Option<PathBuf>> {
    if let Some(installed) = process::find("promtool") {
        return Ok(Some(installed));
    }
    let dir = scratch("tools")?.join("promtool");
    let unpacked = dir.join("usr/bin/promtool");
    if unpacked.is_file() {
        return Ok(Some(unpacked));
    }
    fs::create_dir_all(&dir)?;
    let fetched = Command::new("apt-get").args(["--quiet", "--quiet", "download", PACKAGE]).current_dir(&dir).output();
    if !fetched.is_ok_and(|apt| apt.status.success()) {
        return Ok(None);
    }
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    for package in fs::read_dir(&dir)?.flatten().map(|entry| entry.path()).filter(is_package) {
        process::read(Command::new("dpkg-deb").arg("--extract").args([&package, &dir]))?;
        fs::remove_file(package)?;
    }
    Ok(unpacked.is_file().then_some(unpacked))
}

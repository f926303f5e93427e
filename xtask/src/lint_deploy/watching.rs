//! Checks the alert rules with Prometheus' own tool. `tests/watching.rs` checks that the metrics in them exist.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{process, root, scratch, step};

/// The Debian package that contains promtool. It also contains the server, so it is unpacked instead of installed.
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

/// Returns the installed promtool, or downloads it once.
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

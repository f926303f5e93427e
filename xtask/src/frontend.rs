//! The front end: checks Node, installs packages and builds the single-page app, each only when needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, bail};

use crate::{process, root, step};

/// Required by Vite.
const OLDEST_NODE: (u32, u32) = (20, 19);

pub fn dir() -> PathBuf {
    root().join("frontend")
}

pub fn dist() -> PathBuf {
    dir().join("dist")
}

/// Checks Node and installs the packages of the lock file.
pub fn prepare() -> anyhow::Result<()> {
    check_node()?;
    // A copy of the lock file records the installed packages; npm's own record has another format.
    let lock = fs::read(dir().join("package-lock.json")).context("frontend/package-lock.json is missing")?;
    let stamp = dir().join("node_modules/.gapless-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step::step("install the front end's packages", || {
        process::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(dir()))
            .context("cannot install the front end's packages: check the network and try again")
    })?;
    fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Builds the single-page app if a source is newer than the last build.
pub fn build() -> anyhow::Result<()> {
    prepare()?;
    let built = modified(&dist().join("index.html"));
    if built.is_some() && newest(&dir()) <= built {
        return Ok(());
    }
    step::step("build the front end", || npm_run("build", &[]))
}

/// `npm run <script> -- <args>` in the front end's directory.
pub fn npm_run(script: &str, args: &[&str]) -> anyhow::Result<()> {
    process::run(&mut npm(script, args))
}

pub fn npm(script: &str, args: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(["run", "--silent", script]).current_dir(dir());
    if !args.is_empty() {
        npm.arg("--").args(args);
    }
    npm
}

pub fn check_node() -> anyhow::Result<()> {
    let (major, minor) = OLDEST_NODE;
    let wanted = format!("Node {major}.{minor} or newer is required: install it from https://nodejs.org");
    if process::find("node").is_none() || process::find("npm").is_none() {
        bail!("{wanted}; `node` or `npm` is not on the PATH");
    }
    let printed = process::read(Command::new("node").arg("--version"))?;
    if node_version(&printed).is_none_or(|found| found < OLDEST_NODE) {
        bail!("{wanted}; the installed version is {}", printed.trim());
    }
    Ok(())
}

/// Parses major and minor version from the output of `node --version`: `v20.19.4`.
fn node_version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Modification time of the newest file under `dir`, without installed and built files.
pub fn newest(dir: &Path) -> Option<SystemTime> {
    const NOT_SOURCES: [&str; 6] = ["node_modules", "dist", "e2e", "test-results", "playwright-report", "target"];
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            if !path.is_dir() {
                return modified(&path);
            }
            let name = entry.file_name();
            (!NOT_SOURCES.iter().any(|other| name == *other)).then(|| newest(&path)).flatten()
        })
        .max()
}

pub fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::{OLDEST_NODE, node_version};

    #[test]
    fn node_is_compared_by_number() {
        assert!(node_version("v20.9.0\n") < Some(OLDEST_NODE));
        assert!(node_version("v22.1.0\n") > Some(OLDEST_NODE));
        assert_eq!(node_version("20.19"), None);
    }
}

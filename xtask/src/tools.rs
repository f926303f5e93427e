//! Programs that tests need besides Rust and Node: found, or installed if no confirmation is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{process, step};

/// Chromium or a compatible browser.
pub fn chromium() -> anyhow::Result<PathBuf> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    const ON_A_MAC: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
    let find =
        || named("CHROMIUM_PATH", &NAMES).or_else(|| Some(PathBuf::from(ON_A_MAC))).filter(|path| path.is_file());
    find_or_install("Chromium", "chromium", find)
}

pub fn firefox() -> anyhow::Result<PathBuf> {
    let find = || named("FIREFOX_PATH", &["firefox-esr", "firefox"]);
    find_or_install("Firefox", "firefox-esr", find)
}

/// The driver of `WebKitGTK`'s browser, which is part of the library that the driver needs.
pub fn webkit_driver() -> anyhow::Result<PathBuf> {
    let find = || named("WEBKIT_DRIVER_PATH", &["WebKitWebDriver"]);
    find_or_install("the WebKit driver", "webkit2gtk-driver", find)
}

/// A virtual screen, for browsers that need one.
pub fn virtual_screen() -> anyhow::Result<PathBuf> {
    find_or_install("Xvfb", "xvfb", || named("XVFB_PATH", &["Xvfb"]))
}

pub fn redis() -> anyhow::Result<PathBuf> {
    find_or_install("Redis", "redis-server", || process::find("redis-server"))
}

/// A `PgBouncer` and the command that runs it.
pub struct Bouncer {
    program: PathBuf,
    /// The loader and the libraries of its system, if that is not this one.
    libraries: Option<(PathBuf, PathBuf)>,
}

impl Bouncer {
    pub fn command(&self) -> Command {
        let Some((loader, libraries)) = &self.libraries else { return Command::new(&self.program) };
        let mut command = Command::new(loader);
        command.arg("--library-path").arg(libraries).arg(&self.program);
        command
    }

    /// Returns whether it is 1.21 or later: "`PgBouncer` 1.18.0".
    fn carries_statements(&self) -> bool {
        let told = process::read(self.command().arg("--version")).unwrap_or_default();
        let numbers = told.split_whitespace().nth(1).unwrap_or_default().split('.').map(str::parse::<u32>);
        let numbers: Vec<u32> = numbers.map_while(Result::ok).collect();
        numbers.get(..2).is_some_and(|version| version >= &[1, 21][..])
    }
}

/// The system's `PgBouncer`.
pub fn pgbouncer() -> anyhow::Result<Bouncer> {
    let find = || {
        let usual = PathBuf::from("/usr/sbin/pgbouncer");
        process::find("pgbouncer").or_else(|| usual.is_file().then_some(usual))
    };
    Ok(Bouncer { program: find_or_install("PgBouncer", "pgbouncer", find)?, libraries: None })
}

/// A `PgBouncer` that loses prepared statements in transaction mode (1.20 and earlier), as in Debian 12.
pub fn pgbouncer_of_debian_12() -> anyhow::Result<Bouncer> {
    let bouncer = pgbouncer()?;
    anyhow::ensure!(
        !bouncer.carries_statements(),
        "the test requires PgBouncer 1.20 or earlier, but this system's is newer"
    );
    Ok(bouncer)
}

/// Debian 13's `PgBouncer` and its libraries.
const PACKAGES: [&str; 15] = [
    "pgbouncer",
    "libc6",
    "libcares2",
    "libevent-2.1-7t64",
    "libpam0g",
    "libssl3t64",
    "libsystemd0",
    "libaudit1",
    "libcap-ng0",
    "libcap2",
    "libgcc-s1",
    "libzstd1",
    "zlib1g",
    "libldap2",
    "libsasl2-2",
];

/// A `PgBouncer` that supports prepared statements in transaction mode (1.21 and later): Debian 13's, unpacked with its
/// libraries and never installed. Kept between runs.
pub fn pgbouncer_of_debian_13() -> anyhow::Result<Bouncer> {
    if let Ok(own) = pgbouncer()
        && own.carries_statements()
    {
        return Ok(own);
    }
    let dir = std::env::temp_dir().join("gapless-pgbouncer-debian-13");
    let root = dir.join("root");
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let loader = libraries.join("ld-linux-x86-64.so.2");
    let bouncer = Bouncer { program: root.join("usr/sbin/pgbouncer"), libraries: Some((loader, libraries)) };
    if bouncer.command().arg("--version").output().is_ok_and(|told| told.status.success()) {
        return Ok(bouncer);
    }
    let (Some(_), Some(_)) = (process::find("apt-get"), process::find("dpkg-deb")) else {
        bail!("PgBouncer 1.21 or later is required; fetching it needs `apt-get` and `dpkg-deb`");
    };
    step::step("unpack Debian 13's PgBouncer (once)", || {
        for inner in ["lists/partial", "cache/archives/partial", "packages", "root"] {
            fs::create_dir_all(dir.join(inner)).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let sources = dir.join("sources.list");
        let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
        fs::write(&sources, format!("deb [signed-by={key}] {} trixie main\n", archive()?))?;
        let apt = |args: &[&str]| {
            let mut apt = Command::new("apt-get");
            let of_ours = |name: &str, path: &Path| format!("{name}={}", path.display());
            for option in [
                of_ours("Dir::Etc::SourceList", &sources),
                of_ours("Dir::Etc::SourceParts", Path::new("/dev/null")),
                of_ours("Dir::State::Lists", &dir.join("lists")),
                of_ours("Dir::Cache", &dir.join("cache")),
                format!("APT::Sandbox::User={}", if rustix::process::geteuid().is_root() { "root" } else { "" }),
            ] {
                apt.args(["-o", &option]);
            }
            process::run(apt.args(["--quiet", "--quiet"]).args(args).current_dir(dir.join("packages")))
        };
        apt(&["update"])?;
        let named = PACKAGES.map(|package| format!("{package}/trixie"));
        apt(&[&["download"], &named.each_ref().map(String::as_str)[..]].concat())?;
        for package in fs::read_dir(dir.join("packages"))? {
            process::run(Command::new("dpkg-deb").arg("-x").arg(package?.path()).arg(&root))?;
        }
        Ok(())
    })?;
    Ok(bouncer)
}

/// Returns the Debian mirror of this system's packages.
fn archive() -> anyhow::Result<String> {
    let listed = process::read(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let archive = listed.lines().find(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    Ok(archive.context("apt lists no Debian package archive")?.to_owned())
}

/// Caddy, the static server of the app and the proxy of `compose.yaml`.
pub fn caddy() -> anyhow::Result<PathBuf> {
    find_or_install("Caddy", "caddy", caddy_if_installed)
}

pub fn caddy_if_installed() -> Option<PathBuf> {
    process::find("caddy")
}

/// Python with support for virtual environments.
pub fn python() -> anyhow::Result<PathBuf> {
    let find = || {
        let python = process::find("python3")?;
        // Debian has this part of Python's library in a separate package.
        let whole = Command::new(&python).args(["-c", "import ensurepip, venv"]).output();
        whole.is_ok_and(|tried| tried.status.success()).then_some(python)
    };
    find_or_install("Python 3 with venv", "python3-venv", find)
}

/// Returns the program named by `variable`, or the first of `names` on the path.
fn named(variable: &str, names: &[&str]) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .into_iter()
        .chain(names.iter().filter_map(|name| process::find(name)))
        .find(|path| path.is_file())
}

fn find_or_install(name: &str, package: &str, find: impl Fn() -> Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let Some(apt_get) = process::find("apt-get") else {
        bail!("{name} is required but was not found: install it and add it to the PATH");
    };
    if !rustix::process::geteuid().is_root() {
        bail!("{name} is required, and only root can install it: run `sudo apt-get install {package}`");
    }
    step::step(&format!("install {name}"), || {
        let apt = |args: &[&str]| {
            process::run(
                Command::new(&apt_get).args(["--quiet", "--quiet"]).args(args).env("DEBIAN_FRONTEND", "noninteractive"),
            )
        };
        apt(&["update"])?;
        apt(&["install", "--yes", "--no-install-recommends", package])
    })?;
    match find() {
        Some(found) => Ok(found),
        None => bail!("the package {package} was installed, but {name} is still not found"),
    }
}

//! Programs that tests need beside Rust and Node: found, or installed where that is possible without asking.

use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;

use crate::{process, step};

/// Chromium or a browser like it.
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

/// The driver of `WebKitGTK`'s browser, which comes with the library that the driver needs.
pub fn webkit_driver() -> anyhow::Result<PathBuf> {
    let find = || named("WEBKIT_DRIVER_PATH", &["WebKitWebDriver"]);
    find_or_install("the WebKit driver", "webkit2gtk-driver", find)
}

/// A screen in memory, for browsers that cannot do without one.
pub fn virtual_screen() -> anyhow::Result<PathBuf> {
    find_or_install("Xvfb", "xvfb", || named("XVFB_PATH", &["Xvfb"]))
}

pub fn redis() -> anyhow::Result<PathBuf> {
    find_or_install("Redis", "redis-server", || process::find("redis-server"))
}

/// The static server of the app, and the proxy of `compose.yaml`.
pub fn caddy() -> anyhow::Result<PathBuf> {
    find_or_install("Caddy", "caddy", caddy_if_installed)
}

pub fn caddy_if_installed() -> Option<PathBuf> {
    process::find("caddy")
}

/// Python that can make virtual environments.
pub fn python() -> anyhow::Result<PathBuf> {
    let find = || {
        let python = process::find("python3")?;
        // Debian keeps this part of Python's library in a package of its own.
        let whole = Command::new(&python).args(["-c", "import ensurepip, venv"]).output();
        whole.is_ok_and(|tried| tried.status.success()).then_some(python)
    };
    find_or_install("Python 3 with venv", "python3-venv", find)
}

/// The program that `variable` names, or the first of `names` on the path.
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
        bail!("{name} is needed and was not found: install it and put it on the PATH");
    };
    if !rustix::process::geteuid().is_root() {
        bail!("{name} is needed, and only root can install it: run `sudo apt-get install {package}`");
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

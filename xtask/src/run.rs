//! `cargo xtask run`: from a fresh clone to a chat in the browser.
//!
//! Finally this process *becomes* the server (`exec`): Ctrl-C, SIGTERM and `kill -9` then reach the server itself, and
//! no parent process can leave it running. A second small process waits until the server answers, prints its address,
//! and opens the browser.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::RangedI64ValueParser;

use crate::{database, frontend, interrupt, process, root, step};

pub const DEFAULT_PORT: u16 = 8080;
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The port of the server
    #[arg(long, env, default_value_t = DEFAULT_PORT, value_parser = port())]
    pub port: u16,
    /// Build for release
    #[arg(long)]
    release: bool,
    /// Do not open the browser
    #[arg(long)]
    no_open: bool,
    /// Arguments for the server
    #[arg(trailing_var_arg = true)]
    server_args: Vec<OsString>,
}

/// Arguments of the hidden command behind [`run`].
#[derive(Debug, clap::Args)]
pub struct Announcement {
    port: u16,
    address: String,
    #[arg(long)]
    open: bool,
}

/// Port 0 is refused, since it would be another port each time.
pub fn port() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    check_port(options.port)?;
    frontend::build()?;
    let server = build_server(options.release)?;
    let mut command = Command::new(server);
    command.args(&options.server_args);
    let address = environment(&mut command, options.port)?;
    command.env("SPA_DIR", frontend::dist());
    interrupt::check()?;

    Command::new(std::env::current_exe().context("cannot find the path of this program")?)
        .args(["announce", &options.port.to_string(), &address])
        .args((!options.no_open).then_some("--open"))
        .stdin(Stdio::null())
        .spawn()
        .context("cannot run this program again")?;
    check_port(options.port)?;
    Err(command.exec()).context("cannot start the server")
}

/// Builds the server and returns its path.
pub fn build_server(release: bool) -> anyhow::Result<PathBuf> {
    step::step("build the server (minutes the first time, then seconds)", || {
        process::run(
            process::cargo()
                .args(["build", "--package", "gapless", "--bin", "gapless"])
                .args(release.then_some("--release")),
        )
    })?;
    let profile = if release { "release" } else { "debug" };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(profile).join("gapless"))
}

/// Sets the server's variables, unless the caller's environment has them. Returns the page's address.
pub fn environment(command: &mut Command, port: u16) -> anyhow::Result<String> {
    let data_dir = database::data_dir();
    if database::is_private() {
        command.env("POSTGRES_BIN_DIR", database::find_or_fetch(&data_dir)?);
    }
    if std::env::var_os("DEMO_MODE").is_none() {
        command.env("DEMO_MODE", "true");
    }
    command.env("DATA_DIR", data_dir).env("PORT", port.to_string());
    Ok(format!("http://localhost:{port}/"))
}

/// Fails if the port is in use; the error names the port and a solution.
pub fn check_port(port: u16) -> anyhow::Result<()> {
    if let Err(error) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
        bail!(
            "cannot use port {port} ({}): stop the program that uses it, or choose another port with `--port {}`",
            reason(&error),
            port.checked_add(1).unwrap_or(DEFAULT_PORT)
        );
    }
    Ok(())
}

fn reason(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program is using it",
        std::io::ErrorKind::PermissionDenied => "only root may use it",
        _ => "the system refused it",
    }
}

/// The hidden command behind [`run`].
pub fn announce(&Announcement { port, ref address, open }: &Announcement) {
    let server = rustix::process::getppid();
    let ready = loop {
        if interrupt::came() || rustix::process::getppid() != server {
            return;
        }
        if let Some(ready) = answer_of(port, "/readyz").filter(|answer| answer.starts_with("HTTP/1.1 200")) {
            break ready;
        }
        sleep(PROBE_INTERVAL);
    };
    let demo = ready.contains("\"demo\":true");
    println!("\n  Gapless is running at {}", step::bold(address));
    if demo {
        println!("  Demo mode, only for this machine: sign in as ali / test, or as the admin with admin / admin");
    }
    println!("  Press Ctrl-C to stop it and its database.\n");
    if open {
        open_browser(address);
    }
}

/// Returns the server's complete response to a GET of `path`, if there is one.
pub fn answer_of(port: u16, path: &str) -> Option<String> {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&server, PROBE_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// Opens the page if there is a display; otherwise the printed address has to suffice.
fn open_browser(address: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some()) {
        "xdg-open"
    } else {
        return;
    };
    let _ = Command::new(opener).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

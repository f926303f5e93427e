//! `cargo xtask dev`: runs the server, rebuilt and restarted when its sources change, and Vite with hot reload.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::process::Running;
use crate::{frontend, interrupt, root, run, step};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The port of the server
    #[arg(long, env, default_value_t = run::DEFAULT_PORT, value_parser = run::port())]
    port: u16,
}

/// Interval of checks for changed sources. Checking a few hundred files is cheap.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Sources of the server.
const SOURCES: [&str; 3] = ["src", "migrations", "embedded-postgres/src"];

pub fn dev(options: &Options) -> anyhow::Result<()> {
    run::check_port(options.port)?;
    frontend::prepare()?;
    let mut seen = newest_source();
    let mut server = Some(start_server(options.port)?);
    let _vite =
        Running::start(frontend::npm("dev", &[]).env("VITE_API_URL", format!("http://localhost:{}", options.port)))?;
    loop {
        sleep(LOOK_INTERVAL);
        interrupt::check()?;
        if let Some(running) = &mut server
            && let Some(status) = running.ended()?
        {
            step::note(&format!("the server exited ({status}); restarting it when a source file changes"));
            server = None;
        }
        let newest = newest_source();
        if newest > seen {
            seen = newest;
            // The old server keeps running during the build, and afterwards if the build fails.
            match run::build_server(false) {
                Ok(_) => {
                    drop(server.take());
                    server = Some(start_server(options.port)?);
                }
                Err(_) => step::note("the build failed; the previous server is still running"),
            }
        }
    }
}

fn start_server(port: u16) -> anyhow::Result<Running> {
    let mut command = Command::new(run::build_server(false)?);
    let address = run::environment(&mut command, port)?;
    step::note(&format!("the API is at {address}"));
    Running::start(&mut command)
}

fn newest_source() -> Option<SystemTime> {
    SOURCES
        .iter()
        .filter_map(|dir| frontend::newest(&root().join(dir)))
        .chain(["Cargo.toml", "Cargo.lock"].iter().filter_map(|file| frontend::modified(&root().join(file))))
        .max()
}

//! A network namespace for a drill, and wires in it that delay and lose packets: see `tests/tools/badwire.py`.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// Environment variable that is set inside the drill's network namespace.
const ENTERED: &str = "GAPLESS_DRILL_NETWORK";
const PROGRAM: &str = include_str!("../../../../tests/tools/badwire.py");

/// Replaces this process with the same program in a new network namespace. Returns if it already runs in one, and if
/// none can be created.
///
/// # Errors
/// A sentence that names the missing prerequisite.
pub fn enter() -> anyhow::Result<()> {
    if env::var_os(ENTERED).is_some() {
        ensure!(succeeds("ip", &["link", "set", "lo", "up"]), "cannot bring up the loopback of the new network");
        return Ok(());
    }
    let can_run = Path::new("/dev/net/tun").exists()
        && succeeds("unshare", &["--net", "ip", "link", "set", "lo", "up"])
        && succeeds("python3", &["--version"]);
    ensure!(can_run, "it requires root, /dev/net/tun, unshare, ip and python3");
    let mut again = Command::new("unshare");
    again.arg("--net").arg(env::current_exe()?).args(env::args_os().skip(1)).env(ENTERED, "1");
    Err(again.exec()).context("cannot enter a separate network namespace")
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Conditions of a wire, in both directions.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    pub delay_ms: f64,
    /// Random deviation from the delay, drawn for each packet.
    pub jitter_ms: f64,
    pub loss_percent: f64,
}

/// See the [module](self). Dropping it removes the wire.
#[derive(Debug)]
pub struct BadWire {
    number: u8,
    process: tokio::process::Child,
}

impl BadWire {
    /// Creates a wire; `number` distinguishes it from the other wires.
    pub async fn create(number: u8, conditions: Conditions) -> anyhow::Result<Self> {
        let Conditions { delay_ms, jitter_ms, loss_percent } = conditions;
        let mut command = tokio::process::Command::new("python3");
        command.args(["-c", PROGRAM, &number.to_string()]);
        command.args([delay_ms, jitter_ms, loss_percent].map(|figure| figure.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("cannot start the simulated network")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output is not piped")?).read_line(&mut line).await?;
        ensure!(line == "ready\n", "cannot set up the simulated network");
        Ok(Self { number, process })
    }

    /// Address at which a client reaches this port over the wire.
    pub fn to(&self, port: u16) -> SocketAddr {
        (Ipv4Addr::new(10, 9, self.number, 2), port).into()
    }

    pub async fn change(&mut self, conditions: Conditions) -> anyhow::Result<()> {
        let Conditions { delay_ms, jitter_ms, loss_percent } = conditions;
        let wire = self.process.stdin.as_mut().context("its input is not piped")?;
        wire.write_all(format!("{delay_ms} {jitter_ms} {loss_percent}\n").as_bytes())
            .await
            .context("cannot change the simulated network")
    }
}

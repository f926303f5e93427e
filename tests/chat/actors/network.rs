//! A network namespace for a test, with wires that delay and lose packets like a mobile network.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Environment variable that is set inside a test's network namespace.
const ENTERED: &str = "GAPLESS_TEST_NETWORK";
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/badwire.py");

/// Returns whether the caller runs in its own network namespace. If not, this runs the named test again in one, asserts
/// its success, prints its figures and returns `false`, and the caller returns. If none can be created, it prints a
/// note.
pub fn is_own_network(test: &str) -> bool {
    if env::var_os(ENTERED).is_some() {
        assert!(succeeds("ip", &["link", "set", "lo", "up"]), "the loopback of a new network is down at first");
        return true;
    }
    let can_run = Path::new("/dev/net/tun").exists()
        && succeeds("unshare", &["--net", "ip", "link", "set", "lo", "up"])
        && succeeds("python3", &["--version"]);
    if !can_run {
        eprintln!("{test} is skipped: a network of its own needs root, /dev/net/tun, unshare, ip and python3");
        return false;
    }
    let mut inside = Command::new("unshare");
    inside.arg("--net").arg(env::current_exe().expect("a test has a program")).args(["--exact", test, "--nocapture"]);
    let done = inside.env(ENTERED, "1").output().expect("it starts");
    let (said, complaints) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("1 passed"), "in its own network:\n{said}\n{complaints}");
    said.lines().filter(|line| line.starts_with("figure:")).for_each(|line| println!("{line}"));
    false
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Conditions of a wire in both directions: milliseconds, milliseconds and percent.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    pub delay: u32,
    /// Random deviation from the delay, drawn for each packet.
    pub jitter: u32,
    pub loss: u32,
}

/// A wire to the servers of this network: see `tests/tools/badwire.py`.
#[derive(Debug)]
pub struct BadWire {
    number: u8,
    process: Child,
}

impl BadWire {
    /// Creates a wire; `number` distinguishes it from the other wires of this network.
    pub fn lay(number: u8, conditions: Conditions) -> Self {
        let Conditions { delay, jitter, loss } = conditions;
        let mut command = Command::new("python3");
        command.arg(PROGRAM).args([number.to_string(), delay.to_string(), jitter.to_string(), loss.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is Python");
        let mut said = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut said).expect("it speaks");
        assert_eq!(said, "ready\n", "the wire is ready");
        Self { number, process }
    }

    /// Address at which a client reaches this port over the wire.
    pub fn to(&self, port: u16) -> SocketAddr {
        (Ipv4Addr::new(10, 9, self.number, 2), port).into()
    }

    pub fn change(&mut self, conditions: Conditions) {
        let Conditions { delay, jitter, loss } = conditions;
        let wire = self.process.stdin.as_mut().expect("it is piped");
        writeln!(wire, "{delay} {jitter} {loss}").expect("it listens");
    }
}

impl Drop for BadWire {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

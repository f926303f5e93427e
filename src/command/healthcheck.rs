//! `gapless healthcheck`: one request to the server on this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;

/// Timeout, longer than the server takes to report that it is not ready.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Args)]
pub struct Healthcheck {
    /// The path to request: /readyz reports whether the server is ready, /livez whether it is running.
    #[arg(default_value = "/readyz")]
    path: String,
}

impl Healthcheck {
    pub(super) fn run(&self, port: u16) -> anyhow::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let status = status_of(address, &self.path).with_context(|| format!("No server answers at {address}"))?;
        if status != 200 {
            bail!("The server at {address} answered {} with {status}", self.path);
        }
        println!("ready");
        Ok(())
    }
}

/// Sends a minimal HTTP request and reads the status from the first line of the response: `HTTP/1.1 200 OK`.
fn status_of(address: SocketAddr, path: &str) -> anyhow::Result<u16> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut line = [0; 12];
    socket.read_exact(&mut line).context("the connection was closed")?;
    let status = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    status.and_then(|status| status.parse().ok()).context("the response is not HTTP")
}

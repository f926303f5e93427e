//! A private Redis and its statistics.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::server::free_port;

pub struct Redis {
    child: Child,
    pub address: SocketAddr,
}

impl Redis {
    pub fn start(directory: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("starting redis-server, which this shape needs on the PATH")?;
        let redis = Self { child, address: ([127, 0, 0, 1], port).into() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(redis.address).is_err() {
            ensure!(Instant::now() < deadline, "redis-server is not listening");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the number of publications so far, by all clients.
    pub fn publications(&self) -> anyhow::Result<u64> {
        let text = self.ask("INFO commandstats")?;
        let line = text.lines().find_map(|line| line.strip_prefix("cmdstat_publish:calls="));
        // Before the first publication there is no such line.
        line.map_or(Ok(0), |line| {
            line.split(',').next().unwrap_or_default().parse().context("the calls of publish are not a number")
        })
    }

    /// Returns the number of channels of each subscriber.
    pub fn subscriptions(&self) -> anyhow::Result<Vec<u64>> {
        let text = self.ask("CLIENT LIST TYPE pubsub")?;
        let channels = text.lines().filter_map(|line| line.split(' ').find_map(|field| field.strip_prefix("sub=")));
        channels.map(|count| count.parse().context("the subscriptions are not a number")).collect()
    }

    /// Sends one command whose reply is one bulk string.
    fn ask(&self, words: &str) -> anyhow::Result<String> {
        let mut socket = BufReader::new(TcpStream::connect(self.address)?);
        socket.get_mut().write_all(format!("{words}\r\n").as_bytes())?;
        let mut length = String::new();
        socket.read_line(&mut length)?;
        let length = length.trim_end().strip_prefix('$').and_then(|length| length.parse().ok());
        let mut text = vec![0; length.with_context(|| format!("the reply to {words} is not a bulk string"))?];
        socket.read_exact(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

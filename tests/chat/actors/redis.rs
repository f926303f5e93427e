//! A Redis for one test, so that it can be killed, stopped and emptied.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpStream;

use super::program::{free_port, send};

/// See the [module](self).
#[derive(Debug)]
pub struct Redis {
    /// `None` while it is not running.
    server: Option<Child>,
    pub address: SocketAddr,
}

impl Redis {
    /// Returns `None` if Redis is not installed; the test is then skipped.
    pub async fn start() -> Option<Self> {
        let mut redis = Self::away();
        if let Err(error) = redis.try_run() {
            eprintln!("not run, because redis-server cannot be started: {error}");
            return None;
        }
        redis.answers().await;
        Some(redis)
    }

    /// Returns a Redis that is not started yet, with its address.
    pub fn away() -> Self {
        Self { server: None, address: (Ipv4Addr::LOCALHOST, free_port()).into() }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    fn try_run(&mut self) -> std::io::Result<()> {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.address.port().to_string())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        self.server = Some(server);
        Ok(())
    }

    /// Restarts it, empty, at the same address.
    pub async fn start_again(&mut self) {
        self.try_run().expect("it started before");
        self.answers().await;
    }

    async fn answers(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "Redis does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("it is our child");
            server.wait().expect("it is our child");
        }
    }

    /// Stops it: connections stay open, but nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        send(self.server.as_ref().expect("it runs").id(), signal);
    }

    /// Sends a command, such as `CLIENT KILL TYPE pubsub`.
    pub async fn command(&self, words: &[&[u8]]) -> redis::Value {
        let client = redis::Client::open(self.url()).expect("its own address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it runs");
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query_async(&mut connection).await.expect("a command that it knows")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

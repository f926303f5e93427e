//! A private Redis that can be killed, stopped and ordered to disconnect its subscribers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::process::Child;

/// See the [module](self).
#[derive(Debug)]
pub struct Redis {
    process: Child,
    dir: PathBuf,
    pub address: SocketAddr,
}

impl Redis {
    pub async fn start(dir: &Path) -> io::Result<Self> {
        let address = (Ipv4Addr::LOCALHOST, super::free_port()?).into();
        let redis = Self { process: Child::default(), dir: dir.to_owned(), address };
        redis.start_process()?;
        for _ in 0..500 {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(redis);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(io::Error::other("redis-server is not listening"))
    }

    /// Starts or restarts the process with an empty database.
    pub fn start_process(&self) -> io::Result<()> {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.address.port().to_string())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        self.process.replace(server);
        Ok(())
    }

    pub fn kill(&self) {
        self.process.kill();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Returns the number of commands that Redis has processed for all clients.
    pub async fn commands(&self) -> io::Result<u64> {
        let mut socket = BufReader::new(TcpStream::connect(self.address).await?);
        socket.get_mut().write_all(b"INFO stats\r\n").await?;
        let mut line = String::new();
        while socket.read_line(&mut line).await? > 0 {
            if let Some(count) = line.trim_end().strip_prefix("total_commands_processed:") {
                return count.parse().map_err(io::Error::other);
            }
            line.clear();
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends a command and ignores its answer, for which it waits up to a second.
    pub async fn command(&self, words: &str) -> io::Result<()> {
        let mut socket = TcpStream::connect(self.address).await?;
        socket.write_all(format!("{words}\r\n").as_bytes()).await?;
        tokio::time::timeout(Duration::from_secs(1), socket.read(&mut [0; 256])).await??;
        Ok(())
    }
}

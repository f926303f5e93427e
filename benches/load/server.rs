//! The server under test: the release binary, in a process of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use uuid::Uuid;

use crate::http::Connection;

pub struct Server {
    child: Child,
    settings: Settings,
}

struct Settings {
    address: SocketAddr,
    database_url: String,
    /// The file of its output, kept after the run.
    directory: PathBuf,
    joining: Joining,
}

/// Settings shared by the instances of one chat, besides the database.
pub struct Joining {
    /// Kept over restarts, so that tokens stay valid.
    pub signing_key: String,
    pub redis: Option<SocketAddr>,
}

impl Server {
    /// Starts the server on a database and waits until it is ready.
    pub fn start(directory: &Path, database_url: &str) -> anyhow::Result<Self> {
        let signing_key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Self::join(directory, database_url, Joining { signing_key, redis: None })
    }

    /// Starts one of several instances.
    pub fn join(directory: &Path, database_url: &str, joining: Joining) -> anyhow::Result<Self> {
        let settings = Settings {
            address: SocketAddr::from(([127, 0, 0, 1], free_port()?)),
            database_url: database_url.to_owned(),
            directory: directory.to_owned(),
            joining,
        };
        let child = spawn(&settings)?;
        let mut server = Self { child, settings };
        server.wait_ready()?;
        Ok(server)
    }

    /// Kills the process and starts it again with the same data and port. Returns once
    /// the new one is ready.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.settings)?;
        self.wait_ready()
    }

    /// Stops the process by SIGTERM and starts it again.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.child = spawn(&self.settings)?;
        self.wait_ready()
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).context("asking the server to stop")?;
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!("the server did not stop within 40 s");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn wait_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}; see {}", log(&self.settings).display());
            }
            let ready = Connection::open(self.settings.address).and_then(|mut server| server.get("/readyz"));
            if ready.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the server is not ready after two minutes; see {}", log(&self.settings).display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.settings.address
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the sum of a metric over its labels; 0 if it was never recorded.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let answer = Connection::open(self.address())?.get("/metrics")?.success()?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let mut sum = 0.0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            if series.split('{').next() == Some(name) {
                sum += value.parse::<f64>().with_context(|| format!("{name} is not a number"))?;
            }
        }
        Ok(sum)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stop().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn spawn(settings: &Settings) -> anyhow::Result<Child> {
    let output = File::options().create(true).append(true).open(log(settings))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
    if let Some(redis) = settings.joining.redis {
        command.env("REDIS_CONNECTION", format!("redis://{redis}"));
    }
    command
        .env("PORT", settings.address.port().to_string())
        .env("DATABASE_URL", &settings.database_url)
        .env("DATA_DIR", settings.directory.join("server"))
        .env("DEMO_MODE", "true")
        .env("RATE_LIMITS", "off")
        .env("JWT_SIGNING_KEY", &settings.joining.signing_key)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .context("starting the server")
}

fn log(settings: &Settings) -> PathBuf {
    settings.directory.join("server.log")
}

/// Returns a free port below the range of the readers' own ports.
pub fn free_port() -> anyhow::Result<u16> {
    (20_000..32_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port between 20000 and 32000 is free")
}

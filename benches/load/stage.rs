//! The environment of every shape: a database, the server, accounts with tokens, and rooms.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gapless::store::embedded::EmbeddedPostgres;
use tokio::runtime::Runtime;

use crate::accounts::Accounts;
use crate::frame::Template;
use crate::http::Connection;
use crate::ledger::Ledger;
use crate::posters::Crowd;
use crate::process;
use crate::server::Server;
use crate::streams::{Streams, Ticket};

/// Number of rooms besides the hot one.
pub const ROOMS: usize = 100;

pub struct Stage {
    // Dropped in this order: the server closes its connections before the database stops.
    pub server: Server,
    database: Database,
    pub runtime: Runtime,
    pub accounts: Accounts,
    pub hot_room: Vec<String>,
    pub rooms: Vec<String>,
    /// The frames of the baseline: copies of a message that the server wrote.
    pub template: Template,
    /// Directory of the run's files, on the disk whose fsync is measured.
    pub directory: PathBuf,
    pub phase: Duration,
}

enum Database {
    /// The product's own private PostgreSQL; started here, so that it survives when the server is killed.
    Private { running: EmbeddedPostgres, postmaster: u32 },
    /// The database that `DATABASE_URL` names.
    Given(String),
}

impl Database {
    fn url(&self) -> &str {
        match self {
            Self::Private { running, .. } => running.url(),
            Self::Given(url) => url,
        }
    }
}

/// CPU seconds so far.
#[derive(Clone, Copy, Default)]
pub struct Cpu {
    pub server: f64,
    /// All processes of the private database; 0 for a given one.
    pub database: f64,
    /// This process, with readers and writers.
    pub driver: f64,
}

impl Cpu {
    pub fn since(self, before: Self) -> Self {
        Self {
            server: self.server - before.server,
            database: self.database - before.database,
            driver: self.driver - before.driver,
        }
    }

    pub fn plus(self, more: Self) -> Self {
        Self {
            server: self.server + more.server,
            database: self.database + more.database,
            driver: self.driver + more.driver,
        }
    }

    /// Returns the text for a note.
    pub fn told(self) -> String {
        let all = (self.server + self.database + self.driver).max(0.01);
        let share = |part: f64| format!("{:.1} s ({:.0} %)", part, 100.0 * part / all);
        format!("CPU: server {}, database {}, driver {}", share(self.server), share(self.database), share(self.driver))
    }
}

impl Stage {
    pub fn set(directory: &Path, phase: Duration) -> anyhow::Result<Self> {
        if directory.exists() {
            std::fs::remove_dir_all(directory).context("removing the files of the previous run")?;
        }
        std::fs::create_dir_all(directory)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let database = match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Database::Given(url),
            _ => {
                println!("starting a private PostgreSQL");
                let data = directory.join("data");
                let binaries = std::env::var_os("POSTGRES_BIN_DIR").map(PathBuf::from);
                let running = runtime.block_on(EmbeddedPostgres::start(&data, binaries.as_deref()))?;
                let postmaster = process::postmaster(&data).context("the private PostgreSQL has no postmaster")?;
                Database::Private { running, postmaster }
            }
        };
        println!("starting the server");
        let server = Server::start(directory, database.url())?;
        println!("registering accounts, creating rooms");
        let address = server.address();
        let accounts = Accounts::register(address)?;
        let hot_room = vec![accounts.create_room(address, "load hot")?];
        let rooms = (0..ROOMS)
            .map(|index| accounts.create_room(address, &format!("load {index:03}")))
            .collect::<anyhow::Result<_>>()?;
        let template = record(address, &hot_room, &accounts.users)?;
        Ok(Self {
            server,
            database,
            runtime,
            accounts,
            hot_room,
            rooms,
            template,
            directory: directory.to_owned(),
            phase,
        })
    }

    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        Ok(Cpu {
            server: process::cpu_secs(self.server.pid())?,
            database: match self.database {
                Database::Private { postmaster, .. } => process::tree_cpu_secs(postmaster),
                Database::Given(_) => 0.0,
            },
            driver: process::cpu_secs(std::process::id())?,
        })
    }

    /// Returns tickets for `count` readers, spread evenly over `rooms` and over the users.
    pub fn tickets(&self, count: usize, rooms: &[String]) -> Vec<Ticket> {
        (0..count)
            .map(|index| Ticket {
                room: rooms[index % rooms.len()].clone(),
                token: self.accounts.users[index % self.accounts.users.len()].clone(),
                is_compact: false,
            })
            .collect()
    }

    /// The same for readers of the short form.
    pub fn compact_tickets(&self, count: usize, rooms: &[String]) -> Vec<Ticket> {
        self.tickets(count, rooms).into_iter().map(|ticket| Ticket { is_compact: true, ..ticket }).collect()
    }

    pub fn crowd<'a>(&'a self, rooms: &'a [String], connections: usize) -> Crowd<'a> {
        Crowd { address: self.server.address(), tokens: &self.accounts.users, rooms, connections }
    }

    /// Returns the numbers of batches and rows that the writer has committed since the server started.
    pub fn batches(&self) -> anyhow::Result<Batches> {
        Ok(Batches {
            count: self.server.metric("gapless_writer_batch_size_count")?,
            rows: self.server.metric("gapless_writer_batch_size_sum")?,
        })
    }

    pub fn head_seq(&self, room: &str) -> anyhow::Result<u64> {
        let room = Connection::open(self.server.address())?.get(&format!("/rooms/{room}"))?.success()?.json()?;
        room["head_seq"].as_u64().context("a room has no head_seq")
    }
}

/// Lets the server write one message, which the baseline copies.
fn record(address: SocketAddr, rooms: &[String], tokens: &[String]) -> anyhow::Result<Template> {
    let ledger = Arc::new(Ledger::new(1));
    let ticket = Ticket { room: rooms[0].clone(), token: tokens[0].clone(), is_compact: false };
    let streams = Streams::open(address, vec![ticket], &ledger)?;
    Crowd { address, tokens, rooms, connections: 1 }.alone()?.post(&ledger)?;
    ledger.wait_delivered(1)?;
    let sample = streams.finish()?.sample;
    sample.as_deref().and_then(Template::recorded).context("a message lacks the numbers that the baseline replaces")
}

#[derive(Clone, Copy)]
pub struct Batches {
    count: f64,
    rows: f64,
}

impl Batches {
    /// Returns the mean number of messages in a batch since `before`, at least one.
    pub fn mean_since(self, before: Self) -> f64 {
        ((self.rows - before.rows) / (self.count - before.count).max(1.0)).max(1.0)
    }
}

//! Many readers in one epoll loop: they open streams, follow them, and reconnect when they are cut.

mod readers;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use mio::{Poll, Waker};
use readers::{Readers, WAKE};

use crate::ledger::Ledger;

/// Capacity of the command queue; a sender waits while it is full.
const COMMANDS: usize = 4;

/// The user and the room of a stream.
#[derive(Clone)]
pub struct Ticket {
    pub room: String,
    pub token: String,
    /// Asks for the short form of messages.
    pub is_compact: bool,
}

/// The readers' results after the run.
pub struct Findings {
    /// Nanoseconds from the moment the poster knew that its message was committed, to the reader. A message that
    /// arrived before its poster had read the response counts as 0.
    pub since_commit: Histogram<u64>,
    /// The same of messages that arrived while [`Streams::set_aside`] was in effect, instead of there.
    pub aside: Histogram<u64>,
    /// Nanoseconds from the moment the poster began to send, to the reader.
    pub since_post: Histogram<u64>,
    pub bytes: u64,
    pub reconnects: u64,
    /// The server's reasons for ending streams.
    pub byes: Vec<String>,
    /// The first message received, which the baseline copies.
    pub sample: Option<Vec<u8>>,
}

enum Command {
    /// Close every stream; streams that end from now on do not reconnect.
    Cut,
    /// Record delays in `aside`, or no longer.
    SetAside(bool),
    /// Streams that end from now on do not reconnect.
    Hold,
    /// Reconnect every closed stream with its cursor.
    Resume,
    Finish,
}

pub struct Streams {
    commands: mpsc::SyncSender<Command>,
    waker: Arc<Waker>,
    live: Arc<AtomicUsize>,
    ledger: Arc<Ledger>,
    thread: JoinHandle<Findings>,
    count: usize,
}

impl Streams {
    /// Opens one stream per ticket and waits until all are live.
    pub fn open(address: SocketAddr, tickets: Vec<Ticket>, ledger: &Arc<Ledger>) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (commands, inbox) = mpsc::sync_channel(COMMANDS);
        let live = Arc::new(AtomicUsize::new(0));
        let count = tickets.len();
        let readers = Readers::new(poll, address, tickets, Arc::clone(&live), Arc::clone(ledger));
        let thread = std::thread::Builder::new()
            .name("streams".into())
            .spawn(move || readers.run(&inbox))
            .context("starting the readers' thread")?;
        let streams = Self { commands, waker, live, ledger: Arc::clone(ledger), thread, count };
        streams.wait_live()?;
        Ok(streams)
    }

    /// Waits until every stream has received its `hello`.
    pub fn wait_live(&self) -> anyhow::Result<()> {
        self.wait_count(self.count)
    }

    fn wait_count(&self, count: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.live.load(Ordering::Acquire) != count {
            self.ledger.check()?;
            if Instant::now() > deadline {
                bail!("{} of {count} streams are live after a minute", self.live.load(Ordering::Acquire));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Returns before it is in effect, but the next message after a pause is recorded there.
    pub fn set_aside(&self, aside: bool) -> anyhow::Result<()> {
        self.command(Command::SetAside(aside))
    }

    pub fn cut(&self) -> anyhow::Result<()> {
        self.command(Command::Cut)?;
        self.wait_count(0)
    }

    pub fn hold(&self) -> anyhow::Result<()> {
        self.command(Command::Hold)
    }

    pub fn resume(&self) -> anyhow::Result<()> {
        self.command(Command::Resume)
    }

    pub fn finish(self) -> anyhow::Result<Findings> {
        self.command(Command::Finish)?;
        let findings = self.thread.join().map_err(|_| anyhow::anyhow!("the readers' thread panicked"))?;
        self.ledger.check()?;
        Ok(findings)
    }

    fn command(&self, command: Command) -> anyhow::Result<()> {
        self.commands.send(command).context("the readers have stopped")?;
        self.waker.wake().context("waking the readers")
    }
}

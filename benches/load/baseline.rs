//! The bare-socket baseline: the least that fanning out costs on this machine.
//!
//! One thread, one epoll loop, no chat. It answers each reader with a fixed head and then writes what it is
//! fed, to every reader of the room, as one `writev` per reader of all that waits for it. It runs in a
//! process of its own, a child of this same program, so that its CPU time and memory can be told apart.

mod event_loop;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
pub use event_loop::serve;

use crate::frame::Template;
use crate::ledger::Ledger;

/// The running baseline, and the connection that feeds it.
pub struct Baseline {
    child: Child,
    pub address: SocketAddr,
    feed: TcpStream,
    template: Template,
    rooms: Vec<String>,
    seqs: Vec<u64>,
    pos: u64,
    /// Bursts whose offering was not awaited yet.
    untold: usize,
}

impl Baseline {
    /// Starts a child that will write copies of `template` to the readers of `rooms`.
    pub fn start(template: &Template, rooms: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("baseline")
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the baseline")?;
        let mut line = String::new();
        let output = child.stdout.take().context("the baseline has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address: SocketAddr = line.trim().parse().context("the baseline said no address")?;
        let mut feed = TcpStream::connect(address)?;
        feed.set_nodelay(true)?;
        feed.write_all(b"FEED / HTTP/1.1\r\n\r\n")?;
        Ok(Self {
            child,
            address,
            feed,
            template: template.clone(),
            rooms: rooms.to_vec(),
            seqs: vec![0; rooms.len()],
            pos: 0,
            untold: 0,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Hands over `count` messages at once. The moment of handing over is what commit is to the chat.
    pub fn hand(&mut self, ledger: &Ledger, count: u64) -> anyhow::Result<()> {
        let mut burst = (count as u32).to_le_bytes().to_vec();
        let mut numbers = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let number = ledger.post();
            numbers.push(number);
            let room = number as usize % self.rooms.len();
            self.seqs[room] += 1;
            self.pos += 1;
            let frame = self.template.frame(self.pos, self.seqs[room], number);
            burst.extend_from_slice(&(frame.len() as u32).to_le_bytes());
            burst.extend_from_slice(self.rooms[room].as_bytes());
            burst.extend_from_slice(&frame);
        }
        for number in numbers {
            ledger.commit(number);
        }
        self.feed.write_all(&burst).context("feeding the baseline")?;
        self.untold += 1;
        Ok(())
    }

    /// Waits until all that was handed over was offered to every reader whom it concerns.
    pub fn wait_offered(&mut self) -> anyhow::Result<()> {
        let mut told = vec![0; std::mem::take(&mut self.untold)];
        self.feed.read_exact(&mut told).context("the baseline ended")
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

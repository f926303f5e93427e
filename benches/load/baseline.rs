//! The bare-socket baseline: the minimum cost of fanning out on this machine.
//!
//! One thread, one epoll loop, no chat. It answers each reader with a fixed response head and then writes the frames
//! that it is fed to every reader of the room, with one `writev` for everything queued for a reader. It runs as a child
//! process of this program, so that its CPU time and memory can be measured separately.

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
    /// Bursts whose confirmation was not awaited yet.
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
        let address: SocketAddr = line.trim().parse().context("the baseline printed no address")?;
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

    /// Passes `count` messages at once. This moment corresponds to the chat's commit.
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

    /// Waits until all bursts were offered to every reader of their rooms.
    pub fn wait_offered(&mut self) -> anyhow::Result<()> {
        let mut told = vec![0; std::mem::take(&mut self.untold)];
        self.feed.read_exact(&mut told).context("the baseline ended")
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // It may have ended by itself; either way no process is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

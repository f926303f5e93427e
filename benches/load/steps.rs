//! Messages posted one at a time, and the CPU of the processes that deliver them.

use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::process;

const WARM_UP: u64 = 50;

pub struct Steps<'a> {
    ledger: &'a Ledger,
    pids: Vec<u32>,
    /// All readers that receive each message.
    readers: usize,
    cpu_secs: f64,
    pub deliveries: u64,
    pub posts: u64,
}

impl<'a> Steps<'a> {
    pub fn new(ledger: &'a Ledger, pids: Vec<u32>, readers: usize) -> Self {
        Self { ledger, pids, readers, cpu_secs: 0.0, deliveries: 0, posts: 0 }
    }

    pub fn warm_up(&self, mut post: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        (0..WARM_UP).try_for_each(|_| self.step(&mut post))
    }

    /// Repeatedly posts a message and waits until all readers have it.
    pub fn run(&mut self, time: Duration, mut post: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (cpu, posts, delivered) = (self.cpu()?, self.ledger.posts(), self.ledger.delivered());
        let began = Instant::now();
        while began.elapsed() < time {
            self.step(&mut post)?;
        }
        self.cpu_secs += self.cpu()? - cpu;
        self.posts += self.ledger.posts() - posts;
        self.deliveries += self.ledger.delivered() - delivered;
        Ok(())
    }

    fn cpu(&self) -> anyhow::Result<f64> {
        self.pids.iter().map(|pid| process::cpu_secs(*pid)).sum()
    }

    fn step(&self, post: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
        post()?;
        self.ledger.wait_delivered(self.ledger.posts() * self.readers as u64)
    }

    pub fn micros_per_delivery(&self) -> f64 {
        self.cpu_secs * 1e6 / self.deliveries as f64
    }

    pub fn micros_per_post(&self) -> f64 {
        self.cpu_secs * 1e6 / self.posts as f64
    }
}

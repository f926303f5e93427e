//! Command-line options.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use lexopt::prelude::*;
use uuid::Uuid;

use crate::drill::Drill;
use crate::mutants::Mutant;

/// Usage text, which `cargo xtask chaos --help` prints too.
pub const USAGE: &str = include_str!("usage.txt");

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Options {
    pub seconds: Option<u64>,
    pub seed: u64,
    /// Posts per second.
    pub rate: f64,
    pub mutant: Option<&'static Mutant>,
    pub all_mutants: bool,
    pub plan_only: bool,
    pub drill: Option<Drill>,
    pub streams: Option<usize>,
    pub lid_secs: u64,
    pub json: bool,
    /// Address of the server; with `room`, this process is a client of the drill `network`.
    pub laptop: Option<SocketAddr>,
    pub room: Option<Uuid>,
    /// Directory of a finished run.
    pub judge: Option<PathBuf>,
    pub server: PathBuf,
    pub dir: PathBuf,
}

impl Options {
    /// Parses the arguments. `None`: help was requested.
    pub fn parse(mut args: lexopt::Parser) -> anyhow::Result<Option<Self>> {
        let mut options = Self {
            seconds: None,
            seed: u64::from(rand::random::<u32>()),
            rate: 150.0,
            mutant: None,
            all_mutants: false,
            plan_only: false,
            drill: None,
            streams: None,
            lid_secs: 600,
            json: false,
            laptop: None,
            room: None,
            judge: None,
            server: PathBuf::from("target/debug/gapless"),
            dir: PathBuf::from("target/chaos"),
        };
        while let Some(arg) = args.next()? {
            match arg {
                Long("seconds") => options.seconds = Some(args.value()?.parse()?),
                Long("seed") => options.seed = args.value()?.parse()?,
                Long("rate") => options.rate = args.value()?.parse()?,
                Long("mutant") => {
                    options.mutant = Some(Mutant::named(&args.value()?.string()?).map_err(anyhow::Error::msg)?);
                }
                Long("mutants") => options.all_mutants = true,
                Long("judge") => options.judge = Some(args.value()?.into()),
                Long("drill") => options.drill = Some(args.value()?.parse()?),
                Long("streams") => options.streams = Some(args.value()?.parse()?),
                Long("lid-secs") => options.lid_secs = args.value()?.parse()?,
                Long("laptop") => options.laptop = Some(args.value()?.parse()?),
                Long("room") => options.room = Some(args.value()?.parse()?),
                Long("json") => options.json = true,
                Long("plan") => options.plan_only = true,
                Long("server") => options.server = args.value()?.into(),
                Long("dir") => options.dir = args.value()?.into(),
                Long("help") | Short('h') => return Ok(None),
                other => return Err(other.unexpected().into()),
            }
        }
        if !(1.0..=100_000.0).contains(&options.rate) {
            bail!("--rate must be a number of posts per second, at least 1");
        }
        options.server = std::path::absolute(&options.server).context("--server")?;
        options.dir = std::path::absolute(&options.dir).context("--dir")?;
        Ok(Some(options))
    }

    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(60))
    }
}

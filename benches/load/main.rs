//! The load benchmark: compares the complete chat, over real sockets with real tokens, with bare sockets.
//!
//! Absolute figures depend on the machine, so each is printed beside a baseline taken in the same
//! run: a single-threaded epoll loop that writes the same frames (`baseline`), the batch function of the
//! database called directly, or one fsync (`durable`). Changes are judged by the ratio.
//!
//! `main` reads the arguments and runs the `shapes` one after the other. A shape starts from a `stage`
//! (the server, its accounts and rooms), adds readers (`streams`) and writers (`posters`), and adds rows
//! to the `table`. The readers check what they count: a missing, duplicated or reordered message
//! fails the run. docs/BENCHMARKS.md defines each figure and the start and end of its measurement.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and nanoseconds are converted to rates and milliseconds; all are far below 2^52"
)]

mod accounts;
mod baseline;
mod decoder;
mod durable;
mod follower;
mod frame;
mod http;
mod ledger;
mod listener;
mod posters;
mod process;
mod redis;
mod server;
mod shapes;
mod stage;
mod steps;
mod streams;
mod table;

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Also included by `cargo xtask bench --help`.
const USAGE: &str = include_str!("usage.txt");

/// Command-line options.
pub struct Options {
    pub shapes: Vec<String>,
    pub seconds: u64,
    pub streams: usize,
    /// Largest number of positions in `catching-up`.
    pub messages: u64,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "baseline") {
        raise_open_files()?;
        return baseline::serve();
    }
    let options = parse(arguments)?;
    raise_open_files()?;
    shapes::run(&options)
}

fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options { shapes: Vec::new(), seconds: 15, streams: 10_000, messages: 100_000 };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} requires a value\n{USAGE}"));
        match argument.as_str() {
            // Cargo passes this argument to every benchmark.
            "--bench" => {}
            "--shape" => options.shapes.push(value()?),
            "--seconds" => options.seconds = value()?.parse().context("--seconds requires a number")?,
            "--streams" => options.streams = value()?.parse().context("--streams requires a number")?,
            "--messages" => options.messages = value()?.parse().context("--messages requires a number")?,
            "--help" | "-h" => {
                print!("{USAGE}");
                std::process::exit(0);
            }
            other => bail!("unknown argument {other}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Ten thousand streams need ten thousand descriptors, in the driver and in the server.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

//! The load benchmark: the whole chat, over real sockets with real tokens, against bare ones.
//!
//! Absolute figures change with the machine, so each is printed beside a baseline taken in the same
//! run: a single-threaded epoll loop that writes the same frames (`baseline`), the batch function of the
//! database called directly, or one fsync (`durable`). The ratio is what a change is judged by.
//!
//! `main` reads the arguments and runs the `shapes` one after the other. A shape starts from a `stage`
//! (the server, its accounts and rooms), puts readers (`streams`) and writers (`posters`) on it, and adds rows
//! to the `table`. The readers check as they count: a message that is missing, doubled or out of order
//! fails the run. What each figure means, and where its moments are taken, is in docs/BENCHMARKS.md.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and nanoseconds become rates and milliseconds; none comes near 2^52"
)]

mod accounts;
mod baseline;
mod decoder;
mod durable;
mod follower;
mod frame;
mod http;
mod ledger;
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

/// Read by `cargo xtask bench --help` too.
const USAGE: &str = include_str!("usage.txt");

/// What the run was asked for.
pub struct Options {
    pub shapes: Vec<String>,
    pub seconds: u64,
    pub streams: usize,
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
    let mut options = Options { shapes: Vec::new(), seconds: 15, streams: 10_000 };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            // Cargo adds this to every benchmark that it runs.
            "--bench" => {}
            "--shape" => options.shapes.push(value()?),
            "--seconds" => options.seconds = value()?.parse().context("--seconds takes a number")?,
            "--streams" => options.streams = value()?.parse().context("--streams takes a number")?,
            "--help" | "-h" => {
                print!("{USAGE}");
                std::process::exit(0);
            }
            other => bail!("unknown argument {other}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Ten thousand streams are ten thousand descriptors, on either side.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

//! The load shapes, in the order in which they run.

mod behind;
mod catching_up;
mod churn;
mod fan_out;
mod idle;
mod instances;
mod lobby;
mod posts;
mod resume;
mod search;
mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::Options;
use crate::stage::{ROOMS, Stage};
use crate::table::Table;

type Shape = fn(&mut Stage, &Options, &mut Table) -> anyhow::Result<()>;

const SHAPES: [(&str, Shape); 14] = [
    ("one-at-a-time", fan_out::one_at_a_time),
    ("one-room", fan_out::one_room),
    ("many-rooms", fan_out::many_rooms),
    ("churn", churn::churn),
    ("idle", idle::idle),
    ("posts", posts::posts),
    ("light", posts::light),
    ("resume", resume::resume),
    ("catching-up", catching_up::catching_up),
    ("instances", instances::instances),
    ("behind", behind::behind),
    ("wire", wire::wire),
    ("lobby", lobby::lobby),
    ("search", search::search),
];

/// Runs the requested shapes, prints the table and writes it to the target directory.
pub fn run(options: &Options) -> anyhow::Result<()> {
    for asked in &options.shapes {
        ensure!(SHAPES.iter().any(|(name, _)| name == asked), "there is no shape {asked}");
    }
    let target = target_directory()?;
    let began = Instant::now();
    let mut stage = Stage::set(&target.join("bench/run"), Duration::from_secs(options.seconds.max(1)))?;
    let mut table = Table::default();
    for (name, shape) in SHAPES {
        if !options.shapes.is_empty() && !options.shapes.iter().any(|asked| asked == name) {
            continue;
        }
        println!("[{:>4} s] {name}", began.elapsed().as_secs());
        stage.accounts.renew(stage.server.address())?;
        shape(&mut stage, options, &mut table).with_context(|| format!("shape {name}"))?;
    }
    drop(stage);
    table.print();
    table.write(&target.join("bench/load.json"))
}

/// The requested number of streams, rounded to the same number in each room.
fn even(streams: usize) -> usize {
    (streams / ROOMS).max(1) * ROOMS
}

/// Returns the target directory: this program is in `target/<profile>/deps`.
fn target_directory() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().nth(3).context("this program is not in cargo's target directory")?.to_owned())
}

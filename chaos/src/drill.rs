//! One question each, asked of three instances of the real program, and answered by figures with goals.
//!
//! Where a chaos run breaks everything at once and looks for what must never be, a drill does one thing on purpose
//! and measures it. Nothing lies between clients and instances here but the kernel. What clients wrote and heard is
//! still written down and judged by the same [`checker`](crate::checker).

mod capacity;
mod front;
mod load;
pub mod network;
mod post;
mod presence;
mod revocation;
mod rolling_restart;
mod seen;
mod sheet;
mod storm;

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use sheet::Sheet;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drill {
    RollingRestart,
    Storm,
    Revocation,
    Capacity,
    Presence,
    Network,
}

impl Drill {
    const ALL: [Self; 6] =
        [Self::RollingRestart, Self::Storm, Self::Revocation, Self::Capacity, Self::Presence, Self::Network];

    pub const fn name(self) -> &'static str {
        match self {
            Self::RollingRestart => "rolling-restart",
            Self::Storm => "storm",
            Self::Revocation => "revocation",
            Self::Capacity => "capacity",
            Self::Presence => "presence",
            Self::Network => "network",
        }
    }
}

impl FromStr for Drill {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|drill| drill.name() == name)
            .ok_or_else(|| format!("there is no drill `{name}`; the drills are {}", names()))
    }
}

/// With what a drill is performed.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    pub server: &'a Path,
    /// Where history and logs go.
    pub dir: &'a Path,
    /// The bug that the server has, to see that the drill would notice.
    pub mutant: Option<&'static str>,
    /// How many streams, if not the drill's own number.
    pub streams: Option<usize>,
    /// Duration for which the laptop's lid stays closed in the drill `network`.
    pub lid: Duration,
}

/// Performs a drill; what it measured is held against its goals on the sheet.
pub async fn perform(drill: Drill, course: &Course<'_>) -> anyhow::Result<Sheet> {
    ensure!(course.server.is_file(), "the server program {} does not exist", course.server.display());
    if course.dir.exists() {
        fs::remove_dir_all(course.dir).with_context(|| format!("cannot clear {}", course.dir.display()))?;
    }
    fs::create_dir_all(course.dir).with_context(|| format!("cannot create {}", course.dir.display()))?;
    raise_open_files()?;
    match drill {
        Drill::RollingRestart => rolling_restart::perform(course).await,
        Drill::Storm => storm::perform(course).await,
        Drill::Revocation => revocation::perform(course).await,
        Drill::Capacity => capacity::perform(course).await,
        Drill::Presence => presence::perform(course).await,
        Drill::Network => network::perform(course).await,
    }
}

/// Ten thousand streams are ten thousand descriptors, here and in the instances, which inherit the limit.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

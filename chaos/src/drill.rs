//! Drills: each measures one property of three instances and compares the figures with goals.
//!
//! While a chaos run injects many faults and looks for violations, a drill causes one event and measures its effect.
//! Clients connect to the instances without proxies. The same [`checker`](crate::checker) checks the history.

mod capacity;
mod client_timings;
mod load;
mod load_balancer;
pub mod network;
mod post;
mod presence;
mod result_table;
mod revocation;
mod rolling_restart;
mod storm;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use result_table::ResultTable;

use crate::run;

/// See the [module](self).
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

/// Parameters of a drill.
#[derive(Debug, Clone, Copy)]
pub struct DrillOptions<'a> {
    pub server: &'a Path,
    /// Directory for history and logs.
    pub dir: &'a Path,
    /// Seeded bug of the server, to test whether the drill detects it.
    pub mutant: Option<&'static str>,
    /// Number of streams, instead of the drill's default.
    pub streams: Option<usize>,
    /// Time for which the laptop's lid stays closed in the drill `network`.
    pub lid: Duration,
}

/// Performs a drill; returns its figures with their goals.
pub async fn perform(drill: Drill, options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    run::prepare(options.server, options.dir)?;
    raise_open_files()?;
    match drill {
        Drill::RollingRestart => rolling_restart::perform(options).await,
        Drill::Storm => storm::perform(options).await,
        Drill::Revocation => revocation::perform(options).await,
        Drill::Capacity => capacity::perform(options).await,
        Drill::Presence => presence::perform(options).await,
        Drill::Network => network::perform(options).await,
    }
}

/// Raises the limit of open files to its maximum: a drill opens up to ten thousand streams, and the instances inherit
/// the limit.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}

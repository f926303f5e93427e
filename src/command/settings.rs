//! `gapless config`: prints the effective settings, checks them, or prints the reference.

use clap::{ArgMatches, Args};

use crate::config::{Config, Settings, reference, unknown_variables};

#[derive(Debug, Clone, Copy, Args)]
pub struct Options {
    /// Report every problem at once, and fail if there is one. A variable that only looks like a setting is reported
    /// but is not an error, since it may belong to another program.
    #[arg(long)]
    check: bool,
    /// Print docs/CONFIGURATION.md.
    #[arg(long, conflicts_with = "check")]
    reference: bool,
}

impl Options {
    pub(super) fn run(self, settings: Settings, matches: &ArgMatches) -> anyhow::Result<()> {
        if self.reference {
            print!("{}", reference::page());
        } else if self.check {
            for variable in unknown_variables::of_environment() {
                println!("{variable}");
            }
            let config = Config::resolve(settings)?;
            println!("The settings are valid. Demo mode is {}.", if config.demo_mode { "on" } else { "off" });
        } else {
            print!("{}", reference::effective(matches));
        }
        Ok(())
    }
}

//! `gapless config`: prints the effective settings, checks them, or prints the reference.

use clap::{ArgMatches, Args};

use crate::config::{Config, Settings, reference, stray};

#[derive(Debug, Clone, Copy, Args)]
pub struct Show {
    /// Say what is wrong, all of it at once; end with failure if anything is. A variable that looks like a setting
    /// and is none is named, and no failure: it may be somebody else's.
    #[arg(long)]
    check: bool,
    /// Print the page docs/CONFIGURATION.md.
    #[arg(long, conflicts_with = "check")]
    reference: bool,
}

impl Show {
    pub(super) fn run(self, settings: Settings, matches: &ArgMatches) -> anyhow::Result<()> {
        if self.reference {
            print!("{}", reference::page());
        } else if self.check {
            for stray in stray::of_environment() {
                println!("{stray}");
            }
            let config = Config::resolve(settings)?;
            println!("The settings are right. Demo mode is {}.", if config.demo_mode { "on" } else { "off" });
        } else {
            print!("{}", reference::effective(matches));
        }
        Ok(())
    }
}

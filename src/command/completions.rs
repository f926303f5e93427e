//! `gapless completions`: prints a shell's completion script for the commands and settings of this program.

use std::io;

use clap::{Args, Command};
use clap_complete::Shell;

#[derive(Debug, Clone, Copy, Args)]
pub struct Completions {
    /// The shell, for example `source <(gapless completions bash)`.
    shell: Shell,
}

impl Completions {
    /// Prints the script for this program. Only the entry point knows the whole command line.
    pub fn print(self, mut program: Command) {
        clap_complete::generate(self.shell, &mut program, "gapless", &mut io::stdout().lock());
    }
}

//! `gapless keys generate`.

use clap::Subcommand;
use secrecy::ExposeSecret as _;

use crate::config::SigningKey;

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Keys {
    /// Print a new signing key, for `JWT_SIGNING_KEY`.
    Generate,
}

impl Keys {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::Generate = self;
        println!("{}", SigningKey::generate()?.to_hex().expose_secret());
        Ok(())
    }
}

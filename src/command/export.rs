//! `gapless export`: writes the whole chat as lines of JSON, for another database, another program, or an archive.
//!
//! It can run beside the server: it reads one snapshot and locks nothing. Password hashes and private messages are
//! included only on request.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::app::Database;
use crate::config::Config;
use crate::store::transfer::{End, Options, export};

#[derive(Debug, Clone, Args)]
pub struct Export {
    /// File to write, which must not exist yet; standard output by default.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Include password hashes, so that everyone can sign in as before. Protect the file as you protect the database.
    #[arg(long)]
    with_password_hashes: bool,
    /// Include direct messages.
    #[arg(long)]
    with_direct_messages: bool,
}

impl Export {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let database = Database::open(&config).await?;
        let exported = self.write(&database).await;
        database.close().await;
        // Standard output may be the export itself.
        eprintln!("Exported {}.", exported?);
        Ok(())
    }

    async fn write(&self, database: &Database) -> anyhow::Result<End> {
        let mut connection = database.connect_directly().await?;
        let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match &self.out {
            Some(path) => Box::new(create(path).with_context(|| format!("cannot create {}", path.display()))?),
            None => Box::new(std::io::stdout()),
        });
        let options =
            Options { password_hashes: self.with_password_hashes, direct_messages: self.with_direct_messages };
        let exported = export(&mut connection, options, |line| {
            serde_json::to_writer(&mut out, line)?;
            out.write_all(b"\n")
        });
        let exported = exported.await.context("The export is incomplete")?;
        out.flush().context("The export is incomplete")?;
        Ok(exported)
    }
}

/// Creates a file that only its owner can read.
fn create(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

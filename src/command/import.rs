//! `gapless import`: imports an exported chat into a new database, in one transaction.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::app::Database;
use crate::config::Config;
use crate::store::transfer::{End, import};

#[derive(Debug, Clone, Args)]
pub struct Import {
    /// File to read; standard input by default.
    #[arg(long = "in")]
    file: Option<PathBuf>,
}

impl Import {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let database = Database::open(&config).await?;
        let imported = self.read(&database).await;
        database.close().await;
        println!("Imported {}.", imported.context("Nothing was imported")?);
        Ok(())
    }

    async fn read(&self, database: &Database) -> anyhow::Result<End> {
        let lines: Box<dyn BufRead + Send> = match &self.file {
            Some(path) => {
                Box::new(BufReader::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?))
            }
            None => Box::new(BufReader::new(std::io::stdin())),
        };
        let _turn = database.prepare().await?;
        let mut connection = database.connect_directly().await?;
        import(&mut connection, lines).await
    }
}

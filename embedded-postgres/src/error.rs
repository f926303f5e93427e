//! Reasons why the private PostgreSQL does not start, each as one sentence that ends with the way out.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no PostgreSQL 15 or newer was found: install it (Debian: `apt-get install postgresql`), set POSTGRES_BIN_DIR \
         to its directory, or set DATABASE_URL; `cargo xtask run` downloads it automatically"
    )]
    NoBinaries,

    #[error(
        "POSTGRES_BIN_DIR is {}, which has no working `postgres` and `initdb` of PostgreSQL 15 or newer: \
         correct or unset it",
        dir.display()
    )]
    NamedDirectory { dir: PathBuf },

    #[error(
        "the database in {} was created by PostgreSQL {made_by}, but only {found} was found: install \
         PostgreSQL {made_by}, set POSTGRES_BIN_DIR to its directory, or move the old data away",
        data.display()
    )]
    OtherMajor { data: PathBuf, made_by: u32, found: String },

    #[error("another Gapless is already using {}: stop it, or set DATA_DIR to another directory", dir.display())]
    InUse { dir: PathBuf },

    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a `postgres` nor a `nobody` account to \
         run it: start Gapless as a normal user, or set DATABASE_URL"
    )]
    NoAccount,

    #[error(
        "the database in {} belongs to another account (uid {owner}): start Gapless as that account or as root, \
         or set DATA_DIR to another directory",
        dir.display()
    )]
    OtherOwner { dir: PathBuf, owner: u32 },

    #[error(
        "cannot write to {} ({source}): correct its permissions, or set DATA_DIR to another directory",
        path.display()
    )]
    Unwritable { path: PathBuf, source: io::Error },

    #[error("the disk with {} is full: make room and start again; no acknowledged message is lost", path.display())]
    DiskFull { path: PathBuf },

    #[error("PostgreSQL did not start: {reason} (full log: {})", log.display())]
    Refused { reason: String, log: PathBuf },
}

impl EmbeddedError {
    /// The variant for an I/O error at `path`: a full disk has a sentence of its own.
    pub fn at(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path }
            }
            _ => Self::Unwritable { path, source },
        }
    }

    /// The variant for what PostgreSQL's programs printed to `log` before they gave up.
    pub fn printed(data: &Path, log: &Path, text: &str) -> Self {
        const FULL: [&str; 3] = ["No space left on device", "quota exceeded", "File too large"];
        if FULL.iter().any(|sign| text.contains(sign)) {
            return Self::DiskFull { path: data.to_owned() };
        }
        let reason = text
            .lines()
            .filter_map(|line| ["FATAL:", "PANIC:", "error:", "ERROR:"].iter().find_map(|mark| line.split_once(mark)))
            .map(|(_, reason)| reason.trim())
            .next_back()
            .or_else(|| text.lines().rfind(|line| !line.trim().is_empty()))
            .unwrap_or("it exited without an error message");
        Self::Refused { reason: reason.to_owned(), log: log.to_owned() }
    }
}

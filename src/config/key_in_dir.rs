//! Files in `DATA_DIR` with keys that the program created for itself.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

/// Reads the file; `None` if there is none.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(kept) => Ok(Some(kept.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Creates the file, and the directory if necessary. Only its owner can read it.
pub(super) fn write(dir: &Path, path: &Path, key: &SecretString) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| {
            writeln!(file, "{}", key.expose_secret())?;
            file.sync_all()
        })
        .with_context(|| format!("cannot write {}", path.display()))
}

//! Files in `DATA_DIR` with keys that the program creates for itself.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

/// Returns the key in the file `path` of `dir`. If there is none, it is made, and kept in a file that only its owner can
/// read.
pub(super) fn keep(
    dir: &Path,
    path: &Path,
    make: impl FnOnce() -> anyhow::Result<SecretString>,
) -> anyhow::Result<SecretString> {
    let read = || fs::read_to_string(path).map(SecretString::from);
    let cannot_read = || format!("cannot read {}", path.display());
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        kept => return kept.with_context(cannot_read),
    }
    let key = make()?;
    fs::create_dir_all(dir).with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    match write(path, &key) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read().with_context(cannot_read),
        written => written.map(|()| key).with_context(|| format!("cannot write {}", path.display())),
    }
}

fn write(path: &Path, key: &SecretString) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.expose_secret())?;
    file.sync_all()
}

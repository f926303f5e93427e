//! The directories of one private PostgreSQL: who may enter them, and the lock that keeps a second program out.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::error::EmbeddedError;

/// Root keeps data here that the database's account could not reach otherwise.
const SHARED_STATE: &str = "/var/lib/gapless";

/// The longest path of a Unix socket that every system takes: `sun_path` is 104 bytes on macOS, 108 on Linux, with its NUL.
const LONGEST_SOCKET_PATH: usize = 103;

/// Name of a file that PostgreSQL adds to the socket's directory; the lock file beside the socket is the longer of the two.
const SOCKET_NAME: &str = "/.s.PGSQL.5432.lock";

#[derive(Debug)]
pub struct Home {
    /// PostgreSQL's data directory; it exists once the database was made.
    pub data: PathBuf,
    /// The directory of the socket, which nobody but the account may enter.
    pub sockets: PathBuf,
    pub log: PathBuf,
    pub account: Account,
    /// Held while the program lives; the kernel frees it after `kill -9`, so it is never stale.
    _lock: File,
}

impl Home {
    /// Makes and locks `data_dir`, and settles who runs the database in it, and where its files are.
    pub fn open(data_dir: &Path, notice: fn(&str)) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(data_dir).map_err(|error| EmbeddedError::at(data_dir, error))?;
        let dir = data_dir.canonicalize().map_err(|error| EmbeddedError::at(data_dir, error))?;
        let lock = lock(&dir)?;

        let link = dir.join("postgres");
        let mut data = fs::read_link(&link).unwrap_or_else(|_| link.clone());
        let account = Account::for_data(&data)?;
        if account.other {
            let mode = fs::metadata(&dir).map_or(0o755, |found| found.mode());
            // This directory is ours to open a crack: pass through, not list. Those above it are not.
            fs::set_permissions(&dir, Permissions::from_mode(mode & 0o7777 | 0o011))
                .map_err(|error| EmbeddedError::at(&dir, error))?;
            if !data.exists() && !account.reaches(&data) {
                data = shared_place()?.join("postgres");
                let _ = fs::remove_file(&link);
                std::os::unix::fs::symlink(&data, &link).map_err(|error| EmbeddedError::at(&link, error))?;
                notice(&format!(
                    "PostgreSQL cannot run as root, and its account cannot access {}; storing the database in {}",
                    dir.display(),
                    data.display()
                ));
            }
        }
        let sockets = socket_dir(&data, account)?;
        Ok(Self { log: dir.join("postgres.log"), data, sockets, account, _lock: lock })
    }

    /// Directories in which the npm package with PostgreSQL's programs is installed and searched for `data_dir`.
    ///
    /// The first is the usual one; the second is for root where the database's account cannot enter the first.
    pub fn npm_dirs(data_dir: &Path) -> [PathBuf; 2] {
        [data_dir, Path::new(SHARED_STATE)].map(|dir| dir.join("postgres-npm"))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Empty once the server has stopped; one among the system's temporary files would stay for ever.
        let _ = fs::remove_dir(&self.sockets);
    }
}

fn lock(dir: &Path) -> Result<File, EmbeddedError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(|error| EmbeddedError::at(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(EmbeddedError::at(&path, error)),
    }
}

/// A new directory under [`SHARED_STATE`]. Numbered, not named after `DATA_DIR`: who deletes that one starts afresh.
fn shared_place() -> Result<PathBuf, EmbeddedError> {
    let shared = Path::new(SHARED_STATE);
    fs::create_dir_all(shared).map_err(|error| EmbeddedError::at(shared, error))?;
    for number in 1_u32.. {
        let place = shared.join(number.to_string());
        match fs::create_dir(&place) {
            Ok(()) => return Ok(place),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(EmbeddedError::at(&place, error)),
        }
    }
    unreachable!("a directory cannot hold four thousand million others")
}

/// Beside the data where the path is short enough, else under the system's directory for temporary files.
fn socket_dir(data: &Path, account: Account) -> Result<PathBuf, EmbeddedError> {
    let mut dir = data.with_file_name("run");
    if dir.as_os_str().len() + SOCKET_NAME.len() > LONGEST_SOCKET_PATH {
        let temporary = if account.other { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        dir = temporary.join(format!("gapless-{:016x}", fingerprint(data.as_os_str().as_encoded_bytes())));
    }
    make_private(&dir, account).map_err(|error| EmbeddedError::at(&dir, error))?;
    Ok(dir)
}

/// Makes `dir` for the account alone. One that exists must already be its own: in a directory for temporary files,
/// anybody may have put one there.
pub fn make_private(dir: &Path, account: Account) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            if account.other {
                std::os::unix::fs::chown(dir, Some(account.uid), Some(account.gid))?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(dir)?;
            if !found.is_dir() || found.uid() != account.uid {
                return Err(io::Error::other("it belongs to another user"));
            }
        }
        Err(error) => return Err(error),
    }
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// FNV-1a, 64 bits: a short name that stays the same for the same path, in every release.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

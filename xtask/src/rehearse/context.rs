//! What an engine is sent of a directory: its files less those that `.dockerignore` names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

pub struct Sent {
    dir: PathBuf,
    /// In the file's order: the last that matches decides.
    rules: Vec<Rule>,
}

struct Rule {
    /// `*`, or a path.
    path: String,
    keeps: bool,
}

impl Sent {
    pub fn of(dir: &Path) -> anyhow::Result<Self> {
        let file = dir.join(".dockerignore");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self { dir: dir.to_owned(), rules: rules(&text)? })
    }

    /// The files at or below `path`, relative to the directory.
    pub fn files(&self, path: &str) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        // `.` is the directory itself; `.cargo` is a name.
        let start = if path == "." { "" } else { path.trim_end_matches('/') };
        let mut waiting = vec![PathBuf::from(start)];
        while let Some(path) = waiting.pop() {
            let place = self.dir.join(&path);
            if place.is_dir() {
                if self.may_hold_something(&path) {
                    let entries = fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))?;
                    waiting.extend(entries.flatten().map(|entry| path.join(entry.file_name())));
                }
            } else if place.is_file() && keeps(&self.rules, &path) {
                found.push(path);
            }
        }
        ensure!(!found.is_empty(), "an engine would find nothing at `{path}` of {}", self.dir.display());
        found.sort();
        Ok(found)
    }

    /// Whether a directory needs to be looked into: it is kept, or something within is.
    fn may_hold_something(&self, dir: &Path) -> bool {
        keeps(&self.rules, dir) || self.rules.iter().any(|rule| rule.keeps && Path::new(&rule.path).starts_with(dir))
    }
}

fn rules(text: &str) -> anyhow::Result<Vec<Rule>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rule = |line: &str| {
        let path = line.strip_prefix('!').unwrap_or(line);
        ensure!(path == "*" || !path.contains(['*', '?', '[']), "the rehearsal does not know the pattern `{line}`");
        Ok(Rule { path: path.to_owned(), keeps: line.starts_with('!') })
    };
    lines.map(rule).collect()
}

fn keeps(rules: &[Rule], path: &Path) -> bool {
    if path.as_os_str().is_empty() {
        return true;
    }
    let decides = rules.iter().rfind(|rule| rule.path == "*" || path.starts_with(&rule.path));
    decides.is_none_or(|rule| rule.keeps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_that_matches_decides() {
        let rules = rules("# all but\n*\n!src\n!xtask/Cargo.toml\nsrc/secret\n").unwrap();
        let kept = |path: &str| keeps(&rules, Path::new(path));
        assert!(kept("src/main.rs") && kept("xtask/Cargo.toml"));
        assert!(!kept("src/secret/key") && !kept("xtask/src/main.rs") && !kept("srcs") && !kept(".env"));
    }

    #[test]
    fn patterns_that_are_not_understood_are_refused() {
        assert!(rules("**/*.log").is_err());
    }
}

//! Actions used by the workflows: pinned by commit, on a runtime that GitHub's runners still support, and listed in
//! `docs/DEPLOY.md` with the date of their last check.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::files;
use crate::root;

/// `runs.using` in each release's `action.yml`. A release missing here is an error: read its `action.yml` and add it.
const RUNTIMES: [(&str, &str, &str); 28] = [
    ("actions/attest", "v1", "node20"),
    ("actions/attest", "v2", "node20"),
    ("actions/attest", "v3", "node24"),
    ("actions/attest", "v4", "node24"),
    ("actions/cache", "v3", "node16"),
    ("actions/cache", "v4", "node20"),
    ("actions/cache", "v5", "node24"),
    ("actions/cache", "v6", "node24"),
    ("actions/checkout", "v3", "node16"),
    ("actions/checkout", "v4", "node20"),
    ("actions/checkout", "v5", "node24"),
    ("actions/checkout", "v6", "node24"),
    ("actions/checkout", "v7", "node24"),
    // The release notes of these mention Node 24, their action.yml does not.
    ("actions/download-artifact", "v4", "node20"),
    ("actions/download-artifact", "v5", "node20"),
    ("actions/download-artifact", "v6", "node20"),
    ("actions/download-artifact", "v7", "node24"),
    ("actions/download-artifact", "v8", "node24"),
    ("actions/setup-node", "v3", "node16"),
    ("actions/setup-node", "v4", "node20"),
    ("actions/setup-node", "v5", "node24"),
    ("actions/setup-node", "v6", "node24"),
    ("actions/setup-node", "v7", "node24"),
    ("actions/upload-artifact", "v4", "node20"),
    ("actions/upload-artifact", "v5", "node20"),
    ("actions/upload-artifact", "v6", "node24"),
    ("actions/upload-artifact", "v7", "node24"),
    ("superfly/flyctl-actions/setup-flyctl", "1.6", "node24"),
];

/// Runtimes removed from GitHub's runners; the last of them in September 2026.
const GONE: [&str; 3] = ["node12", "node16", "node20"];

pub fn check() -> anyhow::Result<()> {
    let guide = fs::read_to_string(root().join("docs/DEPLOY.md")).context("cannot read docs/DEPLOY.md")?;
    let mut pins = BTreeMap::new();
    for file in files(".github/workflows", "yml")? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        collect(&text, &mut pins).with_context(|| in_words(&file))?;
    }
    ensure!(!pins.is_empty(), "no workflow uses an action");
    for (action, pin) in &pins {
        ensure!(
            guide.lines().any(|line| line.contains(&format!("`{action}`")) && line.contains(&pin.commit)),
            "docs/DEPLOY.md does not list {action} at {}: look up the commit and add it",
            pin.commit
        );
    }
    Ok(())
}

fn in_words(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pin {
    commit: String,
    version: String,
}

/// Adds the actions in `text` to `pins`. All workflows have to pin the same commit.
fn collect(text: &str, pins: &mut BTreeMap<String, Pin>) -> anyhow::Result<()> {
    for line in text.lines().map(str::trim) {
        let Some(used) = line.trim_start_matches("- ").strip_prefix("uses: ") else { continue };
        if used.starts_with("./") {
            continue;
        }
        let (action, pin) = parse(used)?;
        match runtime(action, &pin.version) {
            None => bail!("{action} {} is unknown: look up `runs.using` in its action.yml and add it", pin.version),
            Some(gone) if GONE.contains(&gone) => {
                bail!("{action} {} declares {gone}, which GitHub's runners no longer support", pin.version)
            }
            Some(_) => {}
        }
        let first = pins.entry(action.to_owned()).or_insert_with(|| pin.clone());
        ensure!(*first == pin, "{action} is pinned to two commits");
    }
    Ok(())
}

/// Parses `owner/name@commit # version`.
fn parse(used: &str) -> anyhow::Result<(&str, Pin)> {
    let parted = used.split_once(" # ").and_then(|(pinned, version)| Some((pinned.split_once('@')?, version)));
    let ((action, commit), version) = parted.with_context(|| format!("`{used}` is not `action@commit # version`"))?;
    let is_commit = commit.len() == 40 && commit.bytes().all(|digit| digit.is_ascii_hexdigit());
    ensure!(is_commit, "{action} is not pinned by commit: a tag can be moved");
    Ok((action, Pin { commit: commit.to_owned(), version: version.trim().to_owned() }))
}

/// Returns the runtime of a release; `v7.0.1` has that of `v7`.
fn runtime(action: &str, version: &str) -> Option<&'static str> {
    let is_of = |line: &str| version == line || version.strip_prefix(line).is_some_and(|rest| rest.starts_with('.'));
    RUNTIMES.iter().find(|(other, line, _)| *other == action && is_of(line)).map(|(_, _, runtime)| *runtime)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0000000000000000000000000000000000000000";

    fn complaint(used: &str) -> String {
        let workflow = format!("jobs:\n  test:\n    steps:\n      - uses: {used}\n");
        collect(&workflow, &mut BTreeMap::new()).expect_err("a complaint").to_string()
    }

    #[test]
    fn pinned_actions_have_a_supported_runtime() {
        check().unwrap();
    }

    #[test]
    fn a_removed_runtime_is_refused() {
        for (used, word) in [
            ("actions/checkout@COMMIT # v4.2.2", "node20"),
            ("actions/cache@COMMIT # v3.4.0", "node16"),
            ("actions/download-artifact@COMMIT # v6.0.0", "node20"),
            ("actions/checkout@COMMIT # v70.0.0", "action.yml"),
            ("somebody/something@COMMIT # v1", "action.yml"),
            ("actions/checkout@v7", "commit # version"),
            ("actions/checkout@v7.0.1 # v7.0.1", "can be moved"),
        ] {
            let said = complaint(&used.replace("COMMIT", COMMIT));
            assert!(said.contains(word), "{used}: {said}");
        }
    }

    #[test]
    fn two_workflows_may_not_pin_two_commits() {
        let mut pins = BTreeMap::new();
        collect(&format!("- uses: actions/checkout@{COMMIT} # v7.0.1"), &mut pins).unwrap();
        collect("- uses: ./.github/actions/own", &mut pins).unwrap();
        let other = COMMIT.replace('0', "1");
        let said = collect(&format!("- uses: actions/checkout@{other} # v7.0.1"), &mut pins).unwrap_err().to_string();
        assert!(said.contains("two commits"), "{said}");
    }
}

//! The seeded bugs (`chaos/mutants`), and the faults that reveal each.
//!
//! A run without violations proves something only if it would find a bug: each mutant is a realistic bug of a chat
//! server, and the run must catch all of them.

use std::time::Duration;

use crate::schedule::FaultKind;

/// A seeded bug.
#[derive(Debug)]
pub struct Mutant {
    /// Name of the bug and of its patch.
    pub name: &'static str,
    /// The faults that reveal it.
    pub kinds: &'static [FaultKind],
    /// Figures of which at least one is then not zero.
    pub shows: &'static [&'static str],
}

/// Length of a mutant's run: one period of faults and the calm ones around it.
pub const LENGTH: Duration = Duration::from_secs(17);

pub const MUTANTS: [Mutant; 8] = [
    Mutant {
        name: "async-commit",
        kinds: &[
            FaultKind::KillPostgres,
            FaultKind::ReconnectStorm,
            FaultKind::KillSubscribers,
            FaultKind::DelayClients,
        ],
        shows: &["lost"],
    },
    Mutant {
        name: "publish-before-commit",
        kinds: &[FaultKind::KillInstance, FaultKind::ReconnectStorm, FaultKind::KillSubscribers],
        // A server that received an event which is not in the log concludes that its database was restored.
        shows: &["phantoms", "broken histories"],
    },
    Mutant {
        name: "cursor-by-sequence",
        kinds: &[FaultKind::KillInstance, FaultKind::DelayPostgres, FaultKind::ReconnectStorm],
        shows: &["gaps"],
    },
    Mutant {
        name: "read-then-register",
        kinds: &[FaultKind::ReconnectStorm, FaultKind::CutClients, FaultKind::SlowClients],
        shows: &["gaps"],
    },
    Mutant {
        name: "no-gap-check",
        kinds: &[FaultKind::DelayNews, FaultKind::ResetNews, FaultKind::KillRedis, FaultKind::KillSubscribers],
        shows: &["gaps"],
    },
    Mutant {
        name: "no-dedupe",
        kinds: &[FaultKind::SwallowAnswers, FaultKind::ResetClients, FaultKind::CutClients],
        shows: &["doubled"],
    },
    Mutant { name: "dm-filter-off", kinds: &[FaultKind::ReconnectStorm, FaultKind::CutClients], shows: &["leaked"] },
    Mutant { name: "no-revocation", kinds: &[FaultKind::KillSubscribers], shows: &["late after revocation"] },
];

impl Mutant {
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let names = || MUTANTS.each_ref().map(|mutant| mutant.name).join(", ");
        let mutant = MUTANTS.iter().find(|mutant| mutant.name == name);
        mutant.ok_or_else(|| format!("there is no mutant `{name}`; the mutants are {}", names()))
    }

    /// Returns whether the violations include one that this bug causes.
    pub fn is_caught_by(&self, violated: &[&str]) -> bool {
        self.shows.iter().any(|name| violated.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// The patch that selects a bug at run time.
    const CHOICE: &str = "choice";

    #[test]
    fn every_bug_has_a_patch() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
        let files = dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let patches: BTreeSet<String> =
            files.filter_map(|file| Some(file.strip_suffix(".patch")?.to_owned())).collect();
        let names = MUTANTS.iter().map(|mutant| mutant.name).chain([CHOICE]);
        assert_eq!(patches, names.map(str::to_owned).collect());
    }

    #[test]
    fn patches_still_apply() {
        for name in MUTANTS.iter().map(|mutant| mutant.name).chain([CHOICE]) {
            let patch = format!("chaos/mutants/{name}.patch");
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            let mut git = Command::new("git");
            let checked = git.args(["apply", "--check", "--recount", &patch]).current_dir(root).output().unwrap();
            let complaint = String::from_utf8_lossy(&checked.stderr);
            assert!(
                checked.status.success(),
                "{patch} no longer applies; see chaos/mutants/README.md for how to update it:\n{complaint}"
            );
        }
    }
}

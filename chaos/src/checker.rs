//! Compares the history with the final database.
//!
//! The history has what clients sent and received; the database, read by plain SQL, has what was stored. All rules
//! compare positions instead of times, except those for the delay of revocations and of recoveries.

mod ledger;
mod rights;
mod streams;
#[cfg(test)]
mod tests;
mod timing;
pub mod truth;

use std::collections::BTreeMap;
use std::path::Path;

use crate::history::{self, Record};
use ledger::Ledger;
use rights::Rights;
use streams::Streams;
pub use streams::pos_of;
use timing::Timing;
pub use timing::histogram;
use truth::Truth;

/// Number of examples kept for each kind of violation; all are counted.
const EXAMPLES: usize = 5;

/// Number and examples of violations, by name.
#[derive(Debug, Default)]
pub struct Violations(BTreeMap<&'static str, (u64, Vec<String>)>);

impl Violations {
    fn add(&mut self, name: &'static str, what: impl FnOnce() -> String) {
        let (count, examples) = self.0.entry(name).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(what());
        }
    }

    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, |(count, _)| *count)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, &[String])> {
        self.0.iter().map(|(name, (count, examples))| (*name, *count, &examples[..]))
    }
}

/// Parameters of the checked run.
#[derive(Debug, Default)]
pub struct Header {
    pub seed: u64,
    pub seconds: u64,
    pub mutant: Option<String>,
}

/// Results of a run.
#[derive(Debug)]
pub struct Findings {
    pub header: Header,
    pub violations: Violations,
    pub ledger: Ledger,
    pub streams: Streams,
    pub rights: Rights,
    pub timing: Timing,
    pub head: i64,
}

/// Checks a history in two passes: the first one collects all submits, with which the second compares the events.
pub fn check(history: &Path, truth: &Truth) -> anyhow::Result<Findings> {
    let mut violations = Violations::default();
    truth.check(&mut violations);
    let mut ledger = Ledger::default();
    let mut timing = Timing::default();
    let mut header = Header::default();
    for record in history::read(history)? {
        let record = record?;
        ledger.note(&record);
        timing.note_faults(&record);
        if let Record::Begin { seed, seconds, mutant, .. } = &record {
            header = Header { seed: *seed, seconds: *seconds, mutant: mutant.clone() };
        }
        if let Record::Leak { user, path, sender, recipient, .. } = &record {
            violations
                .add("leaked", || format!("{user:?} received a direct message from {sender} to {recipient} in {path}"));
        }
    }
    ledger.check(truth, &mut violations);
    let mut streams = Streams::default();
    let mut rights = Rights::default();
    for record in history::read(history)? {
        let record = record?;
        timing.note(&record, truth, &ledger);
        rights.note(&record, truth, &timing, &mut violations);
        streams.note(&record, truth, &ledger, &mut violations);
    }
    rights.check(truth, &timing, &mut violations);
    streams.check(truth, &mut violations);
    Ok(Findings { header, violations, ledger, streams, rights, timing, head: truth.head })
}

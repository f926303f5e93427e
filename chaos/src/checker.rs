//! Holds the history against the final database.
//!
//! The history says what clients were told; the database, read by plain SQL, what became of it. Every rule is checked
//! by position, without a clock, except the two that are about time: how late a revocation was, how long a recovery took.

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
use timing::Timing;
pub use timing::histogram;
use truth::Truth;

/// Sentences kept for each name; the counts are whole.
const EXAMPLES: usize = 5;

/// What fell, with examples.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<&'static str, (u64, Vec<String>)>);

impl Faults {
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

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, &[String])> {
        self.0.iter().map(|(name, (count, examples))| (*name, *count, &examples[..]))
    }
}

/// What a run was.
#[derive(Debug, Default)]
pub struct Header {
    pub seed: u64,
    pub seconds: u64,
    pub mutant: Option<String>,
}

/// What a run showed.
#[derive(Debug)]
pub struct Findings {
    pub header: Header,
    pub faults: Faults,
    pub ledger: Ledger,
    pub streams: Streams,
    pub rights: Rights,
    pub timing: Timing,
    pub head: i64,
}

/// Reads the history, twice: what was asked for first, so that what was heard can be told from what was made up.
pub fn check(history: &Path, truth: &Truth) -> anyhow::Result<Findings> {
    let mut faults = Faults::default();
    truth.check(&mut faults);
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
            faults.add("leaked", || format!("{user:?} saw mail from {sender} to {recipient} in {path}"));
        }
    }
    ledger.check(truth, &mut faults);
    let mut streams = Streams::default();
    let mut rights = Rights::default();
    for record in history::read(history)? {
        let record = record?;
        timing.note(&record, truth, &ledger);
        rights.note(&record, truth, &timing, &mut faults);
        streams.note(&record, truth, &ledger, &mut faults);
    }
    rights.check(truth, &timing, &mut faults);
    streams.check(truth, &mut faults);
    Ok(Findings { header, faults, ledger, streams, rights, timing, head: truth.head })
}

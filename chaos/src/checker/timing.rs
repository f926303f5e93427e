//! How long things took, with faults about and without.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hdrhistogram::Histogram;

use super::ledger::Ledger;
use super::streams::pos_of;
use super::truth::{Said, Truth};
use crate::history::{Micros, Record};
use crate::schedule::{FaultKind, INSTANCES};

/// After its healing a fault still counts as about for so long.
const AFTERMATH: Micros = 2_000_000;
/// An event that came later than this after its commit came by another way than the usual.
const LATE: Micros = 100_000;
/// An instance that is not whole again by then, while no other fault is about, is measured as this.
const LONGEST_RECOVERY: Micros = 30_000_000;

/// Microseconds, up to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

#[derive(Debug, Clone, Copy)]
struct Fault {
    kind: FaultKind,
    instance: Option<usize>,
    began: Micros,
    healed: Option<Micros>,
}

/// What a process took when it was looked at.
#[derive(Debug, Clone, Copy)]
pub struct Vitals {
    pub rss_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
    pub tasks: u64,
}

/// A thing measured in calm and in storm.
#[derive(Debug)]
pub struct Twice {
    pub calm: Histogram<u64>,
    pub storm: Histogram<u64>,
}

impl Default for Twice {
    fn default() -> Self {
        Self { calm: histogram(), storm: histogram() }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Timing {
    wall: i64,
    faults: BTreeMap<u32, Fault>,
    /// When this machine was busy with something else.
    starved: BTreeSet<Micros>,
    pub starved_for: Micros,
    pub revived: u64,
    /// By stream: its instance, and when it was opened.
    instance_of: HashMap<u32, (usize, Micros)>,
    /// Readers who are late on purpose.
    slow: BTreeSet<u32>,
    posts_done: Vec<(Micros, Micros, usize)>,
    heard: Vec<(Micros, usize)>,
    pub posts: Twice,
    pub deliveries: Twice,
    pub late: Option<Histogram<u64>>,
    reads: HashMap<(usize, u32), u64>,
    pub first_vitals: HashMap<usize, Vitals>,
    pub last_vitals: HashMap<usize, Vitals>,
    pub streams_left: HashMap<usize, u64>,
    pub ghost: Option<u64>,
}

impl Timing {
    /// The first reading: when faults were about.
    pub fn note_faults(&mut self, record: &Record) {
        match record {
            Record::Begin { wall, .. } => self.wall = i64::try_from(*wall).unwrap_or_default(),
            Record::Fault { at, number, kind, instance } => {
                let fault = Fault { kind: *kind, instance: *instance, began: *at, healed: None };
                self.faults.insert(*number, fault);
            }
            Record::Healed { at, number } => {
                if let Some(fault) = self.faults.get_mut(number) {
                    fault.healed = Some(*at);
                }
            }
            Record::Starved { at, late } => {
                self.starved.insert(*at);
                self.starved_for += late;
            }
            Record::Revived { .. } => self.revived += 1,
            _ => {}
        }
    }

    /// The second reading.
    pub fn note(&mut self, record: &Record, truth: &Truth, ledger: &Ledger) {
        match record {
            Record::Answer { began, at, instance, status: 200..=299, .. } => {
                let calm = self.is_calm(*began, *at);
                let into = if calm { &mut self.posts.calm } else { &mut self.posts.storm };
                into.saturating_record(at - began);
                self.posts_done.push((*began, *at, *instance));
            }
            Record::Reader { reader, kind, .. } if kind == "slow" => drop(self.slow.insert(*reader)),
            Record::Open { at, conn, instance, reader, .. } if !self.slow.contains(reader) => {
                self.instance_of.insert(*conn, (*instance, *at));
            }
            Record::Event { at, conn, cursor, .. } => {
                let Some(&(instance, opened)) = self.instance_of.get(conn) else { return };
                let pos = pos_of(cursor);
                let Some(row) = truth.row(pos) else { return };
                let committed = u64::try_from(row.at - self.wall).unwrap_or_default();
                // What was committed before the stream was opened is replayed.
                if committed < opened || !matches!(row.said, Said::Posted { .. } | Said::Direct { .. }) {
                    return;
                }
                self.heard.push((*at, instance));
                let took = at.saturating_sub(committed).max(1);
                let calm = self.is_calm(committed, *at) && ledger.acknowledged_at.contains_key(&pos);
                let into = if calm { &mut self.deliveries.calm } else { &mut self.deliveries.storm };
                into.saturating_record(took);
                if took > LATE {
                    self.late.get_or_insert_with(histogram).saturating_record(took);
                }
            }
            Record::Vitals { instance, pid, rss_kib, descriptors, threads, tasks, reads, streams, .. } => {
                let now = Vitals { rss_kib: *rss_kib, descriptors: *descriptors, threads: *threads, tasks: *tasks };
                self.first_vitals.entry(*instance).or_insert(now);
                self.last_vitals.insert(*instance, now);
                self.streams_left.insert(*instance, *streams);
                self.reads.insert((*instance, *pid), *reads);
            }
            Record::Ghost { millis } => self.ghost = Some(*millis),
            _ => {}
        }
    }

    /// Whether no fault was about between these moments, nor shortly before, and the machine was ours.
    pub fn is_calm(&self, from: Micros, to: Micros) -> bool {
        let is_starved = self.starved.range(from.saturating_sub(AFTERMATH)..=to.max(from)).next().is_some();
        !is_starved
            && !self
                .faults
                .values()
                .any(|fault| fault.began <= to && fault.healed.is_none_or(|healed| healed + AFTERMATH >= from))
    }

    pub fn by_kind(&self) -> BTreeMap<FaultKind, u64> {
        let mut kinds = BTreeMap::new();
        for fault in self.faults.values() {
            *kinds.entry(fault.kind).or_default() += 1;
        }
        kinds
    }

    /// Times that an instance read what news had not brought.
    pub fn reads(&self) -> u64 {
        self.reads.values().sum()
    }

    /// From each healing until the instances concerned acknowledged a post that was begun after it and delivered an
    /// event: median and longest, by kind.
    pub fn recoveries(&self) -> BTreeMap<FaultKind, (Micros, Micros)> {
        let mut taken: BTreeMap<FaultKind, Vec<Micros>> = BTreeMap::new();
        let mut posts = vec![Vec::new(); INSTANCES];
        for (began, at, instance) in &self.posts_done {
            posts[*instance].push((*began, *at));
        }
        let mut heard = vec![Vec::new(); INSTANCES];
        for (at, instance) in &self.heard {
            heard[*instance].push(*at);
        }
        for instance in 0..INSTANCES {
            posts[instance].sort_unstable();
            heard[instance].sort_unstable();
        }
        for fault in self.faults.values() {
            let Some(healed) = fault.healed else { continue };
            let concerned = fault.instance.map_or(0..INSTANCES, |instance| instance..instance + 1);
            let took = concerned.map(|instance| {
                let begun_after = posts[instance].partition_point(|(began, _)| *began < healed);
                let posted = posts[instance][begun_after..].iter().take(200).map(|(_, at)| at - healed).min();
                let heard_after = heard[instance].partition_point(|at| *at < healed);
                let told = heard[instance].get(heard_after).map(|at| at - healed);
                posted.unwrap_or(LONGEST_RECOVERY).max(told.unwrap_or(LONGEST_RECOVERY))
            });
            taken.entry(fault.kind).or_default().push(took.max().unwrap_or_default().min(LONGEST_RECOVERY));
        }
        taken
            .into_iter()
            .map(|(kind, mut taken)| {
                taken.sort_unstable();
                (kind, (taken[taken.len() / 2], taken[taken.len() - 1]))
            })
            .collect()
    }
}

//! Latencies, with and without active faults, recoveries and resource usage.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hdrhistogram::Histogram;

use super::ledger::Ledger;
use super::streams::pos_of;
use super::truth::{LogEvent, Truth};
use crate::history::{Micros, Record};
use crate::schedule::{FaultKind, INSTANCES};

/// Time for which a fault counts as active after it was healed.
const AFTERMATH: Micros = 2_000_000;
/// Delay from which the latency of an event is also recorded separately.
const LATE: Micros = 100_000;
/// Maximum recorded time of a recovery.
const MAX_RECOVERY: Micros = 30_000_000;

/// Returns a histogram of microseconds, up to a minute, with three significant digits.
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

/// A sample of an instance's resource usage.
#[derive(Debug, Clone, Copy)]
pub struct Resources {
    pub rss_kib: u64,
    pub descriptors: u64,
    pub threads: u64,
    pub tasks: u64,
}

/// Latencies with and without active faults.
#[derive(Debug)]
pub struct ByCondition {
    pub calm: Histogram<u64>,
    pub faults: Histogram<u64>,
}

impl Default for ByCondition {
    fn default() -> Self {
        Self { calm: histogram(), faults: histogram() }
    }
}

impl ByCondition {
    fn record(&mut self, is_calm: bool, time: Micros) {
        let histogram = if is_calm { &mut self.calm } else { &mut self.faults };
        histogram.saturating_record(time);
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Timing {
    wall: i64,
    faults: BTreeMap<u32, Fault>,
    /// Times at which this machine was busy with other programs.
    stalls: BTreeSet<Micros>,
    pub stalled_for: Micros,
    pub restarts: u64,
    /// Instance and start of each stream.
    instance_of: HashMap<u32, (usize, Micros)>,
    /// Slow readers, whose latencies do not count.
    slow: BTreeSet<u32>,
    /// Start, end and instance of each acknowledged submit.
    acknowledged: Vec<(Micros, Micros, usize)>,
    /// Time and instance of each delivered event.
    delivered: Vec<(Micros, usize)>,
    pub posts: ByCondition,
    pub deliveries: ByCondition,
    pub late: Option<Histogram<u64>>,
    reads: HashMap<(usize, u32), u64>,
    pub first_resources: HashMap<usize, Resources>,
    pub last_resources: HashMap<usize, Resources>,
    pub streams_left: HashMap<usize, u64>,
    pub stale_presence: Option<u64>,
}

impl Timing {
    /// First pass: collects the times of faults and stalls.
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
            Record::Stall { at, late } => {
                self.stalls.insert(*at);
                self.stalled_for += late;
            }
            Record::Restarted { .. } => self.restarts += 1,
            _ => {}
        }
    }

    /// Second pass: records latencies.
    pub fn note(&mut self, record: &Record, truth: &Truth, ledger: &Ledger) {
        match record {
            Record::Answer { began, at, instance, status: 200..=299, .. } => {
                self.posts.record(self.is_calm(*began, *at), at - began);
                self.acknowledged.push((*began, *at, *instance));
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
                // Events that were committed before the stream was opened are replayed.
                if committed < opened || !matches!(row.event, LogEvent::Posted { .. } | LogEvent::Direct { .. }) {
                    return;
                }
                self.delivered.push((*at, instance));
                let took = at.saturating_sub(committed).max(1);
                let is_calm = self.is_calm(committed, *at) && ledger.acknowledged_at.contains_key(&pos);
                self.deliveries.record(is_calm, took);
                if took > LATE {
                    self.late.get_or_insert_with(histogram).saturating_record(took);
                }
            }
            Record::Resources { instance, pid, rss_kib, descriptors, threads, tasks, reads, streams, .. } => {
                let now = Resources { rss_kib: *rss_kib, descriptors: *descriptors, threads: *threads, tasks: *tasks };
                self.first_resources.entry(*instance).or_insert(now);
                self.last_resources.insert(*instance, now);
                self.streams_left.insert(*instance, *streams);
                self.reads.insert((*instance, *pid), *reads);
            }
            Record::StalePresence { millis } => self.stale_presence = Some(*millis),
            _ => {}
        }
    }

    /// Returns whether no fault was active in this interval or shortly before, and this machine did not stall.
    pub fn is_calm(&self, from: Micros, to: Micros) -> bool {
        let has_stalled = self.stalls.range(from.saturating_sub(AFTERMATH)..=to.max(from)).next().is_some();
        let is_active =
            |fault: &Fault| fault.began <= to && fault.healed.is_none_or(|healed| healed + AFTERMATH >= from);
        !has_stalled && !self.faults.values().any(is_active)
    }

    pub fn by_kind(&self) -> BTreeMap<FaultKind, u64> {
        let mut kinds = BTreeMap::new();
        for fault in self.faults.values() {
            *kinds.entry(fault.kind).or_default() += 1;
        }
        kinds
    }

    /// Returns the number of reads by which instances caught up on missed news.
    pub fn reads(&self) -> u64 {
        self.reads.values().sum()
    }

    /// Returns the median and maximum recovery by kind of fault: the time from the healing until each affected instance
    /// has acknowledged a post that began later, and has delivered an event.
    pub fn recoveries(&self) -> BTreeMap<FaultKind, (Micros, Micros)> {
        let mut taken: BTreeMap<FaultKind, Vec<Micros>> = BTreeMap::new();
        let mut posts = vec![Vec::new(); INSTANCES];
        for (began, at, instance) in &self.acknowledged {
            posts[*instance].push((*began, *at));
        }
        let mut delivered = vec![Vec::new(); INSTANCES];
        for (at, instance) in &self.delivered {
            delivered[*instance].push(*at);
        }
        for instance in 0..INSTANCES {
            posts[instance].sort_unstable();
            delivered[instance].sort_unstable();
        }
        for fault in self.faults.values() {
            let Some(healed) = fault.healed else { continue };
            let concerned = fault.instance.map_or(0..INSTANCES, |instance| instance..instance + 1);
            let took = concerned.map(|instance| {
                let begun_after = posts[instance].partition_point(|(began, _)| *began < healed);
                let posted = posts[instance][begun_after..].iter().take(200).map(|(_, at)| at - healed).min();
                let delivered_after = delivered[instance].partition_point(|at| *at < healed);
                let first = delivered[instance].get(delivered_after).map(|at| at - healed);
                posted.unwrap_or(MAX_RECOVERY).max(first.unwrap_or(MAX_RECOVERY))
            });
            taken.entry(fault.kind).or_default().push(took.max().unwrap_or_default().min(MAX_RECOVERY));
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

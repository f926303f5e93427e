//! Runs that were read, are being read, or are waited for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::run::{Events, Outcome, Run};
use crate::event::Topic;
use crate::id::Pos;
use crate::realtime::ring::Entry;
use crate::store::log::replay::Request;

/// Maximum bytes of cached runs: without it, the longest messages would take gigabytes.
pub const MOST_BYTES: usize = if cfg!(test) { 20_000 } else { 32 << 20 }; // in tests, a few runs
/// Maximum number of cached runs: what thousands of users who resume together need.
const MOST_RUNS: usize = 4096;
/// Maximum work of one query, by [`weight`]: some 10 ms. 10,000 users who resume together need 40 queries.
const BUDGET: usize = 256;
/// Number of runs of a topic that are checked for a position.
const LOOK_BACK: usize = 8;

/// See the [module](self). A run may be used while it is listed here: a run whose events may have changed is removed. So
/// a run that a reader holds is never evicted, or its change would go unnoticed.
#[derive(Debug, Default)]
pub struct Cache {
    runs: BTreeMap<Key, Arc<Run>>,
    /// Runs that are waited for and not yet being read, in the order of request.
    queue: VecDeque<Arc<Run>>,
    /// Counts uses.
    clock: u64,
    /// Newest position that is known to be committed and applied here: reads extend to it.
    head: Pos,
}

type Key = (Topic, Pos, i32);

/// One query.
#[derive(Debug)]
pub struct Flight {
    pub runs: Vec<Arc<Run>>,
    /// Number of runs, the first ones, that are read in any case.
    pub own: usize,
    pub upto: Pos,
}

impl Cache {
    /// Returns the runs that a reader at `after` needs, listed and perhaps not yet read. `head`: see [`Cache::head`].
    pub fn join(&mut self, requests: &[Request], after: Pos, head: Pos) -> Vec<Arc<Run>> {
        self.head = self.head.max(head);
        self.clock += 1;
        requests.iter().map(|request| self.join_one(*request, after)).collect()
    }

    fn join_one(&mut self, request: Request, after: Pos) -> Arc<Run> {
        let bounds = (request.topic, Pos(i64::MIN), 0)..=(request.topic, after, i32::MAX);
        let mut earlier = self.runs.range(bounds).rev().take(LOOK_BACK);
        if let Some((_, run)) = earlier.find(|(_, run)| run.covers(after)) {
            run.used.store(self.clock, Relaxed);
            return Arc::clone(run);
        }
        let listed = self.runs.get(&key(&request));
        if let Some(run) = listed.filter(|run| !run.is_over()) {
            return Arc::clone(run);
        }
        // Replaces one that ends before `after`: the log has grown since.
        let run = Arc::new(Run::new(request));
        run.used.store(self.clock, Relaxed);
        self.runs.insert(key(&request), Arc::clone(&run));
        self.queue.push_back(Arc::clone(&run));
        run
    }

    /// Returns whether all of these runs may be used by a reader at `after`.
    pub fn are_usable(&self, runs: &[Arc<Run>], after: Pos) -> bool {
        runs.iter().all(|run| self.lists(run) && run.covers(after))
    }

    fn lists(&self, run: &Arc<Run>) -> bool {
        self.runs.get(&key(&run.request)).is_some_and(|listed| Arc::ptr_eq(listed, run))
    }

    /// Chooses what the next query reads: `own`, and what others have waited for longest if `with_others`. Returns
    /// `None` if one of `own` is being read now; once that is done, call again.
    pub fn claim(&mut self, own: &[Arc<Run>], with_others: bool) -> Option<Flight> {
        let own: Vec<_> = own.iter().filter(|run| !run.is_over()).collect();
        if own.iter().any(|run| run.is_flying.load(Relaxed)) {
            for run in own {
                run.is_reserved.store(true, Relaxed);
            }
            return None;
        }
        let mut runs: Vec<Arc<Run>> = own.into_iter().cloned().collect();
        let own = runs.len();
        let mut used: usize = runs.iter().map(|run| weight(run)).sum();
        for run in &runs {
            run.is_flying.store(true, Relaxed);
        }
        self.queue.retain(|run| !run.is_flying.load(Relaxed));
        let mut kept = VecDeque::new();
        while with_others
            && own > 0
            && used < BUDGET
            && let Some(run) = self.queue.pop_front()
        {
            // Held by the list and by this variable alone: its readers are gone.
            if Arc::strong_count(&run) <= 2 {
                self.runs.remove(&key(&run.request));
            } else if run.is_reserved.load(Relaxed) {
                kept.push_back(run);
            } else {
                used += weight(&run);
                run.is_flying.store(true, Relaxed);
                runs.push(run);
            }
        }
        kept.append(&mut self.queue);
        self.queue = kept;
        Some(Flight { runs, own, upto: self.head })
    }

    /// Takes the result of a query: for each run its events, or `None` if it was not read.
    pub fn land(&mut self, flight: &Flight, mut results: Vec<Option<Events>>, failure: &str) {
        results.resize_with(flight.runs.len(), || None);
        // In reverse, so that runs that were not read are first in the queue, in their order.
        for (number, (run, events)) in flight.runs.iter().zip(results).enumerate().rev() {
            run.is_flying.store(false, Relaxed);
            run.is_reserved.store(false, Relaxed);
            let outcome = match events {
                Some(events) => Outcome::Read(events),
                None if number < flight.own => {
                    if self.lists(run) {
                        self.runs.remove(&key(&run.request));
                    }
                    Outcome::Failed(failure.to_owned())
                }
                None if self.lists(run) => {
                    self.queue.push_front(Arc::clone(run));
                    continue;
                }
                None => Outcome::Dropped,
            };
            run.outcome.set(outcome).expect("a run is in one query at a time");
        }
        self.keep_within_bounds();
    }

    /// Removes the runs that contain an entry for which `concerns` is true, and those being read, which may.
    pub fn strike(&mut self, concerns: impl Fn(&Entry) -> bool) {
        self.runs.retain(|_, run| match run.events() {
            Some(events) => !events.contain(&concerns),
            None => !run.is_flying.load(Relaxed),
        });
    }

    /// Evicts the least recently used runs until the rest is within its bounds, except for those that readers hold.
    fn keep_within_bounds(&mut self) {
        let read = || self.runs.iter().filter(|(_, run)| run.is_over());
        let (mut count, mut bytes) = (read().count(), self.bytes());
        if count <= MOST_RUNS && bytes <= MOST_BYTES {
            return;
        }
        let idle = read().filter(|(_, run)| Arc::strong_count(run) == 1);
        let mut idle: Vec<_> = idle.map(|(key, run)| (run.used.load(Relaxed), *key, run.cost())).collect();
        idle.sort_unstable();
        for (_, key, cost) in idle {
            if count <= MOST_RUNS && bytes <= MOST_BYTES {
                return;
            }
            self.runs.remove(&key);
            count -= 1;
            bytes -= cost;
        }
    }

    pub fn bytes(&self) -> usize {
        self.runs.values().filter(|run| run.is_over()).map(|run| run.cost()).sum()
    }
}

fn key(request: &Request) -> Key {
    (request.topic, request.after, request.most)
}

/// Work of reading a run: a user's is nearly always empty, a room's needs a search.
fn weight(run: &Run) -> usize {
    match run.request.topic {
        Topic::Room(_) | Topic::Lobby => 8,
        Topic::User(_) => 1,
    }
}

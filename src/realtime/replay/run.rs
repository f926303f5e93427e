//! A run: consecutive events of one topic, read for all readers that need them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::SetOnce;

use crate::event::Topic;
use crate::id::Pos;
use crate::realtime::ring::Entry;
use crate::store::log::replay::{Found, Part, Request};

/// Positions at which runs of a room or the lobby begin: multiples of this, so that readers with nearly the same cursor
/// share them.
pub const GRID: i64 = if cfg!(test) { 4 } else { 256 }; // small enough for tests to cross
/// The same for a reader of a hundred rooms, whose runs are shorter.
const FINEST_GRID: i64 = GRID / 16;
/// Number of rooms whose runs have the full length in one read.
const FEW_ROOMS: usize = 4;
/// Maximum number of events in a user's run. It begins exactly at the reader's position: few streams share it.
const MOST_OF_USER: i32 = if cfg!(test) { 3 } else { 128 };
/// Fixed cost of a run in bytes: an empty one takes memory too.
const FIXED_COST: usize = 256;

/// See the [module](self).
#[derive(Debug)]
pub struct Run {
    pub request: Request,
    pub outcome: SetOnce<Outcome>,
    /// A query that includes this run is under way. This and the fields below change under the cache's lock.
    pub is_flying: AtomicBool,
    /// A reader whose turn it is will read this run.
    pub is_reserved: AtomicBool,
    /// Time of last use, in counted uses of the cache.
    pub used: AtomicU64,
}

/// Result of reading a run.
#[derive(Debug)]
pub enum Outcome {
    Read(Events),
    Failed(String),
    /// Events may have changed during the read, and nothing was read.
    Dropped,
}

/// The events of a run, up to a position.
#[derive(Debug)]
pub struct Events {
    entries: Box<[Entry]>,
    pub upto: Pos,
    /// Memory cost in bytes.
    cost: usize,
}

impl Events {
    fn new(entries: Box<[Entry]>, upto: Pos) -> Self {
        let cost = entries.iter().map(Entry::cost).sum();
        Self { entries, upto, cost }
    }

    pub fn contain(&self, concerns: impl Fn(&Entry) -> bool) -> bool {
        self.entries.iter().any(concerns)
    }
}

/// All events of a reader's topics after its position, up to a position.
#[derive(Debug)]
pub struct Stretch {
    /// Ascending, each once.
    pub entries: Vec<Entry>,
    pub upto: Pos,
}

impl Run {
    pub fn new(request: Request) -> Self {
        Self {
            request,
            outcome: SetOnce::new(),
            is_flying: AtomicBool::new(false),
            is_reserved: AtomicBool::new(false),
            used: AtomicU64::new(0),
        }
    }

    pub fn is_over(&self) -> bool {
        self.outcome.initialized()
    }

    pub fn events(&self) -> Option<&Events> {
        match self.outcome.get() {
            Some(Outcome::Read(events)) => Some(events),
            _ => None,
        }
    }

    pub fn failure(&self) -> Option<&str> {
        match self.outcome.get() {
            Some(Outcome::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// Returns whether this run has the events that follow `after`, or that there are none up to a later position.
    pub fn covers(&self, after: Pos) -> bool {
        self.request.after <= after && self.events().is_some_and(|events| events.upto > after)
    }

    /// Memory cost in bytes.
    pub fn cost(&self) -> usize {
        FIXED_COST + self.events().map_or(0, |events| events.cost)
    }
}

/// Returns what a reader at `after` needs to read.
pub fn requests(topics: &[Topic], after: Pos) -> Vec<Request> {
    let rooms = topics.iter().filter(|topic| matches!(topic, Topic::Room(_))).count();
    let grid = grid(rooms);
    let begin = Pos(after.0 - after.0.rem_euclid(grid));
    // A grid cell has fewer events than a run, so a run extends beyond every position of the cell at which it begins.
    let most = i32::try_from(2 * grid).expect("a grid is a few hundred positions wide");
    let request = |&topic: &Topic| match topic {
        Topic::Room(_) | Topic::Lobby => Request { topic, after: begin, most },
        Topic::User(_) => Request { topic, after, most: MOST_OF_USER },
    };
    topics.iter().map(request).collect()
}

/// Returns the grid of a reader of this many rooms: one that reads many gets less of each, so that no read is much
/// larger than that of few rooms.
fn grid(rooms: usize) -> i64 {
    let rooms = i64::try_from(rooms.div_ceil(FEW_ROOMS).max(1).next_power_of_two()).unwrap_or(i64::MAX);
    (GRID / rooms).max(FINEST_GRID).max(1)
}

/// Divides the result of a read into runs: one for each request, `None` if its topic was not read.
pub fn divide(epoch: &str, found: &Found) -> Vec<Option<Events>> {
    let entries: HashMap<Pos, Entry> = found.events.iter().map(|event| (event.pos, Entry::new(epoch, event))).collect();
    let events = |part: &Part| {
        let entries = part.positions.iter().filter_map(|pos| entries.get(pos).cloned());
        Events::new(entries.collect(), part.upto)
    };
    found.parts.iter().map(|part| part.as_ref().map(events)).collect()
}

/// Joins the events of all of a reader's topics, from `after` up to the end of the shortest run, or to `most`.
pub fn join<'a>(runs: impl Iterator<Item = &'a Events> + Clone, after: Pos, most: Pos) -> Stretch {
    let upto = runs.clone().map(|events| events.upto).fold(most, Pos::min);
    let mut entries = Vec::new();
    for Events { entries: of_topic, .. } in runs {
        let begin = of_topic.partition_point(|entry| entry.pos <= after);
        let end = of_topic.partition_point(|entry| entry.pos <= upto);
        entries.extend_from_slice(of_topic.get(begin..end).unwrap_or_default());
    }
    entries.sort_by_key(|entry| entry.pos);
    entries.dedup_by_key(|entry| entry.pos);
    Stretch { entries, upto }
}

/// Reads a stretch from a list of events as [`Replay`](super::Replay) does from the log, for simulations.
#[cfg(test)]
pub fn stretch(
    log: &[crate::event::Event],
    epoch: &str,
    filter: &super::ReplayFilter,
    after: Pos,
    head: Pos,
) -> Stretch {
    let (topics, most) = filter.topics(after);
    let found = crate::realtime::log::memory::find(log, &requests(&topics, after), head);
    let runs: Vec<Events> = divide(epoch, &found).into_iter().flatten().collect();
    join(runs.iter(), after, most)
}

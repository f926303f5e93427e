//! The ordering gate: takes news that may be missing, duplicate, early or late, and releases events in order of
//! position.
//!
//! Pure: it has no clock (the time is an argument), no socket and no database. It decides which events may be applied
//! and which must be read from the log; [`super::applier`] does both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::id::Pos;

/// Time to wait for late news before a gap is read from the log. Batches of two writers overtake each other by less
/// than the time of a commit; news that takes longer is considered lost, and reading it costs one query.
pub const HOLD: Duration = Duration::from_millis(30);

/// Maximum number of events kept beyond a gap. Further ones are dropped, because they can be read from the log after
/// the gap: this bounds the gate's memory while the database is unavailable.
const MOST_EARLY: usize = 10_000;

/// Action required before the next event can be released.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Want {
    /// None: all known events were released.
    Nothing,
    /// A gap is younger than [`HOLD`]: ask again at this time.
    Wait(Instant),
    /// Read `(after, ..=upto]` from the log.
    Read { after: Pos, upto: Pos },
}

/// See the [module](self).
#[derive(Debug)]
pub struct Gate {
    /// Position up to which events have been released.
    passed: Pos,
    /// The greatest position known to be committed.
    head: Pos,
    /// Events beyond the gap.
    early: BTreeMap<Pos, Event>,
    /// Time since which an event is known to be missing.
    gap_since: Option<Instant>,
}

impl Gate {
    /// Makes a gate that has released everything up to `passed`.
    pub const fn new(passed: Pos) -> Self {
        Self { passed, head: passed, early: BTreeMap::new(), gap_since: None }
    }

    /// Returns the position up to which events have been released.
    pub const fn passed(&self) -> Pos {
        self.passed
    }

    /// Takes a committed event. Drops it if its position has already been released.
    pub fn offer(&mut self, event: Event, now: Instant) {
        if event.pos <= self.passed {
            return;
        }
        self.saw_head(event.pos, now);
        if self.early.len() < MOST_EARLY || event.pos == self.passed.next() {
            self.early.insert(event.pos, event);
        }
    }

    /// Records that the log has reached at least this position.
    pub fn saw_head(&mut self, head: Pos, now: Instant) {
        if head > self.head {
            self.head = head;
        }
        if self.head > self.passed {
            self.gap_since.get_or_insert(now);
        }
    }

    /// Takes a head that was read from the log after all news so far. News of later positions was therefore wrong: it
    /// is dropped and not waited for.
    pub fn trust_head(&mut self, head: Pos, now: Instant) {
        self.head = head.max(self.passed);
        self.early.split_off(&head.next());
        self.gap_since = None;
        self.saw_head(head, now);
    }

    /// Records that the log has reached this position and that its event will not arrive as news: reads at once.
    pub fn demand(&mut self, head: Pos, now: Instant) {
        self.saw_head(head, now);
        if self.gap_since.is_some() {
            self.gap_since = Some(now.checked_sub(HOLD).unwrap_or(now));
        }
    }

    /// Returns whether [`pop`](Self::pop) would return an event.
    pub fn has_next(&self) -> bool {
        self.early.contains_key(&self.passed.next())
    }

    /// Releases the next event in order, if it has arrived.
    pub fn pop(&mut self, now: Instant) -> Option<Event> {
        let event = self.early.remove(&self.passed.next())?;
        self.passed = event.pos;
        // The time to wait starts anew for a later gap.
        self.gap_since = (self.head > self.passed).then_some(now);
        Some(event)
    }

    /// Returns the number of events behind a missing one. Call it when [`pop`](Self::pop) returns nothing more.
    pub fn waiting(&self) -> usize {
        self.early.len()
    }

    /// Returns the number of positions that are known to be committed and were not released.
    pub const fn lag(&self) -> i64 {
        self.head.0 - self.passed.0
    }

    /// Returns the required action. Call it when [`pop`](Self::pop) returns nothing more.
    pub fn want(&self, now: Instant) -> Want {
        let Some(since) = self.gap_since else { return Want::Nothing };
        let patience_ends = since + HOLD;
        if now < patience_ends {
            return Want::Wait(patience_ends);
        }
        // Up to the end of the last gap: one read closes all known gaps. If several instances post and their news does
        // not arrive, there is a gap before each batch of our own; new gaps would open faster than they are read one
        // by one.
        let mut upto = self.head;
        for pos in self.early.keys().rev() {
            if *pos != upto {
                break;
            }
            upto = upto.previous();
        }
        Want::Read { after: self.passed, upto }
    }

    #[cfg(test)]
    pub fn early_positions(&self) -> Vec<Pos> {
        self.early.keys().copied().collect()
    }

    /// Switches to a new history at `passed`: no event of the old one is released any more.
    pub fn restart(&mut self, passed: Pos) {
        *self = Self::new(passed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;

    use super::*;

    fn event(pos: i64) -> Event {
        Event::silent(Pos(pos), OffsetDateTime::UNIX_EPOCH, "sessions.ended")
    }

    fn drain(gate: &mut Gate, now: Instant) -> Vec<i64> {
        std::iter::from_fn(|| gate.pop(now)).map(|event| event.pos.0).collect()
    }

    #[test]
    fn a_gap_is_waited_for_and_then_read() {
        let now = Instant::now();
        let mut gate = Gate::new(Pos(5));
        gate.offer(event(8), now);
        assert_eq!(drain(&mut gate, now), Vec::<i64>::new());
        assert_eq!(gate.want(now), Want::Wait(now + HOLD));
        assert_eq!(gate.want(now + HOLD), Want::Read { after: Pos(5), upto: Pos(7) });
        gate.offer(event(6), now);
        gate.offer(event(7), now);
        assert_eq!(drain(&mut gate, now), [6, 7, 8]);
        assert_eq!(gate.want(now + HOLD), Want::Nothing);
    }

    #[test]
    fn one_read_closes_all_gaps() {
        let now = Instant::now();
        let mut gate = Gate::new(Pos(5));
        for pos in [7, 8, 10, 13, 14] {
            gate.offer(event(pos), now);
        }
        assert_eq!(gate.want(now + HOLD), Want::Read { after: Pos(5), upto: Pos(12) });
    }

    #[test]
    fn a_demand_is_read_at_once() {
        let now = Instant::now() + HOLD;
        let mut gate = Gate::new(Pos(5));
        gate.demand(Pos(6), now);
        assert_eq!(gate.want(now), Want::Read { after: Pos(5), upto: Pos(6) });
    }

    #[test]
    fn news_beyond_the_logs_head_is_dropped() {
        let now = Instant::now() + HOLD;
        let mut gate = Gate::new(Pos(5));
        gate.demand(Pos(1_000_000), now);
        gate.offer(event(2_000_000), now);
        gate.trust_head(Pos(5), now);
        assert_eq!(gate.want(now), Want::Nothing);
        gate.offer(event(6), now);
        assert_eq!(drain(&mut gate, now), [6]);
        assert_eq!(gate.want(now), Want::Nothing);
    }

    #[test]
    fn a_released_event_that_repeats_causes_no_read() {
        let now = Instant::now();
        let mut gate = Gate::new(Pos(5));
        gate.offer(event(3), now);
        gate.saw_head(Pos(5), now);
        assert_eq!(gate.want(now + HOLD), Want::Nothing);
    }

    proptest! {
        /// With lost, duplicate and reordered news, every position is released once, in order, as long as reads
        /// succeed.
        #[test]
        fn every_position_is_released_once_in_order(
            news in prop::collection::vec((1_i64..60, any::<bool>()), 0..200),
            head in 60_i64..70,
        ) {
            let mut now = Instant::now();
            let mut gate = Gate::new(Pos(0));
            let mut left = Vec::new();
            for (pos, lost) in news {
                if !lost {
                    gate.offer(event(pos), now);
                }
                left.extend(drain(&mut gate, now));
                now += Duration::from_millis(7);
                if let Want::Read { after, upto } = gate.want(now) {
                    prop_assert!(after < upto);
                    for pos in after.0 + 1..=upto.0 {
                        gate.offer(event(pos), now);
                    }
                    left.extend(drain(&mut gate, now));
                }
            }
            gate.saw_head(Pos(head), now);
            now += HOLD;
            while let Want::Read { after, upto } = gate.want(now) {
                for pos in after.0 + 1..=upto.0 {
                    gate.offer(event(pos), now);
                }
                left.extend(drain(&mut gate, now));
                now += HOLD;
            }
            prop_assert_eq!(left, (1..=head).collect::<Vec<_>>());
        }
    }
}

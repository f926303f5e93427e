//! The ordering gate: news arrives lost, doubled, early or late, and leaves strictly by position.
//!
//! Pure: it has no clock (the time is an argument), no socket and no database. It says what may be applied
//! and what must be read; [`super::applier`] does both.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::id::Pos;

/// How long a gap may be news that is merely late. Batches of two writers pass each other by less than a
/// commit; what takes longer is lost, and reading it costs one query.
pub const HOLD: Duration = Duration::from_millis(30);

/// Events waiting beyond a gap. More than this are forgotten, because the read that closes the gap brings
/// them anyway: the gate's memory is bounded however long the database is away.
const MOST_EARLY: usize = 10_000;

/// What the gate needs before it can go on.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Want {
    /// Nothing: everything known was passed on.
    Nothing,
    /// A gap is still within [`HOLD`]: ask again at this moment.
    Wait(Instant),
    /// Read `(after, ..=upto]` from the log.
    Read { after: Pos, upto: Pos },
}

/// See the [module](self).
#[derive(Debug)]
pub struct Gate {
    /// Everything up to here has left the gate.
    passed: Pos,
    /// The greatest position known to be committed.
    head: Pos,
    /// Events beyond the gap.
    early: BTreeMap<Pos, Event>,
    /// Since when something is known to be missing.
    gap_since: Option<Instant>,
}

impl Gate {
    /// A gate through which everything up to `passed` has already gone.
    pub const fn new(passed: Pos) -> Self {
        Self { passed, head: passed, early: BTreeMap::new(), gap_since: None }
    }

    /// Everything up to here has left the gate.
    pub const fn passed(&self) -> Pos {
        self.passed
    }

    /// News of a committed event. What already passed is a repeat and is dropped.
    pub fn offer(&mut self, event: Event, now: Instant) {
        if event.pos <= self.passed {
            return;
        }
        self.saw_head(event.pos, now);
        if self.early.len() < MOST_EARLY || event.pos == self.passed.next() {
            self.early.insert(event.pos, event);
        }
    }

    /// The log has come at least this far.
    pub fn saw_head(&mut self, head: Pos, now: Instant) {
        if head > self.head {
            self.head = head;
        }
        if self.head > self.passed {
            self.gap_since.get_or_insert(now);
        }
    }

    /// The log itself says how far it has come. It was asked after all that was heard so far, and so whatever
    /// claimed more was wrong: that is neither waited for nor passed on.
    pub fn trust_head(&mut self, head: Pos, now: Instant) {
        self.head = head.max(self.passed);
        self.early.split_off(&head.next());
        self.gap_since = None;
        self.saw_head(head, now);
    }

    /// The log has come this far, and the event will not arrive as news: read without waiting.
    pub fn demand(&mut self, head: Pos, now: Instant) {
        self.saw_head(head, now);
        if self.gap_since.is_some() {
            self.gap_since = Some(now.checked_sub(HOLD).unwrap_or(now));
        }
    }

    /// Whether [`pop`](Self::pop) has something.
    pub fn has_next(&self) -> bool {
        self.early.contains_key(&self.passed.next())
    }

    /// The next event in order, if it is here.
    pub fn pop(&mut self, now: Instant) -> Option<Event> {
        let event = self.early.remove(&self.passed.next())?;
        self.passed = event.pos;
        // A later gap is another gap, with a patience of its own.
        self.gap_since = (self.head > self.passed).then_some(now);
        Some(event)
    }

    /// Events that wait behind a missing one, once [`pop`](Self::pop) has nothing more.
    pub fn waiting(&self) -> usize {
        self.early.len()
    }

    /// Positions that are known to be committed and did not pass.
    pub const fn lag(&self) -> i64 {
        self.head.0 - self.passed.0
    }

    /// What is missing, once [`pop`](Self::pop) has nothing more.
    pub fn want(&self, now: Instant) -> Want {
        let Some(since) = self.gap_since else { return Want::Nothing };
        let patience_ends = since + HOLD;
        if now < patience_ends {
            return Want::Wait(patience_ends);
        }
        // Up to the end of the last hole: one read closes all that are known. With several instances posting and news
        // away, there is a hole before each batch of our own; reading them one by one is slower than they come.
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

    /// Another history begins at `passed`: nothing of the old one may come through.
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
    fn a_gap_is_held_then_read() {
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
    fn one_read_closes_all_holes() {
        let now = Instant::now();
        let mut gate = Gate::new(Pos(5));
        for pos in [7, 8, 10, 13, 14] {
            gate.offer(event(pos), now);
        }
        assert_eq!(gate.want(now + HOLD), Want::Read { after: Pos(5), upto: Pos(12) });
    }

    #[test]
    fn a_demand_does_not_wait() {
        let now = Instant::now() + HOLD;
        let mut gate = Gate::new(Pos(5));
        gate.demand(Pos(6), now);
        assert_eq!(gate.want(now), Want::Read { after: Pos(5), upto: Pos(6) });
    }

    #[test]
    fn a_claim_beyond_the_log_is_not_waited_for() {
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
    fn a_repeat_of_the_past_asks_for_nothing() {
        let now = Instant::now();
        let mut gate = Gate::new(Pos(5));
        gate.offer(event(3), now);
        gate.saw_head(Pos(5), now);
        assert_eq!(gate.want(now + HOLD), Want::Nothing);
    }

    proptest! {
        /// Whatever is lost, doubled or reordered on the way, every position leaves once, in order, as long
        /// as reads answer.
        #[test]
        fn every_position_leaves_once_in_order(
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

//! Log lines of refused requests, so many a second of each status: a flood is seen in the log and does not fill the disk.
//! Every refusal is counted, whether or not it is logged.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second for one status.
const MOST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);
/// Statuses from 400 on; any other shares the last place.
const STATUSES: usize = 200;

/// Guards the counts of the present period. Held for an addition, by requests that are refused.
static LINES: Mutex<[Count; STATUSES]> = Mutex::new([Count { since: None, logged: 0, left_out: 0 }; STATUSES]);

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

/// The decision about one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Log it, and how many were left out since the last line of this status.
    Log { left_out: u64 },
    /// It is counted, and that is enough.
    LeaveOut,
}

/// Decides if a refusal with this status is logged.
pub fn line(status: u16, now: Instant) -> Line {
    let place = usize::from(status.saturating_sub(400)).min(STATUSES - 1);
    let line = LINES.lock().unwrap_or_else(PoisonError::into_inner)[place].line(now);
    if line == Line::LeaveOut {
        metrics::counter!("gapless_refusals_unlogged_total").increment(1);
    }
    line
}

impl Count {
    fn line(&mut self, now: Instant) -> Line {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            (self.since, self.logged) = (Some(now), 0);
        }
        if self.logged >= MOST {
            self.left_out += 1;
            return Line::LeaveOut;
        }
        self.logged += 1;
        Line::Log { left_out: std::mem::take(&mut self.left_out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_ten_lines_a_second_and_says_how_many_were_left_out() {
        let now = Instant::now();
        let mut count = Count { since: None, logged: 0, left_out: 0 };
        let logged = (0..1_000).filter(|_| count.line(now) != Line::LeaveOut).count();
        assert_eq!(logged, 10);
        assert_eq!(count.line(now + PERIOD), Line::Log { left_out: 990 });
        assert_eq!(count.line(now + PERIOD), Line::Log { left_out: 0 });
    }
}

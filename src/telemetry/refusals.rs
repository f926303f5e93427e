//! Rate-limited log lines of refused requests, per status: a flood is visible in the log and does not fill the disk.
//! Every refusal is counted in the metrics, whether or not it is logged.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum lines per second for one status.
const MOST: u32 = 10;
const PERIOD: Duration = Duration::from_secs(1);
/// Statuses from 400 on; all others share the last slot.
const STATUSES: usize = 200;

/// Counts of the current period. Locked briefly by refused requests.
static LINES: Mutex<[Count; STATUSES]> = Mutex::new([Count { since: None, logged: 0, left_out: 0 }; STATUSES]);

#[derive(Debug, Clone, Copy)]
struct Count {
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

/// Decision about one refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Log it, with the number of lines omitted since the last one of this status.
    Log { left_out: u64 },
    /// Do not log it; it is counted anyway.
    LeaveOut,
}

/// Decides whether a refusal with this status is logged.
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

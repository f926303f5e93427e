//! Bytes that may be sent to each of the streams that hear of all rooms.

use std::time::{Duration, Instant};

/// Bytes per second.
pub const RATE: u64 = 64;
/// Saved-up bytes at most: a quiet chat tells some heads at once.
const MOST: u64 = 1_000;

/// A token bucket.
#[derive(Debug)]
pub struct Budget {
    /// In thousandths of a byte, so that short intervals count.
    left: u64,
    refilled_at: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST * 1_000, refilled_at: None }
    }
}

impl Budget {
    pub fn refill(&mut self, now: Instant) {
        let since = self.refilled_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        if self.refilled_at.is_none() || millis > 0 {
            self.refilled_at = Some(now);
            self.left = (MOST * 1_000).min(self.left.saturating_add(millis.saturating_mul(RATE)));
        }
    }

    /// Takes these bytes if they are there.
    pub fn take(&mut self, bytes: usize) -> bool {
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000);
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

//! The number of faults that are active now.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::history::{History, Micros};

/// See the [module](self).
#[derive(Debug, Default)]
pub struct ActiveFaults {
    count: AtomicUsize,
    /// Time of the last change of the count.
    changed: AtomicU64,
}

impl ActiveFaults {
    pub fn begin(&self, history: &History) {
        self.changed.store(history.now(), Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    pub fn end(&self, history: &History) {
        self.changed.store(history.now(), Ordering::SeqCst);
        self.count.fetch_sub(1, Ordering::SeqCst);
    }

    /// Returns whether no fault has been active for `micros`.
    pub fn none_for(&self, history: &History, micros: Micros) -> bool {
        self.count.load(Ordering::SeqCst) == 0
            && history.now().saturating_sub(self.changed.load(Ordering::SeqCst)) >= micros
    }
}

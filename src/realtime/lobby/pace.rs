//! Limits how often a change of a room is passed on.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::id::RoomId;

/// Rooms that changed, each due at once after a rest of an interval, and otherwise at the end of the rest. The cost of a
/// call depends on the rooms that are due, not on how many there are.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    rooms: HashMap<RoomId, State>,
    due: Vec<RoomId>,
    /// In the order in which their rests end.
    resting: VecDeque<(Instant, RoomId)>,
}

#[derive(Debug)]
enum State {
    Due,
    Resting { has_changed: bool },
}

impl Pace {
    pub fn new(interval: Duration) -> Self {
        Self { interval, rooms: HashMap::new(), due: Vec::new(), resting: VecDeque::new() }
    }

    /// Records a change. Returns true if the room is due because of it.
    pub fn changed(&mut self, room: RoomId) -> bool {
        match self.rooms.get_mut(&room) {
            Some(State::Due) => false,
            Some(State::Resting { has_changed }) => {
                *has_changed = true;
                false
            }
            None => {
                self.rooms.insert(room, State::Due);
                self.due.push(room);
                true
            }
        }
    }

    /// Returns the rooms that are due; each rests from now on.
    pub fn due(&mut self, now: Instant) -> Vec<RoomId> {
        while let Some((_, room)) = self.resting.pop_front_if(|(until, _)| *until <= now) {
            if let Some(State::Resting { has_changed: true }) = self.rooms.remove(&room) {
                self.changed(room);
            }
        }
        let due = std::mem::take(&mut self.due);
        for &room in &due {
            self.rooms.insert(room, State::Resting { has_changed: false });
            self.resting.push_back((now + self.interval, room));
        }
        due
    }
}

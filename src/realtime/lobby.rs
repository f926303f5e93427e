//! Decides when streams hear of rooms that they do not read: a room's newest `seq`, and its online counts.
//!
//! Pure: the time is an argument. A new `seq` is sent at once if the room was quiet, and at most once in [`HEAD_PACE`]
//! if it is busy. Counts are published at most once in [`COUNT_PACE`] for each room; each stream collects them with its
//! heartbeat, at most [`COUNT_BYTES`] at a time. So they cost no wake-up of their own, and as heartbeats of streams have
//! phases of their own, the counts of a room spread over the interval.
//!
//! Streams that do not name the rooms that they follow hear of all of them, within a [`Budget`] of bytes that does not
//! depend on the number of rooms: heads first, then the counts that have waited longest.

mod budget;
mod pace;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::budget::Budget;
use self::pace::Pace;
use super::frame;
use crate::event::Online;
use crate::id::{RoomId, Seq};

/// Minimum interval between two heads of a room.
pub const HEAD_PACE: Duration = Duration::from_secs(1);
/// Minimum interval between two publications of a room's counts.
pub const COUNT_PACE: Duration = Duration::from_secs(15);
/// Maximum bytes of counts with one heartbeat, which comes every 15 seconds: 67 B/s, or 240 KB in an hour.
pub const COUNT_BYTES: usize = 1_000;
/// Interval of marks, and so the age of a list of rooms whose counts a new stream completes.
const MARK_EVERY: Duration = Duration::from_secs(30);
/// Number of rooms whose counts can be told at once to the streams that hear of all: more than the budget allows between
/// two heartbeats.
const MOST_TOLD: usize = 64;

/// Rooms of which a stream hears, and how far it has collected their counts.
#[derive(Debug)]
pub enum Following {
    /// All, from this entry on.
    All {
        collected: u64,
    },
    Rooms(Followed),
}

/// Some rooms. Their counts are collected in turn, beginning with a room that was left out the last time: so every
/// change arrives, however many rooms change.
#[derive(Debug)]
pub struct Followed {
    rooms: Box<[RoomId]>,
    /// The room to look at next.
    next: usize,
    /// Number of the last change when the last complete turn began: later ones may not have been collected.
    last_turn: u64,
    /// The same for the current turn.
    this_turn: u64,
}

/// A room as it was last told.
#[derive(Debug)]
struct Summary {
    /// Encoded once for all streams.
    item: Bytes,
    /// Published counts; `None` to publish them again, changed or not.
    online: Option<Online>,
    /// Number of the last change of the counts.
    changed: u64,
    is_head_queued: bool,
    are_counts_queued: bool,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Lobby {
    heads: Pace,
    counts: Pace,
    rooms: HashMap<RoomId, Summary>,
    /// Number of the last change of counts.
    changes: u64,
    /// The same number at two earlier times, [`MARK_EVERY`] apart.
    marks: [u64; 2],
    marked_at: Option<Instant>,
    /// For streams that hear of all rooms.
    budget: Budget,
    queued_heads: VecDeque<RoomId>,
    queued_counts: VecDeque<RoomId>,
    /// Counts within the budget, and the number of the last entry.
    told: VecDeque<RoomId>,
    told_count: u64,
}

impl Default for Lobby {
    fn default() -> Self {
        Self {
            heads: Pace::new(HEAD_PACE),
            counts: Pace::new(COUNT_PACE),
            rooms: HashMap::new(),
            changes: 0,
            marks: [0; 2],
            marked_at: None,
            budget: Budget::default(),
            queued_heads: VecDeque::new(),
            queued_counts: VecDeque::new(),
            told: VecDeque::new(),
            told_count: 0,
        }
    }
}

impl Lobby {
    /// Starts a stream that knows the current heads, and the counts of a list read up to half a minute before.
    pub fn start(&self, rooms: Option<Vec<RoomId>>) -> Following {
        match rooms {
            None => Following::All { collected: self.told_count },
            Some(rooms) => {
                let [last_turn, _] = self.marks;
                let this_turn = last_turn;
                Following::Rooms(Followed { rooms: rooms.into(), next: 0, last_turn, this_turn })
            }
        }
    }

    /// Returns true if the head can be told at once.
    pub fn head_changed(&mut self, room: RoomId) -> bool {
        self.heads.changed(room)
    }

    pub fn counts_changed(&mut self, room: RoomId) {
        self.counts.changed(room);
    }

    /// Publishes a room's counts again, changed or not.
    pub fn tell_counts_again(&mut self, room: RoomId) {
        if let Some(summary) = self.rooms.get_mut(&room) {
            summary.online = None;
        }
        self.counts.changed(room);
    }

    /// Updates a room's summary, so that nobody receives an older head than a new stream's `hello` has.
    pub fn refresh(&mut self, room: RoomId, head_seq: Seq, online: Online) {
        if let Some(summary) = self.rooms.get_mut(&room) {
            summary.item = frame::lobby_item(room, head_seq, online);
        }
    }

    /// Publishes the counts that are due, and returns the rooms whose heads are. `state` is `None` for archived rooms.
    pub fn due(
        &mut self,
        now: Instant,
        state: impl Fn(RoomId) -> Option<(Seq, Online)>,
        is_heard_of: impl Fn(RoomId) -> bool,
    ) -> Vec<(RoomId, Bytes)> {
        if self.marked_at.is_none_or(|at| now >= at + MARK_EVERY) {
            self.marked_at = Some(now);
            self.marks = [self.marks[1], self.changes];
        }
        for room in self.counts.due(now) {
            let Some((head_seq, online)) = state(room) else { continue };
            let changes = self.changes + 1;
            let summary = self.rooms.entry(room).or_default();
            if summary.online != Some(online) {
                self.changes = changes;
                summary.online = Some(online);
                summary.changed = changes;
                summary.item = frame::lobby_item(room, head_seq, online);
                if !std::mem::replace(&mut summary.are_counts_queued, true) {
                    self.queued_counts.push_back(room);
                }
            }
        }
        let mut due = Vec::new();
        for room in self.heads.due(now) {
            let Some((head_seq, online)) = state(room) else { continue };
            if !is_heard_of(room) {
                self.refresh(room, head_seq, online);
                continue;
            }
            let summary = self.rooms.entry(room).or_default();
            summary.item = frame::lobby_item(room, head_seq, online);
            if !std::mem::replace(&mut summary.is_head_queued, true) {
                self.queued_heads.push_back(room);
            }
            due.push((room, summary.item.clone()));
        }
        due
    }

    /// Returns the heads to send now to the streams that hear of all rooms, and puts counts up for their next
    /// heartbeats. `is_anybody`: there are such streams.
    pub fn due_to_all(&mut self, now: Instant, is_anybody: bool) -> Vec<(RoomId, Bytes)> {
        let mut due = Vec::new();
        self.budget.refill(now);
        while let Some(room) = self.queued_heads.front().copied() {
            let summary = self.rooms.get_mut(&room).expect("a queued room has a summary");
            if is_anybody && !self.budget.take(summary.item.len() + frame::LOBBY_FRAME_BYTES) {
                // Counts must not use up what the head waits for.
                return due;
            }
            summary.is_head_queued = false;
            self.queued_heads.pop_front();
            if is_anybody {
                due.push((room, summary.item.clone()));
            }
        }
        while let Some(room) = self.queued_counts.front().copied() {
            let summary = self.rooms.get_mut(&room).expect("a queued room has a summary");
            // A comma, and a share of the frame.
            if is_anybody && !self.budget.take(summary.item.len() + 1 + frame::LOBBY_FRAME_BYTES / 8) {
                break;
            }
            summary.are_counts_queued = false;
            self.queued_counts.pop_front();
            if is_anybody {
                self.told.push_back(room);
                self.told_count += 1;
                if self.told.len() > MOST_TOLD {
                    self.told.pop_front();
                }
            }
        }
        due
    }

    /// Returns the counts that changed since the stream last collected them.
    pub fn collect(&self, following: &mut Following) -> Vec<(RoomId, Bytes)> {
        match following {
            Following::All { collected } => {
                let fresh = usize::try_from(self.told_count - *collected).unwrap_or(usize::MAX);
                *collected = self.told_count;
                let rooms = self.told.iter().skip(self.told.len().saturating_sub(fresh));
                rooms.filter_map(|room| Some((*room, self.rooms.get(room)?.item.clone()))).collect()
            }
            Following::Rooms(followed) => followed.collect(self),
        }
    }

    /// Switches to a new history. Streams go on: their numbers stay valid.
    pub fn restart(&mut self) {
        let (changes, told_count) = (self.changes, self.told_count);
        *self = Self { changes, marks: [changes; 2], told_count, ..Self::default() };
    }
}

impl Followed {
    pub const fn rooms(&self) -> &[RoomId] {
        &self.rooms
    }

    fn collect(&mut self, lobby: &Lobby) -> Vec<(RoomId, Bytes)> {
        let (mut collected, mut bytes) = (Vec::new(), 0);
        for _ in 0..self.rooms.len() {
            if self.next == 0 {
                (self.last_turn, self.this_turn) = (self.this_turn, lobby.changes);
            }
            let room = self.rooms[self.next];
            if let Some(summary) = lobby.rooms.get(&room).filter(|summary| summary.changed > self.last_turn) {
                bytes += summary.item.len() + 1;
                if bytes > COUNT_BYTES - frame::LOBBY_FRAME_BYTES {
                    break;
                }
                collected.push((room, summary.item.clone()));
            }
            self.next = (self.next + 1) % self.rooms.len();
        }
        collected
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self { item: Bytes::new(), online: None, changed: 0, is_head_queued: false, are_counts_queued: false }
    }
}

#[cfg(test)]
mod tests;

//! Decides which replayed events a reader receives.

use std::sync::Arc;

use bytes::Bytes;

use super::run::Stretch;
use crate::event::{Audience, Topic};
use crate::id::{Pos, RoomId};
use crate::realtime::mailbox::Mailbox;
use crate::realtime::ring::Entry;
use crate::realtime::topic::Interest;

/// A reader receives the events of its interest, except in rooms that were archived or unknown at registration.
#[derive(Debug, Clone)]
pub struct ReplayFilter {
    pub interest: Interest,
    pub missing: Arc<[RoomId]>,
    /// Position up to which `missing` applies: a room that is restored later is received again.
    pub registered_at: Pos,
}

impl ReplayFilter {
    pub fn hears(&self, entry: &Entry) -> bool {
        let is_missing = matches!(entry.audience, Audience::Room(room)
            if entry.pos <= self.registered_at && self.missing.contains(&room));
        !is_missing && self.interest.hears(entry.audience)
    }

    /// Returns the topics to read for a reader at `from`, and the position up to which they contain all that it
    /// receives. Missing rooms are not read while nothing of them is received.
    pub fn topics(&self, from: Pos) -> (Vec<Topic>, Pos) {
        let are_left_out = from < self.registered_at && !self.missing.is_empty();
        let is_read = |room: &&RoomId| !are_left_out || !self.missing.contains(room);
        let rooms = self.interest.rooms().iter().filter(is_read).copied().map(Topic::Room);
        let topics = rooms.chain(self.interest.user().map(Topic::User)).chain([Topic::Lobby]).collect();
        (topics, if are_left_out { self.registered_at } else { Pos(i64::MAX) })
    }

    /// Returns the frames to send of a stretch that was read for a reader at `after`, and advances the reader to its
    /// end. Returns none if the reader's position or right changed during the read.
    pub fn take_over(&self, mailbox: &Mailbox, after: Pos, stretch: &Stretch) -> Vec<Bytes> {
        let upto = stretch.upto;
        if upto <= after || mailbox.closed().is_some() || !mailbox.advance(after, upto) {
            return Vec::new();
        }
        let is_heard = |entry: &&Entry| entry.pos > after && entry.pos <= upto && self.hears(entry);
        let heard = stretch.entries.iter().filter(is_heard).filter_map(|entry| entry.frame.as_ref());
        heard.map(|frame| frame.bytes(mailbox.format()).clone()).collect()
    }
}

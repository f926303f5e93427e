//! Decides which events a stream receives.

use crate::event::Audience;
use crate::id::{RoomId, UserId};

/// The rooms that a stream subscribed to, and its user. Replay filters events by [`hears`](Self::hears); live delivery
/// finds readers by index instead, and must find exactly those for whom `hears` is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interest {
    /// Sorted, without repeats; at most 100.
    rooms: Box<[RoomId]>,
    user: Option<UserId>,
}

impl Interest {
    pub fn new(mut rooms: Vec<RoomId>, user: Option<UserId>) -> Self {
        rooms.sort_unstable();
        rooms.dedup();
        Self { rooms: rooms.into(), user }
    }

    pub const fn rooms(&self) -> &[RoomId] {
        &self.rooms
    }

    pub const fn user(&self) -> Option<UserId> {
        self.user
    }

    pub fn has_room(&self, room: RoomId) -> bool {
        match *self.rooms {
            // Nearly every stream reads one room; a comparison is faster than a search.
            [only] => only == room,
            _ => self.rooms.binary_search(&room).is_ok(),
        }
    }

    pub fn hears(&self, audience: Audience) -> bool {
        match audience {
            Audience::Room(room) => self.has_room(room),
            Audience::Pair(sender, recipient) => self.user.is_some_and(|user| user == sender || user == recipient),
            Audience::User(user) => self.user == Some(user),
            Audience::Everyone => true,
            Audience::Nobody => false,
        }
    }
}

//! Who may hear what.

use crate::event::{Change, Event};
use crate::id::{RoomId, UserId};
use crate::mutant::{self, Mutant};

/// Who an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Readers of this room.
    Room(RoomId),
    /// Sender and recipient of a direct message, and nobody else by any route.
    Pair(UserId, UserId),
    /// One user, on each of their streams.
    User(UserId),
    /// The lobby: every stream.
    Everyone,
    /// No stream: an event that instances obey and nobody reads.
    Nobody,
}

impl Audience {
    pub const fn of(event: &Event) -> Self {
        match &event.change {
            Change::MessagePosted(message) | Change::MessageEdited(message) => Self::Room(message.room_id),
            Change::MessageDeleted { room_id, .. } => Self::Room(*room_id),
            Change::DirectPosted(message) => Self::Pair(message.sender.id, message.recipient.id),
            Change::Room { .. } | Change::UserErased(_) => Self::Everyone,
            Change::Standing(standing) if standing.banned => Self::Nobody,
            Change::Standing(standing) => Self::User(standing.id),
            Change::Forgotten { .. } | Change::SessionsEnded { .. } | Change::Unknown { .. } => Self::Nobody,
        }
    }
}

/// What one stream asked to hear, and as whom. The replay filter: live delivery finds readers by index,
/// and must find exactly those for whom [`hears`](Self::hears) is true.
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
            // Nearly every stream reads one room; a compare beats a search.
            [only] => only == room,
            _ => self.rooms.binary_search(&room).is_ok(),
        }
    }

    pub fn hears(&self, audience: Audience) -> bool {
        match audience {
            Audience::Room(room) => self.has_room(room),
            Audience::Pair(..) if mutant::is(Mutant::DmFilterOff) => true,
            Audience::Pair(sender, recipient) => self.user.is_some_and(|user| user == sender || user == recipient),
            Audience::User(user) => self.user == Some(user),
            Audience::Everyone => true,
            Audience::Nobody => false,
        }
    }
}

//! Typing indicators: who announced that they are writing in a room.
//!
//! Pure: the time is an argument. Nobody misses an announcement that is dropped, so everything here is bounded: an
//! announcement of a user counts once in [`PACE`] for each room, and four people of a room are told at a time, of whom
//! a client shows two by name. Nothing is told in a room with more than [`MOST_PEOPLE`], where somebody always types.
//!
//! Announcements are not in the log. On this instance they are told in [rounds](super::hub::To), behind the messages; the
//! other instances receive them together, a quarter of a second later at most, and only while the backplane is idle
//! enough.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Realtime;
use super::backplane::Bulletin;
use crate::event::Author;
use crate::id::{RoomId, UserId};
use crate::outcome::Refusal;

/// Time between two announcements of a user that count in a room.
pub const PACE: Duration = Duration::from_secs(3);
/// The same for announcements from other instances, which have checked the pace: they arrive irregularly.
const PACE_OF_OTHERS: Duration = Duration::from_secs(2);
/// Nothing is told in a room with more people, guests included.
pub const MOST_PEOPLE: u32 = 50;
/// Number of people of a room who are told at a time: one of them may be the reader, and two of the others are named.
const MOST_TYPISTS: usize = 4;
/// Number of announcements that wait to be told, and of those in a message between instances: 20 KiB.
const MOST_WAITING: usize = 128;

/// A user who types in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    pub room: RoomId,
    pub user: Author,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Typing {
    /// Users of each room whose announcement counted within [`PACE`], at most [`MOST_TYPISTS`].
    rooms: HashMap<RoomId, Vec<(UserId, Instant)>>,
    for_readers: Vec<Announcement>,
    for_others: Vec<Announcement>,
}

impl Typing {
    /// Returns whether an announcement made on this instance counts now.
    pub fn is_due(&self, room: RoomId, user: UserId, now: Instant) -> bool {
        self.is_due_at(PACE, room, user, now)
    }

    fn is_due_at(&self, pace: Duration, room: RoomId, user: UserId, now: Instant) -> bool {
        let typists = self.rooms.get(&room).map_or(&[][..], Vec::as_slice);
        let others = typists.iter().filter(|(other, at)| *other != user && now < *at + PACE).count();
        let is_early = typists.iter().any(|(other, at)| *other == user && now < *at + pace);
        !is_early && others < MOST_TYPISTS && self.for_readers.len() < MOST_WAITING
    }

    /// Takes an announcement made on this instance; returns whether it counts.
    pub fn announce(&mut self, announcement: Announcement, now: Instant) -> bool {
        let counts = self.take(PACE, announcement.clone(), now);
        if counts && self.for_others.len() < MOST_WAITING {
            self.for_others.push(announcement);
        }
        counts
    }

    /// Takes an announcement made on another instance.
    pub fn hear(&mut self, announcement: Announcement, now: Instant) -> bool {
        self.take(PACE_OF_OTHERS, announcement, now)
    }

    fn take(&mut self, pace: Duration, announcement: Announcement, now: Instant) -> bool {
        let (room, user) = (announcement.room, announcement.user.id);
        let counts = self.is_due_at(pace, room, user, now);
        if counts {
            let typists = self.rooms.entry(room).or_default();
            typists.retain(|(other, at)| *other != user && now < *at + PACE);
            typists.push((user, now));
            self.for_readers.push(announcement);
        }
        counts
    }

    /// Returns the announcements to tell readers of this instance.
    pub fn take_for_readers(&mut self) -> Vec<Announcement> {
        std::mem::take(&mut self.for_readers)
    }

    /// Returns the announcements to tell the other instances.
    pub fn take_for_others(&mut self) -> Vec<Announcement> {
        std::mem::take(&mut self.for_others)
    }

    /// Frees the memory of those who stopped typing.
    pub fn forget_old(&mut self, now: Instant) {
        self.rooms.retain(|_, typists| {
            typists.retain(|(_, at)| now < *at + PACE);
            !typists.is_empty()
        });
    }
}

impl Realtime {
    /// Returns whether an announcement of this user would be told now.
    ///
    /// # Errors
    /// When the room is unknown or archived.
    pub fn tells_typing(&self, room: RoomId, user: UserId) -> Result<bool, Refusal> {
        let feed = self.shared.feed();
        match feed.directory.rooms.get(&room) {
            None => Err(Refusal::Unknown("room")),
            Some(state) if state.is_archived => Err(Refusal::Archived),
            Some(_) => Ok(feed.tells_typing(room) && feed.typing.is_due(room, user, Instant::now())),
        }
    }

    /// Tells the readers of a room that a user is typing, unless that was just told.
    pub fn announce_typing(&self, room: RoomId, user: Author) {
        let announcement = Announcement { room, user };
        let mut feed = self.shared.feed();
        if feed.tells_typing(room) && feed.typing.announce(announcement, Instant::now()) {
            self.shared.is_lobby_due.notify_one();
        }
    }

    /// Tells the readers of this instance what another one announced. Whatever does not fit is dropped.
    pub(super) fn hear_typing(&self, announcements: Vec<Announcement>) {
        let now = Instant::now();
        let mut feed = self.shared.feed();
        let mut is_any = false;
        for announcement in announcements.into_iter().take(MOST_WAITING) {
            is_any |= feed.tells_typing(announcement.room) && feed.typing.hear(announcement, now);
        }
        if is_any {
            self.shared.is_lobby_due.notify_one();
        }
    }

    /// Sends the announcements of this instance to the others, unless news waits to be sent.
    pub(super) fn pass_typing_on(&self) {
        let announcements = self.shared.feed().typing.take_for_others();
        if !announcements.is_empty() {
            self.backplane.send_if_idle(Bulletin::Typing(announcements));
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn by(room: u128, user: u128) -> Announcement {
        let id = UserId(Uuid::from_u128(user));
        Announcement { room: RoomId(Uuid::from_u128(room)), user: Author { id, username: "ali".into() } }
    }

    #[test]
    fn a_user_counts_once_in_a_pace_for_each_room() {
        let (now, mut typing) = (Instant::now(), Typing::default());
        assert!(typing.announce(by(1, 1), now));
        assert!(!typing.announce(by(1, 1), now + PACE * 9 / 10));
        assert!(typing.announce(by(2, 1), now), "another room");
        assert!(typing.announce(by(1, 1), now + PACE));
        assert_eq!(typing.take_for_readers(), [by(1, 1), by(2, 1), by(1, 1)]);
        assert_eq!(typing.take_for_others(), [by(1, 1), by(2, 1), by(1, 1)]);
        assert_eq!(typing.take_for_readers(), []);
    }

    #[test]
    fn announcements_from_others_may_come_early_and_are_not_passed_on() {
        let (now, mut typing) = (Instant::now(), Typing::default());
        assert!(typing.hear(by(1, 1), now));
        assert!(!typing.hear(by(1, 1), now + PACE_OF_OTHERS / 2));
        assert!(typing.hear(by(1, 1), now + PACE_OF_OTHERS));
        assert!(!typing.announce(by(1, 1), now + PACE), "it was told just before");
        assert_eq!(typing.take_for_others(), []);
    }

    #[test]
    fn a_flood_takes_bounded_memory() {
        let (now, mut typing) = (Instant::now(), Typing::default());
        let counted = (0..100).filter(|user| typing.announce(by(1, *user), now)).count();
        assert_eq!(counted, MOST_TYPISTS);
        for room in 2..1_000 {
            typing.announce(by(room, 1), now);
            typing.hear(by(room, 2), now);
        }
        assert_eq!((typing.for_readers.len(), typing.for_others.len() <= MOST_WAITING), (MOST_WAITING, true));
        assert!(typing.rooms.len() <= MOST_WAITING);
        typing.take_for_readers();
        typing.forget_old(now + PACE * 9 / 10);
        assert!(!typing.rooms.is_empty());
        typing.forget_old(now + PACE);
        assert!(typing.rooms.is_empty());
        assert!(typing.announce(by(1, 99), now + PACE), "there is room again");
    }
}

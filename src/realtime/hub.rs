//! The subscribers of this instance, indexed by room, by followed room and by user.
//!
//! Synchronous and pure: it pushes frames into mailboxes and never waits for a reader. Counts and heads of rooms are
//! pushed in [`rounds`], a few mailboxes at a time.

mod rounds;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use self::rounds::Round;
pub use self::rounds::To;
use super::format::Joined;
use super::frame::ByeReason;
use super::lobby::Following;
use super::mailbox::Mailbox;
use super::presence::PageKey;
use super::sample::Sample;
use super::topic::Interest;
use crate::event::Audience;
use crate::id::{Pos, RoomId, SessionClaim, UserId};

/// Identifies a subscriber; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(u64);

/// One stream.
#[derive(Debug)]
pub struct Subscriber {
    pub interest: Interest,
    /// Rooms of the reader's interest that do not exist, as far as this instance knows: the reader is not counted as
    /// present.
    pub unknown: Vec<RoomId>,
    /// False once another stream of the same page has taken its place in presence, or its right has ended.
    pub is_counted: bool,
    /// The browser window that opened the stream.
    pub page: Option<PageKey>,
    /// Rooms of which the lobby tells it.
    pub following: Following,
    /// The session whose token opened the stream; none for a guest.
    pub session: Option<SessionClaim>,
    pub mailbox: Arc<Mailbox>,
}

impl Subscriber {
    /// Returns the rooms in which its reader is counted as present.
    pub fn present_in(&self) -> Vec<RoomId> {
        let is_present = |room: &RoomId| self.is_counted && !self.unknown.contains(room);
        self.interest.rooms().iter().copied().filter(is_present).collect()
    }
}

/// In order of registration, so that a round can be interrupted and continued.
type Listeners = BTreeMap<SubscriberId, Arc<Mailbox>>;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Hub {
    last_id: u64,
    subscribers: HashMap<SubscriberId, Subscriber>,
    by_room: HashMap<RoomId, Listeners>,
    by_user: HashMap<UserId, Listeners>,
    followers: HashMap<RoomId, Listeners>,
    /// Streams that hear of all rooms.
    followers_of_all: Listeners,
    rounds: VecDeque<Round>,
    /// Mailboxes with asides, to be rung.
    bells: VecDeque<Arc<Mailbox>>,
}

impl Hub {
    pub fn len(&self) -> usize {
        self.subscribers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscribers.values()
    }

    pub fn add(&mut self, subscriber: Subscriber) -> SubscriberId {
        self.last_id += 1;
        let id = SubscriberId(self.last_id);
        for &room in subscriber.interest.rooms() {
            self.by_room.entry(room).or_default().insert(id, Arc::clone(&subscriber.mailbox));
        }
        if let Some(user) = subscriber.interest.user() {
            self.by_user.entry(user).or_default().insert(id, Arc::clone(&subscriber.mailbox));
        }
        match &subscriber.following {
            Following::All { .. } => {
                self.followers_of_all.insert(id, Arc::clone(&subscriber.mailbox));
            }
            Following::Rooms(followed) => {
                for &room in followed.rooms() {
                    self.followers.entry(room).or_default().insert(id, Arc::clone(&subscriber.mailbox));
                }
            }
        }
        self.subscribers.insert(id, subscriber);
        self.check();
        id
    }

    pub fn remove(&mut self, id: SubscriberId) -> Option<Subscriber> {
        fn take<K: Eq + std::hash::Hash + Copy>(index: &mut HashMap<K, Listeners>, key: K, id: SubscriberId) {
            if let Some(listeners) = index.get_mut(&key) {
                listeners.remove(&id);
                if listeners.is_empty() {
                    index.remove(&key);
                }
            }
        }
        let subscriber = self.subscribers.remove(&id)?;
        for &room in subscriber.interest.rooms() {
            take(&mut self.by_room, room, id);
        }
        if let Some(user) = subscriber.interest.user() {
            take(&mut self.by_user, user, id);
        }
        match &subscriber.following {
            Following::All { .. } => {
                self.followers_of_all.remove(&id);
            }
            Following::Rooms(followed) => {
                for &room in followed.rooms() {
                    take(&mut self.followers, room, id);
                }
            }
        }
        self.check();
        Some(subscriber)
    }

    pub fn get_mut(&mut self, id: SubscriberId) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(&id)
    }

    /// A room was created: calls `join` for each reader who had requested it before.
    pub fn room_exists(&mut self, room: RoomId, mut join: impl FnMut(Option<UserId>)) {
        let Some(listeners) = self.by_room.get(&room) else { return };
        for id in listeners.keys() {
            let subscriber = self.subscribers.get_mut(id).expect("a listener is a subscriber");
            if let Some(place) = subscriber.unknown.iter().position(|unknown| *unknown == room) {
                subscriber.unknown.swap_remove(place);
                if subscriber.is_counted {
                    join(subscriber.interest.user());
                }
            }
        }
    }

    /// Delivers frames to their audience and returns the number of recipients; `pos` is the position of the first
    /// event. One recipient, chosen by position, also gets the sample. Without recipients, the sample is not taken.
    pub fn deliver(&self, audience: Audience, pos: Pos, frames: &Joined, sample: &mut Option<Box<Sample>>) -> usize {
        let mut give = |listeners: Option<&Listeners>| {
            let Some(listeners) = listeners else { return 0 };
            let timed = usize::try_from(pos.0).unwrap_or_default() % listeners.len().max(1);
            for (turn, mailbox) in listeners.values().enumerate() {
                let sample = if turn == timed { sample.take() } else { None };
                mailbox.push(Some(pos), frames.bytes(mailbox.format()).clone(), sample);
            }
            listeners.len()
        };
        match audience {
            Audience::Room(room) => give(self.by_room.get(&room)),
            Audience::User(user) => give(self.by_user.get(&user)),
            Audience::Pair(sender, recipient) => {
                give(self.by_user.get(&sender))
                    + if sender == recipient { 0 } else { give(self.by_user.get(&recipient)) }
            }
            Audience::Everyone => {
                for subscriber in self.subscribers.values() {
                    let mailbox = &subscriber.mailbox;
                    mailbox.push(Some(pos), frames.bytes(mailbox.format()).clone(), None);
                }
                self.subscribers.len()
            }
            Audience::Nobody => 0,
        }
    }

    /// Ends the streams of a user for whose session `is_meant` returns true, and returns them.
    pub fn revoke(&self, user: UserId, is_meant: impl Fn(Option<SessionClaim>) -> bool) -> Vec<SubscriberId> {
        let Some(listeners) = self.by_user.get(&user) else { return Vec::new() };
        let session = |id| self.subscribers.get(id).and_then(|subscriber| subscriber.session);
        let revoked = listeners.iter().filter(|(id, _)| is_meant(session(id)));
        revoked.inspect(|(_, mailbox)| mailbox.close(ByeReason::Revoked)).map(|(id, _)| *id).collect()
    }

    /// Checks invariants after every mutation; only in debug builds, and while the hub is small.
    fn check(&self) {
        #[cfg(debug_assertions)]
        if self.subscribers.len() < 64 {
            for (id, subscriber) in &self.subscribers {
                for room in subscriber.interest.rooms() {
                    assert!(self.by_room[room].contains_key(id), "a reader is listed in each of its rooms");
                }
            }
            let listed: usize = self.by_room.values().map(BTreeMap::len).sum();
            let asked: usize = self.iter().map(|subscriber| subscriber.interest.rooms().len()).sum();
            assert_eq!(listed, asked, "no room lists a reader that is gone");
            let lists = self.by_user.values().chain(self.followers.values());
            assert!(lists.into_iter().all(|listeners| !listeners.is_empty()), "no empty lists remain");
            let followed = |subscriber: &Subscriber| match &subscriber.following {
                Following::All { .. } => 1,
                Following::Rooms(followed) => followed.rooms().len(),
            };
            let listed: usize = self.followers.values().map(BTreeMap::len).sum();
            let following: usize = self.iter().map(followed).sum();
            assert_eq!(listed + self.followers_of_all.len(), following, "followers are listed once for each room");
        }
    }
}

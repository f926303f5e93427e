//! The subscribers of this instance, indexed by room and user.
//!
//! Synchronous and pure: it pushes frames into mailboxes and never waits for a reader.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{self, ByeReason};
use super::mailbox::Mailbox;
use super::sample::Sample;
use super::topic::Interest;
use crate::event::{Audience, Online};
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
    /// The session whose token opened the stream; none for a guest.
    pub session: Option<SessionClaim>,
    pub mailbox: Arc<Mailbox>,
}

type Listeners = HashMap<SubscriberId, Arc<Mailbox>>;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Hub {
    last_id: u64,
    subscribers: HashMap<SubscriberId, Subscriber>,
    by_room: HashMap<RoomId, Listeners>,
    by_user: HashMap<UserId, Listeners>,
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
        self.check();
        Some(subscriber)
    }

    /// A room was created: calls `join` for each reader who had requested it before.
    pub fn room_exists(&mut self, room: RoomId, mut join: impl FnMut(Option<UserId>)) {
        let Some(listeners) = self.by_room.get(&room) else { return };
        for id in listeners.keys() {
            let subscriber = self.subscribers.get_mut(id).expect("a listener is a subscriber");
            if let Some(place) = subscriber.unknown.iter().position(|unknown| *unknown == room) {
                subscriber.unknown.swap_remove(place);
                join(subscriber.interest.user());
            }
        }
    }

    /// Delivers a frame to its audience and returns the number of recipients; `pos` is the position of its (first)
    /// event. One recipient, chosen by position, also gets the sample. Without recipients, the sample is not taken.
    pub fn deliver(&self, audience: Audience, pos: Pos, frame: &Bytes, sample: &mut Option<Box<Sample>>) -> usize {
        let mut give = |listeners: Option<&Listeners>| {
            let Some(listeners) = listeners else { return 0 };
            let timed = usize::try_from(pos.0).unwrap_or_default() % listeners.len().max(1);
            for (turn, mailbox) in listeners.values().enumerate() {
                let sample = if turn == timed { sample.take() } else { None };
                mailbox.push(Some(pos), frame.clone(), sample);
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
                    subscriber.mailbox.push(Some(pos), frame.clone(), None);
                }
                self.subscribers.len()
            }
            Audience::Nobody => 0,
        }
    }

    /// Sends a room's online count to its readers.
    pub fn tell_room(&self, room: RoomId, online: Online) {
        let Some(listeners) = self.by_room.get(&room) else { return };
        let frame = frame::presence(room, online);
        for mailbox in listeners.values() {
            mailbox.push(None, frame.clone(), None);
        }
    }

    /// Sends every subscriber the changed counts of rooms that it did not subscribe to. Subscribers to the same changed
    /// rooms share a frame.
    pub fn tell_lobby(&self, changed: &[(RoomId, Online)]) {
        let mut frames: HashMap<Vec<RoomId>, Option<Bytes>> = HashMap::new();
        for subscriber in self.subscribers.values() {
            let asked = |room: RoomId| subscriber.interest.has_room(room);
            let known: Vec<_> = changed.iter().map(|(room, _)| *room).filter(|room| asked(*room)).collect();
            let frame = frames.entry(known).or_insert_with(|| {
                let rest: Vec<_> = changed.iter().filter(|(room, _)| !asked(*room)).collect();
                (!rest.is_empty()).then(|| frame::lobby(rest))
            });
            if let Some(frame) = frame {
                subscriber.mailbox.push(None, frame.clone(), None);
            }
        }
    }

    /// Ends the streams of a user for whose session `is_meant` returns true.
    pub fn revoke(&self, user: UserId, is_meant: impl Fn(Option<SessionClaim>) -> bool) {
        let Some(listeners) = self.by_user.get(&user) else { return };
        for (id, mailbox) in listeners {
            let session = self.subscribers.get(id).and_then(|subscriber| subscriber.session);
            if is_meant(session) {
                mailbox.close(ByeReason::Revoked);
            }
        }
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
            let listed: usize = self.by_room.values().map(HashMap::len).sum();
            let asked: usize = self.iter().map(|subscriber| subscriber.interest.rooms().len()).sum();
            assert_eq!(listed, asked, "no room lists a reader that is gone");
            assert!(self.by_user.values().all(|listeners| !listeners.is_empty()), "no empty lists remain");
        }
    }
}

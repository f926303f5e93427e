//! Rounds: counts and heads of rooms, and who types, on their way to many mailboxes, behind the messages.
//!
//! A message goes to all its readers at once. What a round brings can wait, so it takes a few mailboxes per hold of the
//! feed's lock, and wakes a few readers at a time: however many readers a round has, a message that arrives during it
//! waits only for those few. A reader whom a message wakes meanwhile receives what its round has brought so far in the
//! same write.

use std::sync::Arc;

use bytes::Bytes;

use super::{Hub, SubscriberId};
use crate::id::{RoomId, UserId};
use crate::realtime::mailbox::{Aside, Mailbox};

/// Up to this number, streams that hear of all rooms are woken for a head. More of them receive it with their next
/// message or heartbeat: waking each for every room would cost more than the messages do.
const MOST_WOKEN: usize = 1_000;

/// Receivers of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Readers of the room.
    Readers(RoomId),
    /// Readers of the room, in which this user types.
    Typing(RoomId, UserId),
    /// Streams that follow the room.
    Followers(RoomId),
    /// Streams that hear of all rooms, except readers of this one.
    All(RoomId),
}

#[derive(Debug)]
pub(super) struct Round {
    to: To,
    bytes: Bytes,
    /// The next to receive it, and the last: streams that are opened meanwhile know it already.
    next: SubscriberId,
    last: SubscriberId,
}

impl Hub {
    /// Starts a round, unless it has no receivers.
    pub fn begin_round(&mut self, to: To, bytes: Bytes) {
        let listeners = match to {
            To::Readers(room) | To::Typing(room, _) => self.by_room.get(&room),
            To::Followers(room) => self.followers.get(&room),
            To::All(_) => Some(&self.followers_of_all),
        };
        let ends =
            listeners.and_then(|listeners| Some((*listeners.first_key_value()?.0, *listeners.last_key_value()?.0)));
        if let Some((next, last)) = ends {
            self.rounds.push_back(Round { to, bytes, next, last });
        }
    }

    pub fn has_rounds(&self) -> bool {
        !self.rounds.is_empty()
    }

    pub fn has_bells(&self) -> bool {
        !self.bells.is_empty()
    }

    /// Returns whether any stream hears of all rooms.
    pub fn has_followers_of_all(&self) -> bool {
        !self.followers_of_all.is_empty()
    }

    pub fn has_followers(&self, room: RoomId) -> bool {
        self.followers.contains_key(&room)
    }

    /// Continues the rounds with the next `most` receivers.
    pub fn serve(&mut self, mut most: usize) {
        while most > 0
            && let Some(mut round) = self.rounds.pop_front()
        {
            let (listeners, aside, is_rung_for) = match round.to {
                To::Readers(room) => (self.by_room.get(&room), Aside::Presence(room), true),
                To::Typing(room, user) => (self.by_room.get(&room), Aside::Typing(room, user), true),
                To::Followers(room) => (self.followers.get(&room), Aside::Lobby(room), true),
                To::All(room) => {
                    let is_rung_for = self.followers_of_all.len() <= MOST_WOKEN;
                    (Some(&self.followers_of_all), Aside::Lobby(room), is_rung_for)
                }
            };
            let (next, last) = (round.next, round.last);
            let mut is_over = true;
            for (&id, mailbox) in listeners.into_iter().flat_map(|listeners| listeners.range(next..=last)) {
                if most == 0 {
                    round.next = id;
                    is_over = false;
                    break;
                }
                most -= 1;
                let reads = |room| self.subscribers.get(&id).is_some_and(|reader| reader.interest.has_room(room));
                let is_left_out = matches!(round.to, To::All(room) if reads(room));
                if !is_left_out && mailbox.lay_aside(aside, round.bytes.clone(), is_rung_for) {
                    self.bells.push_back(Arc::clone(mailbox));
                }
            }
            if !is_over {
                self.rounds.push_front(round);
            }
        }
    }

    /// Returns the next mailboxes to [ring](Mailbox::ring).
    pub fn take_bells(&mut self, most: usize) -> Vec<Arc<Mailbox>> {
        self.bells.drain(..most.min(self.bells.len())).collect()
    }

    /// Drops what has not been delivered yet: a new history begins.
    pub fn drop_rounds(&mut self) {
        self.rounds.clear();
    }
}

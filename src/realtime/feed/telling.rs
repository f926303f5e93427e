//! Online counts, heads of rooms, who types, and heartbeats: told behind the events, and limited in number.

use std::sync::Arc;
use std::time::Instant;

use super::Feed;
use crate::id::RoomId;
use crate::realtime::frame;
use crate::realtime::hub::{SubscriberId, To};
use crate::realtime::mailbox::{Aside, Mailbox};
use crate::realtime::typing::{Announcement, MOST_PEOPLE};

/// Mailboxes that receive counts or heads per hold of the feed's lock: some tens of microseconds.
const SERVE_MOST: usize = 512;
/// Readers woken for them at a time: a message that arrives then waits for their writes, a fraction of a millisecond.
const RING_MOST: usize = 32;

impl Feed {
    /// Takes the next step in telling counts and heads. Returns mailboxes to ring, and whether another step should
    /// follow soon. `is_tick`: the online counts are to be looked at.
    pub fn tell(&mut self, now: Instant, is_tick: bool) -> (Vec<Arc<Mailbox>>, bool) {
        self.is_presence_due |= is_tick;
        if is_tick {
            self.typing.forget_old(now);
        }
        // Changes wait until everybody has received the earlier ones, and only the last of each room is kept: however
        // slow the rounds are, they use no more memory.
        if !self.hub.has_rounds() {
            if std::mem::take(&mut self.is_presence_due) {
                self.tell_presence(now);
            }
            self.tell_lobby(now);
            self.tell_typing();
        }
        self.hub.serve(SERVE_MOST);
        (self.hub.take_bells(RING_MOST), self.hub.has_rounds() || self.hub.has_bells())
    }

    fn tell_presence(&mut self, now: Instant) {
        self.pages.forget_left(now);
        for (room, online) in self.presence.due_to_readers(now) {
            if self.directory.active_room(room).is_some() {
                self.hub.begin_round(To::Readers(room), frame::presence(room, online));
            }
        }
        for room in self.presence.take_changed() {
            self.lobby.counts_changed(room);
        }
    }

    fn tell_lobby(&mut self, now: Instant) {
        let (directory, presence) = (&self.directory, &self.presence);
        let is_for_all = self.hub.has_followers_of_all();
        let heads = self.lobby.due(
            now,
            |room| Some((directory.active_room(room)?.head_seq, presence.online(room))),
            |room| is_for_all || self.hub.has_followers(room),
        );
        for (room, item) in heads {
            self.hub.begin_round(To::Followers(room), item);
        }
        for (room, item) in self.lobby.due_to_all(now, is_for_all) {
            self.hub.begin_round(To::All(room), item);
        }
    }

    /// Returns whether readers of the room are told who types there.
    pub fn tells_typing(&self, room: RoomId) -> bool {
        let online = self.presence.online(room);
        self.directory.active_room(room).is_some() && online.users.saturating_add(online.guests) <= MOST_PEOPLE
    }

    fn tell_typing(&mut self) {
        for Announcement { room, user } in self.typing.take_for_readers() {
            if self.tells_typing(room) && !self.directory.banned.contains(&user.id) {
                self.hub.begin_round(To::Typing(room, user.id), frame::typing(room, &user));
            }
        }
    }

    /// Pushes a heartbeat into a live reader's mailbox, after all events up to its position, with the counts that changed
    /// since the one before.
    pub fn beat(&mut self, id: SubscriberId, mailbox: &Mailbox) {
        let applied = self.applied;
        let frame = match &self.heartbeat {
            Some((pos, frame)) if *pos == applied => frame.clone(),
            _ => self.heartbeat.insert((applied, frame::heartbeat(&self.epoch, applied))).1.clone(),
        };
        if let Some(subscriber) = self.hub.get_mut(id) {
            for (room, item) in self.lobby.collect(&mut subscriber.following) {
                if !subscriber.interest.has_room(room) && self.directory.active_room(room).is_some() {
                    // The heartbeat wakes the reader.
                    let _ = mailbox.lay_aside(Aside::Lobby(room), item, false);
                }
            }
        }
        mailbox.push(None, frame, None);
    }
}

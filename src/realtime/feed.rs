//! The state of an instance's real-time part, changed by one event at a time.
//!
//! All calls are made under one lock (see [`super::Shared`]) and none of them waits. So "register at position *h*",
//! "replay up to *h*" and "go live" are exact by construction: no event can be applied in the middle of a call. The
//! only inputs are events in order, subscribers, and the time.
//!
//! **The delivery guarantee.** A stream that starts at cursor *c* receives every event after *c* that its reader may
//! receive, once, in the order of positions; or it receives `reset`, or it ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use time::OffsetDateTime;

use super::cursor::Cursor;
use super::directory::Directory;
use super::frame::{self, ByeReason, ResetReason, RoomHead};
use super::hub::{Hub, Subscriber, SubscriberId};
use super::mailbox::Mailbox;
use super::presence::{Presence, Who};
use super::replay::{ReplayFilter, Share};
use super::ring::{Entry, Ring};
use super::sample::Sample;
use super::topic::Interest;
use crate::event::{Audience, Effect, Event, Online};
use crate::id::{MessageId, Pos, RoomId, Seq, SessionClaim};

/// Bytes of frames returned by one pull: about one write, so that many resuming readers share the lock fairly.
const PULL_BYTES: usize = 64 * 1024;
/// Maximum number of entries checked in one pull, for the same reason.
const PULL_ENTRIES: usize = 4096;

/// See the [module](self).
#[derive(Debug)]
pub struct Feed {
    epoch: Arc<str>,
    /// Position up to which events have been delivered.
    applied: Pos,
    ring: Ring,
    ring_bytes: usize,
    pub directory: Directory,
    pub hub: Hub,
    pub presence: Presence,
    /// Heartbeat frame at `applied`, shared by all streams that send one at that position.
    heartbeat: Option<(Pos, Bytes)>,
}

/// Parameters of a new stream.
#[derive(Debug)]
pub struct Ask {
    pub interest: Interest,
    pub session: Option<SessionClaim>,
    /// Last position that the reader received; `None` begins at the newest one.
    pub cursor: Option<Cursor>,
    /// Group under which the reader's replays are scheduled.
    pub share: Share,
}

/// Initial state of a registered stream.
#[derive(Debug)]
pub struct Start {
    pub id: SubscriberId,
    pub mailbox: Arc<Mailbox>,
    /// Position after which the stream begins.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    pub missing: Vec<RoomId>,
    /// Reason for beginning later than the requested cursor, if it does.
    pub reset: Option<ResetReason>,
    /// Position of the feed at registration.
    pub registered_at: Pos,
}

/// One step of a reader who is catching up.
#[derive(Debug)]
pub enum Pull {
    /// Send these; more may follow.
    Frames(Vec<Bytes>),
    /// The next events are no longer in memory; the feed is at `head`.
    Older { after: Pos, head: Pos },
    /// Caught up: further events arrive in the mailbox. Send these online counts first.
    Live { counts: Vec<Bytes> },
    /// The stream must end.
    Bye(ByeReason),
}

/// Result of applying some events.
#[derive(Debug, Default)]
pub struct Applied {
    pub events: usize,
    /// Number of deliveries: for each event, the mailboxes that received it.
    pub deliveries: usize,
    /// Messages whose bodies were deleted, and when.
    pub deleted: HashMap<MessageId, OffsetDateTime>,
    /// Rooms whose messages before this `seq` were deleted.
    pub trimmed: HashMap<RoomId, Seq>,
    /// A user was erased: cached events from before this may contain their name and messages.
    pub has_erased: bool,
}

/// Consecutive events for the same audience, joined into one frame: in a busy room a batch then costs each reader one
/// push, whatever its number of messages.
#[derive(Debug, Default)]
struct Run {
    audience: Option<Audience>,
    first: Pos,
    frames: Vec<Bytes>,
    bytes: usize,
}

impl Run {
    /// Maximum length of a run. Longer ones gain nothing, and would fill a mailbox.
    const MOST_BYTES: usize = 16 * 1024;

    /// Returns whether this entry may join the run. Only room events may: an event that changes a right is delivered
    /// alone.
    fn takes(&self, entry: &Entry) -> bool {
        let is_neighbour = self.audience.is_none() || self.audience == Some(entry.audience);
        is_neighbour && matches!(entry.audience, Audience::Room(_)) && self.bytes < Self::MOST_BYTES
    }

    fn push(&mut self, entry: &Entry) {
        let Some(frame) = &entry.frame else { return };
        if self.frames.is_empty() {
            self.audience = Some(entry.audience);
            self.first = entry.pos;
        }
        self.bytes += frame.len();
        self.frames.push(frame.clone());
    }

    /// Delivers the run to its audience and empties it.
    fn deliver(&mut self, hub: &Hub, sample: &mut Option<Box<Sample>>) -> usize {
        let run = std::mem::take(self);
        let Some(audience) = run.audience else { return 0 };
        let count = run.frames.len();
        let frame = match <[Bytes; 1]>::try_from(run.frames) {
            Ok([frame]) => frame,
            Err(frames) => frames.concat().into(),
        };
        hub.deliver(audience, run.first, &frame, sample) * count
    }
}

impl Feed {
    pub fn new(epoch: Arc<str>, applied: Pos, directory: Directory, ring_bytes: usize) -> Self {
        Self {
            epoch,
            applied,
            ring: Ring::new(applied, ring_bytes),
            ring_bytes,
            directory,
            hub: Hub::default(),
            presence: Presence::default(),
            heartbeat: None,
        }
    }

    pub const fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    pub const fn applied(&self) -> Pos {
        self.applied
    }

    #[cfg(test)]
    pub fn ring_tail(&self) -> Pos {
        self.ring.tail()
    }

    /// Returns whether the event applied at `pos` was committed at another time than `at`, which means that the
    /// history is another one.
    pub fn contradicts(&self, pos: Pos, at: OffsetDateTime) -> bool {
        self.ring.contradicts(pos, at)
    }

    /// Applies the next events of the log: updates the state in memory and delivers them.
    pub fn apply(&mut self, events: impl IntoIterator<Item = Event>) -> Applied {
        self.apply_timed(events, |_| None)
    }

    /// Like [`apply`](Self::apply), with one delivery timed: `sample` is given the commit time of the first event.
    pub fn apply_timed(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        sample: impl FnOnce(OffsetDateTime) -> Option<Box<Sample>>,
    ) -> Applied {
        let mut applied = Applied::default();
        let mut events = events.into_iter().peekable();
        let mut sample = events.peek().and_then(|first| sample(first.at));
        let mut run = Run::default();
        for event in events {
            debug_assert_eq!(event.pos, self.applied.next(), "the gate lets events through in order");
            let entry = Entry::new(&self.epoch, &event);
            if !run.takes(&entry) {
                applied.deliveries += run.deliver(&self.hub, &mut sample);
            }
            self.directory.apply(&event);
            match &event.effect {
                // A room created by another instance may have been requested here before the news arrived.
                Effect::Room { room, .. } => {
                    let presence = &mut self.presence;
                    self.hub.room_exists(*room, |user| presence.join(*room, user.map_or(Who::Guest, Who::User)));
                    // The event carries no online counts.
                    presence.tell_again(*room);
                }
                Effect::BodyDeleted { message } => {
                    applied.deleted.insert(*message, event.at);
                }
                Effect::Trimmed { room, first_seq } => {
                    applied.trimmed.insert(*room, *first_seq);
                }
                // Before delivery: a stream that loses its right at this position does not receive the event.
                Effect::SessionsEnded { user, sessions, all } => self.hub.revoke(*user, |session| {
                    session.is_some_and(|session| {
                        sessions.contains(&session.id) || all.is_some_and(|all| all.ends(session))
                    })
                }),
                Effect::Rights { user, is_banned: true, .. } => self.hub.revoke(*user, |_| true),
                Effect::UserErased { user } => {
                    self.hub.revoke(*user, |_| true);
                    // Rare, so the whole ring is dropped: readers who are behind read the log, where it is erased.
                    self.ring = Ring::new(self.applied, self.ring_bytes);
                    applied.has_erased = true;
                }
                Effect::Rights { .. } | Effect::RoomHead { .. } | Effect::None => {}
            }
            run.push(&entry);
            self.ring.push(entry);
            self.applied = event.pos;
            applied.events += 1;
        }
        applied.deliveries += run.deliver(&self.hub, &mut sample);
        self.ring.forget_bodies(&self.epoch, &applied.deleted);
        self.ring.forget_trimmed(&applied.trimmed);
        applied
    }

    /// Registers a reader at the current position. It is not live yet: it must [`pull`](Self::pull) until it is.
    pub fn subscribe(&mut self, ask: Ask) -> Start {
        let now_at = Cursor { epoch: Arc::clone(&self.epoch), pos: self.applied };
        let (cursor, reset) = match ask.cursor {
            None => (now_at, None),
            Some(cursor) if cursor.epoch != self.epoch => (now_at, Some(ResetReason::Epoch)),
            Some(cursor) if cursor.pos > self.applied => (now_at, Some(ResetReason::UnknownCursor)),
            Some(cursor) => (cursor, None),
        };
        let mut rooms = Vec::new();
        let mut missing = Vec::new();
        for &id in ask.interest.rooms() {
            match self.directory.active_room(id) {
                Some(room) => rooms.push(RoomHead { id, head_seq: room.head_seq }),
                None => missing.push(id),
            }
        }
        let who = ask.interest.user().map_or(Who::Guest, Who::User);
        // Nonexistent rooms have no presence: otherwise anyone could have us store and report counts of invented ids.
        let (known, unknown): (Vec<_>, Vec<_>) =
            ask.interest.rooms().iter().copied().partition(|room| self.directory.rooms.contains_key(room));
        for room in known {
            self.presence.join(room, who);
        }
        let mailbox = Arc::new(Mailbox::behind(cursor.pos));
        // The right may have ended since the token was checked.
        if self.directory.is_revoked(ask.interest.user(), ask.session) {
            mailbox.close(ByeReason::Revoked);
        }
        let subscriber =
            Subscriber { interest: ask.interest, unknown, session: ask.session, mailbox: Arc::clone(&mailbox) };
        let id = self.hub.add(subscriber);
        Start { id, mailbox, cursor, rooms, missing, reset, registered_at: self.applied }
    }

    /// Removes a reader.
    pub fn unsubscribe(&mut self, id: SubscriberId, now: Instant) {
        let Some(subscriber) = self.hub.remove(id) else { return };
        let who = subscriber.interest.user().map_or(Who::Guest, Who::User);
        for &room in subscriber.interest.rooms() {
            if !subscriber.unknown.contains(&room) {
                self.presence.leave(room, who, now);
            }
        }
    }

    /// Returns the next step of a reader at `from`. If nothing is left to read, the reader is live from here on.
    pub fn pull(&self, mailbox: &Mailbox, filter: &ReplayFilter, from: Pos) -> Pull {
        if let Some(reason) = mailbox.closed() {
            return Pull::Bye(reason);
        }
        if from == self.applied {
            mailbox.go_live();
            let rooms = filter.interest.rooms().iter().filter(|room| self.directory.active_room(**room).is_some());
            let counts = rooms.map(|&room| frame::presence(room, self.presence.online(room))).collect();
            return Pull::Live { counts };
        }
        let Some(entries) = self.ring.since(from) else {
            return Pull::Older { after: from, head: self.applied };
        };
        let mut frames = Vec::new();
        let mut bytes = 0;
        let mut passed = from;
        for entry in entries.take(PULL_ENTRIES) {
            passed = entry.pos;
            if let Some(frame) = entry.frame.as_ref().filter(|_| filter.hears(entry)) {
                bytes += frame.len();
                frames.push(frame.clone());
                if bytes >= PULL_BYTES {
                    break;
                }
            }
        }
        Pull::Frames(if mailbox.advance(from, passed) { frames } else { Vec::new() })
    }

    /// Pushes a heartbeat into a live reader's mailbox, after all events up to its position.
    pub fn beat(&mut self, mailbox: &Mailbox) {
        let applied = self.applied;
        let frame = match &self.heartbeat {
            Some((pos, frame)) if *pos == applied => frame.clone(),
            _ => self.heartbeat.insert((applied, frame::heartbeat(&self.epoch, applied))).1.clone(),
        };
        mailbox.push(None, frame, None);
    }

    /// Sends the online counts that are due to their readers and to the lobby.
    pub fn tell_presence(&mut self, now: Instant) {
        let active = |directory: &Directory, room: RoomId| directory.active_room(room).is_some();
        for (room, online) in self.presence.due_to_readers(now) {
            if active(&self.directory, room) {
                self.hub.tell_room(room, online);
            }
        }
        let mut changed: Vec<(RoomId, Online)> = self.presence.due_to_lobby(now);
        changed.retain(|(room, _)| active(&self.directory, *room));
        if !changed.is_empty() {
            self.hub.tell_lobby(&changed);
        }
    }

    /// Switches to a new history (of a restored or failed-over database): nothing of the old one is replayed, and every
    /// stream receives `reset` and continues live in the new one.
    pub fn restart(&mut self, epoch: Arc<str>, applied: Pos, directory: Directory) {
        self.ring = Ring::new(applied, self.ring_bytes);
        self.epoch = epoch;
        self.applied = applied;
        self.directory = directory;
        self.heartbeat = None;
        for subscriber in self.hub.iter() {
            if self.directory.is_revoked(subscriber.interest.user(), subscriber.session) {
                subscriber.mailbox.close(ByeReason::Revoked);
            } else {
                subscriber.mailbox.restart(applied, frame::reset(&self.epoch, applied, ResetReason::Epoch));
            }
        }
    }

    /// Drops sessions whose last token has expired.
    pub fn forget_sessions_before(&mut self, cutoff: OffsetDateTime) {
        self.directory.forget_sessions_before(cutoff);
    }
}

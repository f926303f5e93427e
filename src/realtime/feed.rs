//! The state of an instance's real-time part, changed by one event at a time.
//!
//! All calls are made under one lock (see [`super::Shared`]) and none of them waits. So "register at position *h*",
//! "replay up to *h*" and "go live" are exact by construction: no event can be applied in the middle of a call. The
//! only inputs are events in order, subscribers, and the time.
//!
//! **The delivery guarantee.** A stream that starts at cursor *c* receives every event after *c* that its reader may
//! receive, once, in the order of positions; or it receives `reset`, or it ends.

mod attending;
mod telling;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::cursor::Cursor;
use super::directory::Directory;
use super::format::{Format, Frame, Joined};
use super::frame::{self, ByeReason, ResetReason, RoomHead};
use super::hub::{Hub, Subscriber, SubscriberId};
use super::lobby::Lobby;
use super::mailbox::Mailbox;
use super::presence::{Page, Pages, Presence};
use super::replay::{ReplayFilter, Share};
use super::ring::{Entry, Ring};
use super::sample::Sample;
use super::topic::Interest;
use super::typing::Typing;
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
    pages: Pages,
    lobby: Lobby,
    pub typing: Typing,
    /// Set while online counts are due to be checked.
    is_presence_due: bool,
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
    pub format: Format,
    /// Group under which the reader's replays are scheduled.
    pub share: Share,
    /// Rooms of whose heads and counts the lobby tells; `None` for all rooms.
    pub follow: Option<Vec<RoomId>>,
    /// The browser window that opens the stream.
    pub page: Option<Page>,
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
    /// The followed rooms, unless all are.
    pub followed: Option<Vec<RoomHead>>,
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
    /// The lobby has something to tell at once: see [`Feed::tell`].
    pub is_for_lobby: bool,
}

/// Consecutive events for the same audience, joined into one frame: in a busy room a batch then costs each reader one
/// push, whatever its number of messages.
#[derive(Debug, Default)]
struct Run {
    audience: Option<Audience>,
    first: Pos,
    frames: Vec<Frame>,
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
        self.bytes += frame.bytes(Format::Json).len();
        self.frames.push(frame.clone());
    }

    /// Delivers the run to its audience and empties it.
    fn deliver(&mut self, hub: &Hub, sample: &mut Option<Box<Sample>>) -> usize {
        let run = std::mem::take(self);
        let Some(audience) = run.audience else { return 0 };
        let count = run.frames.len();
        hub.deliver(audience, run.first, &Joined::new(run.frames), sample) * count
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
            pages: Pages::default(),
            lobby: Lobby::default(),
            typing: Typing::default(),
            is_presence_due: false,
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
                Effect::Room { room, is_archived } => {
                    let presence = &mut self.presence;
                    self.hub.room_exists(*room, |user| presence.join(*room, user.into()));
                    // The event carries no online counts, and nobody heard of the room while it was archived.
                    if self.presence.online(*room) != Online::default() {
                        self.lobby.tell_counts_again(*room);
                    }
                    if *is_archived == Some(false) && self.hub.has_followers(*room) {
                        applied.is_for_lobby |= self.lobby.head_changed(*room);
                    }
                }
                Effect::RoomHead { room, .. } => applied.is_for_lobby |= self.lobby.head_changed(*room),
                Effect::BodyDeleted { message } => {
                    applied.deleted.insert(*message, event.at);
                }
                Effect::Trimmed { room, first_seq } => {
                    applied.trimmed.insert(*room, *first_seq);
                }
                // Before delivery: a stream that loses its right at this position does not receive the event.
                Effect::SessionsEnded { user, sessions, all } => self.revoke(*user, |session| {
                    session.is_some_and(|session| {
                        sessions.contains(&session.id) || all.is_some_and(|all| all.ends(session))
                    })
                }),
                Effect::Rights { user, is_banned: true, .. } => self.revoke(*user, |_| true),
                Effect::UserErased { user } => {
                    self.revoke(*user, |_| true);
                    // Rare, so the whole ring is dropped: readers who are behind read the log, where it is erased.
                    self.ring = Ring::new(self.applied, self.ring_bytes);
                    applied.has_erased = true;
                }
                Effect::Rights { .. } | Effect::None => {}
            }
            run.push(&entry);
            self.ring.push(entry);
            self.applied = event.pos;
            applied.events += 1;
        }
        applied.deliveries += run.deliver(&self.hub, &mut sample);
        self.ring.forget_bodies(&applied.deleted);
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
            match self.head_of(id) {
                Some(head) => rooms.push(head),
                None => missing.push(id),
            }
        }
        let followed = ask.follow.map(|follow| self.followable(&ask.interest, follow));
        let heads: Option<Vec<RoomHead>> =
            followed.as_ref().map(|rooms| rooms.iter().filter_map(|room| self.head_of(*room)).collect());
        for head in heads.iter().flatten() {
            self.lobby.refresh(head.id, head.head_seq, self.presence.online(head.id));
        }
        let mailbox = Arc::new(Mailbox::behind(cursor.pos).in_format(ask.format));
        // The right may have ended since the token was checked.
        let is_revoked = self.directory.is_revoked(ask.interest.user(), ask.session);
        if is_revoked {
            mailbox.close(ByeReason::Revoked);
        }
        // Nonexistent rooms have no presence: otherwise anyone could have us store and report counts of invented ids.
        let is_unknown = |room: &RoomId| !self.directory.rooms.contains_key(room);
        let subscriber = Subscriber {
            unknown: ask.interest.rooms().iter().copied().filter(is_unknown).collect(),
            interest: ask.interest,
            is_counted: !is_revoked,
            page: ask.page.map(|page| page.key),
            following: self.lobby.start(followed),
            session: ask.session,
            mailbox: Arc::clone(&mailbox),
        };
        let id = self.enter(subscriber, ask.page);
        Start { id, mailbox, cursor, rooms, missing, followed: heads, reset, registered_at: self.applied }
    }

    fn head_of(&self, id: RoomId) -> Option<RoomHead> {
        self.directory.active_room(id).map(|room| RoomHead { id, head_seq: room.head_seq })
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
                let frame = frame.bytes(mailbox.format());
                bytes += frame.len();
                frames.push(frame.clone());
                if bytes >= PULL_BYTES {
                    break;
                }
            }
        }
        Pull::Frames(if mailbox.advance(from, passed) { frames } else { Vec::new() })
    }

    /// Switches to a new history (of a restored or failed-over database): nothing of the old one is replayed, and every
    /// stream receives `reset` and continues live in the new one.
    pub fn restart(&mut self, epoch: Arc<str>, applied: Pos, directory: Directory) {
        self.ring = Ring::new(applied, self.ring_bytes);
        self.epoch = epoch;
        self.applied = applied;
        self.directory = directory;
        self.heartbeat = None;
        self.hub.drop_rounds();
        self.lobby.restart();
        self.typing = Typing::default();
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

#[cfg(test)]
mod tests;

//! The newest events of the log, as frames in memory, bounded by bytes.
//!
//! Positions have no gaps, so neither has the ring: an event's index follows from its position.

use std::collections::{HashMap, VecDeque};

use time::OffsetDateTime;

use super::format::{Format, Frame};
use super::frame;
use crate::event::{Audience, Event};
use crate::id::{MessageId, Pos, RoomId, Seq};
use crate::store::events::{self, Redact, Removed};

/// One event, encoded for its audience.
#[derive(Debug, Clone)]
pub struct Entry {
    pub pos: Pos,
    /// When it was committed.
    at: OffsetDateTime,
    pub audience: Audience,
    /// `None` if no client receives the event.
    pub frame: Option<Frame>,
    body: Option<Body>,
}

/// The message whose body a frame carries, the one of which it carries an excerpt, and the function that removes either.
#[derive(Debug, Clone, Copy)]
struct Body {
    message: MessageId,
    quoted: Option<MessageId>,
    redact: Redact,
}

impl Entry {
    pub fn new(epoch: &str, event: &Event) -> Self {
        // Only kinds of messages have another form, and a body that may have to be removed.
        let kind = event.message.and_then(|_| events::kind(&event.kind));
        let json = frame::of_event(epoch, event);
        let redacted = |message| Some(Body { message, quoted: event.quoted, redact: kind?.redact? });
        Self {
            pos: event.pos,
            at: event.at,
            audience: event.audience,
            frame: json.map(|json| Frame::new(json, kind.and_then(|kind| kind.compact))),
            body: event.message.and_then(redacted),
        }
    }

    /// Returns whether the frame carries the body of one of these messages, or an excerpt.
    pub fn has_words_of<T>(&self, messages: &HashMap<MessageId, T>) -> bool {
        let words = self.body.map(|body| [Some(body.message), body.quoted]);
        words.into_iter().flatten().flatten().any(|message| messages.contains_key(&message))
    }

    /// Returns whether the frame may carry words of one of these rooms. Those for one user may be of any room.
    pub fn may_be_of<T>(&self, rooms: &HashMap<RoomId, T>) -> bool {
        match self.audience {
            Audience::Room(room) => rooms.contains_key(&room),
            Audience::User(_) => self.body.is_some(),
            _ => false,
        }
    }

    /// Removes this from the frame.
    fn redact(&mut self, removed: Removed) {
        let Some(Body { redact, .. }) = self.body else { return };
        self.frame = self.frame.take().and_then(|frame| frame.without(redact, removed));
    }

    /// Memory cost in bytes.
    pub fn cost(&self) -> usize {
        size_of::<Self>() + self.frame.as_ref().map_or(0, Frame::cost)
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    /// Position of the newest entry, or of the last event before the ring began.
    head: Pos,
    bytes: usize,
    most_bytes: usize,
}

impl Ring {
    /// An empty ring whose first entry will be the one after `head`.
    pub const fn new(head: Pos, most_bytes: usize) -> Self {
        Self { entries: VecDeque::new(), head, bytes: 0, most_bytes }
    }

    /// Returns the position after which the ring begins.
    pub fn tail(&self) -> Pos {
        Pos(self.head.0 - i64::try_from(self.entries.len()).expect("memory holds fewer entries than 2^63"))
    }

    pub fn push(&mut self, entry: Entry) {
        debug_assert_eq!(entry.pos, self.head.next(), "the gate lets events through in order");
        self.head = entry.pos;
        self.bytes += entry.cost();
        self.entries.push_back(entry);
        while self.bytes > self.most_bytes
            && let Some(oldest) = self.entries.pop_front()
        {
            self.bytes -= oldest.cost();
        }
    }

    /// Returns the entries after `after`, oldest first; `None` if they are no longer (or not yet) in the ring.
    pub fn since(&self, after: Pos) -> Option<impl Iterator<Item = &Entry>> {
        let offset = usize::try_from(after.0 - self.tail().0).ok()?;
        (offset <= self.entries.len()).then(|| self.entries.range(offset..))
    }

    /// Returns whether the ring holds an event at `pos` that was committed at another time than `at`. False if the ring
    /// does not hold that position.
    pub fn contradicts(&self, pos: Pos, at: OffsetDateTime) -> bool {
        self.since(pos.previous()).and_then(|mut entries| entries.next()).is_some_and(|entry| entry.at != at)
    }

    /// Removes the bodies of deleted messages, given with their times of deletion, from the frames, and their excerpts
    /// from those of replies. One pass for all of them, since expired messages are deleted by the hundred.
    pub fn forget_bodies(&mut self, deleted: &HashMap<MessageId, OffsetDateTime>) {
        if deleted.is_empty() {
            return;
        }
        for entry in &mut self.entries {
            if !entry.has_words_of(deleted) {
                continue;
            }
            let Some(Body { message, quoted, .. }) = entry.body else { continue };
            self.bytes -= entry.cost();
            if let Some(&deleted_at) = deleted.get(&message) {
                entry.redact(Removed::Body(deleted_at));
            } else if quoted.is_some() {
                entry.redact(Removed::Excerpt);
            }
            self.bytes += entry.cost();
        }
    }

    /// Removes the frames of messages that were trimmed, and quotes of them, given the first `seq` that each room keeps.
    /// Frames do not know their `seq`: it is read from the message in them, in one pass for all rooms.
    pub fn forget_trimmed(&mut self, trimmed: &HashMap<RoomId, Seq>) {
        if trimmed.is_empty() {
            return;
        }
        for entry in &mut self.entries {
            if !entry.may_be_of(trimmed) {
                continue;
            }
            let (Some(body), Some(frame)) = (entry.body, &entry.frame) else { continue };
            let place = frame::message_place(frame.bytes(Format::Json));
            let first_seq = place.and_then(|(room, _)| trimmed.get(&room));
            self.bytes -= entry.cost();
            match (place, first_seq) {
                (Some((_, seq)), Some(first_seq)) if seq >= *first_seq => {
                    if body.quoted.is_some() {
                        entry.redact(Removed::QuotesBefore(*first_seq));
                    }
                }
                // Of another room.
                (Some(_), None) => {}
                _ => (entry.frame, entry.body) = (None, None),
            }
            self.bytes += entry.cost();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Author, Message};
    use crate::id::{ClientId, UserId};

    fn entry(pos: i64) -> Entry {
        let frame = Some(Frame::new(vec![b'x'; 100].into(), None));
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(pos);
        Entry { pos: Pos(pos), at, audience: Audience::Everyone, frame, body: None }
    }

    fn since(ring: &Ring, after: i64) -> Option<Vec<i64>> {
        Some(ring.since(Pos(after))?.map(|entry| entry.pos.0).collect())
    }

    #[test]
    fn since_returns_entries_after_a_position_it_holds() {
        let mut ring = Ring::new(Pos(10), 1_000_000);
        assert_eq!(since(&ring, 10), Some(vec![]));
        ring.push(entry(11));
        ring.push(entry(12));
        assert_eq!(since(&ring, 9), None, "before its time");
        assert_eq!(since(&ring, 10), Some(vec![11, 12]));
        assert_eq!(since(&ring, 11), Some(vec![12]));
        assert_eq!(since(&ring, 12), Some(vec![]));
        assert_eq!(since(&ring, 13), None, "the future");
    }

    #[test]
    fn another_history_is_recognised_by_its_commit_times() {
        let mut ring = Ring::new(Pos(10), 1_000_000);
        ring.push(entry(11));
        assert!(!ring.contradicts(Pos(11), entry(11).at));
        assert!(ring.contradicts(Pos(11), entry(12).at));
        for unknown in [9, 10, 12, 13] {
            assert!(!ring.contradicts(Pos(unknown), entry(99).at), "{unknown}");
        }
    }

    /// The entry of a post: `pos` and `seq` are equal.
    fn post(room: RoomId, seq: i64) -> Entry {
        let message = Message {
            id: MessageId::new(),
            room_id: room,
            pos: Pos(seq),
            seq: Seq(seq),
            client_id: ClientId::new(),
            author: Author { id: UserId::new(), username: "ali".into() },
            body: Some(format!("words {seq}").into()),
            created_at: OffsetDateTime::UNIX_EPOCH,
            edited_at: None,
            deleted_at: None,
            reactions: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
        };
        Entry::new("epoch", &events::messages::posted(&message))
    }

    #[test]
    fn trimmed_messages_of_one_room_become_silent_and_keep_their_positions() {
        let (trimmed, other) = (RoomId::new(), RoomId::new());
        let mut ring = Ring::new(Pos(0), 1_000_000);
        for (pos, room) in [(1, trimmed), (2, other), (3, trimmed), (4, trimmed)] {
            ring.push(post(room, pos));
        }
        let bytes = ring.bytes;
        ring.forget_trimmed(&HashMap::from([(trimmed, Seq(4))]));
        let heard: Vec<i64> =
            ring.entries.iter().filter(|entry| entry.frame.is_some()).map(|entry| entry.pos.0).collect();
        assert_eq!(heard, [2, 4]);
        assert_eq!(since(&ring, 0), Some(vec![1, 2, 3, 4]));
        assert_eq!(ring.bytes, ring.entries.iter().map(Entry::cost).sum::<usize>());
        assert!(ring.bytes < bytes);
    }

    #[test]
    fn is_bounded_by_bytes() {
        let most = 10 * entry(1).cost();
        let mut ring = Ring::new(Pos(0), most);
        for pos in 1..=25 {
            ring.push(entry(pos));
        }
        assert_eq!(ring.tail(), Pos(15));
        assert!(ring.bytes <= most);
        assert_eq!(since(&ring, 23), Some(vec![24, 25]));
    }
}

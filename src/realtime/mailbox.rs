//! The queue of frames for one reader. The hub pushes into it and never waits for the reader.
//!
//! Counts and heads of rooms, and who types there, are *asides*: sent behind the events, the newest of each room only, and
//! without waking the reader for them (see [`Mailbox::ring`]).
//!
//! A mailbox is bounded. When it is full, the reader is *behind*: the queue is dropped, but the position from which to
//! read its events again is kept, so nothing is lost. A reader who is behind gets no frames until it has caught up by
//! reading the log. So a slow reader costs no more than its mailbox's capacity, and delays nobody.

use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::format::Format;
use super::frame::{self, ByeReason};
use super::sample::Sample;
use crate::id::{Pos, RoomId, UserId};

/// Maximum number of frames in a mailbox. At 300 bytes a frame, enough for a burst of a second in a busy room; a
/// reader whose socket is slower than that is better served by reading the ring at its own pace.
const MOST_FRAMES: usize = if cfg!(test) { 4 } else { 512 }; // small enough for tests to reach
const MOST_BYTES: usize = 256 * 1024;

/// Maximum number of people who type in a mailbox. More wait there only if its reader is slow, and are shown as "several
/// people" in any case.
const MOST_TYPISTS: usize = 8;

/// Next step of a reader.
#[derive(Debug)]
pub enum Next {
    /// Send these, in this order; the sample, if any, times one of them.
    Frames(Vec<Bytes>, Option<Box<Sample>>),
    /// Read everything after this position from the log.
    Behind(Pos),
    /// End the stream.
    Bye(ByeReason),
}

/// Kind and room of an aside. A newer one replaces an earlier one that has not been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// The online counts of a room that the reader reads, as a frame.
    Presence(RoomId),
    /// A user types in a room that the reader reads, as a frame.
    Typing(RoomId, UserId),
    /// The summary of a room of the reader's list, as one item of a `lobby` frame.
    Lobby(RoomId),
}

impl Aside {
    /// Returns whether it is of no use to a reader who receives it later.
    const fn is_momentary(self) -> bool {
        matches!(self, Self::Presence(_) | Self::Typing(..))
    }

    const fn is_typing(self) -> bool {
        matches!(self, Self::Typing(..))
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct Mailbox {
    /// Form in which the reader wants its events.
    format: Format,
    /// Guards one reader's queue. Held for a push or a take, never across an await or a system call. The hub takes it
    /// while holding the feed's lock; the reader takes it alone.
    queue: Mutex<Queue>,
}

#[derive(Debug)]
struct Queue {
    frames: Vec<Bytes>,
    bytes: usize,
    /// Position of the first event among the frames; `None` while only heartbeats are queued.
    first: Option<Pos>,
    /// Times one of the frames.
    sample: Option<Box<Sample>>,
    /// Oldest first; at most one for each room that the reader reads or follows, and [`MOST_TYPISTS`].
    asides: Vec<(Aside, Bytes)>,
    /// True while somebody is going to [ring](Mailbox::ring) for the asides.
    is_bell_queued: bool,
    /// Position after which a reader who is not live must continue reading; `None` if it is live.
    behind: Option<Pos>,
    /// Reason to end the stream, set once. Frames queued before it are still delivered.
    bye: Option<ByeReason>,
    /// The reader's task.
    waker: Option<Waker>,
    /// True while the reader waits to be woken. The waker itself is kept: making one for each frame would cost as much
    /// as the frame.
    is_waiting: bool,
}

impl Mailbox {
    /// Makes the mailbox of a reader who has received everything up to `from` and is not live yet.
    pub const fn behind(from: Pos) -> Self {
        let queue = Queue {
            frames: Vec::new(),
            bytes: 0,
            first: None,
            sample: None,
            asides: Vec::new(),
            is_bell_queued: false,
            behind: Some(from),
            bye: None,
            waker: None,
            is_waiting: false,
        };
        Self { format: Format::Json, queue: Mutex::new(queue) }
    }

    #[must_use]
    pub fn in_format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    pub const fn format(&self) -> Format {
        self.format
    }

    /// Queues a frame for a live reader; `pos` is the position of its (first) event. Does nothing for a reader who is
    /// behind, since it reads the event from the log, nor once the mailbox is closed.
    pub fn push(&self, pos: Option<Pos>, frame: Bytes, sample: Option<Box<Sample>>) {
        let mut queue = self.lock();
        if queue.behind.is_some() || queue.bye.is_some() {
            return;
        }
        let is_full = queue.frames.len() >= MOST_FRAMES || queue.bytes + frame.len() > MOST_BYTES;
        let first = queue.first.or(pos);
        if is_full && !queue.frames.is_empty() {
            queue.clear();
            if let Some(first) = first {
                // No event for this reader lies between the last frame it took and the first one here, so reading
                // from just before the first is exact.
                queue.behind = Some(first.previous());
                metrics::counter!("gapless_subscriptions_overflowed_total").increment(1);
                queue.wake();
                return;
            }
            // Only heartbeats were queued: the newest replaces them all.
        }
        queue.first = first;
        queue.bytes += frame.len();
        queue.frames.push(frame);
        if let Some(sample) = sample {
            // A sample that is already queued is kept: it times the earlier frame.
            queue.sample.get_or_insert(sample);
        }
        queue.wake();
    }

    /// Queues an aside, to be sent with the next frames or when somebody [rings](Self::ring). Returns true if
    /// `is_rung_for` and nobody is going to ring yet.
    ///
    /// Presence and typing are left out for a reader who is behind: it receives the current counts when it is live.
    /// Summaries are kept until then, because nothing would repeat them.
    #[must_use]
    pub fn lay_aside(&self, aside: Aside, bytes: Bytes, is_rung_for: bool) -> bool {
        let mut queue = self.lock();
        let is_late = queue.behind.is_some() && aside.is_momentary();
        if is_late || queue.bye.is_some() {
            return false;
        }
        let has_no_room = aside.is_typing() && queue.has_many_typists();
        match queue.asides.iter_mut().find(|(queued, _)| *queued == aside) {
            Some((_, queued)) => *queued = bytes,
            None if has_no_room => return false,
            None => queue.asides.push((aside, bytes)),
        }
        is_rung_for && !std::mem::replace(&mut queue.is_bell_queued, true)
    }

    /// Wakes the reader for its asides, unless they have been sent meanwhile.
    pub fn ring(&self) {
        let mut queue = self.lock();
        queue.is_bell_queued = false;
        if !queue.asides.is_empty() && queue.behind.is_none() {
            queue.wake();
        }
    }

    /// Ends the stream after the frames that are already queued.
    pub fn close(&self, reason: ByeReason) {
        let mut queue = self.lock();
        queue.bye.get_or_insert(reason);
        queue.wake();
    }

    /// Returns the reason to end the stream, if it was closed.
    pub fn closed(&self) -> Option<ByeReason> {
        self.lock().bye
    }

    /// Records that a reader who is behind has read the log from `from` up to `to`. Returns false if
    /// [`restart`](Self::restart) changed its position meanwhile: then the frames it read must not be sent.
    #[must_use]
    pub fn advance(&self, from: Pos, to: Pos) -> bool {
        let mut queue = self.lock();
        let is_there = queue.behind == Some(from);
        if is_there {
            queue.behind = Some(to);
        }
        is_there
    }

    /// Makes the reader live: it has read the log up to the newest event, and new events are queued from here on. The
    /// caller holds the feed's lock, so no event is missed in between.
    pub fn go_live(&self) {
        let mut queue = self.lock();
        queue.behind = None;
        // The reader receives the current counts, and these are older.
        queue.asides.retain(|(aside, _)| !aside.is_momentary());
    }

    /// Discards the queue: the reader receives `reset` and continues after `from`.
    pub fn restart(&self, from: Pos, reset: Bytes) {
        let mut queue = self.lock();
        queue.clear();
        queue.asides = Vec::new();
        queue.frames.push(reset);
        queue.behind = Some(from);
        queue.wake();
    }

    /// Returns the position after which a reader who is behind continues; `None` for a live one.
    pub fn behind_from(&self) -> Option<Pos> {
        self.lock().behind
    }

    /// Returns the reader's next step. If there is none yet, the reader is woken when there is.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Next> {
        let mut queue = self.lock();
        if !queue.frames.is_empty() {
            // The buffer is given away with the frames, so that an idle reader keeps no memory.
            let (mut frames, sample) = (std::mem::take(&mut queue.frames), queue.sample.take());
            queue.clear();
            if queue.behind.is_none() {
                queue.take_asides(&mut frames);
            }
            return Poll::Ready(Next::Frames(frames, sample));
        }
        if let Some(reason) = queue.bye {
            return Poll::Ready(Next::Bye(reason));
        }
        if let Some(from) = queue.behind {
            return Poll::Ready(Next::Behind(from));
        }
        if !queue.asides.is_empty() {
            let mut frames = Vec::new();
            queue.take_asides(&mut frames);
            return Poll::Ready(Next::Frames(frames, None));
        }
        queue.wait(context);
        Poll::Pending
    }

    /// Ready when a reader should stop reading the log at `from`: its stream ends, or its position was changed.
    pub fn poll_called_off(&self, context: &Context<'_>, from: Pos) -> Poll<()> {
        let mut queue = self.lock();
        if queue.bye.is_some() || queue.behind != Some(from) {
            return Poll::Ready(());
        }
        queue.wait(context);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds a queue")
    }
}

impl Queue {
    fn clear(&mut self) {
        self.frames = Vec::new();
        self.bytes = 0;
        self.first = None;
        self.sample = None;
    }

    fn has_many_typists(&self) -> bool {
        self.asides.iter().filter(|(aside, _)| aside.is_typing()).count() >= MOST_TYPISTS
    }

    /// Appends the asides as frames.
    fn take_asides(&mut self, frames: &mut Vec<Bytes>) {
        let mut rooms = Vec::new();
        for (aside, bytes) in std::mem::take(&mut self.asides) {
            match aside {
                Aside::Presence(_) | Aside::Typing(..) => frames.push(bytes),
                Aside::Lobby(_) => rooms.push(bytes),
            }
        }
        frame::push_lobby(&rooms, frames);
    }

    fn wait(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
        self.is_waiting = true;
    }

    fn wake(&mut self) {
        if std::mem::take(&mut self.is_waiting)
            && let Some(waker) = &self.waker
        {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests;

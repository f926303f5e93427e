//! The queue of frames for one reader. The hub pushes into it and never waits for the reader.
//!
//! A mailbox is bounded. When it is full, the reader is *behind*: the queue is dropped, but the position from which to
//! read its events again is kept, so nothing is lost. A reader who is behind gets no frames until it has caught up by
//! reading the log. So a slow reader costs no more than its mailbox's capacity, and delays nobody.

use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::frame::ByeReason;
use super::sample::Sample;
use crate::id::Pos;

/// Maximum number of frames in a mailbox. At 300 bytes a frame, enough for a burst of a second in a busy room; a
/// reader whose socket is slower than that is better served by reading the ring at its own pace.
const MOST_FRAMES: usize = if cfg!(test) { 4 } else { 512 }; // small enough for tests to reach
const MOST_BYTES: usize = 256 * 1024;

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

/// See the [module](self).
#[derive(Debug)]
pub struct Mailbox(
    /// Guards one reader's queue. Held for a push or a take, never across an await or a system call. The hub takes it
    /// while holding the feed's lock; the reader takes it alone.
    Mutex<Queue>,
);

#[derive(Debug)]
struct Queue {
    frames: Vec<Bytes>,
    bytes: usize,
    /// Position of the first event among the frames; `None` while only counts and heartbeats are queued.
    first: Option<Pos>,
    /// Times one of the frames.
    sample: Option<Box<Sample>>,
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
        Self(Mutex::new(Queue {
            frames: Vec::new(),
            bytes: 0,
            first: None,
            sample: None,
            behind: Some(from),
            bye: None,
            waker: None,
            is_waiting: false,
        }))
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
            // Only counts and heartbeats were queued: the newest replaces them all.
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
        self.lock().behind = None;
    }

    /// Discards the queue: the reader receives `reset` and continues after `from`.
    pub fn restart(&self, from: Pos, reset: Bytes) {
        let mut queue = self.lock();
        queue.clear();
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
            let (frames, sample) = (std::mem::take(&mut queue.frames), queue.sample.take());
            queue.clear();
            return Poll::Ready(Next::Frames(frames, sample));
        }
        if let Some(reason) = queue.bye {
            return Poll::Ready(Next::Bye(reason));
        }
        if let Some(from) = queue.behind {
            return Poll::Ready(Next::Behind(from));
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
        self.0.lock().expect("nothing panics while it holds a queue")
    }
}

impl Queue {
    fn clear(&mut self) {
        self.frames = Vec::new();
        self.bytes = 0;
        self.first = None;
        self.sample = None;
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
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    fn leave(mailbox: &Mailbox, pos: Option<i64>, frame: &'static str) {
        mailbox.push(pos.map(Pos), Bytes::from_static(frame.as_bytes()), None);
    }

    /// Waker that counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn next(mailbox: &Mailbox) -> Option<Next> {
        match mailbox.poll_next(&Context::from_waker(Waker::noop())) {
            Poll::Ready(next) => Some(next),
            Poll::Pending => None,
        }
    }

    fn live() -> Mailbox {
        let mailbox = Mailbox::behind(Pos(0));
        mailbox.go_live();
        mailbox
    }

    #[test]
    fn frames_are_returned_in_order_and_once() {
        let mailbox = live();
        leave(&mailbox, Some(3), "three");
        leave(&mailbox, None, "heartbeat");
        let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("two frames wait") };
        assert_eq!(frames, ["three", "heartbeat"]);
        assert!(next(&mailbox).is_none());
    }

    #[test]
    fn only_close_and_restart_interrupt_a_read_of_the_log() {
        let (bell, from) = (Arc::<Bell>::default(), Pos(3));
        let waker = Waker::from(Arc::clone(&bell));
        let context = Context::from_waker(&waker);
        let ends: [fn(&Mailbox); 2] = [
            |mailbox| mailbox.close(ByeReason::Revoked),
            |mailbox| mailbox.restart(Pos(9), Bytes::from_static(b"reset")),
        ];
        for (rung, end) in (1..).zip(ends) {
            let mailbox = Mailbox::behind(from);
            assert!(mailbox.poll_called_off(&context, from).is_pending());
            leave(&mailbox, Some(4), "event");
            assert!(mailbox.poll_called_off(&context, from).is_pending(), "the log has what comes");
            end(&mailbox);
            assert_eq!(bell.0.load(Ordering::Relaxed), rung, "it is woken");
            assert!(mailbox.poll_called_off(&context, from).is_ready());
        }
    }

    #[test]
    fn a_full_mailbox_drops_its_queue_and_keeps_the_position() {
        let mailbox = live();
        leave(&mailbox, None, "heartbeat");
        for pos in 10..=10 + i64::try_from(MOST_FRAMES).unwrap() {
            leave(&mailbox, Some(pos), "event");
        }
        assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))));
        leave(&mailbox, Some(5000), "event");
        assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))), "it finds the rest in the log");
    }

    #[test]
    fn counts_alone_never_put_a_reader_behind() {
        let mailbox = live();
        for _ in 0..=MOST_FRAMES {
            leave(&mailbox, None, "presence");
        }
        assert_eq!(mailbox.behind_from(), None);
        let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("the newest waits") };
        assert_eq!(frames, ["presence"]);
    }

    #[test]
    fn bye_follows_queued_frames_and_stops_later_ones() {
        let mailbox = live();
        leave(&mailbox, Some(1), "one");
        mailbox.close(ByeReason::Revoked);
        leave(&mailbox, Some(2), "two");
        let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("one frame waits") };
        assert_eq!(frames, ["one"]);
        assert!(matches!(next(&mailbox), Some(Next::Bye(ByeReason::Revoked))));
    }
}

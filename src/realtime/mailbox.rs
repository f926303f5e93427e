//! Where the hub leaves frames for one reader, who is never awaited.
//!
//! A mailbox is bounded. When it is full the reader is *behind*: the queue is dropped, not the events, since
//! the position from which to read them again is kept. A reader who is behind is given nothing until it has
//! caught up by itself; so a slow one costs what its mailbox holds, and delays nobody.

use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::frame::ByeReason;
use super::sample::Sample;
use crate::id::Pos;

/// What a mailbox holds at most. At 300 bytes a frame, enough for a burst of a second in a busy room; a reader
/// whose socket takes less than that is better served by reading the ring at its own pace.
const MOST_FRAMES: usize = if cfg!(test) { 4 } else { 512 }; // small in tests, so that they reach it
const MOST_BYTES: usize = 256 * 1024;

/// What a reader finds.
#[derive(Debug)]
pub enum Next {
    /// Send these, in this order; one of them is timed where there is a sample.
    Frames(Vec<Bytes>, Option<Box<Sample>>),
    /// Everything after this position is to be read from the log.
    Behind(Pos),
    /// Nothing follows.
    Bye(ByeReason),
}

/// See the [module](self).
#[derive(Debug)]
pub struct Mailbox(
    /// Guards one reader's queue. Held for a push or a take, never across an await or a system call; taken
    /// under the feed's lock by the hub, and alone by the reader.
    Mutex<Queue>,
);

#[derive(Debug)]
struct Queue {
    frames: Vec<Bytes>,
    bytes: usize,
    /// Position of the first event among the frames; none while only counts and heartbeats wait.
    first: Option<Pos>,
    /// Times one of the frames.
    sample: Option<Box<Sample>>,
    /// Where a reader who is not live must read on.
    behind: Option<Pos>,
    /// Set once. Frames from before it are still delivered.
    bye: Option<ByeReason>,
    /// The reader's task.
    waker: Option<Waker>,
    /// Whether it waits to be woken. The waker itself stays: making one for each frame would cost as much as
    /// the frame.
    is_waiting: bool,
}

impl Mailbox {
    /// For a reader who has seen everything up to `from`, and is not live yet.
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

    /// Leaves a frame for a live reader; `pos` is that of its (first) event. One who is behind will find it in
    /// the log, one who said goodbye is not to have it: both are left alone.
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
                // Nothing that this reader should have had lies between the last frame it took and the first
                // one here, so reading on before the first is exact.
                queue.behind = Some(first.previous());
                metrics::counter!("gapless_subscriptions_overflowed_total").increment(1);
                queue.wake();
                return;
            }
            // Only counts and heartbeats waited: the newest replaces them all.
        }
        queue.first = first;
        queue.bytes += frame.len();
        queue.frames.push(frame);
        if let Some(sample) = sample {
            // Where one waits already, it times what was left first.
            queue.sample.get_or_insert(sample);
        }
        queue.wake();
    }

    /// Ends the stream after what is already here.
    pub fn close(&self, reason: ByeReason) {
        let mut queue = self.lock();
        queue.bye.get_or_insert(reason);
        queue.wake();
    }

    /// Why the stream must end, if it must.
    pub fn closed(&self) -> Option<ByeReason> {
        self.lock().bye
    }

    /// A reader who is behind has read the log from `from` up to `to`. False when its place was moved
    /// meanwhile, by [`restart`](Self::restart): then what it read must not be sent.
    #[must_use]
    pub fn advance(&self, from: Pos, to: Pos) -> bool {
        let mut queue = self.lock();
        let is_there = queue.behind == Some(from);
        if is_there {
            queue.behind = Some(to);
        }
        is_there
    }

    /// The reader has read the log up to the newest event: from here on it is given what comes. The caller
    /// holds the feed, so no event can come between.
    pub fn go_live(&self) {
        self.lock().behind = None;
    }

    /// Whatever the reader had to come is void: it hears `reset`, and reads on after `from`.
    pub fn restart(&self, from: Pos, reset: Bytes) {
        let mut queue = self.lock();
        queue.clear();
        queue.frames.push(reset);
        queue.behind = Some(from);
        queue.wake();
    }

    /// Where a reader who is behind reads on; `None` for a live one.
    pub fn behind_from(&self) -> Option<Pos> {
        self.lock().behind
    }

    /// What the reader should do next; remembers whom to wake if there is nothing.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Next> {
        let mut queue = self.lock();
        if !queue.frames.is_empty() {
            // The buffer goes with the frames: an idle reader keeps no memory.
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

    /// Ready when a reader of the log at `from` should leave that: its stream ends, or its place was moved.
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

    /// Counts how often its reader is woken.
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
    fn gives_frames_in_order_then_nothing() {
        let mailbox = live();
        leave(&mailbox, Some(3), "three");
        leave(&mailbox, None, "heartbeat");
        let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("two frames wait") };
        assert_eq!(frames, ["three", "heartbeat"]);
        assert!(next(&mailbox).is_none());
    }

    #[test]
    fn a_reader_of_the_log_is_called_off_by_goodbye_and_by_a_reset_only() {
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
    fn a_full_one_forgets_the_queue_but_not_the_place() {
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
    fn goodbye_comes_after_what_was_there_and_before_what_follows() {
        let mailbox = live();
        leave(&mailbox, Some(1), "one");
        mailbox.close(ByeReason::Revoked);
        leave(&mailbox, Some(2), "two");
        let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("one frame waits") };
        assert_eq!(frames, ["one"]);
        assert!(matches!(next(&mailbox), Some(Next::Bye(ByeReason::Revoked))));
    }
}

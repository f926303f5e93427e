//! Where the hub leaves frames for one reader, who is never awaited.
//!
//! A mailbox is bounded. When it is full the reader is *behind*: the queue is dropped, not the events, since
//! the position from which to read them again is kept. A reader who is behind is given nothing until it has
//! caught up by itself; so a slow one costs what its mailbox holds, and delays nobody.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::frame::ByeReason;
use crate::id::Pos;

/// What a mailbox holds at most. At 300 bytes a frame, enough for a burst of a second in a busy room; a reader
/// whose socket takes less than that is better served by reading the ring at its own pace.
const MOST_FRAMES: usize = if cfg!(test) { 4 } else { 512 }; // small in tests, so that they reach it
const MOST_BYTES: usize = 256 * 1024;

/// A frame, with its position if it has one.
#[derive(Debug, Clone)]
pub struct Letter {
    pub pos: Option<Pos>,
    pub frame: Bytes,
}

/// What a reader finds.
#[derive(Debug)]
pub enum Next {
    /// Send these, in this order.
    Letters(VecDeque<Letter>),
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
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Where a reader who is not live must read on.
    behind: Option<Pos>,
    /// Set once. Letters from before it are still delivered.
    bye: Option<ByeReason>,
    /// The reader, when it waits.
    waker: Option<Waker>,
}

impl Mailbox {
    /// For a reader who has seen everything up to `from`, and is not live yet.
    pub const fn behind(from: Pos) -> Self {
        Self(Mutex::new(Queue { letters: VecDeque::new(), bytes: 0, behind: Some(from), bye: None, waker: None }))
    }

    /// Leaves a frame for a live reader. One who is behind will find it in the log, one who said goodbye is
    /// not to have it: both are left alone.
    pub fn push(&self, letter: Letter) {
        let mut queue = self.lock();
        if queue.behind.is_some() || queue.bye.is_some() {
            return;
        }
        let full = queue.letters.len() >= MOST_FRAMES || queue.bytes + letter.frame.len() > MOST_BYTES;
        if full && !queue.letters.is_empty() {
            // Nothing that this reader should have had lies between the last letter it took and the first
            // one here, so reading on before the first is exact.
            let first = queue.letters.iter().chain([&letter]).find_map(|letter| letter.pos);
            let Some(first) = first else {
                // Only counts and heartbeats: a newer one replaces them all.
                queue.letters.clear();
                queue.bytes = letter.frame.len();
                queue.letters.push_back(letter);
                return;
            };
            queue.letters = VecDeque::new();
            queue.bytes = 0;
            queue.behind = Some(first.previous());
            metrics::counter!("gapless_subscriptions_overflowed_total").increment(1);
        } else {
            queue.bytes += letter.frame.len();
            queue.letters.push_back(letter);
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
        queue.letters = VecDeque::from([Letter { pos: None, frame: reset }]);
        queue.bytes = 0;
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
        if !queue.letters.is_empty() {
            queue.bytes = 0;
            // The buffer goes with the letters: an idle reader keeps no memory.
            return Poll::Ready(Next::Letters(std::mem::take(&mut queue.letters)));
        }
        if let Some(reason) = queue.bye {
            return Poll::Ready(Next::Bye(reason));
        }
        if let Some(from) = queue.behind {
            return Poll::Ready(Next::Behind(from));
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("nothing panics while it holds a queue")
    }
}

impl Queue {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(pos: Option<i64>) -> Letter {
        Letter { pos: pos.map(Pos), frame: Bytes::from_static(b"frame") }
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
    fn gives_letters_in_order_then_nothing() {
        let mailbox = live();
        mailbox.push(letter(Some(3)));
        mailbox.push(letter(None));
        let Some(Next::Letters(letters)) = next(&mailbox) else { panic!("two letters wait") };
        assert_eq!(letters.iter().map(|letter| letter.pos).collect::<Vec<_>>(), [Some(Pos(3)), None]);
        assert!(next(&mailbox).is_none());
    }

    #[test]
    fn a_full_one_forgets_the_queue_but_not_the_place() {
        let mailbox = live();
        mailbox.push(letter(None));
        for pos in 10..=10 + i64::try_from(MOST_FRAMES).unwrap() {
            mailbox.push(letter(Some(pos)));
        }
        assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))));
        mailbox.push(letter(Some(5000)));
        assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))), "it finds the rest in the log");
    }

    #[test]
    fn counts_alone_never_put_a_reader_behind() {
        let mailbox = live();
        for _ in 0..=MOST_FRAMES {
            mailbox.push(letter(None));
        }
        assert_eq!(mailbox.behind_from(), None);
    }

    #[test]
    fn goodbye_comes_after_what_was_there_and_before_what_follows() {
        let mailbox = live();
        mailbox.push(letter(Some(1)));
        mailbox.close(ByeReason::Revoked);
        mailbox.push(letter(Some(2)));
        let Some(Next::Letters(letters)) = next(&mailbox) else { panic!("one letter waits") };
        assert_eq!(letters.len(), 1);
        assert!(matches!(next(&mailbox), Some(Next::Bye(ByeReason::Revoked))));
    }
}

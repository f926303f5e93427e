//! Fair concurrency limit: waiters are served round robin by key, so that a key with a thousand waiters delays each of
//! the other keys by one turn only.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// See the [module](self). Clones share the same turns.
pub struct Turns<K: Eq + Hash + Copy>(
    /// Guards the queues. Held for short look-ups, never across an await.
    Arc<Mutex<Queues<K>>>,
);

struct Queues<K: Eq + Hash + Copy> {
    /// Number of free turns; 0 while there are waiters.
    free: usize,
    /// Keys in the order of service, each once.
    order: VecDeque<K>,
    waiting: HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>,
}

/// One turn; dropping it passes it to the next waiter.
#[must_use = "a turn lasts for as long as this lives"]
pub struct Turn<K: Eq + Hash + Copy>(Option<Turns<K>>);

impl<K: Eq + Hash + Copy> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Copy> Turns<K> {
    /// Allows this many concurrent turns.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(Queues { free: count, order: VecDeque::new(), waiting: HashMap::new() })))
    }

    /// Waits for a turn.
    ///
    /// # Cancellation
    /// Safe: an unclaimed turn passes to the next waiter. The place in the queue is lost.
    pub async fn take(&self, whose: K) -> Turn<K> {
        let given = {
            let mut queues = self.lock();
            if queues.free > 0 {
                queues.free -= 1;
                return Turn(Some(self.clone()));
            }
            queues.enqueue(whose)
        };
        given.await.expect("a queue is never dropped while somebody waits in it: the waiter holds it")
    }

    fn release(&self) {
        loop {
            let next = {
                let mut queues = self.lock();
                let next = queues.next();
                if next.is_none() {
                    queues.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            let Err(mut refused) = next.send(Turn(Some(self.clone()))) else { return };
            // The waiter is gone; dropping its turn would re-enter here.
            refused.0 = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues<K>> {
        // No code under this lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Copy> std::fmt::Debug for Turns<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").field("free", &self.lock().free).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash + Copy> Queues<K> {
    fn enqueue(&mut self, whose: K) -> oneshot::Receiver<Turn<K>> {
        let (give, given) = oneshot::channel();
        let queue = self.waiting.entry(whose).or_default();
        if queue.is_empty() {
            self.order.push_back(whose);
        }
        queue.push_back(give);
        given
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn<K>>> {
        let whose = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&whose)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&whose);
        } else {
            self.order.push_back(whose);
        }
        next
    }
}

impl<K: Eq + Hash + Copy> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_key_with_many_waiters_delays_another_by_one_turn() {
        let turns = Turns::new(1);
        let Poll::Ready(first) = poll(pin!(turns.take("crowd"))) else { panic!("it is free") };
        let mut crowd: Vec<_> = (0..100).map(|_| Box::pin(turns.take("crowd"))).collect();
        assert!(crowd.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));
        let mut lone = pin!(turns.take("lone"));
        assert!(poll(lone.as_mut()).is_pending());

        drop(first);
        let Poll::Ready(second) = poll(crowd[0].as_mut()) else { panic!("who waits longest is next") };
        assert!(poll(lone.as_mut()).is_pending());
        drop(second);
        assert!(poll(lone.as_mut()).is_ready(), "the second turn is another's");
        assert!(poll(crowd[2].as_mut()).is_pending());
    }

    #[test]
    fn cancelled_waiters_are_skipped() {
        let turns = Turns::new(2);
        let held: Vec<_> = (0..2).map(|_| poll(pin!(turns.take(1))).is_ready()).collect();
        assert_eq!(held, [true, true], "both were free, and are again");
        let (Poll::Ready(one), Poll::Ready(other)) = (poll(pin!(turns.take(1))), poll(pin!(turns.take(2)))) else {
            panic!("both are free")
        };
        let mut waiters: Vec<_> = (0..4).map(|n| Box::pin(turns.take(n))).collect();
        assert!(waiters.iter_mut().all(|waiter| poll(waiter.as_mut()).is_pending()));
        let mut last = waiters.pop().unwrap();
        drop(waiters);
        drop(one);
        assert!(poll(last.as_mut()).is_ready());
        drop(other);
        assert!(turns.lock().waiting.is_empty() && turns.lock().order.is_empty());
        drop(last);
        assert_eq!(turns.lock().free, 2);
    }

    #[test]
    fn an_unclaimed_turn_passes_to_the_next_waiter() {
        let turns = Turns::new(1);
        let Poll::Ready(held) = poll(pin!(turns.take(1))) else { panic!("it is free") };
        let mut gone = Box::pin(turns.take(2));
        let mut next = Box::pin(turns.take(3));
        assert!(poll(gone.as_mut()).is_pending() && poll(next.as_mut()).is_pending());
        drop(held);
        drop(gone);
        assert!(poll(next.as_mut()).is_ready());
    }
}

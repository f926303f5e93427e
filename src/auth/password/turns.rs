//! Fair scheduling of a few workers: callers with the same key share a queue, and the queues are served round robin.
//!
//! A caller who floods the queue therefore delays its own work; everybody else waits for at most one of its jobs.
//! Rejected: one queue for all callers, in which a single address locked everybody else out.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A bounded number of workers. Clones share the same workers.
pub(super) struct Turns<K: Eq + Hash + Copy> {
    /// Maximum number of waiting callers, over all keys.
    waiting: usize,
    /// Guards the active and waiting callers; held for short look-ups, never across an await.
    state: Arc<Mutex<State<K>>>,
}

struct State<K: Eq + Hash + Copy> {
    idle: usize,
    waiting: usize,
    queues: HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>,
    /// Every key with a queue, exactly once; the first is served next.
    order: VecDeque<K>,
}

/// Exclusive use of one worker; dropping it passes the worker to the next in turn.
pub(super) struct Turn<K: Eq + Hash + Copy>(Option<Turns<K>>);

/// The queue is full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl<K: Eq + Hash + Copy> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting, state: Arc::clone(&self.state) }
    }
}

impl<K: Eq + Hash + Copy> Turns<K> {
    pub(super) fn new(workers: usize, waiting: usize) -> Self {
        let state = State { idle: workers, waiting: 0, queues: HashMap::new(), order: VecDeque::new() };
        Self { waiting, state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for a turn. If the queue is full, the last caller of the key with the most waiting callers is rejected.
    ///
    /// # Cancellation
    /// Dropping the future while it waits has no effect on others.
    pub(super) async fn take(&self, key: K) -> Result<Turn<K>, Full> {
        let turn = {
            let mut state = self.state();
            if state.idle > 0 {
                state.idle -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            if state.waiting >= self.waiting {
                state.make_room(key)?;
            }
            state.queue(key)
        };
        // The sender is dropped if this caller was rejected in favour of one with a shorter queue.
        turn.await.map_err(|_| Full)
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        // No code under this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a worker to the next caller, or marks it idle.
    fn pass_on(&self) {
        let mut state = self.state();
        while let Some(waiting) = state.next() {
            let Err(mut unwanted) = waiting.send(Turn(Some(self.clone()))) else { return };
            // The caller has left. Take the worker out of the turn: dropping the turn would re-enter here and deadlock.
            unwanted.0 = None;
        }
        state.idle += 1;
    }
}

impl<K: Eq + Hash + Copy> State<K> {
    fn queue(&mut self, key: K) -> oneshot::Receiver<Turn<K>> {
        let (sender, receiver) = oneshot::channel();
        let queue = self.queues.entry(key).or_default();
        if queue.is_empty() {
            self.order.push_back(key);
        }
        queue.push_back(sender);
        self.waiting += 1;
        receiver
    }

    fn next(&mut self) -> Option<oneshot::Sender<Turn<K>>> {
        let key = self.order.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let next = queue.pop_front();
        self.waiting -= usize::from(next.is_some());
        if queue.is_empty() {
            self.queues.remove(&key);
        } else {
            self.order.push_back(key);
        }
        next
    }

    /// Makes room for a caller of `key`: drops callers who have left, or the last of the longest queue unless it is
    /// `key`'s own.
    fn make_room(&mut self, key: K) -> Result<(), Full> {
        for queue in self.queues.values_mut() {
            queue.retain(|waiting| !waiting.is_closed());
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        self.order.retain(|key| self.queues.contains_key(key));
        let before = self.waiting;
        self.waiting = self.queues.values().map(VecDeque::len).sum();
        if self.waiting < before {
            return Ok(());
        }
        let own = self.queues.get(&key).map_or(0, VecDeque::len);
        let longest = self.queues.values_mut().max_by_key(|queue| queue.len()).filter(|queue| queue.len() > own + 1);
        longest.ok_or(Full)?.pop_back();
        self.waiting -= 1;
        Ok(())
    }
}

impl<K: Eq + Hash + Copy> Drop for Turn<K> {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Turn<u8>, Full>> + 'a>>;

    fn ask(turns: &Turns<u8>, key: u8) -> (u8, Waiting<'_>) {
        let mut waiting: Waiting<'_> = Box::pin(turns.take(key));
        assert!(poll(&mut waiting).is_pending(), "{key} waits");
        (key, waiting)
    }

    fn poll(waiting: &mut Waiting<'_>) -> Poll<Result<Turn<u8>, Full>> {
        waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Runs everybody's work one by one and returns the order in which they were served.
    fn served(mut working: Turn<u8>, mut waiting: Vec<(u8, Waiting<'_>)>) -> Vec<u8> {
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(working);
            let mut next = None;
            waiting.retain_mut(|(key, waiting)| match poll(waiting) {
                Poll::Ready(Ok(turn)) => {
                    order.push(*key);
                    next = Some(turn);
                    false
                }
                Poll::Ready(Err(Full)) => false,
                Poll::Pending => true,
            });
            let Some(turn) = next else { break };
            working = turn;
        }
        order
    }

    #[tokio::test]
    async fn queues_take_turns_however_long_one_of_them_is() {
        let turns = Turns::new(1, 10);
        let working = turns.take(1).await.expect("nobody is at work");
        let waiting = [1, 1, 1, 1, 2, 3].map(|key| ask(&turns, key)).into_iter().collect();
        assert_eq!(served(working, waiting), [1, 2, 3, 1, 1, 1]);
        assert_eq!(turns.state().idle, 1);
        assert_eq!(turns.state().waiting, 0);
        assert!(turns.state().queues.is_empty() && turns.state().order.is_empty(), "no queue outlives its callers");
    }

    #[tokio::test]
    async fn a_full_waiting_room_turns_away_the_last_of_the_longest_queue() {
        let turns = Turns::new(1, 4);
        let working = turns.take(1).await.expect("nobody is at work");
        let mut waiting: Vec<_> = [1, 1, 1, 1].map(|key| ask(&turns, key)).into_iter().collect();
        assert_eq!(turns.take(1).await.err(), Some(Full), "its own queue is the longest");
        waiting.push(ask(&turns, 2));
        assert!(matches!(poll(&mut waiting[3].1), Poll::Ready(Err(Full))), "the last of the four had to go");
        drop(waiting.remove(3));
        assert_eq!(served(working, waiting), [1, 2, 1, 1]);
    }

    #[tokio::test]
    async fn a_caller_who_leaves_frees_a_place_and_a_turn() {
        let turns = Turns::new(1, 1);
        let working = turns.take(1).await.expect("nobody is at work");
        drop(ask(&turns, 1));
        let waiting = vec![ask(&turns, 2)];
        assert_eq!(served(working, waiting), [2]);
        let working = turns.take(1).await.expect("nobody is at work");
        drop(ask(&turns, 1));
        drop(working);
        assert_eq!(turns.state().idle, 1);
    }
}

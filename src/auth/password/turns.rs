//! Turns at a few workers, taken by many: whoever shares a key shares a queue, and the queues take turns.
//!
//! So one caller who fills the waiting room waits behind its own work, and everybody else waits for one piece of it at
//! most. Rejected: one queue for all, in which a single address kept everybody else out.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A bounded number of workers. A clone hands out the same ones.
pub(super) struct Turns<K: Eq + Hash + Copy> {
    /// How many may wait, all together.
    waiting: usize,
    /// Guards who is at work and who waits; held for a look at the queues, never across an await.
    state: Arc<Mutex<State<K>>>,
}

struct State<K: Eq + Hash + Copy> {
    idle: usize,
    waiting: usize,
    queues: HashMap<K, VecDeque<oneshot::Sender<Turn<K>>>>,
    /// Every key with a queue, once; the first is served next.
    order: VecDeque<K>,
}

/// A worker's time; dropped, the next in turn has it.
pub(super) struct Turn<K: Eq + Hash + Copy>(Option<Turns<K>>);

/// Too many wait.
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

    /// Waits for a turn. Where the waiting room is full, the last of the longest queue is turned away.
    ///
    /// # Cancellation
    /// Dropped while waiting, it has taken nothing.
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
        // The sender is dropped where this one was turned away for somebody with a shorter queue.
        turn.await.map_err(|_| Full)
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a worker on, or lets it rest.
    fn pass_on(&self) {
        let mut state = self.state();
        while let Some(waiting) = state.next() {
            let Err(mut unwanted) = waiting.send(Turn(Some(self.clone()))) else { return };
            // Its caller has left. Not dropped as a turn, which would come here again and find the lock held.
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

    /// Makes room for one of `key`, of those who have left or at the end of the longest queue, if that is not its own.
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

    /// Lets everybody work, one after the other: in which order they come to it.
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

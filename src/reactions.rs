//! Commits reactions, those to one message at most once a second.
//!
//! Everybody in a room hears of each change, so a message that hundreds react to at once would cost hundreds of events for
//! each reader. The first change is committed at once; later ones within a second of it are held, committed together and
//! answered then. What is held is lost with the instance, unanswered, so clients retry.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::batches::{self, PAUSE, QUEUE, Submit, Submits};
use crate::id::MessageId;
use crate::outcome::Outcome;
use crate::post::WriteError;
use crate::realtime::Realtime;
use crate::store::Db;
use crate::store::reactions::{self, NewReaction};
use crate::telemetry::trace::Trace;

/// Least time between two events of a message.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of changes in a batch, and so in one event: about 16 KiB. Took 30 ms under the log's lock on two busy
/// cores.
const MOST_IN_BATCH: usize = 200;

/// Maximum number of messages in a batch, each with its own event: about as long.
const MOST_MESSAGES: usize = 50;

/// See the [module](self). A handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Reactions {
    queue: Submits<NewReaction>,
}

impl Reactions {
    /// Starts the task that commits reactions. It ends after `stop`; reactions that are still held are refused.
    pub fn spawn(db: Db, realtime: Realtime, tasks: &TaskTracker, stop: CancellationToken) -> Self {
        let (queue, submits) = batches::queue();
        tasks.spawn(stop.run_until_cancelled_owned(commit_all(submits, db, realtime)));
        Self { queue }
    }

    /// Commits one reaction and publishes the event.
    ///
    /// # Errors
    /// [`WriteError`]; the caller may retry after each.
    pub async fn set(&self, reaction: NewReaction) -> Result<Outcome<()>, WriteError> {
        self.queue.commit(reaction).await
    }
}

/// Reactions that are not committed yet, by message, and messages that had an event within the last second.
#[derive(Debug, Default)]
struct Held {
    messages: HashMap<MessageId, Waiting>,
    /// Number of reactions, at most [`QUEUE`]: beyond it they stay in the queue, which then refuses others.
    count: usize,
}

#[derive(Debug)]
struct Waiting {
    /// Earliest time of the message's next event.
    from: Instant,
    submits: Vec<Submit<NewReaction>>,
}

impl Held {
    fn add(&mut self, submit: Submit<NewReaction>, now: Instant) {
        let waiting = self.messages.entry(submit.change.message);
        waiting.or_insert_with(|| Waiting { from: now, submits: Vec::new() }).submits.push(submit);
        self.count += 1;
    }

    const fn is_full(&self) -> bool {
        self.count >= QUEUE
    }

    /// Returns when the next reaction may be committed.
    fn next_due(&self) -> Option<Instant> {
        self.messages.values().filter(|waiting| !waiting.submits.is_empty()).map(|waiting| waiting.from).min()
    }

    /// Takes a batch of reactions that may be committed, those to one message in order, and forgets messages whose last
    /// event is long ago.
    fn take_due(&mut self, now: Instant) -> Vec<Submit<NewReaction>> {
        let (mut batch, mut messages) = (Vec::new(), 0);
        self.messages.retain(|_, waiting| {
            if waiting.from > now {
                return true;
            }
            if waiting.submits.is_empty() || messages == MOST_MESSAGES {
                return !waiting.submits.is_empty();
            }
            messages += 1;
            let taken = waiting.submits.len().min(MOST_IN_BATCH - batch.len());
            batch.extend(waiting.submits.drain(..taken));
            !waiting.submits.is_empty()
        });
        self.count -= batch.len();
        batch.retain(|submit| submit.is_awaited(now));
        batch
    }

    /// Notes that the message had an event.
    fn told(&mut self, message: MessageId, now: Instant) {
        let from = now + INTERVAL;
        self.messages.entry(message).or_insert_with(|| Waiting { from, submits: Vec::new() }).from = from;
    }
}

async fn commit_all(mut submits: mpsc::Receiver<Submit<NewReaction>>, db: Db, realtime: Realtime) {
    let mut held = Held::default();
    loop {
        let due = held.next_due();
        let until_due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            submit = submits.recv(), if !held.is_full() => match submit {
                Some(submit) => held.add(submit, Instant::now()),
                None => return,
            },
            () = until_due => {}
        }
        while !held.is_full()
            && let Ok(submit) = submits.try_recv()
        {
            held.add(submit, Instant::now());
        }
        let batch = held.take_due(Instant::now());
        if batch.is_empty() {
            continue;
        }
        let changes: Vec<NewReaction> = batch.iter().map(|submit| submit.change).collect();
        match batches::committed("reactions", reactions::set(&db, &changes)).await {
            Some(committed) => {
                let now = Instant::now();
                committed.events.iter().filter_map(|event| event.message).for_each(|message| held.told(message, now));
                realtime.publish(committed.events, Trace::default());
                for (outcome, submit) in committed.outcomes.into_iter().zip(batch) {
                    submit.answer(Ok(outcome));
                }
            }
            None => batch.into_iter().for_each(|submit| submit.answer(Err(WriteError::Unavailable))),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;
    use crate::input::Emoji;

    fn held_of(messages: &[MessageId], now: Instant) -> Held {
        let mut held = Held::default();
        for &message in messages {
            held.add(submit(message), now);
        }
        held
    }

    fn submit(message: MessageId) -> Submit<NewReaction> {
        let emoji = Emoji::parse("👍").expect("an emoji");
        batches::submit(NewReaction { user: UserId::new(), message, emoji, is_added: true })
    }

    fn messages(batch: &[Submit<NewReaction>]) -> Vec<MessageId> {
        batch.iter().map(|submit| submit.change.message).collect()
    }

    #[tokio::test]
    async fn the_first_change_is_due_at_once_and_later_ones_a_second_after_it() {
        let (now, message, other) = (Instant::now(), MessageId::new(), MessageId::new());
        let mut held = held_of(&[message], now);
        assert_eq!(held.next_due(), Some(now));
        assert_eq!(messages(&held.take_due(now)), [message]);
        assert_eq!((held.next_due(), held.messages.len()), (None, 0));
        held.told(message, now);
        held.add(submit(message), now);
        held.add(submit(message), now);
        held.add(submit(other), now);
        assert_eq!(messages(&held.take_due(now)), [other]);
        assert_eq!(held.next_due(), Some(now + INTERVAL));
        assert_eq!(messages(&held.take_due(now + INTERVAL)), [message, message]);
        assert_eq!((held.count, held.messages.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_batch_is_bounded_and_loses_none_of_the_rest() {
        let (now, message) = (Instant::now(), MessageId::new());
        let mut held = held_of(&vec![message; MOST_IN_BATCH + 10], now);
        assert_eq!(held.take_due(now).len(), MOST_IN_BATCH);
        held.told(message, now);
        assert!(held.take_due(now).is_empty());
        assert_eq!(held.take_due(now + INTERVAL).len(), 10);
        assert!(!held.is_full());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_dropped_and_messages_of_the_past_are_forgotten() {
        let (now, message) = (Instant::now(), MessageId::new());
        let mut held = held_of(&[message], now);
        assert!(held.take_due(now + Duration::from_mins(1)).is_empty());
        assert_eq!((held.count, held.messages.len()), (0, 0));
        held.told(message, now);
        held.take_due(now + INTERVAL);
        assert_eq!(held.messages.len(), 0);
    }
}

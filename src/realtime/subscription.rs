//! One reader's stream of events: all those after its cursor, or an explicit reset.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::cursor::Cursor;
use super::feed::{Ask, Pull};
use super::frame::{self, ByeReason, ResetReason, RoomHead};
use super::hub::SubscriberId;
use super::mailbox::{Mailbox, Next};
use super::replay::{ReplayFilter, Share};
use super::sample::Sample;
use super::{Realtime, Shared};
use crate::id::{Pos, RoomId};

/// Time to wait if a cursor is ahead of this instance: another one issued it, and the news has not arrived yet.
const AHEAD_PATIENCE: Duration = Duration::from_secs(2);
/// Time for which replay retries an unavailable database before the stream ends as `busy`.
const READ_PATIENCE: Duration = Duration::from_secs(10);
const READ_PAUSE: Duration = Duration::from_millis(250);

/// Next step of the connection's task.
#[derive(Debug)]
pub enum Step {
    /// Send these, in this order; the sample ends when they have been written.
    Send(Vec<Bytes>, Option<Box<Sample>>),
    /// Send `bye` and end.
    Bye(ByeReason),
}

/// See the [module](self). Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    id: SubscriberId,
    mailbox: Arc<Mailbox>,
    filter: ReplayFilter,
    share: Share,
    /// Set until it is known whether the stream begins with a replay or a reset. Locked to look and to change it.
    count: Mutex<Option<Count>>,
    /// Position after which the stream begins.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    pub missing: Arc<[RoomId]>,
    pub followed: Option<Vec<RoomHead>>,
}

/// Counts the events that a reader has missed. Kept between calls of [`Subscription::next`], which may be cancelled.
#[derive(Debug)]
struct Count {
    limit: usize,
    missed: usize,
    /// Position up to which the missed events have been counted.
    counted: Arc<Mailbox>,
}

impl Realtime {
    /// Registers a reader. See [`Subscription::next`].
    ///
    /// `replay_limit`: if more events than this were missed, the stream's first event is a reset instead of a replay;
    /// `None` always replays.
    pub async fn subscribe(&self, ask: Ask, replay_limit: Option<usize>) -> Subscription {
        if let Some(cursor) = &ask.cursor {
            self.wait_for(cursor).await;
        }
        let (interest, share) = (ask.interest.clone(), ask.share);
        let start = self.shared.feed().subscribe(ask);
        let missing: Arc<[RoomId]> = start.missing.into();
        let mut subscription = Subscription {
            shared: Arc::clone(&self.shared),
            id: start.id,
            mailbox: start.mailbox,
            filter: ReplayFilter { interest, missing: Arc::clone(&missing), registered_at: start.registered_at },
            share,
            count: Mutex::new(None),
            cursor: start.cursor,
            rooms: start.rooms,
            missing,
            followed: start.followed,
        };
        match (start.reset, replay_limit) {
            (Some(reason), _) => {
                let Cursor { epoch, pos } = &subscription.cursor;
                subscription.mailbox.restart(*pos, frame::reset(epoch, *pos, reason));
                opened("reset");
            }
            (None, _) if subscription.cursor.pos == start.registered_at => opened("live"),
            (None, None) => opened("replay"),
            (None, Some(limit)) => {
                let counted = Arc::new(Mailbox::behind(subscription.cursor.pos));
                subscription.count = Mutex::new(Some(Count { limit, missed: 0, counted }));
            }
        }
        subscription
    }

    /// Waits up to [`AHEAD_PATIENCE`] for this instance to reach the cursor.
    async fn wait_for(&self, cursor: &Cursor) {
        if cursor.epoch == *self.shared.feed().epoch() {
            let mut applied = self.shared.applied.subscribe();
            let heard = applied.wait_for(|applied| *applied >= cursor.pos);
            // After a timeout, `Feed::subscribe` answers with a reset.
            tokio::time::timeout(AHEAD_PATIENCE, heard).await.ok();
        }
    }

    /// Queues a heartbeat for this reader, after all its earlier events.
    pub fn beat(&self, subscription: &Subscription) {
        self.shared.feed().beat(subscription.id, &subscription.mailbox);
    }
}

impl Subscription {
    /// Waits for the next step and returns it.
    ///
    /// # Cancellation
    /// Safe: nothing is lost; the next call returns it.
    pub async fn next(&self) -> Step {
        loop {
            let step = match poll_fn(|context| self.mailbox.poll_next(context)).await {
                Next::Frames(frames, sample) => Step::Send(frames, sample),
                Next::Bye(reason) => Step::Bye(reason),
                // A read may take long; the end of the reader's right interrupts it.
                Next::Behind(from) => tokio::select! {
                    biased;
                    () = poll_fn(|context| self.mailbox.poll_called_off(context, from)) => continue,
                    step = self.catch_up(from) => step,
                },
            };
            if !matches!(&step, Step::Send(frames, _) if frames.is_empty()) {
                return step;
            }
        }
    }

    /// Returns a heartbeat at the position of a reader who is behind; a live one gets it from [`Realtime::beat`].
    pub fn behind_heartbeat(&self) -> Option<Bytes> {
        let epoch = Arc::clone(self.shared.feed().epoch());
        self.mailbox.behind_from().map(|pos| frame::heartbeat(&epoch, pos))
    }

    async fn catch_up(&self, from: Pos) -> Step {
        if self.has_missed_too_much(from).await {
            self.begin_now();
            return Step::Send(Vec::new(), None);
        }
        self.read_on(&self.mailbox, from).await
    }

    /// Reads one step of the log for the reader whose position is in `mailbox`. There is no await between advancing
    /// that position and returning, so that an interrupted read loses no frames.
    async fn read_on(&self, mailbox: &Mailbox, from: Pos) -> Step {
        let (pull, epoch) = {
            let feed = self.shared.feed();
            (feed.pull(mailbox, &self.filter, from), Arc::clone(feed.epoch()))
        };
        match pull {
            Pull::Frames(frames) | Pull::Live { counts: frames } => Step::Send(frames, None),
            Pull::Bye(reason) => Step::Bye(reason),
            Pull::Older { after, head } => match self.read_older(mailbox, &epoch, after, head).await {
                Some(frames) => Step::Send(frames, None),
                None => Step::Bye(ByeReason::Busy),
            },
        }
    }

    /// Reads events from the database; returns `None` if that fails for longer than [`READ_PATIENCE`].
    async fn read_older(&self, mailbox: &Mailbox, epoch: &str, after: Pos, head: Pos) -> Option<Vec<Bytes>> {
        let began = Instant::now();
        let stretch = loop {
            let replay = self.shared.replay();
            let read = if **replay.epoch() == *epoch {
                replay.read(self.share, &self.filter, after, head).await
            } else {
                // The feed is about to reset this reader.
                Err(anyhow::anyhow!("another history has begun"))
            };
            match read {
                Ok(stretch) => break stretch,
                Err(error) if began.elapsed() > READ_PATIENCE => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "cannot read missed events for a reader; ending its stream with `bye busy`"
                    );
                    return None;
                }
                Err(_) => tokio::time::sleep(READ_PAUSE).await,
            }
        };
        Some(self.filter.take_over(mailbox, after, &stretch))
    }

    /// Returns whether the reader, which is at `from`, has missed more events than it wants replayed. Reads them as the
    /// reader would, with a position of its own, and sends nothing.
    async fn has_missed_too_much(&self, from: Pos) -> bool {
        let counting = self.count().as_ref().map(|count| Arc::clone(&count.counted));
        let Some(counted) = counting else { return false };
        // Another history has begun meanwhile if the reader is no longer at its cursor.
        while from == self.cursor.pos
            && let Some(at) = counted.behind_from()
            && at < self.filter.registered_at
        {
            // If the log cannot be read now, the replay will fail in the same way and end the stream.
            let Step::Send(frames, _) = self.read_on(&counted, at).await else { break };
            let mut count = self.count();
            let Some(count) = count.as_mut() else { break };
            count.missed += frames.len();
            if count.missed > count.limit {
                break;
            }
        }
        let is_too_much = self.count().take().is_some_and(|count| count.missed > count.limit);
        opened(if is_too_much { "reset" } else { "replay" });
        is_too_much
    }

    /// Skips the missed events: a reset follows, at the newest position.
    fn begin_now(&self) {
        let feed = self.shared.feed();
        self.mailbox.restart(feed.applied(), frame::reset(feed.epoch(), feed.applied(), ResetReason::ReplayLimit));
    }

    fn count(&self) -> MutexGuard<'_, Option<Count>> {
        self.count.lock().expect("nothing panics while it holds the count")
    }
}

/// Counts an opened stream.
fn opened(resume: &'static str) {
    metrics::counter!("gapless_streams_opened_total", "resume" => resume).increment(1);
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if self.count().is_some() {
            opened("replay");
        }
        self.shared.feed().unsubscribe(self.id, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::event::{Effect, Event};
    use crate::id::{SessionId, UserId};
    use crate::realtime::format::Format;
    use crate::realtime::log::Log;
    use crate::realtime::log::memory::Memory;
    use crate::realtime::topic::Interest;
    use crate::telemetry::trace::Trace;

    const HEAD: Pos = Pos(1_000);

    #[tokio::test(start_paused = true)]
    async fn ending_a_session_interrupts_a_replay_that_hangs() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        // A log whose reads never return.
        let log = Log::Memory(Arc::new(Memory { head: HEAD, ..Memory::default() }));
        let realtime = Realtime::start(log, 1_000, None, &tasks, &stop).await.unwrap();
        let (user, session) = (UserId::new(), SessionId::new());
        let ask = Ask {
            interest: Interest::new(Vec::new(), Some(user)),
            session: Some(session.into()),
            cursor: Some(Cursor { epoch: "e".into(), pos: Pos(1) }),
            format: Format::Json,
            share: Share::default(),
            follow: None,
            page: None,
        };
        let subscription = realtime.subscribe(ask, None).await;
        let next = tokio::spawn(async move { subscription.next().await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!next.is_finished(), "it reads");

        let ended = Effect::SessionsEnded { user, sessions: vec![session], all: None };
        let event = Event::silent(HEAD.next(), OffsetDateTime::UNIX_EPOCH, "sessions.ended").with_effect(ended);
        realtime.publish(vec![event], Trace::default());
        let next = tokio::time::timeout(Duration::from_secs(1), next).await.expect("it ends within a second");
        assert!(matches!(next, Ok(Step::Bye(ByeReason::Revoked))));
        stop.cancel();
    }
}

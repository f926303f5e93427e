//! One reader's stream of events: all those after its cursor, or an explicit reset.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::cursor::Cursor;
use super::feed::{Ask, Pull, ReplayFilter};
use super::frame::{self, ByeReason, ResetReason, RoomHead};
use super::hub::SubscriberId;
use super::mailbox::{Mailbox, Next};
use super::replay::Share;
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
    /// Position after which the stream begins.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    pub missing: Arc<[RoomId]>,
}

impl Realtime {
    /// Registers a reader. See [`Subscription::next`].
    ///
    /// `replay_limit`: if more events than this were missed, the stream begins with a reset instead of a replay; `None`
    /// always replays.
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
            cursor: start.cursor,
            rooms: start.rooms,
            missing,
        };
        let kind = match start.reset {
            Some(reason) => {
                let Cursor { epoch, pos } = &subscription.cursor;
                subscription.mailbox.restart(*pos, frame::reset(epoch, *pos, reason));
                "reset"
            }
            None if subscription.cursor.pos == start.registered_at => "live",
            None => {
                let is_too_much = match replay_limit {
                    Some(limit) => subscription.has_missed_more_than(limit).await,
                    None => false,
                };
                if is_too_much {
                    subscription.begin_now();
                    "reset"
                } else {
                    "replay"
                }
            }
        };
        metrics::counter!("gapless_streams_opened_total", "resume" => kind).increment(1);
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
        self.shared.feed().beat(&subscription.mailbox);
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
                    step = self.read_on(&self.mailbox, from) => step,
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

    /// Reads one step of the log for the reader whose position is in `mailbox`. There is no await between advancing
    /// that position and returning, so that an interrupted read loses no frames.
    async fn read_on(&self, mailbox: &Mailbox, from: Pos) -> Step {
        let pull = self.shared.feed().pull(mailbox, &self.filter, from);
        match pull {
            Pull::Frames(frames) | Pull::Live { counts: frames } => Step::Send(frames, None),
            Pull::Bye(reason) => Step::Bye(reason),
            Pull::Older { after, tail, head } => match self.read_older(mailbox, after, tail, head).await {
                Some(frames) => Step::Send(frames, None),
                None => Step::Bye(ByeReason::Busy),
            },
        }
    }

    /// Reads one segment from the database; returns `None` if that fails for longer than [`READ_PATIENCE`].
    async fn read_older(&self, mailbox: &Mailbox, after: Pos, tail: Pos, head: Pos) -> Option<Vec<Bytes>> {
        let began = Instant::now();
        let entries = loop {
            match self.shared.replay().read(self.share, after, tail, head).await {
                Ok(entries) => break entries,
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
        let frames = self.filter.take_over(mailbox, after, &entries);
        if entries.last().is_none_or(|newest| newest.pos <= after) {
            // Applied events are missing from the log: the applier will soon detect a new history.
            tokio::time::sleep(READ_PAUSE).await;
        }
        Some(frames)
    }

    /// Returns whether the reader has missed more than `limit` events. Reads them as the reader would, with a position
    /// of its own, and sends nothing.
    async fn has_missed_more_than(&self, limit: usize) -> bool {
        let probe = Mailbox::behind(self.cursor.pos);
        let mut missed = 0;
        while let Some(from) = probe.behind_from()
            && from < self.filter.registered_at
        {
            match self.read_on(&probe, from).await {
                Step::Send(frames, _) => missed += frames.len(),
                // The log cannot be read now: the replay will fail in the same way and end the stream.
                Step::Bye(_) => return false,
            }
            if missed > limit {
                return true;
            }
        }
        false
    }

    /// Skips the missed events: the stream begins with a reset, at the newest position.
    fn begin_now(&mut self) {
        let feed = self.shared.feed();
        self.cursor = Cursor { epoch: Arc::clone(feed.epoch()), pos: feed.applied() };
        self.filter.registered_at = feed.applied();
        self.mailbox.restart(feed.applied(), frame::reset(feed.epoch(), feed.applied(), ResetReason::ReplayLimit));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
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
            share: Share::default(),
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

//! One reader's view of the log: from its cursor on, exactly, or a declared reset.

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

/// How long a cursor may be ahead of this instance: another one gave it out, and its news is on the way.
const AHEAD_PATIENCE: Duration = Duration::from_secs(2);
/// How long replay waits for a database that is away before the reader is sent to try again.
const READ_PATIENCE: Duration = Duration::from_secs(10);
const READ_PAUSE: Duration = Duration::from_millis(250);
/// What the reader does next.
#[derive(Debug)]
pub enum Step {
    /// Send these, in this order; the sample is done when they are written.
    Send(Vec<Bytes>, Option<Box<Sample>>),
    /// Say goodbye and end.
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
    /// Where the stream begins.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    pub missing: Arc<[RoomId]>,
}

impl Realtime {
    /// Registers a reader. See [`Subscription::next`].
    ///
    /// `replay_limit`: more missed events than this are not replayed but reset; `None` replays them all.
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

    /// A cursor of the future: waits a little for this instance to come that far.
    async fn wait_for(&self, cursor: &Cursor) {
        if cursor.epoch == *self.shared.feed().epoch() {
            let mut applied = self.shared.applied.subscribe();
            let heard = applied.wait_for(|applied| *applied >= cursor.pos);
            // Should it not come, `Feed::subscribe` answers with a reset.
            tokio::time::timeout(AHEAD_PATIENCE, heard).await.ok();
        }
    }

    /// A heartbeat for this reader, behind every event that it should have had before.
    pub fn beat(&self, subscription: &Subscription) {
        self.shared.feed().beat(&subscription.mailbox);
    }
}

impl Subscription {
    /// What to do next; waits while there is nothing.
    ///
    /// # Cancellation
    /// Safe: what was not returned is returned by the next call.
    pub async fn next(&self) -> Step {
        loop {
            let step = match poll_fn(|context| self.mailbox.poll_next(context)).await {
                Next::Frames(frames, sample) => Step::Send(frames, sample),
                Next::Bye(reason) => Step::Bye(reason),
                // A read may take as long as the database does; the end of a right does not wait for it.
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

    /// A reader who is behind says where it stands; a live one gets its heartbeat from [`Realtime::beat`].
    pub fn behind_heartbeat(&self) -> Option<Bytes> {
        let epoch = Arc::clone(self.shared.feed().epoch());
        self.mailbox.behind_from().map(|pos| frame::heartbeat(&epoch, pos))
    }

    /// One step through the log, for the reader whose place `mailbox` keeps. Nothing is awaited between moving
    /// that place and returning, so that what is called off has taken nothing with it.
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

    /// One segment from the database, or `None` when that stays away for too long.
    async fn read_older(&self, mailbox: &Mailbox, after: Pos, tail: Pos, head: Pos) -> Option<Vec<Bytes>> {
        let began = Instant::now();
        let entries = loop {
            match self.shared.replay().read(self.share, after, tail, head).await {
                Ok(entries) => break entries,
                Err(error) if began.elapsed() > READ_PATIENCE => {
                    tracing::warn!(error = format!("{error:#}"), "a reader cannot be replayed; it is sent away");
                    return None;
                }
                Err(_) => tokio::time::sleep(READ_PAUSE).await,
            }
        };
        let frames = self.filter.take_over(mailbox, after, &entries);
        if entries.last().is_none_or(|newest| newest.pos <= after) {
            // What was applied is not in the log: the applier is about to find another history.
            tokio::time::sleep(READ_PAUSE).await;
        }
        Some(frames)
    }

    /// Counts what the reader has missed, by reading it as the reader would, with another place and nothing sent.
    async fn has_missed_more_than(&self, limit: usize) -> bool {
        let probe = Mailbox::behind(self.cursor.pos);
        let mut missed = 0;
        while let Some(from) = probe.behind_from()
            && from < self.filter.registered_at
        {
            match self.read_on(&probe, from).await {
                Step::Send(frames, _) => missed += frames.len(),
                // The log cannot be read now: the replay itself will find the same, and say so.
                Step::Bye(_) => return false,
            }
            if missed > limit {
                return true;
            }
        }
        false
    }

    /// Gives up what was missed: the stream begins with a reset, at the newest position.
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
    async fn a_right_ends_while_what_was_missed_cannot_be_read() {
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

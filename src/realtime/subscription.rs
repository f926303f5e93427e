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
use super::{Realtime, Shared};
use crate::id::{Pos, RoomId};

/// How long a cursor may be ahead of this instance: another one gave it out, and its news is on the way.
const AHEAD_PATIENCE: Duration = Duration::from_secs(2);
/// How long replay waits for a database that is away before the reader is sent to try again.
const READ_PATIENCE: Duration = Duration::from_secs(10);
const READ_PAUSE: Duration = Duration::from_millis(250);
/// A client that limits its replay gets it in one piece, held in memory until it is known to fit.
const MOST_REPLAY_LIMIT: usize = 10_000;

/// What the reader does next.
#[derive(Debug)]
pub enum Step {
    /// Send these, in this order.
    Send(Vec<Bytes>),
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
    /// Where the stream begins.
    pub cursor: Cursor,
    pub rooms: Vec<RoomHead>,
    pub missing: Arc<[RoomId]>,
    /// To be sent right after the greeting.
    opening: Vec<Bytes>,
}

impl Realtime {
    /// Registers a reader. See [`Subscription::next`].
    ///
    /// `replay_limit`: more missed events than this are not replayed but reset; `None` replays them all.
    pub async fn subscribe(&self, ask: Ask, replay_limit: Option<usize>) -> Subscription {
        if let Some(cursor) = &ask.cursor {
            self.wait_for(cursor).await;
        }
        let interest = ask.interest.clone();
        let start = self.shared.feed().subscribe(ask);
        let missing: Arc<[RoomId]> = start.missing.into();
        let mut subscription = Subscription {
            shared: Arc::clone(&self.shared),
            id: start.id,
            mailbox: start.mailbox,
            filter: ReplayFilter { interest, missing: Arc::clone(&missing), registered_at: start.registered_at },
            cursor: start.cursor,
            rooms: start.rooms,
            missing,
            opening: Vec::new(),
        };
        let kind = match start.reset {
            Some(reason) => {
                subscription.opening.push(frame::reset(&subscription.cursor.epoch, subscription.cursor.pos, reason));
                "reset"
            }
            None if subscription.cursor.pos == start.registered_at => "live",
            None => match replay_limit {
                None => "replay",
                Some(limit) => subscription.replay_at_most(limit.min(MOST_REPLAY_LIMIT)).await,
            },
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
    pub async fn next(&mut self) -> Step {
        if !self.opening.is_empty() {
            return Step::Send(std::mem::take(&mut self.opening));
        }
        loop {
            let step = match poll_fn(|context| self.mailbox.poll_next(context)).await {
                Next::Frames(frames) => Step::Send(frames),
                Next::Bye(reason) => Step::Bye(reason),
                Next::Behind(from) => self.read_on(from).await,
            };
            if !matches!(&step, Step::Send(frames) if frames.is_empty()) {
                return step;
            }
        }
    }

    /// A reader who is behind says where it stands; a live one gets its heartbeat from [`Realtime::beat`].
    pub fn behind_heartbeat(&self) -> Option<Bytes> {
        let epoch = Arc::clone(self.shared.feed().epoch());
        self.mailbox.behind_from().map(|pos| frame::heartbeat(&epoch, pos))
    }

    /// One step through the log.
    async fn read_on(&self, from: Pos) -> Step {
        let pull = self.shared.feed().pull(&self.mailbox, &self.filter, from);
        match pull {
            Pull::Frames(frames) | Pull::Live { counts: frames } => Step::Send(frames),
            Pull::Bye(reason) => Step::Bye(reason),
            Pull::Older { after, tail, head } => match self.read_older(after, tail, head).await {
                Some(frames) => Step::Send(frames),
                None => Step::Bye(ByeReason::Busy),
            },
        }
    }

    /// One segment from the database, or `None` when that stays away for too long.
    async fn read_older(&self, after: Pos, tail: Pos, head: Pos) -> Option<Vec<Bytes>> {
        let began = Instant::now();
        let entries = loop {
            match self.shared.replay().read(after, tail, head).await {
                Ok(entries) => break entries,
                Err(error) if began.elapsed() > READ_PATIENCE => {
                    tracing::warn!(error = format!("{error:#}"), "a reader cannot be replayed; it is sent away");
                    return None;
                }
                Err(_) => tokio::time::sleep(READ_PAUSE).await,
            }
        };
        let frames = self.filter.take_over(&self.mailbox, after, &entries);
        if entries.last().is_none_or(|newest| newest.pos <= after) {
            // What was applied is not in the log: the applier is about to find another history.
            tokio::time::sleep(READ_PAUSE).await;
        }
        Some(frames)
    }

    /// Reads all that was missed before anything is sent; when it is too much, the stream begins now instead.
    async fn replay_at_most(&mut self, limit: usize) -> &'static str {
        let mut missed = Vec::new();
        while let Some(from) = self.mailbox.behind_from()
            && from < self.filter.registered_at
        {
            match self.read_on(from).await {
                Step::Send(frames) => missed.extend(frames),
                Step::Bye(reason) => {
                    self.mailbox.close(reason);
                    break;
                }
            }
            if missed.len() > limit {
                let feed = self.shared.feed();
                self.cursor = Cursor { epoch: Arc::clone(feed.epoch()), pos: feed.applied() };
                self.filter.registered_at = feed.applied();
                let reset = frame::reset(feed.epoch(), feed.applied(), ResetReason::ReplayLimit);
                self.mailbox.restart(feed.applied(), reset);
                return "reset";
            }
        }
        self.opening = missed;
        "replay"
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.feed().unsubscribe(self.id, Instant::now());
    }
}

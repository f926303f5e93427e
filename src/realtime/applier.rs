//! The one task that changes the feed: it receives news, orders it by the gate, and applies it to the feed.
//!
//! News is only a hint. The gate detects lost, duplicate and reordered news by position, and this task reads missing
//! events from the log. So a full channel, an unavailable backplane and a commit whose answer was lost are all
//! recovered from in the same way.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::backplane::{Backplane, Hints};
use super::gate::{Gate, Want};
use super::log::Log;
use super::sample::Sample;
use crate::event::Event;
use crate::id::Pos;
use crate::store::events;
use crate::store::log::Head;
use crate::telemetry::trace::{PendingTraces, Span, Trace};

/// Interval of checks of the log's head. Limits the delay of a change whose news was lost.
const TICK: Duration = Duration::from_secs(1);
/// The same while the backplane is disconnected, when this is the only way to learn of other instances' commits.
const DEAF_TICK: Duration = Duration::from_millis(200);
/// Minimum pause between two checks caused by hints: strangers can send hints as often as they like.
const HINT_PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of positions read at once.
const READ_MOST: i64 = 2000;
/// Maximum number of events applied per hold of the feed's lock, so that readers who register or pull need not wait
/// long.
const APPLY_MOST: usize = 64;
/// Maximum number of news items taken before applying them, so that a flood does not delay events that are in order.
const TAKE_MOST: usize = 256;
/// Maximum number of kinds of unreadable entries that are logged per process.
const MOST_KINDS: usize = 64;
/// Pause after a failed read of the log.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Input of the applier.
#[derive(Debug)]
pub enum News {
    /// These were committed.
    Committed(Vec<Event>, Trace),
    /// The log has reached this position, and the events themselves are not sent: read them now.
    Demand(Pos),
    /// The log's head, as read from Postgres.
    Head(Head),
    /// News may have been missed: read the head from Postgres at once.
    LookAtHead,
}

/// Checks the log's head every [`TICK`], or [`DEAF_TICK`], and on hints, until `stop`. It is a separate task, so that a
/// hanging database does not keep the applier from news sent by other instances.
pub async fn watch_head(
    shared: Arc<Shared>,
    log: Log,
    news: mpsc::Sender<News>,
    backplane: Backplane,
    hints: Arc<Hints>,
    stop: CancellationToken,
) {
    for by in ["tick", "hint"] {
        metrics::counter!("gapless_log_looks_total", "by" => by).increment(0);
    }
    let mut looked_at = tokio::time::Instant::now();
    let mut pause = async || {
        let tick = if backplane.is_connected() { TICK } else { DEAF_TICK };
        let is_hinted = tokio::time::timeout(tick, hints.due()).await.is_ok();
        tokio::time::sleep_until(looked_at + HINT_PAUSE).await;
        looked_at = tokio::time::Instant::now();
        is_hinted
    };
    while let Some(is_hinted) = stop.run_until_cancelled(pause()).await {
        metrics::counter!("gapless_log_looks_total", "by" => if is_hinted { "hint" } else { "tick" }).increment(1);
        let applied = shared.feed().applied();
        match log.head(applied).await {
            // If the channel is full, its news is newer than this head.
            Ok(head) => drop(news.try_send(News::Head(head))),
            Err(error) => {
                metrics::counter!("gapless_log_read_failures_total").increment(1);
                tracing::warn!(error = format!("{error:#}"), "cannot read the log's head; retrying at the next check");
            }
        }
    }
}

/// Runs until `stop`.
pub async fn run(shared: Arc<Shared>, log: Log, mut news: mpsc::Receiver<News>, stop: CancellationToken) {
    let gate = Gate::new(shared.feed().applied());
    let mut applier =
        Applier { gate, shared, log, traces: PendingTraces::default(), hole: None, unknown_kinds: HashSet::new() };
    loop {
        let patience = match applier.gate.want(Instant::now()) {
            Want::Wait(until) => Some(until),
            _ => None,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            received = news.recv() => match received {
                Some(received) => {
                    applier.take(received).await;
                    // Takes all queued news first, so that one read closes all gaps.
                    for _ in 0..TAKE_MOST {
                        let Ok(received) = news.try_recv() else { break };
                        applier.take(received).await;
                    }
                }
                None => return,
            },
            () = sleep_until(patience) => {}
        }
        applier.apply_ready();
        applier.note_hole("news");
        applier.close_gap().await;
        applier.note();
    }
}

async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

struct Applier {
    gate: Gate,
    shared: Arc<Shared>,
    log: Log,
    traces: PendingTraces,
    /// Time since which events wait behind a missing one.
    hole: Option<Instant>,
    /// Kinds of unreadable entries logged so far: each is logged once.
    unknown_kinds: HashSet<Cow<'static, str>>,
}

impl Applier {
    async fn take(&mut self, news: News) {
        let now = Instant::now();
        match news {
            News::Committed(events, _) if self.contradicts(events.iter().map(|event| (event.pos, event.at))) => {
                self.look_at_head().await;
            }
            News::Committed(events, trace) => {
                self.traces.heard(events.last().map(|event| event.pos), trace, now);
                self.offer(events);
            }
            News::Demand(pos) => self.gate.demand(pos, now),
            News::Head(head) if self.continues(&head) => self.gate.saw_head(head.pos, now),
            // The head may merely be old: read before events that have been applied since.
            News::Head(_) | News::LookAtHead => self.look_at_head().await,
        }
    }

    fn offer(&mut self, events: Vec<Event>) {
        let now = Instant::now();
        for event in events {
            let event = self.readable(event);
            self.gate.offer(event, now);
        }
    }

    /// Replaces an event of an unknown kind by one that no client receives, counts it, and logs the first of each kind.
    fn readable(&mut self, event: Event) -> Event {
        if events::kind(&event.kind).is_some() {
            return event;
        }
        if event.pos > self.gate.passed() {
            metrics::counter!("gapless_log_entries_unknown_total").increment(1);
            if self.unknown_kinds.len() < MOST_KINDS && self.unknown_kinds.insert(event.kind.clone()) {
                let (pos, kind) = (event.pos, &event.kind);
                tracing::warn!(%pos, %kind, "skipping log entries that this release does not understand");
            }
        }
        events::unreadable(event)
    }

    /// Applies the events that are in order, at most [`APPLY_MOST`] per hold of the lock.
    fn apply_ready(&mut self) {
        loop {
            let now = Instant::now();
            let span = if self.gate.has_next() { self.traces.apply(self.gate.passed().next()) } else { Span::none() };
            let ready = std::iter::from_fn(|| self.gate.pop(now)).take(APPLY_MOST);
            let applied = self.shared.feed().apply_timed(ready, |committed_at| {
                Some(Box::new(Sample { committed_at, left_at: now, trace: span.trace() }))
            });
            span.end();
            if applied.has_erased {
                self.shared.replay().forget_all();
            } else if !applied.deleted.is_empty() || !applied.trimmed.is_empty() {
                self.shared.replay().forget_bodies(&applied.deleted, &applied.trimmed);
            }
            if applied.events == 0 {
                return;
            }
            if applied.is_for_lobby {
                self.shared.is_lobby_due.notify_one();
            }
            metrics::counter!("gapless_events_applied_total").increment(applied.events as u64);
            metrics::counter!("gapless_deliveries_total").increment(applied.deliveries as u64);
            self.shared.applied.send_replace(self.gate.passed());
        }
    }

    /// Counts a hole that opened, and records the duration of one that was closed.
    fn note_hole(&mut self, closed_by: &'static str) {
        match (self.gate.waiting(), self.hole) {
            (0, Some(since)) => {
                self.hole = None;
                metrics::histogram!("gapless_hole_heal_seconds", "by" => closed_by).record(since.elapsed());
            }
            (1.., None) => {
                self.hole = Some(Instant::now());
                metrics::counter!("gapless_holes_total").increment(1);
            }
            _ => {}
        }
    }

    /// Updates the gauges of this instance's lag, after all events that could be applied were.
    fn note(&self) {
        let waiting = u32::try_from(self.gate.waiting()).unwrap_or(u32::MAX);
        metrics::gauge!("gapless_gate_events").set(waiting);
        metrics::gauge!("gapless_log_lag").set(u32::try_from(self.gate.lag()).unwrap_or(u32::MAX));
    }

    /// Reads missing events from the log until none is missing.
    async fn close_gap(&mut self) {
        while let Want::Read { after, upto } = self.gate.want(Instant::now()) {
            let upto = Pos(upto.0.min(after.0 + READ_MOST));
            metrics::counter!("gapless_catch_up_reads_total").increment(1);
            match self.log.read(after, upto).await {
                Ok(events) if events.last().is_some_and(|event| event.pos == upto) => {
                    self.offer(events);
                    self.apply_ready();
                    self.note_hole("read");
                }
                Ok(_) => {
                    // Announced positions are not in the log: the announcement was false, or the history changed.
                    self.look_at_head().await;
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot read the log; retrying in 100 ms");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn look_at_head(&mut self) {
        match self.log.head(self.gate.passed()).await {
            Ok(head) if self.continues(&head) => self.gate.trust_head(head.pos, Instant::now()),
            Ok(head) => self.restart(head).await,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "cannot read the log's head; retrying at the next check");
            }
        }
    }

    /// Returns whether this head belongs to the history that is applied here.
    fn continues(&self, head: &Head) -> bool {
        head.epoch == *self.shared.feed().epoch() && head.pos >= self.gate.passed() && !self.contradicts(head.landmark)
    }

    /// Returns whether one of these events was committed at another time than the one applied at its position.
    fn contradicts(&self, events: impl IntoIterator<Item = (Pos, OffsetDateTime)>) -> bool {
        let feed = self.shared.feed();
        events.into_iter().any(|(pos, at)| feed.contradicts(pos, at))
    }

    /// Switches to a new history with a new epoch: the database was restored, or failed over to a copy that lacks
    /// positions already applied.
    async fn restart(&mut self, found: Head) {
        let old = Arc::clone(self.shared.feed().epoch());
        let same_name = found.epoch == old;
        tracing::warn!(
            old_epoch = %old, new_epoch = %found.epoch, applied = %self.gate.passed(), head = %found.pos,
            "the database's history has changed; resetting every stream"
        );
        match self.log.snapshot(same_name.then_some(&*old)).await {
            Ok(snapshot) => {
                metrics::counter!("gapless_epoch_changes_total").increment(1);
                self.hole = None;
                self.gate.restart(snapshot.head);
                self.shared.restart(&self.log, snapshot);
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "cannot read the new history; retrying at the next check"
                );
            }
        }
    }
}

//! Delivery of committed changes to every client that may receive them. Knows neither HTTP nor SQL.
//!
//! A posted message passes through [`writer`] (commits batches) → [`applier`] (orders news) → [`feed`] (applies one
//! event at a time, under one lock) → [`hub`] (finds this instance's subscribers) → [`mailbox`] (one reader's queue) →
//! [`subscription`] (one reader's stream). The [`backplane`] carries the same news to the other instances. Lost news is
//! detected by a gap in the positions of events and read from the [`log`](mod@log); readers who fall behind read the
//! [`ring`], and older events by [`replay`].

pub mod applier;
pub mod backplane;
pub mod cursor;
pub mod directory;
pub mod feed;
pub mod format;
pub mod frame;
pub mod gate;
pub mod hub;
pub mod lobby;
pub mod log;
pub mod mailbox;
#[cfg(test)]
mod model;
pub mod presence;
#[cfg(test)]
mod races;
pub mod replay;
pub mod ring;
pub mod sample;
pub mod subscription;
mod teller;
pub mod topic;
pub mod turns;
pub mod typing;
pub mod writer;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use secrecy::SecretString;

use self::applier::News;
use self::backplane::redis::Joining;
use self::backplane::seal::Seal;
use self::backplane::{Backplane, Bulletin, Envelope, Heard, Hints, Inbox};
use self::cursor::Cursor;
use self::feed::Feed;
use self::log::Log;
use self::replay::{READS_AT_ONCE, Replay, Share};
use self::turns::Turns;
use crate::event::{Event, Online, Role};
use crate::id::{InstanceId, Pos, RoomId, SessionClaim, UserId};
use crate::store::log::Snapshot;
use crate::telemetry::trace::{Span, Trace};

/// Capacity of the applier's queue. Full means that the applier lags; it reads dropped events from the log.
const NEWS_QUEUE: usize = 1024;
/// Maximum time that a handler waits until its own change is applied here.
const SETTLE_PATIENCE: Duration = Duration::from_secs(1);

/// The real-time part of this instance; a handle, cheap to clone.
#[derive(Clone, Debug)]
pub struct Realtime {
    shared: Arc<Shared>,
    news: mpsc::Sender<News>,
    backplane: Backplane,
}

/// Gauges of the real-time part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    pub streams: usize,
    pub active_rooms: usize,
    pub archived_rooms: usize,
    /// Rooms with at least one reader, here or on another instance whose reports arrive.
    pub rooms_with_readers: usize,
    pub instances_heard: usize,
    pub applied: Pos,
    /// Length of the applier's queue.
    pub news_waiting: usize,
}

/// State shared by the tasks of the real-time part.
#[derive(Debug)]
pub struct Shared {
    /// Guards all state that events change. Held for one step of the feed (a few microseconds, or the time to push
    /// one event into its readers' mailboxes), never across an await.
    feed: Mutex<Feed>,
    /// Reads of older events; replaced when a new history begins.
    replay: RwLock<Arc<Replay>>,
    /// Limits concurrent reads of older events, across histories.
    replay_turns: Turns<Share>,
    /// Runs these reads.
    tasks: TaskTracker,
    applied: watch::Sender<Pos>,
    epoch: watch::Sender<Arc<str>>,
    /// Set by unsigned publications.
    hints: Arc<Hints>,
    /// Set when another instance requests a presence report.
    is_asked_for_presence: AtomicBool,
    /// Notified when a quiet room has a new message, or somebody types.
    is_lobby_due: Notify,
}

/// Connection to the other instances, and the keys that authenticate their news.
pub struct Peers<'a> {
    pub redis: &'a SecretString,
    /// Keys from which the signing keys for news are derived: the current one first, then former ones.
    pub keys: Vec<&'a [u8; 32]>,
}

impl Shared {
    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().expect("the feed does not panic")
    }

    fn replay(&self) -> Arc<Replay> {
        Arc::clone(&self.replay.read().expect("nothing panics while it holds the replay"))
    }

    fn restart(&self, log: &Log, snapshot: Snapshot) {
        *self.replay.write().expect("nothing panics while it holds the replay") = Arc::new(Replay::new(
            log.clone(),
            Arc::clone(&snapshot.epoch),
            self.replay_turns.clone(),
            self.tasks.clone(),
        ));
        self.epoch.send_replace(Arc::clone(&snapshot.epoch));
        let (epoch, head) = (Arc::clone(&snapshot.epoch), snapshot.head);
        self.feed().restart(epoch, head, snapshot.into());
        self.applied.send_replace(head);
    }
}

impl Realtime {
    /// Starts the real-time part from the current state of the log. Its tasks run until `stop`.
    ///
    /// # Errors
    /// When the log cannot be read, or the address of Redis is not valid.
    pub async fn start(
        log: Log,
        ring_bytes: usize,
        others: Option<Peers<'_>>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let snapshot = log.snapshot(None).await?;
        let (epoch, head, chat) = (Arc::clone(&snapshot.epoch), snapshot.head, Arc::clone(&snapshot.chat));
        let replay_turns = Turns::new(READS_AT_ONCE as usize);
        let replay = Replay::new(log.clone(), Arc::clone(&epoch), replay_turns.clone(), tasks.clone());
        let replay = RwLock::new(Arc::new(replay));
        let feed = Mutex::new(Feed::new(Arc::clone(&epoch), head, snapshot.into(), ring_bytes));
        let (applied, epoch) = (watch::Sender::new(head), watch::Sender::new(epoch));
        let hints = Arc::new(Hints::default());
        let (backplane, inbox) = match others {
            None => (Backplane::Local, None),
            Some(Peers { redis, keys }) => {
                let seal = Seal::new(&keys, &chat);
                let (epoch, hints) = (epoch.subscribe(), Arc::clone(&hints));
                let joining = Joining { seal, chat, instance: InstanceId::new(), epoch, hints };
                let (backplane, inbox) = backplane::redis::join(redis, joining, tasks, stop)?;
                (backplane, Some(inbox))
            }
        };
        let is_asked_for_presence = AtomicBool::new(false);
        let shared = Arc::new(Shared {
            feed,
            replay,
            replay_turns,
            tasks: tasks.clone(),
            applied,
            epoch,
            hints: Arc::clone(&hints),
            is_asked_for_presence,
            is_lobby_due: Notify::new(),
        });
        let (news, received) = mpsc::channel(NEWS_QUEUE);
        tasks.spawn(applier::run(Arc::clone(&shared), log.clone(), received, stop.clone()));
        tasks.spawn(applier::watch_head(
            Arc::clone(&shared),
            log,
            news.clone(),
            backplane.clone(),
            hints,
            stop.clone(),
        ));
        let realtime = Self { shared, news, backplane };
        tasks.spawn(teller::run(realtime.clone(), stop.clone()));
        if let Some(inbox) = inbox {
            tasks.spawn(stop.clone().run_until_cancelled_owned(realtime.clone().hear_others(inbox)));
        }
        Ok(realtime)
    }

    /// Announces committed events to the applier and the other instances. Does not wait; if a queue is full, the
    /// events are read from the log.
    pub fn publish(&self, events: Vec<Event>, trace: Trace) {
        if events.is_empty() {
            return;
        }
        let span = Span::below("publish", trace);
        if self.backplane.has_others() {
            self.backplane.send_in(span.trace(), Bulletin::Committed(events.clone()));
        }
        self.tell_applier(News::Committed(events, span.trace()));
        span.end();
    }

    fn tell_applier(&self, news: News) {
        if self.news.try_send(news).is_err() {
            metrics::counter!("gapless_news_dropped_total").increment(1);
        }
    }

    /// Handles messages from the other instances.
    async fn hear_others(self, mut inbox: Inbox) {
        while let Some(heard) = inbox.recv().await {
            match heard {
                // Earlier messages may be lost: read the log, and exchange full presence reports.
                Heard::Joined => {
                    self.tell_applier(News::LookAtHead);
                    self.backplane.send(Bulletin::AskPresence);
                    self.report_everybody();
                }
                Heard::Envelope(envelope) => self.hear(envelope),
            }
        }
    }

    fn hear(&self, Envelope { from, epoch, bulletin, trace, .. }: Envelope) {
        let is_same_history = *epoch == **self.shared.feed().epoch();
        match bulletin {
            // A different epoch: one of the instances has not noticed the change yet, or old news is replayed. Check
            // the log.
            Bulletin::Committed(_) | Bulletin::Head(_) if !is_same_history => self.shared.hints.look_at_log(),
            Bulletin::Committed(events) => {
                self.tell_applier(News::Committed(events, Trace::from_news(trace.as_deref())));
            }
            Bulletin::Head(pos) => self.tell_applier(News::Demand(pos)),
            Bulletin::Present(report) => {
                if !self.shared.feed().hear_presence(from, report, Instant::now()) {
                    self.backplane.send(Bulletin::AskPresence);
                }
            }
            Bulletin::AskPresence => self.shared.is_asked_for_presence.store(true, Ordering::Relaxed),
            Bulletin::Typing(announcements) => self.hear_typing(announcements),
            Bulletin::Gone => self.shared.feed().presence.say_farewell(from, Instant::now()),
            Bulletin::Probe => {}
        }
    }

    fn report_everybody(&self) {
        let report = self.shared.feed().presence_report(true, Instant::now());
        if let Some(report) = report {
            self.backplane.send(Bulletin::Present(report));
        }
    }

    /// Tells the other instances that this one is shutting down.
    pub fn leave(&self) {
        self.backplane.send(Bulletin::Gone);
    }

    /// Announces that the log has reached `pos`: events up to there are read from it. Does not wait.
    pub fn announce(&self, pos: Pos) {
        self.backplane.send(Bulletin::Head(pos));
        self.tell_applier(News::Demand(pos));
    }

    /// Announces that the log has reached `pos`, and waits (a second at most) until it is applied here: for handlers of
    /// rare changes, so that their callers can read their own writes.
    pub async fn settle(&self, pos: Pos) {
        self.backplane.send(Bulletin::Head(pos));
        self.hears_or_warns(pos).await;
    }

    /// Publishes an event that was just committed, and waits (a second at most) until it is applied here.
    pub async fn settle_event(&self, event: Event) {
        let pos = event.pos;
        self.publish(vec![event], Trace::default());
        self.hears_or_warns(pos).await;
    }

    async fn hears_or_warns(&self, pos: Pos) {
        if !self.hears(pos).await {
            tracing::warn!(%pos, "a committed change was not applied here within 1 s; answering anyway");
        }
    }

    /// Waits (a second at most) until everything up to `pos` has been applied here; returns false on timeout.
    pub async fn hears(&self, pos: Pos) -> bool {
        let mut applied = self.shared.applied.subscribe();
        if *applied.borrow_and_update() >= pos {
            return true;
        }
        self.tell_applier(News::Demand(pos));
        let heard = applied.wait_for(|applied| *applied >= pos);
        matches!(tokio::time::timeout(SETTLE_PATIENCE, heard).await, Ok(Ok(_)))
    }

    /// Returns the cursor of a position in the current history.
    pub fn cursor_at(&self, pos: Pos) -> Cursor {
        Cursor { epoch: Arc::clone(self.shared.feed().epoch()), pos }
    }

    /// Returns the position up to which events have been applied on this instance.
    pub fn applied(&self) -> Pos {
        *self.shared.applied.borrow()
    }

    pub fn online(&self, room: RoomId) -> Online {
        self.shared.feed().presence.online(room)
    }

    /// Returns whether a room is archived; `None` for an unknown one.
    pub fn is_archived(&self, room: RoomId) -> Option<bool> {
        self.shared.feed().directory.rooms.get(&room).map(|room| room.is_archived)
    }

    /// Returns the users who are present in a room, and the number of guests.
    pub fn present(&self, room: RoomId) -> (Vec<UserId>, u32) {
        self.shared.feed().presence.present(room)
    }

    /// Returns the admins among these authors and in the room: those whose role its readers see.
    pub fn admins_seen(&self, room: RoomId, authors: impl Iterator<Item = UserId>) -> Vec<UserId> {
        let authors: HashSet<UserId> = authors.collect();
        let feed = self.shared.feed();
        let is_seen = |user: &UserId| authors.contains(user) || feed.presence.is_present(room, *user);
        let mut admins: Vec<UserId> = feed.directory.admins.iter().copied().filter(is_seen).collect();
        admins.sort_unstable();
        admins
    }

    pub fn role_of(&self, user: UserId) -> Role {
        if self.shared.feed().directory.admins.contains(&user) { Role::Admin } else { Role::User }
    }

    pub fn is_banned(&self, user: UserId) -> bool {
        self.shared.feed().directory.banned.contains(&user)
    }

    /// Returns whether a session ended so recently that its access token may not have expired yet.
    pub fn is_ended(&self, user: UserId, session: SessionClaim) -> bool {
        self.shared.feed().directory.is_ended(user, session)
    }

    /// Forgets sessions whose last token expired before now.
    pub fn forget_sessions_before(&self, cutoff: OffsetDateTime) {
        self.shared.feed().forget_sessions_before(cutoff);
    }

    /// Samples the gauges of the real-time part.
    pub fn gauges(&self) -> Gauges {
        let feed = self.shared.feed();
        let archived_rooms = feed.directory.rooms.values().filter(|room| room.is_archived).count();
        Gauges {
            streams: feed.hub.len(),
            active_rooms: feed.directory.rooms.len() - archived_rooms,
            archived_rooms,
            rooms_with_readers: feed.presence.rooms_with_readers(),
            instances_heard: feed.presence.instances_heard(),
            applied: feed.applied(),
            news_waiting: self.news.max_capacity() - self.news.capacity(),
        }
    }
}

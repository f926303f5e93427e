//! Drives gate, feed, mailboxes and replay together through random interleavings.
//!
//! Commits, news, readers and connections advance independently; every step of each is one step of the test. The code
//! is the real one; only its surroundings are simulated: the log is a list, and a connection's socket is a list of the
//! frames that were sent.
//!
//! | race | steps that cause it |
//! |---|---|
//! | news overtakes news | `Arrive` takes any of the news in transit |
//! | news is lost | `Lose` |
//! | news arrives twice | `Arrive` may leave the delivered news in transit |
//! | news arrives after the read that replaced it | `CatchUp`, then `Arrive` |
//! | a commit between cursor and registration | `Commit` before `Connect` |
//! | an event between registration and going live | `Connect`, `Arrive`, `Read` |
//! | an event while older ones are read from Postgres | `Read` begins a read, `Arrive`, the next `Read` ends it |
//! | a reader slower than the events | many `Arrive` without `Read`: the mailbox overflows |
//! | a slow reader falls out of the ring while it catches up | the ring holds a handful of entries |
//! | the connection is cut with frames in transit | `Cut` drops unread frames |
//! | a cursor ahead of the instance | not with one instance: see `model.rs` |
//! | the instance is killed | `Restart` loses ring, mailboxes and news |
//! | a right ends while frames wait, or while a replay runs | `Revoke` |
//! | a body is deleted while it may be replayed | `Delete` |

mod commits;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::cursor::Cursor;
use super::directory::{Directory, RoomState};
use super::feed::{Ask, Feed, Pull};
use super::format::Format;
use super::gate::{Gate, HOLD, Want};
use super::hub::SubscriberId;
use super::lobby::HEAD_PACE;
use super::mailbox::{Mailbox, Next};
use super::replay::{self, ReplayFilter, Share, Stretch};
use super::topic::Interest;
use crate::event::{Effect, Event};
use crate::id::{MessageId, Pos, RoomId, Seq, SessionId, UserId};

const EPOCH: &str = "e";
/// A few entries, so that a replay often begins before them.
const RING_BYTES: usize = 5_000;
/// Rooms 0 and 1; readers 0 to 2, of whom 0 is a guest.
const ROOMS: u8 = 2;
const READERS: usize = 3;
/// Follows room 0 without reading it.
const FOLLOWER: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Commit(Kind),
    Arrive { nth: usize, again: bool },
    Lose { nth: usize },
    CatchUp,
    Connect(usize),
    Read(usize),
    Cut(usize),
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Message(u8),
    Direct {
        to: usize,
    },
    /// Deletes the nth message, if there is one.
    Delete(usize),
    Revoke(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![
        10 => (0..ROOMS).prop_map(Kind::Message),
        2 => (1..READERS).prop_map(|to| Kind::Direct { to }),
        2 => any::<usize>().prop_map(Kind::Delete),
        1 => (1..READERS).prop_map(Kind::Revoke),
    ];
    let step = prop_oneof![
        8 => kind.prop_map(Step::Commit),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(nth, again)| Step::Arrive { nth, again }),
        2 => any::<usize>().prop_map(|nth| Step::Lose { nth }),
        1 => Just(Step::CatchUp),
        3 => (0..READERS).prop_map(Step::Connect),
        8 => (0..READERS).prop_map(Step::Read),
        1 => (0..READERS).prop_map(Step::Cut),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..300)
}

fn room(n: u8) -> RoomId {
    RoomId(Uuid::from_u128(u128::from(n)))
}

fn user(n: usize) -> UserId {
    UserId(Uuid::from_u128(n as u128 + 100))
}

fn message_id(pos: i64) -> MessageId {
    MessageId(Uuid::from_u128(u128::from(pos.unsigned_abs())))
}

fn interest_of(reader: usize) -> Interest {
    match reader {
        0 => Interest::new(vec![room(0)], None),
        1 => Interest::new(vec![room(0), room(1)], Some(user(1))),
        _ => Interest::new(vec![room(1)], Some(user(reader))),
    }
}

/// A reader's client-side state.
#[derive(Default)]
struct Reader {
    /// Positions of the events received, over all connections.
    heard: Vec<i64>,
    /// Position at which its first connection began.
    began: Option<i64>,
    /// Cursor of the next connection.
    cursor: Option<i64>,
    connection: Option<Connection>,
    /// The position at which its session ended.
    revoked_at: Option<i64>,
    /// Newest message of room 0 as the lobby told it to the reader who follows that room.
    followed_head: i64,
}

struct Connection {
    id: SubscriberId,
    mailbox: Arc<Mailbox>,
    filter: ReplayFilter,
    /// A read from Postgres in progress.
    reading: Option<(Pos, Stretch)>,
}

/// The simulated system: one instance, its database and its readers.
struct Simulation {
    log: Vec<Event>,
    news: Vec<Event>,
    now: Instant,
    gate: Gate,
    feed: Feed,
    readers: [Reader; READERS],
}

impl Simulation {
    fn new() -> Self {
        let mut simulation = Self {
            log: Vec::new(),
            news: Vec::new(),
            now: Instant::now(),
            gate: Gate::new(Pos(0)),
            feed: Feed::new(EPOCH.into(), Pos(0), Directory::default(), RING_BYTES),
            readers: std::array::from_fn(|_| Reader::default()),
        };
        simulation.restart();
        simulation
    }

    fn step(&mut self, step: Step) {
        self.now += Duration::from_millis(1);
        match step {
            Step::Commit(kind) => self.commit(kind),
            Step::Arrive { nth, again } => {
                if let Some(nth) = nth.checked_rem(self.news.len()) {
                    let event = if again { self.news[nth].clone() } else { self.news.swap_remove(nth) };
                    self.gate.offer(event, self.now);
                    self.apply();
                }
            }
            Step::Lose { nth } => {
                if let Some(nth) = nth.checked_rem(self.news.len()) {
                    self.news.swap_remove(nth);
                }
            }
            Step::CatchUp => self.catch_up(),
            Step::Connect(reader) => self.connect(reader),
            Step::Read(reader) => self.read(reader),
            Step::Cut(reader) => self.cut(reader),
            Step::Restart => self.restart(),
        }
    }

    fn read_log(&self, after: Pos, upto: Pos) -> Vec<Event> {
        self.log.iter().filter(|event| event.pos > after && event.pos <= upto).cloned().collect()
    }

    fn apply(&mut self) {
        self.feed.apply(std::iter::from_fn(|| self.gate.pop(self.now)));
        while self.feed.tell(self.now, true).1 {}
    }

    fn catch_up(&mut self) {
        self.gate.saw_head(Pos(i64::try_from(self.log.len()).unwrap()), self.now);
        self.now += HOLD;
        while let Want::Read { after, upto } = self.gate.want(self.now) {
            for event in self.read_log(after, upto) {
                self.gate.offer(event, self.now);
            }
            self.apply();
            self.now += HOLD;
        }
    }

    /// Kills the instance and starts it again: it reads its state from the log, and all news in transit is lost.
    fn restart(&mut self) {
        let head = Pos(i64::try_from(self.log.len()).unwrap());
        let mut directory = Directory::default();
        for n in 0..ROOMS {
            directory.rooms.insert(room(n), RoomState { is_archived: false, head_seq: Seq(0) });
        }
        self.log.iter().for_each(|event| directory.apply(event));
        self.news.clear();
        self.gate = Gate::new(head);
        self.feed = Feed::new(EPOCH.into(), head, directory, RING_BYTES);
        for reader in &mut self.readers {
            reader.connection = None;
        }
    }

    fn connect(&mut self, n: usize) {
        self.cut(n);
        // Waits until this instance has reached the cursor, as `Realtime::subscribe` does.
        if self.readers[n].cursor.is_some_and(|cursor| cursor > self.feed.applied().0) {
            self.catch_up();
        }
        let reader = &mut self.readers[n];
        let interest = interest_of(n);
        let cursor = reader.cursor.map(|pos| Cursor { epoch: EPOCH.into(), pos: Pos(pos) });
        let session = (n > 0).then(|| session(n).into());
        let follow = (n == FOLLOWER).then(|| vec![room(0)]);
        // One of them reads the compact form.
        let (format, share) = (if n == 1 { Format::Compact } else { Format::Json }, Share::default());
        let ask = Ask { interest: interest.clone(), session, cursor, format, share, follow, page: None };
        let start = self.feed.subscribe(ask);
        assert_eq!(start.reset, None, "every cursor here is a good one");
        reader.began.get_or_insert(start.cursor.pos.0);
        reader.cursor = Some(start.cursor.pos.0);
        reader.followed_head = start.followed.iter().flatten().map(|head| head.head_seq.0).sum();
        let filter = ReplayFilter { interest, missing: start.missing.into(), registered_at: start.registered_at };
        reader.connection = Some(Connection { id: start.id, mailbox: start.mailbox, filter, reading: None });
    }

    fn cut(&mut self, n: usize) {
        if let Some(connection) = self.readers[n].connection.take() {
            self.feed.unsubscribe(connection.id, self.now);
        }
    }

    /// Runs one step of a connection's task.
    fn read(&mut self, n: usize) {
        let Some(connection) = &mut self.readers[n].connection else { return };
        if let Some((after, stretch)) = connection.reading.take() {
            let frames = connection.filter.take_over(&connection.mailbox, after, &stretch);
            return self.send(n, &frames);
        }
        let context = std::task::Context::from_waker(std::task::Waker::noop());
        match connection.mailbox.poll_next(&context) {
            std::task::Poll::Pending => {}
            std::task::Poll::Ready(Next::Frames(frames, _)) => self.send(n, &frames),
            std::task::Poll::Ready(Next::Bye(_)) => self.cut(n),
            std::task::Poll::Ready(Next::Behind(from)) => {
                match self.feed.pull(&connection.mailbox, &connection.filter, from) {
                    Pull::Frames(frames) => self.send(n, &frames),
                    Pull::Live { .. } => {}
                    Pull::Bye(_) => self.cut(n),
                    Pull::Older { after, head } => {
                        let stretch = replay::stretch(&self.log, EPOCH, &connection.filter, after, head);
                        connection.reading = Some((after, stretch));
                    }
                }
            }
        }
    }

    fn send(&mut self, n: usize, frames: &[Bytes]) {
        let deleted: Vec<_> = self.deleted_and_applied();
        let reader = &mut self.readers[n];
        // Consecutive events may arrive as one frame.
        let text: String = frames.iter().map(|frame| std::str::from_utf8(frame).unwrap()).collect();
        for text in text.split_terminator("\n\n") {
            if n == FOLLOWER
                && let Some((_, head)) = text.split_once("\"head_seq\":")
            {
                let head = head.split(',').next().and_then(|head| head.parse().ok()).unwrap();
                assert!(head >= reader.followed_head, "heads never go back");
                reader.followed_head = head;
            }
            let id = text.lines().find_map(|line| line.strip_prefix("id:")?.trim_start().strip_prefix("e."));
            let Some(id) = id else { continue };
            let pos: i64 = id.parse().unwrap();
            reader.cursor = Some(pos);
            reader.heard.push(pos);
            let is_replay = reader.connection.as_ref().is_some_and(|c| pos <= c.filter.registered_at.0);
            if is_replay && deleted.contains(&message_id(pos)) {
                assert!(!text.contains("body "), "a deleted body was replayed: {text}");
            }
        }
    }

    /// Returns the messages whose deletion was applied before the oldest open connection began.
    fn deleted_and_applied(&self) -> Vec<MessageId> {
        let oldest = self.readers.iter().flat_map(|r| &r.connection).map(|c| c.filter.registered_at).min();
        let is_heard = |event: &&Event| oldest.is_some_and(|oldest| event.pos <= oldest);
        let heard = self.log.iter().filter(is_heard);
        heard
            .filter_map(|event| if let Effect::BodyDeleted { message } = event.effect { Some(message) } else { None })
            .collect()
    }

    /// Connects every reader, lets it read to the end, and compares the received events with the log.
    fn judge(mut self) {
        self.catch_up();
        for n in 0..READERS {
            if self.readers[n].connection.is_none() {
                self.connect(n);
            }
            for _ in 0..2_000 {
                self.read(n);
            }
            // Heads that the lobby held back are due after its pause.
            self.now += HEAD_PACE;
            self.apply();
            for _ in 0..4 {
                self.read(n);
            }
            let reader = &self.readers[n];
            let began = reader.began.expect("everybody connected");
            let interest = interest_of(n);
            let audible = |event: &&Event| event.pos.0 > began && interest.hears(event.audience);
            let all: Vec<_> = self.log.iter().filter(audible).map(|event| event.pos.0).collect();
            match reader.revoked_at {
                None => {
                    assert_eq!(reader.heard, all, "reader {n} hears everything once, in order");
                    let head = self.feed.directory.rooms[&room(0)].head_seq.0;
                    assert!(n != FOLLOWER || reader.followed_head == head, "the last head arrives");
                }
                Some(revoked_at) => {
                    assert!(all.starts_with(&reader.heard), "reader {n} hears no gap before its right ends");
                    assert!(reader.heard.iter().all(|pos| *pos < revoked_at), "and nothing after");
                }
            }
        }
    }
}

fn session(n: usize) -> SessionId {
    SessionId(Uuid::from_u128(n as u128 + 200))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Invariants 4, 5 and 7: every event once, in order, across reconnects and restarts; resume is exact;
    /// nothing is received after a right has ended.
    #[test]
    fn every_reader_hears_its_events_once_in_order(steps in steps()) {
        let mut simulation = Simulation::new();
        for step in steps {
            simulation.step(step);
        }
        simulation.judge();
    }
}

//! One state of the explored chat (its log, instances and clients) and the actions possible in it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Bounds;
use crate::event::{Author, Event, Message};
use crate::id::{ClientId, MessageId, Pos, RoomId, Seq, UserId};
use crate::realtime::cursor::Cursor;
use crate::realtime::directory::{Directory, RoomState};
use crate::realtime::feed::{Ask, Feed, Pull};
use crate::realtime::format::Format;
use crate::realtime::gate::{Gate, HOLD, Want};
use crate::realtime::hub::SubscriberId;
use crate::realtime::mailbox::{Mailbox, Next};
use crate::realtime::replay::{self, ReplayFilter, Share, Stretch};
use crate::realtime::topic::Interest;
use crate::store::events;

pub const INSTANCES: usize = 2;
/// Small enough that a ring holds about one event, so that earlier ones are read from the log.
const RING_BYTES: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The next event is committed; its news is available to each instance.
    Commit,
    /// An instance receives the news of a committed event, perhaps not for the first time.
    Hear {
        instance: usize,
        pos: Pos,
    },
    /// An instance finds that the log's head is ahead and reads the missing events.
    CatchUp {
        instance: usize,
    },
    /// An instance is killed and started again.
    Kill {
        instance: usize,
    },
    Connect {
        client: usize,
        instance: usize,
    },
    /// One step of the client's stream.
    Read {
        client: usize,
    },
    Cut {
        client: usize,
    },
}

struct Instance {
    gate: Gate,
    feed: Feed,
}

#[derive(Default)]
struct Client {
    began: Option<i64>,
    cursor: Option<i64>,
    heard: Vec<i64>,
    stream: Option<Stream>,
}

struct Stream {
    instance: usize,
    id: SubscriberId,
    mailbox: Arc<Mailbox>,
    filter: ReplayFilter,
    reading: Option<(Pos, Stretch)>,
    /// Frames pushed into the mailbox, in order.
    trace: Vec<(Pos, Pos)>,
}

pub struct World {
    bounds: Bounds,
    log: Vec<Event>,
    now: Instant,
    instances: [Instance; INSTANCES],
    clients: Vec<Client>,
    cuts: usize,
    kills: usize,
}

fn room() -> RoomId {
    RoomId(Uuid::from_u128(1))
}

fn event(pos: i64) -> Event {
    let at = OffsetDateTime::UNIX_EPOCH;
    let message = Message {
        id: MessageId(Uuid::from_u128(u128::from(pos.unsigned_abs()))),
        room_id: room(),
        pos: Pos(pos),
        seq: Seq(pos),
        client_id: ClientId(Uuid::nil()),
        author: Author { id: UserId(Uuid::nil()), username: "ali".into() },
        body: Some("hi".into()),
        created_at: at,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
    };
    events::messages::posted(&message)
}

fn instance_at(head: Pos) -> Instance {
    let mut directory = Directory::default();
    directory.rooms.insert(room(), RoomState { is_archived: false, head_seq: Seq(head.0) });
    Instance { gate: Gate::new(head), feed: Feed::new("e".into(), head, directory, RING_BYTES) }
}

fn interest() -> Interest {
    Interest::new(vec![room()], None)
}

impl World {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            log: Vec::new(),
            now: Instant::now(),
            instances: std::array::from_fn(|_| instance_at(Pos(0))),
            clients: (0..bounds.clients).map(|_| Client::default()).collect(),
            cuts: 0,
            kills: 0,
        }
    }

    pub fn after(bounds: Bounds, path: &[Action]) -> Self {
        let mut world = Self::new(bounds);
        for action in path {
            world.act(*action);
        }
        world
    }

    fn head(&self) -> Pos {
        Pos(i64::try_from(self.log.len()).unwrap())
    }

    /// Returns the actions that are possible in this state.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.log.len() < self.bounds.events {
            actions.push(Action::Commit);
        }
        for (instance, there) in self.instances.iter().enumerate() {
            actions.extend(self.log.iter().map(|event| Action::Hear { instance, pos: event.pos }));
            if there.feed.applied() < self.head() {
                actions.push(Action::CatchUp { instance });
            }
            if self.kills < self.bounds.kills {
                actions.push(Action::Kill { instance });
            }
        }
        for (client, it) in self.clients.iter().enumerate() {
            if it.stream.is_some() {
                actions.push(Action::Read { client });
                if self.cuts < self.bounds.cuts {
                    actions.push(Action::Cut { client });
                }
            } else {
                // A cursor ahead of an instance waits until it has caught up, as `Realtime::subscribe` does.
                let reached =
                    |instance: &usize| it.cursor.is_none_or(|at| at <= self.instances[*instance].feed.applied().0);
                actions.extend((0..INSTANCES).filter(reached).map(|instance| Action::Connect { client, instance }));
            }
        }
        actions
    }

    fn act(&mut self, action: Action) {
        self.now += Duration::from_millis(1);
        match action {
            Action::Commit => {
                let pos = self.head().next().0;
                self.log.push(event(pos));
            }
            Action::Hear { instance, pos } => {
                let event = self.log.iter().find(|event| event.pos == pos).expect("only what is committed is heard of");
                self.instances[instance].gate.offer(event.clone(), self.now);
                self.apply(instance);
            }
            Action::CatchUp { instance } => self.catch_up(instance),
            Action::Kill { instance } => {
                self.kills += 1;
                self.instances[instance] = instance_at(self.head());
                for client in &mut self.clients {
                    client.stream.take_if(|stream| stream.instance == instance);
                }
            }
            Action::Connect { client, instance } => self.connect(client, instance),
            Action::Read { client } => self.read(client),
            Action::Cut { client } => {
                self.cuts += 1;
                let stream = self.clients[client].stream.take().expect("only an open stream is cut");
                self.instances[stream.instance].feed.unsubscribe(stream.id, self.now);
            }
        }
    }

    fn apply(&mut self, instance: usize) {
        let Instance { gate, feed, .. } = &mut self.instances[instance];
        let before = feed.applied();
        let listening = |stream: &&mut Stream| stream.instance == instance && stream.mailbox.behind_from().is_none();
        let streams = self.clients.iter_mut().filter_map(|client| client.stream.as_mut());
        let live: Vec<_> = streams.filter(listening).collect();
        feed.apply(std::iter::from_fn(|| gate.pop(self.now)));
        if feed.applied() > before {
            for stream in live {
                stream.trace.push((before, feed.applied()));
            }
        }
    }

    fn catch_up(&mut self, instance: usize) {
        let head = self.head();
        self.instances[instance].gate.saw_head(head, self.now);
        self.now += HOLD;
        while let Want::Read { after, upto } = self.instances[instance].gate.want(self.now) {
            for event in self.log.iter().filter(|event| event.pos > after && event.pos <= upto) {
                self.instances[instance].gate.offer(event.clone(), self.now);
            }
            self.apply(instance);
            self.now += HOLD;
        }
    }

    fn connect(&mut self, client: usize, instance: usize) {
        let it = &mut self.clients[client];
        let cursor = it.cursor.map(|pos| Cursor { epoch: "e".into(), pos: Pos(pos) });
        let (format, share) = (Format::Json, Share::default());
        let ask = Ask { interest: interest(), session: None, cursor, format, share, follow: None, page: None };
        let start = self.instances[instance].feed.subscribe(ask);
        assert_eq!(start.reset, None, "every cursor here is a good one");
        it.began.get_or_insert(start.cursor.pos.0);
        it.cursor = Some(start.cursor.pos.0);
        let filter = ReplayFilter { interest: interest(), missing: Arc::new([]), registered_at: start.registered_at };
        let (id, mailbox) = (start.id, start.mailbox);
        it.stream = Some(Stream { instance, id, mailbox, filter, reading: None, trace: Vec::new() });
    }

    fn read(&mut self, client: usize) {
        let it = &mut self.clients[client];
        let stream = it.stream.as_mut().expect("only an open stream is read");
        let frames = if let Some((after, stretch)) = stream.reading.take() {
            stream.filter.take_over(&stream.mailbox, after, &stretch)
        } else {
            match stream.mailbox.poll_next(&Context::from_waker(Waker::noop())) {
                Poll::Ready(Next::Frames(frames, _)) => frames,
                Poll::Ready(Next::Bye(reason)) => panic!("nobody says {reason:?} here"),
                Poll::Ready(Next::Behind(from)) => {
                    match self.instances[stream.instance].feed.pull(&stream.mailbox, &stream.filter, from) {
                        Pull::Frames(frames) => frames,
                        Pull::Live { .. } => Vec::new(),
                        Pull::Bye(reason) => panic!("nobody says {reason:?} here"),
                        Pull::Older { after, head } => {
                            let stretch = replay::stretch(&self.log, "e", &stream.filter, after, head);
                            stream.reading = Some((after, stretch));
                            Vec::new()
                        }
                    }
                }
                Poll::Pending => Vec::new(),
            }
        };
        // The mailbox is empty now, so the stream's state is only whether it is live or behind, and its position.
        stream.trace.clear();
        it.take(&frames);
    }

    /// Returns a hash of all that affects later behaviour. Instances are interchangeable, and so are clients: states
    /// that differ only by swapping them behave alike and get the same hash.
    pub fn digest(&self) -> u64 {
        [false, true].map(|swapped| self.digest_as(swapped)).into_iter().min().expect("there are two ways to see it")
    }

    /// `swapped`: treats the second instance as the first.
    fn digest_as(&self, swapped: bool) -> u64 {
        let seen_as = |instance: usize| if swapped { INSTANCES - 1 - instance } else { instance };
        let mut clients: Vec<u64> = self.clients.iter().map(|client| client.digest(seen_as)).collect();
        clients.sort_unstable();
        let mut hasher = DefaultHasher::new();
        (self.log.len(), self.cuts, self.kills, clients).hash(&mut hasher);
        for instance in 0..INSTANCES {
            let there = &self.instances[seen_as(instance)];
            (there.gate.passed(), there.gate.early_positions(), there.feed.ring_tail()).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Checks what must hold in every state: each client has received a prefix of its events, once each and in order.
    pub fn check_safety(&self, path: &[Action]) {
        for it in &self.clients {
            let began = it.began.unwrap_or_default();
            let expected = (began + 1..).take(it.heard.len());
            assert!(it.heard.iter().copied().eq(expected), "heard {:?} from {began} after {path:?}", it.heard);
            assert!(it.heard.len() <= self.log.len(), "heard what was not committed");
        }
    }

    /// Checks that once faults end, every client receives everything. Disconnected clients connect to `home`.
    pub fn check_liveness(mut self, path: &[Action], home: usize) {
        for instance in 0..INSTANCES {
            self.catch_up(instance);
        }
        for client in 0..self.clients.len() {
            if self.clients[client].stream.is_none() {
                self.connect(client, home);
            }
            for _ in 0..4 * self.bounds.events + 4 {
                self.read(client);
            }
            let began = self.clients[client].began.expect("everybody is connected");
            let all: Vec<_> = (began + 1..=self.head().0).collect();
            assert_eq!(self.clients[client].heard, all, "after {path:?}");
        }
    }
}

impl Client {
    fn digest(&self, seen_as: impl Fn(usize) -> usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.began, self.cursor, &self.heard).hash(&mut hasher);
        if let Some(stream) = &self.stream {
            let reading = stream.reading.as_ref().map(|(after, stretch)| (*after, stretch.upto, stretch.entries.len()));
            (seen_as(stream.instance), stream.mailbox.behind_from(), stream.filter.registered_at).hash(&mut hasher);
            (reading, &stream.trace).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn take(&mut self, frames: &[Bytes]) {
        let text: String = frames.iter().map(|frame| std::str::from_utf8(frame).expect("frames are text")).collect();
        for pos in text.lines().filter_map(|line| line.strip_prefix("id: e.")) {
            let pos = pos.parse().expect("an id ends with a position");
            self.heard.push(pos);
            self.cursor = Some(pos);
        }
    }
}

//! Those who keep a stream open, each in their own way, from cursor to cursor.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gapless_client::frame::Event;
use gapless_client::http::{EventStream, Refused};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::authors::marks_in;
use crate::history::{Record, fingerprint};
use crate::schedule::INSTANCES;
use crate::stage::{Person, Phase, Stage, Token};
use gapless_client::link::end_by_reset;

/// A browser that was told nothing waits so long before it comes back.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Without an account.
    Guest,
    /// One of a user's two tabs.
    Tab,
    /// Loses its right, again and again.
    Victim,
    /// Leaves every few seconds, in one of several ways, and resumes elsewhere.
    Restless,
    /// Reads less than is written.
    Slow,
    /// Stops reading, and says nothing.
    HalfOpen,
    /// Stays until it is sent away, and comes back when it was told to, wherever people are sent then.
    Patient,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Tab => "tab",
            Self::Victim => "victim",
            Self::Restless => "restless",
            Self::Slow => "slow",
            Self::HalfOpen => "half-open",
            Self::Patient => "patient",
        }
    }
}

/// See the [module](self).
pub struct Reader {
    stage: Arc<Stage>,
    pub number: u32,
    pub kind: Kind,
    person: Option<Arc<Person>>,
    rooms: Vec<Uuid>,
    /// Where it goes unless it must go elsewhere.
    home: usize,
    dice: StdRng,
    cursor: Option<String>,
    /// How long it was told to wait before it comes back.
    retry: Duration,
    is_greeted: bool,
    /// The position that it has passed.
    reached: Arc<AtomicI64>,
}

/// What durable events have in common, as far as a history needs it.
#[derive(Deserialize)]
struct Payload<'a> {
    id: Uuid,
    #[serde(default)]
    room_id: Option<Uuid>,
    #[serde(default)]
    seq: Option<i64>,
    #[serde(default, borrow)]
    body: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Hello {
    missing: Vec<Uuid>,
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

/// The audience of a run: at least sixty streams.
pub fn audience(stage: &Arc<Stage>) -> Vec<Reader> {
    let mut readers = Vec::new();
    let mut add = |kind: Kind, person: Option<&Arc<Person>>, home: usize| {
        let wanted = if kind == Kind::Slow { 8 } else { 3 };
        readers.push(Reader::enter(stage, readers.len(), kind, person, home, wanted));
    };
    for n in 0..12 {
        add(Kind::Guest, None, n);
    }
    for (n, person) in stage.tabbed.iter().chain(&stage.admins).enumerate() {
        add(Kind::Tab, Some(person), n);
        add(Kind::Tab, Some(person), n + 1);
    }
    for person in &stage.victims {
        for home in 0..INSTANCES {
            add(Kind::Victim, Some(person), home);
        }
    }
    for n in 0..12 {
        add(Kind::Restless, (n % 2 == 0).then(|| &stage.tabbed[n % stage.tabbed.len()]), n);
    }
    for n in 0..4 {
        add(Kind::Slow, None, n);
    }
    for n in 0..4 {
        add(Kind::HalfOpen, None, n);
    }
    readers
}

/// A crowd of the same kind: of any four, three are guests; each hears one room.
pub fn crowd(stage: &Arc<Stage>, count: usize) -> Vec<Reader> {
    let person = |n: usize| n.is_multiple_of(4).then(|| &stage.tabbed[n / 4 % stage.tabbed.len()]);
    (0..count).map(|n| Reader::enter(stage, n, Kind::Patient, person(n), n, 1)).collect()
}

impl Reader {
    fn enter(
        stage: &Arc<Stage>,
        number: usize,
        kind: Kind,
        person: Option<&Arc<Person>>,
        home: usize,
        wanted: usize,
    ) -> Self {
        let mut dice = stage.dice();
        let number = u32::try_from(number).expect("few");
        let rooms: Vec<Uuid> = stage.rooms.choose_multiple(&mut dice, wanted).copied().collect();
        let user = person.map(|person| person.id);
        stage.history.record(Record::Reader { reader: number, kind: kind.as_str().into(), user, rooms: rooms.clone() });
        Self {
            stage: Arc::clone(stage),
            number,
            kind,
            person: person.cloned(),
            rooms,
            home: home % INSTANCES,
            dice,
            cursor: None,
            retry: RETRY,
            is_greeted: false,
            reached: Arc::default(),
        }
    }

    pub fn reached(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.reached)
    }

    /// Reads until the run is over.
    pub async fn read(mut self) {
        let mut instance = self.home;
        while self.stage.phase() < Phase::Over {
            self.visit(instance).await;
            // Browsers come back after a while of their own, and a proxy sends them anywhere.
            let pause = match self.kind {
                Kind::Patient => self.retry,
                Kind::Restless => Duration::from_millis(self.dice.random_range(0..120)),
                _ => Duration::from_millis(self.dice.random_range(50..600)),
            };
            self.stage.sleep(pause).await;
            let stays = matches!(self.kind, Kind::Tab | Kind::Victim) && self.dice.random_bool(0.6);
            instance = if stays { self.home } else { self.stage.choose_instance(&mut self.dice) };
        }
    }

    /// One stream, from its beginning to its end.
    async fn visit(&mut self, instance: usize) {
        let token = match &self.person {
            None => None,
            Some(person) => match person.token(&self.stage).await {
                Some(token) => Some(token),
                None => return,
            },
        };
        let conn = self.stage.next_connection();
        let history = &self.stage.history;
        history.record(Record::Open {
            at: history.now(),
            conn,
            reader: self.number,
            instance,
            session: token.as_ref().map(|token| token.session),
            expires: token.as_ref().map(|token| token.expires),
            cursor: self.cursor.clone(),
        });
        match tokio::time::timeout(self.stage.cast.silence, self.open(instance, token.as_ref())).await {
            Ok(Ok(stream)) => self.follow(stream, conn).await,
            Ok(Err(Refused::Status(status))) => {
                let history = &self.stage.history;
                history.record(Record::Refused { at: history.now(), conn, status });
                if let (401, Some(person), Some(token)) = (status, &self.person, &token) {
                    person.forget(token.session).await;
                }
            }
            Ok(Err(Refused::Broken)) | Err(_) => {}
        }
        if std::mem::take(&mut self.is_greeted) {
            self.stage.live.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.retry = self.retry.max(RETRY);
        }
        let history = &self.stage.history;
        history.record(Record::Closed { at: history.now(), conn });
    }

    async fn open(&mut self, instance: usize, token: Option<&Token>) -> Result<EventStream, Refused> {
        let mut query: Vec<String> = self.rooms.iter().map(|room| format!("room={room}")).collect();
        query.extend(token.map(|token| format!("access_token={}", token.access)));
        // A browser says it in a header, a new `EventSource` in the query.
        let in_header = self.dice.random_bool(0.5);
        let cursor = self.cursor.as_deref();
        query.extend(cursor.filter(|_| !in_header).map(|cursor| format!("cursor={cursor}")));
        let address = self.stage.cluster.instances[instance].streams.address;
        let receive_buffer = matches!(self.kind, Kind::Slow | Kind::HalfOpen).then_some(4096);
        EventStream::open(address, &query.join("&"), cursor.filter(|_| in_header), receive_buffer).await
    }

    async fn follow(&mut self, mut stream: EventStream, conn: u32) {
        let mut storms = self.stage.storms.subscribe();
        let mut phase = self.stage.phase.subscribe();
        let leaves_at = Instant::now() + Duration::from_millis(self.dice.random_range(500..5000));
        loop {
            // The end may come while an event is heard.
            let now = *phase.borrow_and_update();
            if now == Phase::Over {
                return;
            }
            let leaves = self.kind == Kind::Restless && now == Phase::Storm;
            let got = tokio::select! {
                got = tokio::time::timeout(self.stage.cast.silence, stream.next()) => got,
                () = tokio::time::sleep_until(leaves_at), if leaves => return self.leave(stream),
                _ = storms.changed() => {
                    // Cut at once, all come back at once.
                    self.retry = Duration::ZERO;
                    return end_by_reset(stream.socket());
                }
                // What was half read is read again, from the cursor.
                _ = phase.changed() => return,
            };
            let Ok(Ok(event)) = got else { return };
            if self.hear(conn, event).is_break() {
                return;
            }
            match self.kind {
                Kind::Slow if now == Phase::Storm => {
                    let pause = self.dice.random_range(10..150);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Kind::HalfOpen if now == Phase::Storm => {
                    let pause = Duration::from_millis(self.dice.random_range(6_000..18_000));
                    self.stage.sleep(pause).await;
                    self.cursor = None;
                    return end_by_reset(stream.socket());
                }
                _ => {}
            }
        }
    }

    /// Goes as people do: with a goodbye, without a word, or by a crash.
    fn leave(&mut self, stream: EventStream) {
        match self.dice.random_range(0..3) {
            0 => {}
            1 => end_by_reset(stream.socket()),
            _ => {
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(8)).await;
                    drop(stream);
                });
            }
        }
    }

    /// Writes down what came.
    fn hear(&mut self, conn: u32, event: Event) -> ControlFlow<()> {
        let stage = Arc::clone(&self.stage);
        let history = &stage.history;
        let at = history.now();
        let Event { name, id, data, retry } = event;
        self.retry = retry.map_or(self.retry, Duration::from_millis);
        self.look_for_mail(&name, &data);
        let cursor = id.clone().unwrap_or_default();
        let record = match name.as_str() {
            "hello" => {
                if !std::mem::replace(&mut self.is_greeted, true) {
                    self.stage.live.fetch_add(1, Ordering::Relaxed);
                }
                let missing = serde_json::from_str::<Hello>(&data).map(|hello| hello.missing).unwrap_or_default();
                Record::Hello { at, conn, cursor, missing }
            }
            "heartbeat" => Record::Beat { at, conn, cursor },
            "reset" => Record::Reset { at, conn, cursor, reason: reason(&data) },
            "bye" => Record::Bye { at, conn, reason: reason(&data) },
            "presence" | "lobby" | "expiring" | "drain" => return ControlFlow::Continue(()),
            _ => match durable(at, conn, name, cursor, &data) {
                Ok(record) => record,
                // The checker misses it.
                Err(_) => return ControlFlow::Break(()),
            },
        };
        let is_end = matches!(record, Record::Bye { .. });
        history.record(record);
        if let Some(id) = id {
            if let Some(pos) = id.rsplit_once('.').and_then(|(_, pos)| pos.parse().ok()) {
                self.reached.store(pos, Ordering::Relaxed);
            }
            self.cursor = Some(id);
        }
        if is_end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn look_for_mail(&self, name: &str, data: &str) {
        let user = self.person.as_ref().map(|person| person.id);
        for (sender, recipient) in marks_in(data) {
            if user != Some(sender) && user != Some(recipient) {
                let at = self.stage.history.now();
                self.stage.history.record(Record::Leak {
                    at,
                    user,
                    path: format!("stream: {name}"),
                    sender,
                    recipient,
                });
            }
        }
    }
}

fn durable(at: u64, conn: u32, name: String, cursor: String, data: &str) -> io::Result<Record> {
    let Payload { id, room_id, seq, body } = serde_json::from_str(data).map_err(io::Error::other)?;
    let print = body.map(|body| fingerprint(&body));
    Ok(Record::Event { at, conn, name, cursor, subject: id, place: room_id, seq, print })
}

fn reason(data: &str) -> String {
    serde_json::from_str::<Reason>(data).map(|said| said.reason).unwrap_or_default()
}

//! Simulated readers: clients of different behaviour that keep a stream open and resume from their cursor.

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

use crate::environment::{Account, Environment, Phase, Token};
use crate::history::{Record, fingerprint};
use crate::schedule::INSTANCES;
use crate::submit::record_leaks;
use gapless_client::link::end_by_reset;

/// Pause before a reconnect unless the server sends `retry`.
const RETRY: Duration = Duration::from_millis(100);

/// Behaviour of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads without an account.
    Guest,
    /// One of a user's two tabs.
    Tab,
    /// Belongs to a user whose rights are taken away repeatedly.
    Victim,
    /// Disconnects every few seconds, in different ways, and resumes on any instance.
    Roaming,
    /// Reads more slowly than others write.
    Slow,
    /// Stops reading without closing the connection.
    HalfOpen,
    /// Stays connected, and after a disconnect waits for the server's `retry`.
    Persistent,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Tab => "tab",
            Self::Victim => "victim",
            Self::Roaming => "roaming",
            Self::Slow => "slow",
            Self::HalfOpen => "half-open",
            Self::Persistent => "persistent",
        }
    }
}

/// See the [module](self).
pub struct Reader {
    env: Arc<Environment>,
    pub number: u32,
    pub kind: Kind,
    account: Option<Arc<Account>>,
    rooms: Vec<Uuid>,
    /// Index of the preferred instance.
    home: usize,
    rng: StdRng,
    cursor: Option<String>,
    /// Pause before the next connection.
    retry: Duration,
    has_received_hello: bool,
    progress: Progress,
}

/// Progress of a reader, shared with the run that waits for it.
#[derive(Debug, Clone)]
pub struct Progress {
    pub reader: u32,
    pub kind: Kind,
    /// The newest position that the reader has received.
    pub position: Arc<AtomicI64>,
}

/// Fields of durable events that are recorded.
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

/// Returns the readers of a chaos run, more than 70 of all kinds but `Persistent`.
pub fn of_all_kinds(env: &Arc<Environment>) -> Vec<Reader> {
    let mut readers = Vec::new();
    let mut add = |kind: Kind, account: Option<&Arc<Account>>, home: usize| {
        let rooms = if kind == Kind::Slow { 8 } else { 3 };
        readers.push(Reader::new(env, readers.len(), kind, account, home, rooms));
    };
    for n in 0..12 {
        add(Kind::Guest, None, n);
    }
    for (n, account) in env.two_tab_users.iter().chain(&env.admins).enumerate() {
        add(Kind::Tab, Some(account), n);
        add(Kind::Tab, Some(account), n + 1);
    }
    for account in &env.victims {
        for home in 0..INSTANCES {
            add(Kind::Victim, Some(account), home);
        }
    }
    for n in 0..12 {
        add(Kind::Roaming, (n % 2 == 0).then(|| &env.two_tab_users[n % env.two_tab_users.len()]), n);
    }
    for n in 0..4 {
        add(Kind::Slow, None, n);
    }
    for n in 0..4 {
        add(Kind::HalfOpen, None, n);
    }
    readers
}

/// Returns persistent readers, each of one room; three out of four are guests.
pub fn persistent(env: &Arc<Environment>, count: usize) -> Vec<Reader> {
    let account = |n: usize| n.is_multiple_of(4).then(|| &env.two_tab_users[n / 4 % env.two_tab_users.len()]);
    (0..count).map(|n| Reader::new(env, n, Kind::Persistent, account(n), n, 1)).collect()
}

impl Reader {
    fn new(
        env: &Arc<Environment>,
        number: usize,
        kind: Kind,
        account: Option<&Arc<Account>>,
        home: usize,
        rooms: usize,
    ) -> Self {
        let mut rng = env.rng();
        let number = u32::try_from(number).expect("few");
        let rooms: Vec<Uuid> = env.rooms.choose_multiple(&mut rng, rooms).copied().collect();
        let user = account.map(|account| account.id);
        env.history.record(Record::Reader { reader: number, kind: kind.as_str().into(), user, rooms: rooms.clone() });
        Self {
            env: Arc::clone(env),
            number,
            kind,
            account: account.cloned(),
            rooms,
            home: home % INSTANCES,
            rng,
            cursor: None,
            retry: RETRY,
            has_received_hello: false,
            progress: Progress { reader: number, kind, position: Arc::default() },
        }
    }

    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads until the run is over.
    pub async fn read(mut self) {
        let mut instance = self.home;
        while self.env.phase() < Phase::Over {
            self.connect_once(instance).await;
            // Browsers reconnect after different pauses, and a load balancer chooses the instance.
            let pause = match self.kind {
                Kind::Persistent => self.retry,
                Kind::Roaming => Duration::from_millis(self.rng.random_range(0..120)),
                _ => Duration::from_millis(self.rng.random_range(50..600)),
            };
            self.env.sleep(pause).await;
            let stays = matches!(self.kind, Kind::Tab | Kind::Victim) && self.rng.random_bool(0.6);
            instance = if stays { self.home } else { self.env.choose_instance(&mut self.rng) };
        }
    }

    /// Opens one stream and reads it until it ends.
    async fn connect_once(&mut self, instance: usize) {
        let token = match &self.account {
            None => None,
            Some(account) => match account.token(&self.env).await {
                Some(token) => Some(token),
                None => return,
            },
        };
        let conn = self.env.next_connection();
        let history = &self.env.history;
        history.record(Record::Open {
            at: history.now(),
            conn,
            reader: self.number,
            instance,
            session: token.as_ref().map(|token| token.session),
            expires: token.as_ref().map(|token| token.expires),
            cursor: self.cursor.clone(),
        });
        match tokio::time::timeout(self.env.workload.silence_timeout, self.open(instance, token.as_ref())).await {
            Ok(Ok(stream)) => self.follow(stream, conn).await,
            Ok(Err(Refused::Status(status))) => {
                let history = &self.env.history;
                history.record(Record::Refused { at: history.now(), conn, status });
                if let (401, Some(account), Some(token)) = (status, &self.account, &token) {
                    account.forget(token.session).await;
                }
            }
            Ok(Err(Refused::Broken)) | Err(_) => {}
        }
        if std::mem::take(&mut self.has_received_hello) {
            self.env.live.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.retry = self.retry.max(RETRY);
        }
        let history = &self.env.history;
        history.record(Record::Closed { at: history.now(), conn });
    }

    async fn open(&mut self, instance: usize, token: Option<&Token>) -> Result<EventStream, Refused> {
        let mut query: Vec<String> = self.rooms.iter().map(|room| format!("room={room}")).collect();
        query.extend(token.map(|token| format!("access_token={}", token.access)));
        // A reconnecting browser sends its cursor in a header, a new `EventSource` in the query.
        let in_header = self.rng.random_bool(0.5);
        let cursor = self.cursor.as_deref();
        query.extend(cursor.filter(|_| !in_header).map(|cursor| format!("cursor={cursor}")));
        let address = self.env.cluster.instances[instance].streams.address;
        let receive_buffer = matches!(self.kind, Kind::Slow | Kind::HalfOpen).then_some(4096);
        EventStream::open(address, &query.join("&"), cursor.filter(|_| in_header), receive_buffer).await
    }

    async fn follow(&mut self, mut stream: EventStream, conn: u32) {
        let mut reconnect_storms = self.env.reconnect_storms.subscribe();
        let mut phase = self.env.phase.subscribe();
        let leaves_at = Instant::now() + Duration::from_millis(self.rng.random_range(500..5000));
        loop {
            // The run may have ended while an event was processed.
            let now = *phase.borrow_and_update();
            if now == Phase::Over {
                return;
            }
            let leaves = self.kind == Kind::Roaming && now == Phase::Faults;
            let got = tokio::select! {
                got = tokio::time::timeout(self.env.workload.silence_timeout, stream.next()) => got,
                () = tokio::time::sleep_until(leaves_at), if leaves => return self.leave(stream),
                _ = reconnect_storms.changed() => {
                    // All readers reconnect at once.
                    self.retry = Duration::ZERO;
                    return end_by_reset(stream.socket());
                }
                // A partly received event is received again after the resume.
                _ = phase.changed() => return,
            };
            let Ok(Ok(event)) = got else { return };
            if self.record_event(conn, event).is_break() {
                return;
            }
            match self.kind {
                Kind::Slow if now == Phase::Faults => {
                    let pause = self.rng.random_range(10..150);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Kind::HalfOpen if now == Phase::Faults => {
                    let pause = Duration::from_millis(self.rng.random_range(6_000..18_000));
                    self.env.sleep(pause).await;
                    self.cursor = None;
                    return end_by_reset(stream.socket());
                }
                _ => {}
            }
        }
    }

    /// Closes the connection, resets it, or leaves it open unread for a while, as if the device had crashed.
    fn leave(&mut self, stream: EventStream) {
        match self.rng.random_range(0..3) {
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

    /// Records an event and advances the cursor; breaks if the stream must end.
    fn record_event(&mut self, conn: u32, event: Event) -> ControlFlow<()> {
        let env = Arc::clone(&self.env);
        let history = &env.history;
        let at = history.now();
        let Event { name, id, data, retry } = event;
        self.retry = retry.map_or(self.retry, Duration::from_millis);
        let user = self.account.as_ref().map(|account| account.id);
        record_leaks(&self.env, user, format_args!("stream: {name}"), &data);
        let cursor = id.clone().unwrap_or_default();
        let record = match name.as_str() {
            "hello" => {
                if !std::mem::replace(&mut self.has_received_hello, true) {
                    self.env.live.fetch_add(1, Ordering::Relaxed);
                }
                let missing = serde_json::from_str::<Hello>(&data).map(|hello| hello.missing).unwrap_or_default();
                Record::Hello { at, conn, cursor, missing }
            }
            "heartbeat" => Record::Heartbeat { at, conn, cursor },
            "reset" => Record::Reset { at, conn, cursor, reason: reason(&data) },
            "bye" => Record::Bye { at, conn, reason: reason(&data) },
            "presence" | "typing" | "lobby" | "expiring" | "drain" => return ControlFlow::Continue(()),
            _ => match durable(at, conn, name, cursor, &data) {
                Ok(record) => record,
                // The checker finds the unrecorded event missing.
                Err(_) => return ControlFlow::Break(()),
            },
        };
        let is_end = matches!(record, Record::Bye { .. });
        history.record(record);
        if let Some(id) = id {
            if let Some(pos) = id.rsplit_once('.').and_then(|(_, pos)| pos.parse().ok()) {
                self.progress.position.store(pos, Ordering::Relaxed);
            }
            self.cursor = Some(id);
        }
        if is_end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn durable(at: u64, conn: u32, name: String, cursor: String, data: &str) -> io::Result<Record> {
    let Payload { id, room_id, seq, body } = serde_json::from_str(data).map_err(io::Error::other)?;
    let fingerprint = body.map(|body| fingerprint(&body));
    Ok(Record::Event { at, conn, name, cursor, subject: id, room: room_id, seq, fingerprint })
}

fn reason(data: &str) -> String {
    serde_json::from_str::<Reason>(data).map(|data| data.reason).unwrap_or_default()
}

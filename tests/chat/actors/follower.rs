//! A reader that follows rooms during a whole test: whenever its stream ends, it resumes from its cursor.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gapless::event::Room;
use rand::Rng as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::load::any;
use super::stream::Heard;
use super::{Guest, Wire};

const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(40);

/// Behaviour of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// Stays connected until it is cut.
    Steady,
    /// Disconnects after up to this many events, and resumes, perhaps on another instance.
    Restless(usize),
}

/// The events that a follower received.
#[derive(Debug)]
pub struct Followed {
    /// The position at which its first stream began.
    pub began: i64,
    /// Durable events, in order of arrival.
    pub events: Vec<Heard>,
    /// Number of streams used.
    pub streams: usize,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Follower {
    task: JoinHandle<Followed>,
    /// The last position to receive, once it is known.
    until: watch::Sender<Option<i64>>,
}

impl Follower {
    /// Starts a follower, and returns once it has received the first `hello`.
    pub async fn start(guest: &Guest, rooms: &[Room], addresses: &[SocketAddr], temper: Temper) -> Self {
        let query = rooms.iter().map(|room| format!("room={}", room.id)).collect::<Vec<_>>().join("&");
        let until = watch::Sender::new(None);
        let (begun, mut has_begun) = watch::channel(None);
        let reader = Reader {
            guest: guest.clone(),
            query,
            addresses: addresses.to_vec(),
            temper,
            cursor: None,
            begun,
            events: Vec::new(),
            streams: 0,
        };
        let task = tokio::spawn(reader.follow(until.subscribe()));
        let first_hello = tokio::time::timeout(PATIENCE, has_begun.wait_for(Option::is_some)).await;
        first_hello.expect("a stream begins in time").expect("the follower runs");
        Self { task, until }
    }

    /// Waits until it has received everything up to `pos`.
    pub async fn finish_at(self, pos: i64) -> Followed {
        self.until.send_replace(Some(pos));
        let followed = tokio::time::timeout(PATIENCE, self.task).await;
        followed.unwrap_or_else(|_| panic!("position {pos} was not received within {PATIENCE:?}")).expect("a follower")
    }
}

struct Reader {
    guest: Guest,
    query: String,
    addresses: Vec<SocketAddr>,
    temper: Temper,
    cursor: Option<String>,
    begun: watch::Sender<Option<i64>>,
    events: Vec<Heard>,
    streams: usize,
}

impl Reader {
    async fn follow(mut self, mut until: watch::Receiver<Option<i64>>) -> Followed {
        let mut away_since = Instant::now();
        while !self.has_come_to(*until.borrow()) {
            let streams = self.streams;
            let known_end = until.clone();
            tokio::select! {
                _ = self.one_stream(&known_end, &mut away_since) => {}
                // A follower that has already reached the end must not wait for another event.
                Ok(()) = until.changed() => {}
            }
            if self.streams == streams {
                assert!(away_since.elapsed() < PATIENCE, "no stream for {PATIENCE:?}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        let began = self.begun.borrow().expect("a stream began before it ended");
        Followed { began, events: self.events, streams: self.streams }
    }

    fn has_come_to(&self, until: Option<i64>) -> bool {
        until.zip(self.cursor.as_deref().map(pos_of)).is_some_and(|(until, cursor)| cursor >= until)
    }

    /// Follows one stream, from its request to its end.
    async fn one_stream(
        &mut self,
        until: &watch::Receiver<Option<i64>>,
        away_since: &mut Instant,
    ) -> std::io::Result<()> {
        let mut wire = Wire::connect(any(&self.addresses)).await?;
        wire.ask_for_stream(&self.guest, &self.query, self.cursor.as_deref()).await?;
        let (status, head) = wire.head().await?;
        assert_eq!(status, 200, "{head}");
        self.streams += 1;
        let most = match self.temper {
            Temper::Steady => usize::MAX,
            Temper::Restless(most) => rand::rng().random_range(1..=most),
        };
        let mut durable = 0;
        while durable < most
            && !self.has_come_to(*until.borrow())
            && let Some(heard) = wire.next().await?
        {
            assert_ne!(heard.name, "reset", "{heard:?}");
            *away_since = Instant::now();
            if let Some(id) = &heard.id {
                self.cursor = Some(id.clone());
                self.begun.send_if_modified(|begun| {
                    let is_first = begun.is_none();
                    begun.get_or_insert_with(|| pos_of(id));
                    is_first
                });
            }
            if heard.is_durable() {
                self.events.push(heard);
                durable += 1;
            }
        }
        Ok(())
    }
}

/// Returns the position in a cursor.
pub fn pos_of(cursor: &str) -> i64 {
    cursor.rsplit('.').next().and_then(|pos| pos.parse().ok()).unwrap_or_else(|| panic!("no cursor: {cursor}"))
}

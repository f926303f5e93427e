//! People who post continuously while faults are injected.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gapless::event::{Message, Room};
use gapless::id::RoomId;
use rand::Rng as _;
use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Guest, User};

/// Timeout of one attempt; then the same submit is retried.
const ATTEMPT: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(20);
/// Longer than any fault of these tests.
const PATIENCE: Duration = Duration::from_mins(1);
/// One submit in this many is sent twice at once, as by an impatient client.
const DOUBLED: u32 = 20;

/// A running load: each person posts one message after the other and retries each until it is acknowledged.
#[derive(Debug)]
pub struct Load {
    stop: CancellationToken,
    count: Arc<AtomicUsize>,
    posters: JoinSet<Vec<Message>>,
}

impl Load {
    /// Starts a load in which each of `people` posts to random `rooms` at random `addresses`.
    pub fn start(people: &[User], rooms: &[Room], addresses: &[SocketAddr]) -> Self {
        let (stop, count) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let rooms: Arc<[RoomId]> = rooms.iter().map(|room| room.id).collect();
        let mut posters = JoinSet::new();
        for person in people {
            let (person, rooms, addresses) = (person.clone(), Arc::clone(&rooms), addresses.to_vec());
            let (stop, count) = (stop.clone(), Arc::clone(&count));
            posters.spawn(async move {
                let mut acknowledged = Vec::new();
                while !stop.is_cancelled() {
                    let room = any(&rooms);
                    let body = format!("{} {}", person.name, acknowledged.len());
                    acknowledged.push(submit(&person, &addresses, room, &body).await);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                acknowledged
            });
        }
        Self { stop, count, posters }
    }

    /// Returns the number of messages acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until this many more messages are acknowledged.
    pub async fn goes_on_by(&self, more: usize) {
        let goal = self.acknowledged() + more;
        let began = Instant::now();
        while self.acknowledged() < goal {
            assert!(began.elapsed() < PATIENCE, "{} of {goal} acknowledged", self.acknowledged());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Lets each person finish the current post. Returns each person's posts, in order.
    pub async fn stop(self) -> Vec<Vec<Message>> {
        self.stop.cancel();
        self.posters.join_all().await
    }
}

/// Posts one submit, retried under the same `client_id` until it is acknowledged.
async fn submit(person: &User, addresses: &[SocketAddr], room: RoomId, body: &str) -> Message {
    let client_id = Uuid::now_v7();
    let began = Instant::now();
    let attempt = || async {
        let at = Guest { address: any(addresses), ..Guest::clone(person) };
        let request = at
            .request(reqwest::Method::POST, "/messages")
            .json(&json!({"room_id": room, "body": body, "client_id": client_id}))
            .timeout(ATTEMPT);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        match status {
            200 | 201 => Some(serde_json::from_str::<Message>(&text).expect("a message")),
            503 => None,
            _ => panic!("{status}: {text}"),
        }
    };
    loop {
        let answered = if rand::rng().random_ratio(1, DOUBLED) {
            let (one, other) = tokio::join!(attempt(), attempt());
            if let (Some(one), Some(other)) = (&one, &other) {
                assert_eq!(one.id, other.id, "one submit is one message");
            }
            one.or(other)
        } else {
            attempt().await
        };
        if let Some(message) = answered {
            return message;
        }
        assert!(began.elapsed() < PATIENCE, "a post was not acknowledged within {PATIENCE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns a random element.
pub fn any<T: Copy>(of: &[T]) -> T {
    of[rand::rng().random_range(0..of.len())]
}

//! Stale presence: time for which an instance counts the guests of another one that was killed.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gapless_client::http::{EventStream, Request, ask};
use serde::Deserialize;
use tokio::time::Instant;
use uuid::Uuid;

use crate::environment::Environment;
use crate::history::Record;

/// Time for which the count must stay the same: longer than the grace after a disconnect and than the interval of the
/// reports between instances.
const STEADY_FOR: Duration = Duration::from_secs(5);
/// Timeout for each expected change of the count.
const TIMEOUT: Duration = Duration::from_secs(40);
const GUESTS: u64 = 5;

#[derive(Deserialize)]
struct Room {
    online: Online,
}

#[derive(Deserialize)]
struct Online {
    guests: u64,
}

/// Opens streams on one instance, kills it, and records how long another one counts their guests.
pub async fn measure(env: &Environment) -> anyhow::Result<()> {
    let room = *env.rooms.first().context("there are no rooms")?;
    let (killed, observer) = (&env.cluster.instances[0], &env.cluster.instances[1]);
    let before = steady_guests(observer.address, room).await?;
    let mut streams = Vec::new();
    for _ in 0..GUESTS {
        let query = format!("room={room}");
        streams.extend(EventStream::open(killed.address, &query, None, None).await.ok());
    }
    let began = Instant::now();
    while guests(observer.address, room).await.is_none_or(|now| now < before + GUESTS) {
        ensure!(began.elapsed() < TIMEOUT, "the guests of one instance are not counted by another");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    killed.kill();
    let killed_at = Instant::now();
    let counted = guests(observer.address, room).await.unwrap_or_default().max(before + GUESTS);
    // Other readers of the killed instance reconnect to the others; only its own guests disappear.
    while killed_at.elapsed() < TIMEOUT && guests(observer.address, room).await.is_none_or(|now| now + GUESTS > counted)
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let millis = u64::try_from(killed_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    env.history.record(Record::StalePresence { millis });
    killed.start_process()?;
    killed.wait_until_ready().await
}

/// Waits until the count stays the same: readers who changed instances count on both until the former one's grace ends.
async fn steady_guests(address: SocketAddr, room: Uuid) -> anyhow::Result<u64> {
    let began = Instant::now();
    let (mut count, mut since) = (None, began);
    while count.is_none() || since.elapsed() < STEADY_FOR {
        ensure!(began.elapsed() < TIMEOUT, "the number of guests does not become steady: {count:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = guests(address, room).await;
        if now != count {
            (count, since) = (now, Instant::now());
        }
    }
    count.context("the guests were counted")
}

async fn guests(address: SocketAddr, room: Uuid) -> Option<u64> {
    let request = Request::get(format!("/rooms/{room}"));
    let asked = tokio::time::timeout(Duration::from_secs(2), ask(address, &request));
    Some(asked.await.ok()?.ok()?.json::<Room>().ok()?.online.guests)
}

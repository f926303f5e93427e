//! A client in a separate process, so that it can be suspended with all its timers: it reads one room, reconnects as the
//! app does, and prints each received `hello`, `reset` and message on a line.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use gapless_client::http::EventStream;
use serde::Deserialize;
use uuid::Uuid;

/// Two heartbeats and five seconds without data mean that the stream is dead, as in the app.
const SILENCE: Duration = Duration::from_secs(35);
/// Timeout for opening a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
const PAUSE_MS: std::ops::Range<u64> = 125..500;

#[derive(Deserialize)]
struct Message {
    seq: u64,
}

/// Reads until the process is killed.
pub async fn run(address: SocketAddr, room: Uuid) -> Infallible {
    let query = format!("room={room}");
    let mut cursor: Option<String> = None;
    loop {
        let opening = EventStream::open(address, &query, cursor.as_deref(), None);
        if let Ok(Ok(mut stream)) = tokio::time::timeout(OPEN_TIMEOUT, opening).await {
            while let Ok(Ok(event)) = tokio::time::timeout(SILENCE, stream.next()).await {
                match event.name.as_str() {
                    "hello" | "reset" => println!("{}", event.name),
                    "message.posted" => match serde_json::from_str::<Message>(&event.data) {
                        Ok(Message { seq }) => println!("message {seq}"),
                        Err(error) => println!("invalid message: {error}"),
                    },
                    _ => {}
                }
                cursor = event.id.or(cursor);
            }
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(PAUSE_MS))).await;
    }
}

//! Posts while readers are far behind: many guests repeatedly resume from scattered positions of a long history.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Options;
use crate::ledger::{self, Ledger};
use crate::posters::Alone;
use crate::stage::Stage;
use crate::table::{Goal, Row, Table};

/// Number of messages before the run: more than memory holds after a restart.
const HISTORY: i64 = 120_000;
const READERS: i64 = 1_000;
const ROUNDS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(10);
/// A reader takes this many bytes and restarts elsewhere, so that all readers stay behind.
const TAKES_BYTES: usize = 256 << 10;

const SEED: &str = "
    with head as (select lock_log() as pos),
    room as (select head_seq as seq from rooms where id = $1),
    said as (
        insert into messages (id, room_id, seq, pos, author_id, client_id, fingerprint, body, created_at)
        select gen_random_uuid(), $1, room.seq + n, head.pos + n, $2, gen_random_uuid(), '\\x00',
               'message ' || n || repeat(' of some length', 6), now()
        from head, room, generate_series(1, $3) n
        returning id, pos
    )
    insert into log (pos, kind, at, actor_id, room_id, message_id)
    select pos, 'message.posted', now(), $2, $1, id from said";

pub fn behind(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let (epoch, head) = stage.runtime.block_on(seed(stage.database_url(), &stage.hot_room[0]))?;
    // After a restart the server has none of the seeded messages in memory.
    stage.server.kill_and_restart()?;

    let ledger = Ledger::new(1_000_000);
    let crowd = stage.crowd(&stage.hot_room, 1);
    let mut writer = crowd.alone()?;
    let (mut quiet, mut behind) = (Posts::default(), Posts::default());
    let (mut taken, mut reading) = (0, Duration::ZERO);
    let cpu = stage.cpu()?;
    for _ in 0..ROUNDS {
        quiet.post(&mut writer, &ledger, stage.phase / ROUNDS);
        let readers = Readers::open(stage.server.address(), &stage.hot_room[0], &epoch, head);
        let began = Instant::now();
        behind.post(&mut writer, &ledger, stage.phase / ROUNDS);
        reading += began.elapsed();
        taken += readers.leave()?;
    }
    let cpu = stage.cpu()?.since(cpu);
    table.add(Row {
        shape: "behind",
        what: "one post, p99, beside 1,000 readers who replay",
        unit: "ms",
        value: behind.millis(0.99),
        baseline: Some(quiet.millis(0.99)),
        goal: Goal::AtMost { good: 4.0, aim: 2.0 },
    });
    table.add(Row {
        shape: "behind",
        what: "posts refused beside them, of 100",
        unit: "",
        value: behind.refused as f64 * 100.0 / (behind.refused as f64 + behind.answered.len() as f64),
        baseline: None,
        goal: Goal::AtMost { good: 0.0, aim: 0.0 },
    });
    table.note(
        "behind",
        format!(
            "history of {HISTORY}; {} and {} posts, p50 {:.2} and {:.2} ms; readers took {:.0} MB/s; {}",
            quiet.answered.len(),
            behind.answered.len(),
            quiet.millis(0.5),
            behind.millis(0.5),
            taken as f64 / 1e6 / reading.as_secs_f64(),
            cpu.told(),
        ),
    );
    Ok(())
}

/// Fills a room by SQL; returns the epoch and the head of the log.
async fn seed(url: &str, room: &str) -> anyhow::Result<(String, i64)> {
    let mut database = PgConnection::connect(url).await?;
    let author: uuid::Uuid =
        sqlx::query_scalar("select min(id::text)::uuid from users").fetch_one(&mut database).await?;
    let room: uuid::Uuid = room.parse()?;
    sqlx::query(SEED).bind(room).bind(author).bind(HISTORY).execute(&mut database).await.context("seeding")?;
    sqlx::raw_sql("analyze messages; analyze log").execute(&mut database).await?;
    Ok(sqlx::query_as("select epoch, pos from log_head").fetch_one(&mut database).await?)
}

/// Sequential posts at a steady pace.
struct Posts {
    answered: Histogram<u64>,
    refused: u64,
}

impl Default for Posts {
    fn default() -> Self {
        Self { answered: ledger::histogram(), refused: 0 }
    }
}

impl Posts {
    fn post(&mut self, writer: &mut Alone, ledger: &Ledger, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            std::thread::sleep(PAUSE);
            match writer.post(ledger) {
                Ok(took) => self.answered.saturating_record(took.as_nanos() as u64),
                Err(_) => self.refused += 1,
            }
        }
    }

    fn millis(&self, quantile: f64) -> f64 {
        self.answered.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Guests who read missed messages, on a separate thread.
struct Readers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<u64>>,
}

impl Readers {
    fn open(address: SocketAddr, room: &str, epoch: &str, head: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (room, epoch, told) = (room.to_owned(), epoch.to_owned(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let taken = Arc::new(AtomicU64::new(0));
            runtime.block_on(async {
                let mut readers = tokio::task::JoinSet::new();
                for number in 0..READERS {
                    let request = |from: i64| {
                        format!("GET /sse?room={room}&cursor={epoch}.{from} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    };
                    // Positions scattered by a stride that shares no factor with the history.
                    let places = (1..).map(move |turn: i64| (number * 7_919 + turn * 104_729) % head);
                    let requests: Vec<_> = places.take(64).map(request).collect();
                    readers.spawn(read(address, requests, Arc::clone(&told), Arc::clone(&taken)));
                }
                readers.join_all().await;
            });
            Ok(taken.load(Ordering::Relaxed))
        });
        Self { stop, thread }
    }

    /// Stops the readers and returns the number of bytes that they read.
    fn leave(self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the readers panicked"))?
    }
}

async fn read(address: SocketAddr, requests: Vec<String>, told: Arc<AtomicBool>, taken: Arc<AtomicU64>) {
    let is_over = || told.load(Ordering::Relaxed);
    for request in requests.iter().cycle() {
        let Ok(mut socket) = TcpStream::connect(address).await else { return };
        if socket.write_all(request.as_bytes()).await.is_err() {
            return;
        }
        let (mut part, mut took) = (vec![0; 16 << 10], 0);
        while took < TAKES_BYTES && !is_over() {
            let more = tokio::time::timeout(Duration::from_millis(100), socket.read(&mut part));
            match more.await {
                Ok(Ok(0) | Err(_)) => break,
                Ok(Ok(read)) => {
                    took += read;
                    taken.fetch_add(read as u64, Ordering::Relaxed);
                }
                Err(_) => {}
            }
        }
        if is_over() {
            return;
        }
    }
}

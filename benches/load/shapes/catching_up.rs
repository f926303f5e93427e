//! A reader of a quiet room resumes, while nearly everything that it missed was said elsewhere.

use std::time::Duration;

use anyhow::{Context, ensure};
use gapless_client::frame::Frame;
use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::Options;
use crate::frame;
use crate::listener::Listener;
use crate::stage::Stage;
use crate::table::{Goal, Row, Table};

/// Number of distances; each is ten times the one before.
const DISTANCES: usize = 3;
/// Missed messages in the reader's own room, at any distance.
const OWN: u64 = 10;
const BATCH: usize = 500;
/// Resumes per distance and variant; the median counts.
const ROUNDS: usize = 3;
const READS: &str = "gapless_replay_reads_total";

/// One quiet room for each distance, with its messages spread over it.
struct Quiet {
    distances: [u64; DISTANCES],
    rooms: Vec<String>,
    epoch: String,
    head: u64,
}

/// The figures of a distance.
#[derive(Default)]
struct Figures {
    live: Vec<Duration>,
    hello: Vec<Duration>,
    reads: f64,
}

/// Frames that a reader received.
#[derive(Debug, Default)]
struct Received {
    messages: u64,
    resets: u64,
    counts: u64,
}

impl Received {
    /// Counts a frame, and returns whether it is of this kind.
    fn is_any(&mut self, frame: &Frame, kind: &[u8]) -> bool {
        self.messages += u64::from(frame.event == b"message.posted");
        self.resets += u64::from(frame.event == b"reset");
        self.counts += u64::from(frame.event == b"presence");
        frame.event == kind
    }
}

pub fn catching_up(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let farthest = (options.messages / 100).max(2 * OWN) * 100;
    let address = stage.server.address();
    let mut rooms = Vec::new();
    for distance in 0..DISTANCES {
        rooms.push(stage.accounts.create_room(address, &format!("quiet {distance} {}", Uuid::new_v4().simple()))?);
    }
    let distances = [farthest / 100, farthest / 10, farthest];
    let mut quiet = Quiet { distances, rooms, epoch: String::new(), head: 0 };
    let database_url = stage.database_url().to_owned();
    stage.runtime.block_on(seed(&database_url, &stage.hot_room[0], &mut quiet))?;

    let mut figures: [Figures; DISTANCES] = std::array::from_fn(|_| Figures::default());
    for is_limited in [false, true] {
        for _ in 0..ROUNDS {
            // A new process has nothing in memory. Its first read, of another room, opens a connection to the database.
            stage.server.kill_and_restart()?;
            let elsewhere = format!("room={}&cursor={}.{}", stage.rooms[0], quiet.epoch, quiet.head / 2);
            Listener::open(address, &elsewhere)?.until(|frame| frame.event == b"presence")?;
            for (at, figures) in figures.iter_mut().enumerate() {
                resume(stage, &quiet, at, is_limited, figures)?;
            }
        }
    }
    report(&quiet, figures, table);
    Ok(())
}

fn resume(stage: &Stage, quiet: &Quiet, at: usize, is_limited: bool, figures: &mut Figures) -> anyhow::Result<()> {
    let limit = if is_limited { "&replay_limit=500" } else { "" };
    let query = format!("room={}&cursor={}.{}{limit}", quiet.rooms[at], quiet.epoch, quiet.head - quiet.distances[at]);
    let reads = stage.server.metric(READS)?;
    let mut listener = Listener::open(stage.server.address(), &query)?;
    let mut received = Received::default();
    let hello = listener.until(|frame| received.is_any(frame, b"hello"))?;
    // The counts of its rooms tell a reader that it is live.
    let live = match received.counts {
        0 => listener.until(|frame| received.is_any(frame, b"presence"))?,
        _ => hello,
    };
    ensure!(
        received.messages == OWN && received.resets == 0,
        "a reader of {OWN} missed messages received {received:?}"
    );
    if is_limited {
        figures.hello.push(hello);
    } else {
        figures.live.push(live);
        figures.reads = figures.reads.max(stage.server.metric(READS)? - reads);
    }
    Ok(())
}

/// Posts by the function of the database; returns when the last quiet message is followed by others.
async fn seed(url: &str, busy: &str, quiet: &mut Quiet) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(url).await?;
    let author: Uuid = sqlx::query_scalar("select min(id::text)::uuid from users").fetch_one(&mut database).await?;
    let busy: Uuid = busy.parse()?;
    let rooms: Vec<Uuid> = quiet.rooms.iter().map(|room| room.parse()).collect::<Result<_, _>>()?;
    // Counted from the end, so that each room has its messages within its distance.
    let room_at = |from_end: u64| {
        let own = quiet.distances.iter().zip(&rooms).enumerate();
        let mut own = own.filter(|(at, (distance, _))| {
            let offset = *at as u64 + 1;
            from_end <= **distance && from_end % (**distance / OWN) == offset
        });
        own.next().map_or(busy, |(_, (_, room))| *room)
    };
    let places: Vec<u64> = (1..=quiet.distances[DISTANCES - 1]).rev().collect();
    for places in places.chunks(BATCH) {
        let ids = || places.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>();
        let rows = sqlx::query("select outcome from append_messages($1, $2, $3, $4, $5, $6)")
            .bind(ids())
            .bind(places.iter().map(|place| room_at(*place)).collect::<Vec<_>>())
            .bind(vec![author; places.len()])
            .bind(ids())
            .bind(vec![vec![7_u8; 16]; places.len()])
            .bind(places.iter().map(|place| frame::body(*place)).collect::<Vec<_>>())
            .fetch_all(&mut database)
            .await
            .context("seeding")?;
        let accepted = rows.iter().filter(|row| row.get::<&str, _>("outcome") == "accepted").count();
        ensure!(accepted == places.len(), "{accepted} of {} messages were accepted", places.len());
    }
    sqlx::raw_sql("analyze messages; analyze log").execute(&mut database).await?;
    let (epoch, head): (String, i64) =
        sqlx::query_as("select epoch, pos from log_head").fetch_one(&mut database).await?;
    (quiet.epoch, quiet.head) = (epoch, head as u64);
    Ok(())
}

fn report(quiet: &Quiet, figures: [Figures; DISTANCES], table: &mut Table) {
    let median = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64() * 1e3
    };
    let live = figures.each_ref().map(|figures| median(&figures.live));
    let hello = figures.each_ref().map(|figures| median(&figures.hello));
    let reads = figures.iter().map(|figures| figures.reads).fold(0.0, f64::max);
    let slowest = live.into_iter().fold(0.0, f64::max);
    for (what, unit, value, baseline, goal) in [
        ("until live, at any distance", "ms", slowest, None, Goal::AtMost { good: 50.0, aim: 20.0 }),
        ("database reads, at any distance", "", reads, None, Goal::AtMost { good: 3.0, aim: 3.0 }),
        ("until live, farthest and nearest", "ms", live[2], Some(live[0]), Goal::AtMost { good: 3.0, aim: 1.5 }),
        ("until hello with a limit, farthest", "ms", hello[2], Some(hello[0]), Goal::AtMost { good: 3.0, aim: 1.5 }),
    ] {
        table.add(Row { shape: "catching-up", what, unit, value, baseline, goal });
    }
    for (at, figures) in figures.iter().enumerate() {
        let growth = |values: &[f64; DISTANCES]| values[at] / values[0];
        table.note(
            "catching-up",
            format!(
                "{} positions behind, {OWN} of them in the reader's room: live after {:.1} ms (x{:.1}), {} reads; with \
                 replay_limit=500 hello after {:.1} ms (x{:.1})",
                quiet.distances[at],
                live[at],
                growth(&live),
                figures.reads,
                hello[at],
                growth(&hello),
            ),
        );
    }
}

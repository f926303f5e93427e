//! One message to many readers: cost, rate and latency of deliveries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Options;
use crate::baseline::Baseline;
use crate::frame::Template;
use crate::ledger::Ledger;
use crate::posters::Until;
use crate::process;
use crate::shapes::even;
use crate::stage::{Cpu, Stage};
use crate::steps::Steps;
use crate::streams::{Findings, Streams};
use crate::table::{Goal, Row, Table};

const READERS: usize = 1_000;
/// Length of the plain frames of a baseline.
const PLAIN_BYTES: usize = 200;
/// Number of writers of the saturated shapes. Each has one message in flight, so a commit contains up to as many.
const WRITERS: usize = 64;
/// Capacity of a ledger; no phase of this benchmark comes near it.
const LEDGER: usize = 4_000_000;
/// Length of the turns of server and baseline.
const TURN: Duration = Duration::from_secs(1);

/// A thousand readers; the next message is posted only when all have the previous one. The same with readers of the
/// short form, and with two baselines: one that copies the server's frames, and one with plain frames.
pub fn one_at_a_time(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let [ledger, compact_ledger, copying_ledger, plain_ledger] =
        &std::array::from_fn(|_| Arc::new(Ledger::new(LEDGER / 4)));
    let (room, compact_room) = (&stage.hot_room, &stage.rooms[..1]);
    let address = stage.server.address();
    let mut copying = Baseline::start(&stage.template, room)?;
    let mut plain = Baseline::start(&Template::plain(PLAIN_BYTES), room)?;
    let streams = [
        Streams::open(address, stage.tickets(READERS, room), ledger)?,
        Streams::open(address, stage.compact_tickets(READERS, compact_room), compact_ledger)?,
        Streams::open(copying.address, stage.tickets(READERS, room), copying_ledger)?,
        Streams::open(plain.address, stage.tickets(READERS, room), plain_ledger)?,
    ];
    let (crowd, compact_crowd) = (stage.crowd(room, 1), stage.crowd(compact_room, 1));
    let server = stage.server.pid();
    let mut chat = Steps::new(ledger, vec![server], READERS);
    let mut compact = Steps::new(compact_ledger, vec![server], READERS);
    let mut copied = Steps::new(copying_ledger, vec![copying.pid()], READERS);
    let mut bare = Steps::new(plain_ledger, vec![plain.pid()], READERS);
    // The server closes a connection on which no request comes for a while.
    let mut writer = crowd.alone()?;
    chat.warm_up(|| writer.post(ledger).map(drop))?;
    let mut compact_writer = compact_crowd.alone()?;
    compact.warm_up(|| compact_writer.post(compact_ledger).map(drop))?;
    copied.warm_up(|| copying.hand(copying_ledger, 1))?;
    bare.warm_up(|| plain.hand(plain_ledger, 1))?;

    // Short turns, so that other load on the machine affects all of them.
    let began = Instant::now();
    while began.elapsed() < stage.phase * 4 {
        chat.run(TURN, || writer.post(ledger).map(drop))?;
        compact.run(TURN, || compact_writer.post(compact_ledger).map(drop))?;
        copied.run(TURN, || copying.hand(copying_ledger, 1))?;
        bare.run(TURN, || plain.hand(plain_ledger, 1))?;
    }
    for (what, value, baseline, goal) in [
        ("server CPU per delivery", &chat, &copied, Goal::AtMost { good: 1.6, aim: 1.25 }),
        ("the same against plain 200 B frames", &chat, &bare, Goal::AtMost { good: 1.6, aim: 1.25 }),
        ("compact against plain 200 B frames", &compact, &bare, Goal::AtMost { good: 1.6, aim: 1.25 }),
        ("compact against JSON", &compact, &chat, Goal::AtMost { good: 1.1, aim: 1.0 }),
    ] {
        table.add(Row {
            shape: "one-at-a-time",
            what,
            unit: "µs",
            value: value.micros_per_delivery(),
            baseline: Some(baseline.micros_per_delivery()),
            goal,
        });
    }
    let deliveries = format!(
        "{} deliveries by the server as JSON, {} compact, {} by the baseline, {} as plain frames",
        chat.deliveries, compact.deliveries, copied.deliveries, bare.deliveries
    );
    table.note("one-at-a-time", deliveries);
    for streams in streams {
        streams.finish()?;
    }
    Ok(())
}

/// A thousand readers of one room, with writers that post as fast as it commits.
pub fn one_room(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let rooms = stage.hot_room.clone();
    let chat = saturate(stage, &rooms, READERS)?;
    let bare = flood(stage, &rooms, READERS, &chat, Pace::AsFastAsItCan)?;
    table.add(Row {
        shape: "one-room",
        what: "deliveries, saturated",
        unit: "1/s",
        value: chat.rate(),
        baseline: Some(bare.rate()),
        goal: Goal::AtLeast { good: 0.7, aim: 0.9 },
    });
    add_cpu(table, "one-room", &chat, &bare);
    Ok(())
}

/// A hundred rooms of a hundred readers, to measure whether a room waits for the readers of another.
pub fn many_rooms(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let rooms = stage.rooms.clone();
    let readers = even(options.streams);
    let chat = saturate(stage, &rooms, readers)?;
    let rhythm = Duration::from_secs_f64(chat.batch.round() * chat.posting_secs / chat.posts as f64);
    let bare = flood(stage, &rooms, readers, &chat, Pace::AsCommitted(rhythm))?;
    let flooded = flood(stage, &rooms, readers, &chat, Pace::AsFastAsItCan)?;
    table.add(Row {
        shape: "many-rooms",
        what: "p99 from commit to reader, saturated",
        unit: "ms",
        value: chat.p99_ms(),
        baseline: Some(bare.p99_ms()),
        goal: Goal::AtMost { good: 2.0, aim: 1.1 },
    });
    add_cpu(table, "many-rooms", &chat, &bare);
    table.note(
        "many-rooms",
        format!(
            "p99 from sending the post {:.1} ms; the baseline fed as fast as it can: {:.0} deliveries/s, p99 {:.1} ms",
            chat.findings.since_post.value_at_quantile(0.99) as f64 / 1e6,
            flooded.rate(),
            flooded.p99_ms()
        ),
    );
    Ok(())
}

/// One saturated phase, of the chat or of the baseline.
struct Phase {
    findings: Findings,
    posts: u64,
    deliveries: u64,
    /// Deliveries including the warm-up, as in the findings.
    heard: u64,
    /// Duration of posting.
    posting_secs: f64,
    /// Duration until the last message was delivered.
    delivering_secs: f64,
    server_cpu_secs: f64,
    /// Mean number of messages per commit or burst.
    batch: f64,
    told: String,
}

impl Phase {
    fn rate(&self) -> f64 {
        self.deliveries as f64 / self.delivering_secs
    }

    fn p99_ms(&self) -> f64 {
        self.findings.since_commit.value_at_quantile(0.99) as f64 / 1e6
    }

    fn bytes_per_delivery(&self) -> f64 {
        self.findings.bytes as f64 / self.heard as f64
    }

    fn cpu_per_delivery_micros(&self) -> f64 {
        self.server_cpu_secs * 1e6 / self.deliveries as f64
    }
}

fn add_cpu(table: &mut Table, shape: &'static str, chat: &Phase, bare: &Phase) {
    table.add(Row {
        shape,
        what: "server CPU per delivery, saturated",
        unit: "µs",
        value: chat.cpu_per_delivery_micros(),
        baseline: Some(bare.cpu_per_delivery_micros()),
        goal: Goal::None,
    });
    table.note(
        shape,
        format!(
            "{:.0} posts/s in commits of {:.1}, {:.0} deliveries/s, baseline {:.0}; caught up {:.1} s after the last; {} reconnects, \
             {} byes; {:.0} bytes a delivery, {:.0} by the baseline; {}",
            chat.posts as f64 / chat.posting_secs,
            chat.batch,
            chat.rate(),
            bare.rate(),
            chat.delivering_secs - chat.posting_secs,
            chat.findings.reconnects,
            chat.findings.byes.len(),
            chat.bytes_per_delivery(),
            bare.bytes_per_delivery(),
            chat.told
        ),
    );
}

fn saturate(stage: &Stage, rooms: &[String], readers: usize) -> anyhow::Result<Phase> {
    let per_room = (readers / rooms.len()) as u64;
    let ledger = Arc::new(Ledger::new(LEDGER));
    let streams = Streams::open(stage.server.address(), stage.tickets(readers, rooms), &ledger)?;
    let crowd = stage.crowd(rooms, WRITERS);
    // Warm-up, since plans, connections and buffers are created on first use.
    crowd.post(&ledger, Until::Elapsed(Duration::from_millis(500)))?;
    ledger.wait_delivered(ledger.posts() * per_room)?;

    let (cpu, batches, delivered) = (stage.cpu()?, stage.batches()?, ledger.delivered());
    let began = ledger.now() as f64 / 1e9;
    let posted = crowd.post(&ledger, Until::Elapsed(stage.phase))?;
    ledger.wait_delivered(ledger.posts() * per_room)?;
    let spent: Cpu = stage.cpu()?.since(cpu);
    let batch = stage.batches()?.mean_since(batches);
    let delivering_secs = ledger.last_delivery_secs() - began;
    Ok(Phase {
        findings: streams.finish()?,
        posts: posted.posts,
        deliveries: ledger.delivered() - delivered,
        heard: ledger.delivered(),
        posting_secs: posted.seconds,
        delivering_secs,
        server_cpu_secs: spent.server,
        batch,
        told: spent.told(),
    })
}

#[derive(Clone, Copy)]
enum Pace {
    /// The next burst follows when the previous one has been offered to every socket.
    AsFastAsItCan,
    /// A burst at this interval, however many are still queued.
    AsCommitted(Duration),
}

/// The baseline, fed in bursts of the size of the chat's commits.
fn flood(stage: &Stage, rooms: &[String], readers: usize, chat: &Phase, pace: Pace) -> anyhow::Result<Phase> {
    let per_room = (readers / rooms.len()) as u64;
    let batch = chat.batch.round();
    let ledger = Arc::new(Ledger::new(LEDGER));
    let mut baseline = Baseline::start(&stage.template, rooms)?;
    let streams = Streams::open(baseline.address, stage.tickets(readers, rooms), &ledger)?;
    let cpu = process::cpu_secs(baseline.pid())?;
    let began = ledger.now() as f64 / 1e9;
    let start = Instant::now();
    let mut due = start;
    while start.elapsed() < stage.phase {
        baseline.hand(&ledger, batch as u64)?;
        match pace {
            Pace::AsFastAsItCan => baseline.wait_offered()?,
            Pace::AsCommitted(gap) => {
                due += gap;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        }
        ledger.check()?;
    }
    let posting_secs = start.elapsed().as_secs_f64();
    ledger.wait_delivered(ledger.posts() * per_room)?;
    let server_cpu_secs = process::cpu_secs(baseline.pid())? - cpu;
    let delivering_secs = ledger.last_delivery_secs() - began;
    Ok(Phase {
        findings: streams.finish()?,
        posts: ledger.posts(),
        deliveries: ledger.delivered(),
        heard: ledger.delivered(),
        posting_secs,
        delivering_secs,
        server_cpu_secs,
        batch,
        told: String::new(),
    })
}

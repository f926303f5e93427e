//! Posting: durable messages per second, and the latency of a single post.

use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;

use crate::Options;
use crate::durable::{Direct, Probe};
use crate::ledger::{self, Ledger};
use crate::posters::Until;
use crate::stage::{Cpu, ROOMS, Stage};
use crate::table::{Goal, Row, Table};

/// Number of writers on keep-alive connections, as of a busy instance.
const WRITERS: usize = 256;
/// Direct callers of the batch function: one, two and three at a time.
const CALLERS: usize = 3;
const ROUNDS: u32 = 3;
const LEDGER: usize = 4_000_000;
/// Pause between two posts at light load.
const PAUSE: Duration = Duration::from_millis(10);

pub fn posts(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let direct = stage.runtime.block_on(Direct::prepare(stage.database_url(), ROOMS))?;
    for (what, rooms) in
        [("durable posts, one hot room", &stage.hot_room), ("durable posts, a hundred rooms", &stage.rooms)]
    {
        let ledger = Ledger::new(LEDGER);
        let crowd = stage.crowd(rooms, WRITERS);
        crowd.post(&ledger, Until::Elapsed(Duration::from_millis(500)))?;
        let (heads, first) = (head_seqs(stage, rooms)?, ledger.posts());
        let mut cpu = Cpu::default();
        let (mut chat, mut batches) = (Rate::default(), Vec::new());
        let mut bare = [Rate::default(); CALLERS];
        let mut answered = ledger::histogram();
        // In turns, so that variations of the disk's speed affect both.
        for _ in 0..ROUNDS {
            let before = (stage.cpu()?, stage.batches()?);
            let posted = crowd.post(&ledger, Until::Elapsed(stage.phase / ROUNDS))?;
            cpu = cpu.plus(stage.cpu()?.since(before.0));
            let batch = stage.batches()?.mean_since(before.1);
            answered.add(&posted.answered)?;
            chat.add(posted.posts, posted.seconds);
            batches.push(batch);
            for (callers, rate) in (1..).zip(&mut bare) {
                let time = stage.phase / ROUNDS / 2;
                let called = direct.append(batch.round() as usize, rooms.len(), callers, time);
                let (messages, seconds) = stage.runtime.block_on(called)?;
                rate.add(messages, seconds);
            }
        }
        let kept = head_seqs(stage, rooms)? - heads;
        let posts = ledger.posts() - first;
        ensure!(kept == posts, "{posts} posts were acknowledged, but the rooms grew by {kept}");

        // The best number of callers: the hardest comparison for the server.
        let best = bare.iter().map(Rate::per_second).fold(0.0, f64::max);
        let batch = batches.iter().sum::<f64>() / batches.len() as f64;
        table.add(Row {
            shape: "posts",
            what,
            unit: "1/s",
            value: chat.per_second(),
            baseline: Some(best),
            goal: Goal::AtLeast { good: 0.5, aim: 0.8 },
        });
        table.note(
            "posts",
            format!(
                "{what}: commits of {batch:.1}, answered in {:.1} ms (p50), {:.1} ms (p99); {}; called directly by 1, 2, 3 at a time: \
                 {:.0}, {:.0}, {:.0}",
                answered.value_at_quantile(0.5) as f64 / 1e6,
                answered.value_at_quantile(0.99) as f64 / 1e6,
                cpu.told(),
                bare[0].per_second(),
                bare[1].per_second(),
                bare[2].per_second(),
            ),
        );
    }
    Ok(())
}

/// Number of messages, and their duration in seconds.
#[derive(Clone, Copy, Default)]
struct Rate {
    messages: u64,
    seconds: f64,
}

impl Rate {
    fn add(&mut self, messages: u64, seconds: f64) {
        self.messages += messages;
        self.seconds += seconds;
    }

    fn per_second(&self) -> f64 {
        self.messages as f64 / self.seconds
    }
}

/// Returns the total number of messages in the rooms.
fn head_seqs(stage: &Stage, rooms: &[String]) -> anyhow::Result<u64> {
    rooms.iter().map(|room| stage.head_seq(room)).sum()
}

/// Single posts with a pause before each, alternating with fsyncs.
pub fn light(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let mut probe = Probe::create(&stage.directory)?;
    let ledger = Ledger::new(1_000_000);
    let crowd = stage.crowd(&stage.hot_room, 1);
    let mut writer = crowd.alone()?;
    let (mut answered, mut synced) = (ledger::histogram(), ledger::histogram());
    let began = Instant::now();
    while began.elapsed() < stage.phase * 2 {
        std::thread::sleep(PAUSE);
        answered.saturating_record(writer.post(&ledger)?.as_nanos() as u64);
        std::thread::sleep(PAUSE);
        synced.saturating_record(probe.fsync()?.as_nanos() as u64);
    }
    let millis = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    table.add(Row {
        shape: "light",
        what: "one post, p99, against one fsync, p99",
        unit: "ms",
        value: millis(&answered, 0.99),
        baseline: Some(millis(&synced, 0.99)),
        goal: Goal::AtMost { good: 5.0, aim: 3.0 },
    });
    table.note(
        "light",
        format!(
            "{} posts; p50 {:.2} ms, an fsync's {:.2} ms",
            answered.len(),
            millis(&answered, 0.5),
            millis(&synced, 0.5)
        ),
    );
    Ok(())
}

//! Reconnect storm: all streams are cut, more messages are posted, and all streams resume at once.

use std::sync::Arc;
use std::time::Instant;

use crate::Options;
use crate::ledger::Ledger;
use crate::posters::Until;
use crate::shapes::even;
use crate::stage::{ROOMS, Stage};
use crate::streams::Streams;
use crate::table::{Goal, Row, Table};

const WRITERS: usize = 64;
/// Messages per room delivered before the cut, so that cursors differ.
const HEARD: u64 = 5;
/// Messages per room posted while the streams are cut.
const MISSED: u64 = 2;

pub fn resume(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let readers = even(options.streams);
    let (rooms, per_room) = (stage.rooms.clone(), (readers / ROOMS) as u64);
    let ledger = Arc::new(Ledger::new(1_000_000));
    let streams = Streams::open(stage.server.address(), stage.tickets(readers, &rooms), &ledger)?;
    stage.crowd(&rooms, WRITERS).post(&ledger, Until::Posts(HEARD * ROOMS as u64))?;
    ledger.wait_delivered(ledger.posts() * per_room)?;

    for (cut, reads) in [
        ("all live after a cut", "database reads per 100, after a cut"),
        ("all live after kill -9 and restart", "database reads per 100, after kill -9"),
    ] {
        let killed = cut.contains("kill");
        if killed {
            streams.hold()?;
            stage.server.kill_and_restart()?;
        } else {
            streams.cut()?;
        }
        stage.crowd(&rooms, WRITERS).post(&ledger, Until::Posts(MISSED * ROOMS as u64))?;
        let (cpu, replays) = (stage.cpu()?, stage.server.metric("gapless_replay_reads_total")?);
        let began = Instant::now();
        streams.resume()?;
        // A stream counts as live once it has its greeting and all missed messages.
        ledger.wait_delivered(ledger.posts() * per_room)?;
        streams.wait_live()?;
        let took = began.elapsed().as_secs_f64();
        let cpu = stage.cpu()?.since(cpu);
        let replays = stage.server.metric("gapless_replay_reads_total")? - replays;
        table.add(Row {
            shape: "resume",
            what: cut,
            unit: "s",
            value: took,
            baseline: None,
            goal: Goal::AtMost { good: 10.0, aim: 5.0 },
        });
        table.add(Row {
            shape: "resume",
            what: reads,
            unit: "",
            value: replays * 100.0 / readers as f64,
            baseline: None,
            goal: Goal::AtMost { good: 1.0, aim: 1.0 },
        });
        table.note("resume", format!("{readers} streams, {cut}; {}", cpu.told()));
    }
    streams.finish()?;
    Ok(())
}

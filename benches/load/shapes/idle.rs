//! Idle readers: the cost of open streams.

use std::sync::Arc;
use std::time::Duration;

use crate::Options;
use crate::baseline::Baseline;
use crate::ledger::Ledger;
use crate::process;
use crate::shapes::even;
use crate::stage::Stage;
use crate::streams::Streams;
use crate::table::{Goal, Row, Table};

/// Longer than the time until the first heartbeat was sent and presence is stable.
const SETTLE: Duration = Duration::from_secs(20);

pub fn idle(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let readers = even(options.streams);
    // A new process, since streams could reuse memory that an earlier shape returned to the allocator.
    stage.server.restart()?;
    std::thread::sleep(Duration::from_secs(2));
    let before = process::rss_kib(stage.server.pid())?;
    let ledger = Arc::new(Ledger::new(1));
    let streams = Streams::open(stage.server.address(), stage.tickets(readers, &stage.rooms), &ledger)?;
    std::thread::sleep(SETTLE);
    let after = process::rss_kib(stage.server.pid())?;
    let cpu = stage.cpu()?;
    std::thread::sleep(stage.phase);
    let busy = stage.cpu()?.since(cpu).server / stage.phase.as_secs_f64();
    streams.finish()?;

    let ledger = Arc::new(Ledger::new(1));
    let baseline = Baseline::start(&stage.template, &stage.rooms)?;
    let bare_before = process::rss_kib(baseline.pid())?;
    let streams = Streams::open(baseline.address, stage.tickets(readers, &stage.rooms), &ledger)?;
    let bare_after = process::rss_kib(baseline.pid())?;
    streams.finish()?;

    table.add(Row {
        shape: "idle",
        what: "server memory per stream",
        unit: "KiB",
        value: (after - before) / readers as f64,
        baseline: None,
        goal: Goal::AtMost { good: 20.0, aim: 8.0 },
    });
    table.note(
        "idle",
        format!(
            "{readers} streams; {:.1} MiB before, {:.1} MiB after; the baseline takes {:.2} KiB each; heartbeats and \
             presence keep the server {:.1} % of one core busy",
            before / 1024.0,
            after / 1024.0,
            (bare_after - bare_before) / readers as f64,
            100.0 * busy
        ),
    );
    Ok(())
}

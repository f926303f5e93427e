//! Messages while people come and go: the delay of a delivery with and without joins and leaves.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Options;
use crate::ledger::Ledger;
use crate::listener::Listener;
use crate::posters::Crowd;
use crate::shapes::even;
use crate::stage::{Cpu, ROOMS, Stage};
use crate::streams::Streams;
use crate::table::{Goal, Row, Table};

/// Writers at this pace each: 200 posts a second.
const WRITERS: u32 = 4;
const PACE: Duration = Duration::from_millis(20);
/// One guest joins and another leaves in each such interval.
const CHURN_PACE: Duration = Duration::from_millis(100);
/// Guests who are there at a time.
const GUESTS: usize = 10;
const TURN: Duration = Duration::from_secs(3);

pub fn churn(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let readers = even(options.streams);
    let (rooms, per_room) = (stage.rooms.clone(), (readers / ROOMS) as u64);
    let ledger = Arc::new(Ledger::new(1_000_000));
    let streams = Streams::open(stage.server.address(), stage.tickets(readers, &rooms), &ledger)?;
    let (address, crowd) = (stage.server.address(), stage.crowd(&rooms, 1));
    post(&crowd, &ledger, TURN.min(stage.phase))?;
    ledger.wait_delivered(ledger.posts() * per_room)?;

    // Neither the arrival of the readers nor the warm-up counts.
    let warm = ledger.posts();
    let mut cpu = [Cpu::default(); 2];
    let mut posts = [0; 2];
    let began = Instant::now();
    let mut is_first = true;
    while is_first || began.elapsed() < stage.phase * 4 {
        for is_churning in [false, true] {
            streams.set_aside(is_churning)?;
            std::thread::sleep(CHURN_PACE);
            let (before, first) = (stage.cpu()?, ledger.posts());
            let is_over = AtomicBool::new(!is_churning);
            std::thread::scope(|scope| {
                let guests = scope.spawn(|| come_and_go(address, &rooms, CHURN_PACE, &is_over));
                let posted = post(&crowd, &ledger, TURN.min(stage.phase));
                is_over.store(true, Ordering::Relaxed);
                guests.join().map_err(|_| anyhow::anyhow!("the guests panicked"))?.and(posted)
            })?;
            ledger.wait_delivered(ledger.posts() * per_room)?;
            let turn = usize::from(is_churning);
            cpu[turn] = cpu[turn].plus(stage.cpu()?.since(before));
            posts[turn] += ledger.posts() - first;
        }
        is_first = false;
    }
    let findings = streams.finish()?;
    let millis =
        |histogram: &hdrhistogram::Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    let (quiet, busy) = (&findings.since_commit, &findings.aside);
    table.add(Row {
        shape: "churn",
        what: "p99 commit to reader, joins and leaves",
        unit: "ms",
        value: millis(busy, 0.99),
        baseline: None,
        goal: Goal::AtMost { good: 20.0, aim: 8.0 },
    });
    table.add(Row {
        shape: "churn",
        what: "the same against no joins and leaves",
        unit: "ms",
        value: millis(busy, 0.99),
        baseline: Some(millis(quiet, 0.99)),
        goal: Goal::AtMost { good: 2.0, aim: 1.5 },
    });
    table.note(
        "churn",
        format!(
            "{readers} streams; {} and {} posts without and with joins and leaves, after {warm} to warm up; p50 {:.2} and {:.2} ms, \
             p99.9 {:.1} and {:.1} ms; without: {}; with: {}",
            posts[0],
            posts[1],
            millis(quiet, 0.5),
            millis(busy, 0.5),
            millis(quiet, 0.999),
            millis(busy, 0.999),
            cpu[0].told(),
            cpu[1].told(),
        ),
    );
    Ok(())
}

/// Posts to the rooms in turn at a steady pace.
fn post(crowd: &Crowd<'_>, ledger: &Ledger, time: Duration) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                scope.spawn(move || -> anyhow::Result<()> {
                    let mut writer = crowd.alone()?;
                    let began = Instant::now();
                    let mut due = PACE * number / WRITERS;
                    while due < time {
                        std::thread::sleep(due.saturating_sub(began.elapsed()));
                        writer.post(ledger)?;
                        // A writer that is late leaves out posts instead of sending them all at once.
                        due = (due + PACE).max(began.elapsed());
                    }
                    Ok(())
                })
            })
            .collect();
        let ends = writers.into_iter().map(|writer| writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?);
        ends.collect()
    })
}

/// Guests join one room after the other, one in each interval of `pace`; the one who has been there longest leaves.
pub fn come_and_go(address: SocketAddr, rooms: &[String], pace: Duration, is_over: &AtomicBool) -> anyhow::Result<()> {
    let mut guests = VecDeque::new();
    for room in rooms.iter().cycle().step_by(7) {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        guests.push_back(Listener::open(address, &format!("room={room}"))?);
        if guests.len() > GUESTS {
            guests.pop_front();
        }
        std::thread::sleep(pace);
    }
    Ok(())
}

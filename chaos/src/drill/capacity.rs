//! Overload: more streams, posts and log-ins than there is capacity for, one after the other. Excess requests must be
//! refused politely, and the latency of existing clients must stay low.

mod overload;

use std::time::Duration;

use super::client_timings::ClientTimings;
use super::load::{Load, SETTINGS, create_environment};
use super::result_table::Goal;
use super::{DrillOptions, ResultTable};
use crate::environment::{Environment, Workload};
use crate::history::Micros;
use overload::{Answers, Overload};

/// Number of streams before the overload, half the capacity.
const STREAMS: usize = 150;
const WORKLOAD: Workload = Workload { rooms: 20, rate: 30.0, silence_timeout: Duration::from_secs(20) };
/// Length of each measurement, before and during the overloads.
const LENGTH: Duration = Duration::from_secs(8);
/// Time between two overloads, in which pending requests are answered.
const PAUSE: Duration = Duration::from_secs(3);
/// Maximum latency in milliseconds, which people perceive as instant.
const INSTANT: Goal = Goal::AtMost(100.0);

/// A small capacity, so that few clients exceed it.
const SMALL: &[(&str, &str)] =
    &[SETTINGS[0], SETTINGS[1], SETTINGS[2], SETTINGS[3], SETTINGS[4], ("MAX_STREAMS", "100"), ("WRITE_QUEUE", "8")];

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let env = create_environment(options, SMALL, WORKLOAD).await?;
    let load = Load::start(&env, options.streams.unwrap_or(STREAMS)).await?;
    tokio::time::sleep(PAUSE).await;
    let before = interval(&env).await;
    let mut overloads = Vec::new();
    for overload in Overload::ALL {
        tokio::time::sleep(PAUSE).await;
        let running = overload.start(&env).await?;
        let during = interval(&env).await;
        overloads.push((overload, during, running.stop().await));
    }

    let mut results = ResultTable::default();
    load.finish(env, options, &mut results).await?;
    let before = ClientTimings::between(options.dir, before.0, before.1)?;
    results.times("before: posts", &before.attempts, 0.99, Goal::None);
    results.times("before: post to client", &before.deliveries, 0.99, Goal::None);
    for (overload, (from, to), answers) in overloads {
        let Answers { polite, impolite, admitted } = answers;
        results.count(&format!("too many {overload}: refused politely"), polite, Goal::AtLeast(1.0));
        results.count(&format!("too many {overload}: answered otherwise"), impolite, Goal::ZERO);
        results.count(&format!("too many {overload}: admitted"), admitted, Goal::None);
        let during = ClientTimings::between(options.dir, from, to)?;
        results.times(&format!("too many {overload}: posts"), &during.attempts, 0.99, INSTANT);
        results.times(&format!("too many {overload}: post to client"), &during.deliveries, 0.99, INSTANT);
    }
    Ok(results)
}

/// Waits for [`LENGTH`] and returns the start and end of that time.
async fn interval(env: &Environment) -> (Micros, Micros) {
    let from = env.history.now();
    tokio::time::sleep(LENGTH).await;
    (from, env.history.now())
}

//! Revocation: delay until the streams and the REST API of two instances apply a revocation made on the third one.
//! Repeated for six kinds of revocation, while authors write.

mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::load::{Load, SETTINGS, create_environment};
use super::result_table::Goal;
use super::{DrillOptions, ResultTable};
use crate::checker::histogram;
use crate::environment::Workload;
use trial::{Kind, perform_trial};

const STREAMS: usize = 300;
const WORKLOAD: Workload = Workload { rooms: 20, rate: 60.0, silence_timeout: Duration::from_secs(20) };
/// Number of trials of each kind.
const TRIALS: usize = 40;
/// Maximum delay in milliseconds.
const MAX_DELAY: Goal = Goal::AtMost(1_000.0);

/// Delays in microseconds since the revocation was sent.
struct Histograms {
    streams: Histogram<u64>,
    refusals: Histogram<u64>,
}

impl Histograms {
    fn new() -> Self {
        Self { streams: histogram(), refusals: histogram() }
    }
}

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let env = create_environment(options, SETTINGS, WORKLOAD).await?;
    let load = Load::start(&env, options.streams.unwrap_or(STREAMS)).await?;

    // Kinds run concurrently and have separate victims; the trials of one kind run one after the other.
    let mut trials = JoinSet::new();
    for kind in Kind::ALL {
        let env = Arc::clone(&env);
        trials.spawn(async move {
            let mut histograms = Histograms::new();
            for number in 0..TRIALS {
                let delays =
                    perform_trial(&env, kind, number).await.with_context(|| format!("{kind}, trial {number}"))?;
                for delay in delays {
                    histograms.streams.saturating_record(delay.stream);
                    histograms.refusals.saturating_record(delay.refusal);
                }
            }
            anyhow::Ok((kind, histograms))
        });
    }
    let by_kind = trials.join_all().await.into_iter().collect::<anyhow::Result<BTreeMap<_, _>>>()?;

    let mut results = ResultTable::default();
    results.count("trials", (by_kind.len() * TRIALS) as u64, Goal::AtLeast(200.0));
    load.finish(env, options, &mut results).await?;
    let mut all = Histograms::new();
    for (kind, histograms) in &by_kind {
        results.times(&format!("{kind}: streams"), &histograms.streams, 0.99, Goal::None);
        results.times(&format!("{kind}: REST"), &histograms.refusals, 0.99, Goal::None);
        all.streams.add(&histograms.streams).expect("they have the same bounds");
        all.refusals.add(&histograms.refusals).expect("they have the same bounds");
    }
    results.times("until a stream ends or says so", &all.streams, 0.99, MAX_DELAY);
    results.times("until REST refuses", &all.refusals, 0.99, MAX_DELAY);
    Ok(results)
}

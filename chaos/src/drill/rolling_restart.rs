//! Rolling restart: three instances are replaced one after the other, as in a deployment, while authors write and a
//! thousand streams are open.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::client_timings::ClientTimings;
use super::load::{Load, SETTINGS, create_environment, wait_live};
use super::result_table::Goal;
use super::{DrillOptions, ResultTable, load_balancer};
use crate::checker::histogram;
use crate::environment::Workload;

const STREAMS: usize = 1_000;
const WORKLOAD: Workload = Workload { rooms: 20, rate: 60.0, silence_timeout: Duration::from_secs(20) };
/// Time under load before, between and after the restarts.
const UNDISTURBED: Duration = Duration::from_secs(3);
/// Reads of the log for streams that resume.
pub const RESUME_READS: &str = "gapless_replay_reads_total";

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let streams = options.streams.unwrap_or(STREAMS);
    let env = create_environment(options, SETTINGS, WORKLOAD).await?;
    let load_balancer = load_balancer::start(&env);
    let load = Load::start(&env, streams).await?;
    tokio::time::sleep(UNDISTURBED).await;

    let from = env.history.now();
    let mut reads = 0;
    let before = load_balancer::sum(&env.cluster.instances, RESUME_READS).await;
    let mut exits = histogram();
    for instance in &env.cluster.instances {
        // A process loses its counters when it exits.
        reads += instance.metrics().await.context("cannot read the instance's metrics")?.sum(RESUME_READS);
        let terminated = env.history.now();
        instance.terminate();
        ensure!(instance.wait_for_exit().await, "instance {} did not exit in time", instance.number);
        exits.saturating_record(env.history.now() - terminated);
        instance.start_process()?;
        instance.wait_until_ready().await?;
        tokio::time::sleep(UNDISTURBED).await;
    }
    wait_live(&env, streams).await?;
    let to = env.history.now();
    reads = (reads + load_balancer::sum(&env.cluster.instances, RESUME_READS).await).saturating_sub(before);
    drop(load_balancer);

    let mut results = ResultTable::default();
    results.count("streams", streams as u64, Goal::None);
    let findings = load.finish(env, options, &mut results).await?;
    let timings = ClientTimings::between(options.dir, from, to)?;
    results.times("from SIGTERM to exit", &exits, 1.0, Goal::AtMost(12_000.0));
    results.times("end of a stream to the next greeting", &timings.reconnects, 1.0, Goal::AtMost(5_000.0));
    #[expect(clippy::cast_precision_loss, reason = "there are some thousand")]
    let per_hundred = reads as f64 * 100.0 / timings.reconnects.len() as f64;
    results.number("queries for resumes per 100 clients", per_hundred, "", Goal::AtMost(1.0));
    let resets: u64 = findings.streams.resets.values().sum();
    results.count("resumes reset", resets, Goal::ZERO);
    results.times("submit to acknowledgement", &timings.submits, 0.99, Goal::None);
    results.count("posts told to come back (503)", timings.refused, Goal::None);
    results.count("posts without an answer, sent again", timings.unanswered, Goal::None);
    Ok(results)
}

//! Reconnect storm: with ten thousand streams over three instances one is killed and all streams are reset at once;
//! all readers resume at the other two instances without a pause.

use std::time::Duration;

use super::client_timings::ClientTimings;
use super::load::{Load, SETTINGS, create_environment, wait_live};
use super::result_table::Goal;
use super::rolling_restart::RESUME_READS;
use super::{DrillOptions, ResultTable, load_balancer};
use crate::environment::Workload;

const STREAMS: usize = 10_000;
const WORKLOAD: Workload = Workload { rooms: 100, rate: 60.0, silence_timeout: Duration::from_secs(20) };
/// Time under load before and after.
const UNDISTURBED: Duration = Duration::from_secs(5);

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let streams = options.streams.unwrap_or(STREAMS);
    let env = create_environment(options, SETTINGS, WORKLOAD).await?;
    let load_balancer = load_balancer::start(&env);
    let load = Load::start(&env, streams).await?;
    // The presence events of ten thousand new streams are still being delivered.
    tokio::time::sleep(UNDISTURBED).await;
    let start = env.history.now();
    tokio::time::sleep(UNDISTURBED).await;

    let [killed, remaining @ ..] = &env.cluster.instances[..] else { unreachable!("a cluster has three instances") };
    let reads = load_balancer::sum(remaining, RESUME_READS).await;
    let cut = env.history.now();
    killed.accepts_clients.store(false, std::sync::atomic::Ordering::Relaxed);
    killed.kill();
    env.reconnect_storms.send_modify(|count| *count += 1);
    // After this pause all readers have ended their old streams, which would count as live.
    tokio::time::sleep(Duration::from_millis(300)).await;
    wait_live(&env, streams).await?;
    let recovered = env.history.now();
    let reads = load_balancer::sum(remaining, RESUME_READS).await.saturating_sub(reads);
    tokio::time::sleep(UNDISTURBED).await;
    drop(load_balancer);

    let mut results = ResultTable::default();
    results.count("streams", streams as u64, Goal::None);
    let findings = load.finish(env, options, &mut results).await?;
    let timings = ClientTimings::between(options.dir, cut, recovered)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are some thousand streams, and a minute has few microseconds"
    )]
    let [all, per_hundred, all_live] =
        [streams as f64, reads as f64 * 100.0 / streams as f64, (timings.last_reconnect - cut) as f64 / 1e6];
    results.count("streams cut", timings.reconnects.len(), Goal::AtLeast(all));
    results.number("all live again", all_live, "s", Goal::AtMost(10.0));
    results.times("end of a stream to the next greeting", &timings.reconnects, 1.0, Goal::AtMost(10_000.0));
    let before = ClientTimings::between(options.dir, start, cut)?;
    results.times("submit to acknowledgement, before", &before.submits, 0.99, Goal::None);
    results.times("submit to acknowledgement, meanwhile", &timings.submits, 0.99, Goal::AtMost(1_000.0));
    results.count("posts told to come back (503)", timings.refused, Goal::None);
    results.count("posts without an answer, sent again", timings.unanswered, Goal::None);
    results.number("queries for resumes per 100 clients", per_hundred, "", Goal::AtMost(1.0));
    results.count("resumes reset", findings.streams.resets.values().sum(), Goal::ZERO);
    Ok(results)
}

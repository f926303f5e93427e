//! Samples of each instance's resource usage, restarts of instances that exited, and stalls of this machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::environment::Environment;
use crate::history::Record;

const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// Interval at which exited instances are restarted and the timer's delay is measured.
const TICK: Duration = Duration::from_millis(50);
/// A timer that is later than this had to wait for a processor.
const STALL: Duration = Duration::from_millis(25);

/// Runs until it is aborted.
pub async fn sample_periodically(env: Arc<Environment>) {
    loop {
        sample(&env).await;
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}

/// Records the resource usage of all running instances.
pub async fn sample(env: &Environment) {
    for instance in &env.cluster.instances {
        let Some((pid, rss_kib, descriptors, threads)) = instance.resources() else { continue };
        let Some(metrics) = instance.metrics().await else { continue };
        env.history.record(Record::Resources {
            at: env.history.now(),
            instance: instance.number,
            pid,
            rss_kib,
            descriptors,
            threads,
            tasks: metrics.sum("gapless_tokio_tasks"),
            reads: metrics.sum("gapless_catch_up_reads_total"),
            streams: metrics.sum("gapless_streams"),
        });
    }
}

/// Runs until it is aborted: restarts instances that exited by themselves, and records stalls of this machine.
pub async fn supervise(env: Arc<Environment>) {
    loop {
        let began = Instant::now();
        tokio::time::sleep(TICK).await;
        let late = began.elapsed().saturating_sub(TICK);
        if late > STALL {
            let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            env.history.record(Record::Stall { at: env.history.now(), late });
        }
        for instance in &env.cluster.instances {
            if instance.restart_if_exited().expect("it started before") {
                env.history.record(Record::Restarted { at: env.history.now(), instance: instance.number });
            }
        }
    }
}

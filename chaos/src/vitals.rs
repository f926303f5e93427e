//! What the instances take, looked at now and then; and what the machine has left for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::history::Record;
use crate::stage::Stage;

const EVERY: Duration = Duration::from_secs(2);
/// How often the machine is felt, and whether an instance ended by itself looked at.
const PULSE: Duration = Duration::from_millis(50);
/// A sleep that ends later than this was kept waiting for a processor.
const STARVED: Duration = Duration::from_millis(25);

/// Runs until it is aborted.
pub async fn watch(stage: Arc<Stage>) {
    loop {
        look(&stage).await;
        tokio::time::sleep(EVERY).await;
    }
}

pub async fn look(stage: &Stage) {
    for instance in &stage.cluster.instances {
        let Some((pid, rss_kib, descriptors, threads)) = instance.takes() else { continue };
        let Some(metrics) = instance.metrics().await else { continue };
        stage.history.record(Record::Vitals {
            at: stage.history.now(),
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

/// Runs until it is aborted: starts instances again that ended by themselves, and notices when the machine is busy
/// with something else.
pub async fn keep_alive(stage: Arc<Stage>) {
    loop {
        let slept = Instant::now();
        tokio::time::sleep(PULSE).await;
        let late = slept.elapsed().saturating_sub(PULSE);
        if late > STARVED {
            let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
            stage.history.record(Record::Starved { at: stage.history.now(), late });
        }
        for instance in &stage.cluster.instances {
            if instance.revive().expect("it started before") {
                stage.history.record(Record::Revived { at: stage.history.now(), instance: instance.number });
            }
        }
    }
}

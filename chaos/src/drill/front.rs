//! What stands in front of the instances: it asks each whether it is ready, as proxies do, and sends people only
//! to those that said so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::stage::Stage;

const EVERY: Duration = Duration::from_millis(200);

/// Stands until it is dropped.
pub fn stand(stage: &Arc<Stage>) -> JoinSet<()> {
    let mut asking = JoinSet::new();
    for number in 0..stage.cluster.instances.len() {
        let stage = Arc::clone(stage);
        asking.spawn(async move {
            let instance = &stage.cluster.instances[number];
            loop {
                instance.is_open.store(instance.says_ready().await, Ordering::Relaxed);
                tokio::time::sleep(EVERY).await;
            }
        });
    }
    asking
}

/// The sum of a counter over the instances that answer.
pub async fn sum(cluster: &Cluster, counter: &str) -> u64 {
    let mut sum = 0;
    for instance in &cluster.instances {
        sum += instance.metrics().await.map_or(0, |metrics| metrics.sum(counter));
    }
    sum
}

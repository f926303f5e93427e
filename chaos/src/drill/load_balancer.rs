//! A load balancer: checks the readiness of each instance, and lets clients connect only to ready ones.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::cluster::Instance;
use crate::environment::Environment;

const CHECK_EVERY: Duration = Duration::from_millis(200);

/// Starts the checks, which end when the result is dropped.
pub fn start(env: &Arc<Environment>) -> JoinSet<()> {
    let mut checks = JoinSet::new();
    for number in 0..env.cluster.instances.len() {
        let env = Arc::clone(env);
        checks.spawn(async move {
            let instance = &env.cluster.instances[number];
            loop {
                instance.accepts_clients.store(instance.is_ready().await, Ordering::Relaxed);
                tokio::time::sleep(CHECK_EVERY).await;
            }
        });
    }
    checks
}

/// Returns the sum of a counter over the instances that answer.
pub async fn sum(instances: &[Instance], counter: &str) -> u64 {
    let mut sum = 0;
    for instance in instances {
        sum += instance.metrics().await.map_or(0, |metrics| metrics.sum(counter));
    }
    sum
}

//! Stores metrics until they are scraped.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue::{self, Kind};
use crate::version;

/// Histogram buckets in seconds, from one commit on a fast disk to the time limit of a request.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

/// Histogram buckets of batch sizes, up to the maximum of one commit.
const POSTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Interval at which queued samples are moved into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// One per process, like the registry of `metrics`.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts recording. A second call has no effect.
pub fn start_metrics() {
    METRICS.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_batch_size".to_owned()), &POSTS))
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder was installed first; /metrics will stay empty");
        }
        describe();
        let commit = version::COMMIT.unwrap_or("unknown");
        metrics::gauge!("gapless_build_info", "version" => env!("CARGO_PKG_VERSION"), "commit" => commit).set(1);
        handle
    });
}

/// Registers each metric's description. A counter without labels starts at 0, so that its first increment is visible as
/// one.
fn describe() {
    for metric in catalogue::all() {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
        if metric.kind == Kind::Counter && metric.labels.is_empty() {
            metrics::counter!(metric.name).absolute(0);
        }
    }
}

/// Returns all metrics in the text format of Prometheus.
pub fn render_metrics() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Keeps the memory of unscraped histograms bounded while it is polled.
pub async fn keep_up_metrics() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        if let Some(handle) = METRICS.get() {
            handle.run_upkeep();
        }
    }
}

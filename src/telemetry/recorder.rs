//! Where numbers are kept until somebody asks for them.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::catalogue::{self, Kind};
use crate::version;

/// Upper bounds in seconds, from one commit on a fast disk to the limit of a request.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

/// Upper bounds of a batch, up to the most that one commit takes.
const POSTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// How often samples are moved from the queue where they are noted into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder belongs to the process, as `metrics`' own registry does, and so does the way to read it.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting. A second call changes nothing.
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

/// Says what each number is. A counter without labels begins at nought, so that its first step is a step.
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

/// Everything counted so far, in the text format of Prometheus.
pub fn render_metrics() -> String {
    METRICS.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Keeps the memory of unread histograms bounded, for as long as it is polled.
pub async fn keep_up_metrics() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        if let Some(handle) = METRICS.get() {
            handle.run_upkeep();
        }
    }
}

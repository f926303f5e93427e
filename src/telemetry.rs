//! What the program tells its operator: log lines and metrics.
//!
//! Neither ever holds a token, a password or a message's words; the places that have them do not log them.

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;
use crate::version;

/// Shown where `RUST_LOG` says nothing else. `sqlx` would repeat notices of the database line by line.
const DEFAULT_FILTER: &str = "info,sqlx=warn";

/// Upper bounds in seconds, from one commit on a fast disk to the limit of a request.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

/// How often samples are moved from the queue where they are noted into their histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder belongs to the process, as `metrics`' own registry does, and so does the way to read it.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts log lines on standard error. A second call changes nothing, so that tests may all call it.
pub fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(filter);
    let _already_started = match format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
}

/// Starts counting. A second call changes nothing.
pub fn start_metrics() {
    METRICS.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .expect("there are buckets")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder was installed first; /metrics will stay empty");
        }
        let commit = version::COMMIT.unwrap_or("unknown");
        metrics::gauge!("gapless_build_info", "version" => env!("CARGO_PKG_VERSION"), "commit" => commit).set(1);
        handle
    });
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

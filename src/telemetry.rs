//! Telemetry: log lines here, metrics in [`recorder`], and with the feature `otlp` traces of single posts in [`trace`].
//!
//! None of them ever contains a token, a password or a message's text; the code that handles those does not pass them
//! on. The [`catalogue`] lists and documents every metric.

pub mod catalogue;
pub mod posts;
mod recorder;
pub mod refusals;
pub mod trace;

use std::io::IsTerminal as _;

use axum::http::Method;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

pub use recorder::{keep_up_metrics, render_metrics, start_metrics};

/// Used unless `RUST_LOG` is set. `sqlx` would log notices of the database line by line.
const DEFAULT_FILTER: &str = "info,sqlx=warn";

/// Starts logging to standard error. A second call has no effect, so that every test may call it.
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

/// Maps unknown methods to one value: a method is arbitrary text of any length, and metric labels and log fields must
/// not be.
pub fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

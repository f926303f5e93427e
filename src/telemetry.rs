//! What the program tells its operator: log lines here, numbers in [`recorder`], and with the feature `otlp` the way of
//! single posts in [`trace`].
//!
//! None of them ever holds a token, a password or a message's words; the places that have them do not tell. The
//! [`catalogue`] lists every number, and is the whole documentation of them.

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

/// Shown where `RUST_LOG` says nothing else. `sqlx` would repeat notices of the database line by line.
const DEFAULT_FILTER: &str = "info,sqlx=warn";

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

/// Methods are free text of any length; metric labels and log fields must not be.
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

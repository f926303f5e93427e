//! For whoever keeps this running: is it alive, does it take traffic, how does it fare.

use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{Error, Result};
use crate::extract::Json;
use crate::telemetry;

/// A load balancer asks every few seconds; an answer that takes longer than this means no.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// Whether the demo accounts `ali` and `admin` exist.
    demo: bool,
    #[schema(example = "0.1.0")]
    version: &'static str,
}

/// The process runs. It says nothing of the database, whose absence no restart of this process mends.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = str, content_type = "text/plain")))]
pub async fn livez() -> &'static str {
    "alive"
}

/// Whether this instance takes traffic: it is not leaving, the database answers, and every change that is
/// in the log has been heard of here.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, body = Readiness),
    (status = 503, description = "`unavailable`: leaving, or behind, or the database is away"),
))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Readiness>> {
    if app.is_draining() {
        return Err(Error::unavailable());
    }
    let head = tokio::time::timeout(PATIENCE, crate::store::log::head(&app.db));
    let head = head.await.map_err(|_| Error::unavailable())?.map_err(|_| Error::unavailable())?;
    app.realtime.settle(head.pos).await;
    if app.realtime.applied() < head.pos {
        return Err(Error::unavailable());
    }
    Ok(Json(Readiness { status: "ready", demo: app.config.demo_mode, version: env!("CARGO_PKG_VERSION") }))
}

/// Everything that is counted, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = str, content_type = "text/plain")))]
pub async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::render_metrics()).into_response()
}

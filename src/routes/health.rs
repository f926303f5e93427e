//! Endpoints for operators: liveness, readiness and metrics.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::server::Server;
use crate::app::App;
use crate::auth::bearer_token;
use crate::config::Config;
use crate::error::{Error, Problem, Result};
use crate::extract::Json;
use crate::{gauges, telemetry};

#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// Read here by apps of the release before `GET /server`.
    #[serde(flatten)]
    #[schema(ignore)]
    server: Server,
}

/// The process runs. This does not check the database, since restarting the process would not repair it.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = str, content_type = "text/plain")))]
pub async fn livez() -> &'static str {
    "alive"
}

/// Reports whether this instance takes traffic: it is not shutting down, the database answers, and every change in the
/// log has been applied here. Checked at most once a second, however many requests arrive.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, body = Readiness),
    (status = 503, description = "`unavailable`: leaving, or behind, or the database is away"),
))]
pub async fn readyz(State(app): State<App>) -> Result<Json<Readiness>> {
    if app.is_draining() {
        return Err(Error::unavailable());
    }
    if !app.readiness.check(&app.db, &app.realtime).await {
        return Err(Error::unavailable());
    }
    Ok(Json(Readiness { status: "ready", server: Server::of(&app) }))
}

/// All metrics, in the Prometheus text format. Outside demo mode this requires the token of `METRICS_TOKEN`; without
/// one, metrics are served on the port of `METRICS_PORT` only.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, body = str, content_type = "text/plain"),
    (status = 401, description = "`unauthenticated`: not the token of `METRICS_TOKEN`", content_type = "application/problem+json", body = Problem),
    (status = 403, description = "`metrics_closed`: no token is set", content_type = "application/problem+json", body = Problem),
))]
pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    may_read_metrics(&app.config, &headers)?;
    Ok(rendered_metrics(&app))
}

/// Returns the router of `METRICS_PORT`: it serves only the metrics, to everyone who can reach that port.
pub fn metrics_alone(app: App) -> Router {
    Router::new().route("/metrics", get(async move || rendered_metrics(&app)))
}

fn rendered_metrics(app: &App) -> Response {
    gauges::sample(app);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::render_metrics()).into_response()
}

/// Restricts the metrics to the operator. The peer's address proves nothing: a proxy on the same machine also connects
/// from the loopback, and not every proxy forwards the client's address.
fn may_read_metrics(config: &Config, headers: &HeaderMap) -> Result<()> {
    if config.demo_mode {
        return Ok(());
    }
    let Some(token) = &config.metrics_token else {
        let detail = "Set METRICS_TOKEN and send it as a bearer token, or set METRICS_PORT and ask there.";
        return Err(Error::Forbidden { code: "metrics_closed", detail });
    };
    // Digests are compared, so that the timing reveals nothing about the token.
    let shown = bearer_token(headers).ok().flatten().unwrap_or_default();
    let is_shown = Sha256::digest(shown) == Sha256::digest(token.expose_secret());
    if is_shown { Ok(()) } else { Err(Error::Unauthenticated) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(config: &Config, header: (&'static str, &'static str)) -> u16 {
        let headers = HeaderMap::from_iter([(header.0.parse().unwrap(), header.1.parse().unwrap())]);
        may_read_metrics(config, &headers).map_or_else(|refused| refused.status().as_u16(), |()| 200)
    }

    #[test]
    fn metrics_are_for_those_who_show_the_token() {
        const NOTHING: (&str, &str) = ("accept", "*/*");
        let config = Config::for_tests();
        assert_eq!(answer(&config, NOTHING), 403);
        assert_eq!(answer(&config, ("authorization", "Bearer ")), 403, "no token is not an empty token");

        let config = Config { metrics_token: Some("hush".into()), ..config };
        assert_eq!(answer(&config, ("authorization", "Bearer hush")), 200);
        for wrong in [NOTHING, ("authorization", "Bearer hus"), ("authorization", "Bearer "), ("authorization", "hush")]
        {
            assert_eq!(answer(&config, wrong), 401, "{wrong:?}");
        }

        assert_eq!(answer(&Config { demo_mode: true, ..Config::for_tests() }, NOTHING), 200);
    }
}

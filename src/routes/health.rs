//! For whoever keeps this running: is it alive, does it take traffic, how does it fare.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::bearer_token;
use crate::config::{Config, Registration};
use crate::error::{Error, Problem, Result};
use crate::extract::Json;
use crate::telemetry;

/// A load balancer asks every few seconds; an answer that takes longer than this means no.
const PATIENCE: Duration = Duration::from_secs(2);

/// Headers by which proxies say that a request is not their own.
const PASSED_ON: [&str; 5] = ["forwarded", "x-forwarded-for", "x-real-ip", "via", "fly-client-ip"];

#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// Whether the demo accounts `ali` and `admin` exist.
    demo: bool,
    /// Whether a user may answer an admin who wrote to them first.
    dm_replies: bool,
    /// Who may sign up.
    registration: Registration,
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
    Ok(Json(Readiness {
        status: "ready",
        demo: app.config.demo_mode,
        dm_replies: app.config.dm_replies,
        registration: app.config.registration,
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Everything that is counted, in the text format of Prometheus. Outside demo mode for a caller on this machine,
/// or with the token of `METRICS_TOKEN`.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, body = str, content_type = "text/plain"),
    (status = 401, description = "`unauthenticated`: not for you", content_type = "application/problem+json", body = Problem),
))]
pub async fn metrics(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
) -> Result<Response> {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer.ip());
    if may_read_metrics(&app.config, peer, &headers) { Ok(rendered_metrics(&app)) } else { Err(Error::Unauthenticated) }
}

/// Where `METRICS_PORT` leads: nothing but what is counted, for whoever can reach that port.
pub fn metrics_alone(app: App) -> Router {
    Router::new().route("/metrics", get(async move || rendered_metrics(&app)))
}

fn rendered_metrics(app: &App) -> Response {
    telemetry::vitals::note(app);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::render_metrics()).into_response()
}

/// How many there are and how they fare is the operator's to know. A request that a proxy on this machine passes
/// on is not from this machine.
fn may_read_metrics(config: &Config, peer: Option<IpAddr>, headers: &HeaderMap) -> bool {
    if config.demo_mode {
        return true;
    }
    if let Some(token) = &config.metrics_token {
        // Digests are compared, so that the time it takes tells nothing of the token.
        let shown = bearer_token(headers).ok().flatten().unwrap_or_default();
        return Sha256::digest(shown) == Sha256::digest(token.expose_secret());
    }
    let is_passed_on = PASSED_ON.iter().any(|name| headers.contains_key(*name));
    !is_passed_on && peer.is_none_or(|peer| peer.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(config: &Config, peer: &str, header: (&'static str, &'static str)) -> bool {
        let headers = HeaderMap::from_iter([(header.0.parse().unwrap(), header.1.parse().unwrap())]);
        may_read_metrics(config, Some(peer.parse().unwrap()), &headers)
    }

    #[test]
    fn what_is_counted_is_for_this_machine_or_a_token() {
        const NOTHING: (&str, &str) = ("accept", "*/*");
        let config = Config::for_tests();
        assert!(may(&config, "127.0.0.1", NOTHING) && may(&config, "::ffff:127.0.0.1", NOTHING));
        assert!(!may(&config, "203.0.113.7", NOTHING));
        assert!(!may(&config, "127.0.0.1", ("x-forwarded-for", "127.0.0.1")), "a proxy's caller is not from here");
        assert!(!may(&config, "203.0.113.7", ("x-forwarded-for", "127.0.0.1")));

        let config = Config { metrics_token: Some("hush".into()), ..config };
        assert!(may(&config, "203.0.113.7", ("authorization", "Bearer hush")));
        assert!(!may(&config, "127.0.0.1", NOTHING));
        assert!(!may(&config, "127.0.0.1", ("authorization", "Bearer hus")));
        assert!(!may(
            &Config { metrics_token: Some("hush".into()), ..Config::for_tests() },
            "::1",
            ("authorization", "Bearer ")
        ));

        assert!(may(&Config { demo_mode: true, ..Config::for_tests() }, "203.0.113.7", NOTHING));
    }
}

//! Middleware for every request and every response.

use std::any::Any;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;
use uuid::Uuid;

use crate::app::App;
use crate::error::{Cause, Error};
use crate::extract::Deadline;
use crate::limits::Address;
use crate::telemetry;
use crate::telemetry::refusals::{self, Line};

/// Maximum time to answer a request once it has arrived: longer than the limits within (a post's commit, a database
/// connection), so that those answer first, and less than the three seconds within which callers expect an answer.
const PATIENCE: Duration = Duration::from_millis(2800);

/// Below this number of bytes, compressing costs more than it saves.
const COMPRESS_ABOVE: u64 = 1_024;

/// Lifetime of a preflight in a browser's cache: Chromium's maximum.
const PREFLIGHT_LIFE: Duration = Duration::from_hours(2);

const REQUEST_ID: &str = "x-request-id";

/// Content security policy of pages and their scripts: their own files, and the API wherever the page's settings say it is.
const PAGE_POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data:; \
     style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// Content security policy of all other responses, in case a browser displays one as a page.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Writes one log line and one metric sample per request, with the path's pattern. The query and headers are left out,
/// since they may contain tokens. A stream is logged when it opens.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let path = path.as_ref().map_or("other", MatchedPath::as_str);
    let id = Uuid::now_v7();
    // The span has a lower level than the line, so that a request pays for it only if somebody asked for it.
    let method = telemetry::known_method(&method);
    let span = tracing::debug_span!("request", %id, method, path);

    let mut response = next.run(request).instrument(span).await;

    let (status, elapsed) = (response.status(), begun.elapsed());
    let cause = response.extensions_mut().remove::<Cause>();
    let cause = cause.as_ref().map(|Cause(cause)| cause.as_str());
    let code = status.as_u16();
    // A flood of refusals is counted in the metrics, but must not fill the disk.
    let line = if status.as_u16() < 400 { Line::Log { left_out: 0 } } else { refusals::line(code, begun) };
    if let Line::Log { left_out } = line {
        let left_out = (left_out > 0).then_some(left_out);
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(%id, method, path, status = code, ?elapsed, cause, left_out, "answered");
            }
            _ if status.is_server_error() => {
                tracing::warn!(%id, method, path, status = code, ?elapsed, cause, left_out, "answered");
            }
            _ => tracing::info!(%id, method, path, status = code, ?elapsed, left_out, "answered"),
        }
    }
    let labels = [("method", method.to_owned()), ("path", path.to_owned()), ("status", status.as_str().to_owned())];
    metrics::histogram!("gapless_http_request_duration_seconds", &labels).record(elapsed);
    harden(response.headers_mut());
    let id = HeaderValue::from_str(&id.to_string()).expect("a UUID is a header value");
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Middleware of every API call: counts it against its address before any other work (users' calls are counted once the
/// user is known, in [`crate::auth`]), and limits its duration.
pub(super) async fn bound(
    State(app): State<App>,
    address: Address,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    app.limits.admit_address(address)?;
    give_up_late(request, next).await
}

/// Limits the time of a handler. A commit in progress is committed or not, as a whole. The time to receive a body
/// depends on the caller, and is limited where the body is read.
pub(super) async fn give_up_late(mut request: Request, next: Next) -> Result<Response, Error> {
    let deadline = Deadline::after(PATIENCE);
    request.extensions_mut().insert(deadline.clone());
    let mut answer = pin!(next.run(request));
    loop {
        let until = deadline.at();
        match tokio::time::timeout_at(until, &mut answer).await {
            Ok(answer) => return Ok(answer),
            Err(_) if deadline.at() > until => {}
            Err(_) => return Err(Error::unavailable()),
        }
    }
}

/// A panic is a bug of one handler: its caller receives a 500, and other requests are not affected.
pub(super) fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::Internal(anyhow::anyhow!("panicked: {}", said.unwrap_or("no message"))).into_response()
}

/// Adds security headers. `Cache-Control` set by a handler is kept.
fn harden(headers: &mut HeaderMap) {
    let is_of_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        // A service worker is subject to the policy of its script, not to that of a page.
        [&b"text/html"[..], b"text/javascript"].iter().any(|page| kind.as_bytes().starts_with(page))
    });
    let policy = if is_of_page { PAGE_POLICY } else { DATA_POLICY };
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    // Browsers obey it only if it came over TLS (RFC 6797, section 8.1).
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Allows pages of the configured origins to call the API. Tokens are sent in a header, so cookies are not allowed.
pub(super) fn cors(origins: &[HeaderValue]) -> CorsLayer {
    // All requests share a predicate; a list would be copied for each.
    let origins = origins.to_vec();
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.contains(origin)))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            header::HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::RETRY_AFTER, header::ETAG, header::HeaderName::from_static(REQUEST_ID)])
        .max_age(PREFLIGHT_LIFE)
}

/// Compresses long responses, except event streams, which a compressor would delay.
pub(super) fn compression() -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .compress_when(SizeAbove::new(COMPRESS_ABOVE).and(NotForContentType::IMAGES).and(NotForContentType::SSE))
}

//! Traces recorded with OpenTelemetry, and exported in batches by a separate thread.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use opentelemetry::trace::{
    FutureExt as _, Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _,
    TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, Key, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use uuid::Uuid;

use super::endpoint;
use crate::clock::Clock;

/// One per process, like its log and its metrics.
static KEEPER: OnceLock<Keeper> = OnceLock::new();

struct Keeper {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Variables that select the protocol.
const PROTOCOL: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// Not traced: machines request these every few seconds, and nobody wants to see them.
const UNTOLD: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Parent of a span: none, or a recorded span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace(Option<(TraceId, SpanId)>);

impl Trace {
    /// Returns the trace of the current request.
    pub fn current() -> Self {
        Context::map_current(|context| Self::of(context.span().span_context()))
    }

    fn of(context: &SpanContext) -> Self {
        Self(context.is_sampled().then(|| (context.trace_id(), context.span_id())))
    }

    pub const fn is_kept(self) -> bool {
        self.0.is_some()
    }

    /// Returns the trace as news carries it: the `traceparent` of W3C Trace Context.
    pub fn to_news(self) -> Option<String> {
        self.0.map(|(trace, span)| format!("00-{trace}-{span}-01"))
    }

    /// Parses the trace of received news. Invalid text results in no trace.
    pub fn from_news(said: Option<&str>) -> Self {
        let parse = |said: &str| {
            let (trace, span) = said.strip_prefix("00-")?.strip_suffix("-01")?.split_once('-')?;
            let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
            (trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span))
        };
        Self(said.and_then(parse))
    }

    fn context(self) -> Option<SpanContext> {
        let (trace, span) = self.0?;
        Some(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE))
    }
}

/// A span. Ends when dropped.
#[derive(Debug)]
pub struct Span(Option<opentelemetry_sdk::trace::Span>);

impl Span {
    pub const fn none() -> Self {
        Self(None)
    }

    /// Starts a span now.
    pub fn below(name: &'static str, parent: Trace) -> Self {
        Self::build(SpanBuilder::from_name(name), parent)
    }

    /// Starts a span that began earlier.
    pub fn since(name: &'static str, parent: Trace, began: Instant) -> Self {
        if !parent.is_kept() {
            return Self::none();
        }
        Self::build(SpanBuilder::from_name(name).with_start_time(moment(began)), parent)
    }

    /// Starts the span of a commit. `posts`: the trace of each post in it, and when it was queued.
    pub fn of_batch(posts: impl Iterator<Item = (Trace, Instant)>) -> Self {
        let posts: Vec<_> = posts.collect();
        let links: Vec<_> = posts.iter().filter_map(|(trace, _)| trace.context()).map(Link::with_context).collect();
        let Some((first, _)) = posts.iter().find(|(trace, _)| trace.is_kept()) else { return Self::none() };
        let size = KeyValue::new("gapless.posts", i64::try_from(posts.len()).unwrap_or(i64::MAX));
        let commit = SpanBuilder::from_name("writer.commit").with_links(links).with_attributes([size]);
        let commit = Self::build(commit, *first);
        for (trace, queued) in posts.into_iter().filter(|(trace, _)| trace.is_kept()) {
            let link = commit.trace().context().map(Link::with_context).into_iter().collect();
            let wait = SpanBuilder::from_name("writer.queue").with_start_time(moment(queued)).with_links(link);
            Self::build(wait, trace).end();
        }
        commit
    }

    fn build(builder: SpanBuilder, parent: Trace) -> Self {
        let begin = || {
            let parent = Context::new().with_remote_span_context(parent.context()?);
            Some(KEEPER.get()?.tracer.build_with_context(builder, &parent))
        };
        Self(begin())
    }

    /// Returns the trace for child spans.
    pub fn trace(&self) -> Trace {
        self.0.as_ref().map_or_else(Trace::default, |span| Trace::of(span.span_context()))
    }

    /// Ends the span now.
    pub fn end(self) {
        drop(self);
    }
}

fn moment(instant: Instant) -> SystemTime {
    SystemTime::from(Clock::System.now() - instant.elapsed())
}

/// Starts recording if there is a collector. A second call has no effect.
pub fn start() {
    if endpoint().is_none() {
        return;
    }
    KEEPER.get_or_init(|| {
        // Address, headers and protocol come from OpenTelemetry's own variables; the default is the binary protocol,
        // which every collector supports.
        let exporter = SpanExporter::builder().with_http();
        let is_said = PROTOCOL.iter().any(|variable| std::env::var_os(variable).is_some());
        let exporter = if is_said { exporter.build() } else { exporter.with_protocol(Protocol::HttpBinary).build() };
        let builder = SdkTracerProvider::builder().with_resource(resource());
        let provider = match exporter {
            Ok(exporter) => builder.with_batch_exporter(exporter).build(),
            Err(error) => {
                tracing::warn!(%error, "cannot set up the trace exporter; traces are not sent");
                builder.build()
            }
        };
        let tracer = provider.tracer("gapless");
        Keeper { provider, tracer }
    });
}

/// Describes this process in its traces. A name in `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` takes precedence.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let is_named =
        said.get(&Key::new("service.name")).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
    ]);
    if is_named { resource.build() } else { resource.with_service_name("gapless").build() }
}

/// Sends the remaining traces. Blocks meanwhile.
pub fn finish() {
    let Some(keeper) = KEEPER.get() else { return };
    if let Err(error) = keeper.provider.shutdown() {
        tracing::warn!(%error, "cannot send the last traces; they are lost");
    }
}

/// Starts a trace for each request.
pub fn follow(router: Router) -> Router {
    if KEEPER.get().is_some() { router.layer(from_fn(keep_request)) } else { router }
}

async fn keep_request(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let path = path.as_deref().unwrap_or("other");
    let Some(keeper) = KEEPER.get().filter(|_| !UNTOLD.contains(&path)) else { return next.run(request).await };
    let method = crate::telemetry::known_method(request.method());
    let span = SpanBuilder::from_name(format!("{method} {path}")).with_kind(SpanKind::Server).with_attributes([
        KeyValue::new("http.request.method", method.to_owned()),
        KeyValue::new("http.route", path.to_owned()),
    ]);
    // Without a parent: a request starts a trace, whatever its caller says.
    let span = keeper.tracer.build_with_context(span, &Context::new());
    let context = Context::new().with_span(span);
    let response = next.run(request).with_context(context.clone()).await;
    let (span, status) = (context.span(), response.status());
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if let Some(Ok(id)) = response.headers().get("x-request-id").map(|id| id.to_str()) {
        span.set_attribute(KeyValue::new("http.response.header.x-request-id", id.to_owned()));
    }
    if status.is_server_error() {
        span.set_status(Status::error(status.as_str().to_owned()));
    }
    span.end();
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_carries_a_trace_and_takes_nothing_else_for_one() {
        let said = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(Trace::from_news(Some(said)).to_news().as_deref(), Some(said));
        for none in ["", "00-1-2-00", "00-xyz-b7ad6b7169203331-01", "00-0-0-01", "01-1-1-01"] {
            assert_eq!(Trace::from_news(Some(none)), Trace::default(), "{none}");
        }
        assert_eq!(Trace::from_news(None).to_news(), None);
    }
}

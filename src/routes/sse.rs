//! `GET /sse`: checks the caller, the requested rooms and the start position. [`crate::stream`] runs the stream.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use rand::Rng as _;
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;

use crate::App;
use crate::auth::{Caller, bearer_token};
use crate::error::{Error, Problem, Result};
use crate::event::User;
use crate::extract::Query;
use crate::id::RoomId;
use crate::input::not_empty;
use crate::limits::Address;
use crate::realtime::cursor::Cursor;
use crate::realtime::feed::Ask;
use crate::realtime::format::Format;
use crate::realtime::frame::Hello;
use crate::realtime::presence::Page;
use crate::realtime::topic::Interest;
use crate::stream::{OpenStream, RETRY_MS, Stream};

/// Maximum number of rooms per stream.
const MOST_ROOMS: usize = 100;
/// Maximum number of followed rooms per stream: more than a list shows at once.
const MOST_FOLLOWED: usize = 200;
/// Header in which a reconnecting browser sends its last position.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Rooms, token and start of a stream. Unlike elsewhere, unknown parameters are ignored: links add `utm_source`,
/// scripts add `_`, and a refusal would end an `EventSource` for good.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// A room to receive; repeat the parameter for more, at most 100.
    #[serde(default)]
    #[param(value_type = Vec<uuid::Uuid>, style = Form, explode = true, max_items = 100, required = false)]
    room: Vec<RoomId>,
    /// The access token, since `EventSource` cannot send a header. `Authorization: Bearer` works too.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(required = false, example = json!(null))]
    access_token: Option<String>,
    /// Begin after this cursor: the `id` of an event, or the `cursor` of a list. `Last-Event-ID` and `lastEventId` win
    /// over it.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(required = false, max_length = 64, pattern = r"^[A-Za-z0-9._-]+\.[0-9]+$")]
    cursor: Option<String>,
    /// `Last-Event-ID` as polyfills of `EventSource` send it. One that is no cursor is ignored.
    #[serde(default, rename = "lastEventId")]
    #[param(required = false, value_type = Option<String>)]
    last_event_id: Vec<String>,
    /// If more events than this were missed, the stream sends `reset` instead of a replay.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(required = false, minimum = 0)]
    replay_limit: Option<u32>,
    /// A room whose summary the client shows in a list: `lobby` events tell its newest `seq` and its online counts. Repeat
    /// the parameter for more, at most 200; an empty one follows none. Without the parameter, `lobby` events are about all
    /// rooms, as far as a limit of bytes allows. Rooms that are requested by `room` too are left out.
    #[serde(default)]
    #[param(value_type = Vec<uuid::Uuid>, style = Form, explode = true, max_items = 200, required = false)]
    follow: Vec<FollowedRoom>,
    /// A random id of the browser window or program. Its next stream takes the place of the earlier one in the online
    /// counts at once: who moves from room to room is counted in one. Works for one user, or one address of guests.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(required = false, value_type = Option<String>, max_length = 64, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    client: Option<ClientName>,
    /// `compact`: `message.posted` and `message.edited` come in half the bytes, as the schema `CompactMessage` describes,
    /// all other events as usual. Any other value: JSON.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(required = false, example = json!(null))]
    format: Option<String>,
}

/// A value of `follow`; `None` if it is empty.
struct FollowedRoom(Option<RoomId>);

impl<'de> Deserialize<'de> for FollowedRoom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|room| Self(Some(room))).map_err(de::Error::custom)
    }
}

/// A value of `client`.
struct ClientName(String);

impl<'de> Deserialize<'de> for ClientName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&text.len()) || !text.bytes().all(is_allowed) {
            return Err(de::Error::custom("1 to 64 letters, digits, dashes or underscores were expected"));
        }
        Ok(Self(text))
    }
}

/// Receive the events of rooms, of the lobby and, with a token, of the caller's own direct messages.
///
/// An endless event stream. The first event is `hello`; each durable event carries an `id`, from which a stream resumes
/// without a gap or a repeat. If that is impossible, an explicit `reset` is sent. The schema `StreamEvent` describes
/// every event.
#[utoipa::path(
    get,
    path = "/sse",
    tag = "stream",
    params(StreamQuery, ("last-event-id" = Option<String>, Header, description = "Sent by a browser that reconnects")),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
        (status = 400, description = "Malformed query or cursor", content_type = "application/problem+json", body = Problem),
        (status = 401, description = "Bad or expired token", content_type = "application/problem+json", body = Problem),
        (status = 405, description = "Only GET is answered", content_type = "application/problem+json", body = Problem),
    ),
    security((), ("bearer" = [])),
)]
pub async fn open_stream(
    State(app): State<App>,
    address: Address,
    method: Method,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response> {
    let caller = caller(&app, &headers, query.access_token.as_deref())?;
    let cursor = cursor(&headers, &query)?;
    if query.room.len() > MOST_ROOMS {
        return Err(Error::Malformed(format!("A stream carries at most {MOST_ROOMS} rooms.")));
    }
    if query.follow.len() > MOST_FOLLOWED {
        return Err(Error::Malformed(format!("A stream follows at most {MOST_FOLLOWED} rooms.")));
    }
    if method == Method::HEAD {
        return Ok(event_stream().into_response());
    }

    let user = caller.as_ref().map(|caller| caller.id);
    let expires_at = caller.as_ref().map(|caller| caller.expires_at);
    let Ok(permit) = app.limits.open_stream(address, user) else {
        let retry = format!("retry: {}\n", 2 * RETRY_MS.end + rand::rng().random_range(RETRY_MS));
        return Ok(granted(Stream::new(app.clone(), retry.into(), None, None)));
    };
    let ask = Ask {
        interest: Interest::new(query.room, user),
        session: caller.as_ref().map(|caller| caller.session),
        cursor,
        format: query.format.as_deref().map(Format::of_name).unwrap_or_default(),
        share: address.share(),
        follow: (!query.follow.is_empty()).then(|| query.follow.iter().filter_map(|room| room.0).collect()),
        page: query.client.map(|client| Page::new(&client.0, user, address.share())),
    };
    let limit = query.replay_limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut subscription = app.realtime.subscribe(ask, limit).await;
    let hello = Hello {
        cursor: subscription.cursor.clone(),
        rooms: std::mem::take(&mut subscription.rooms),
        missing: subscription.missing.to_vec(),
        followed: subscription.followed.take(),
        user: caller.map(|Caller { id, username, role, .. }| User { id, username, role }),
        heartbeat_secs: app.config.heartbeat.as_secs(),
        expires_at,
    };
    let greeting = hello.encode(rand::rng().random_range(RETRY_MS));
    Ok(granted(Stream::new(app.clone(), greeting, Some((subscription, permit)), expires_at)))
}

/// Returns the caller. The query is for clients that cannot send a header; if both are present, the header counts.
fn caller(app: &App, headers: &HeaderMap, in_query: Option<&str>) -> Result<Option<Caller>> {
    let token = bearer_token(headers)?.or(in_query);
    token.map(|token| app.auth.authenticate(token)).transpose()
}

/// Returns the start cursor. The URL keeps the `cursor` of the first connection; a browser or polyfill that reconnects
/// adds its latest position, which takes precedence.
fn cursor(headers: &HeaderMap, query: &StreamQuery) -> Result<Option<Cursor>> {
    let in_header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().map_err(|_| Error::MalformedCursor));
    // A browser that has received no id sends an empty header, or none.
    if let Some(text) = in_header.transpose()?.filter(|text| !text.is_empty()) {
        return text.parse().map(Some).map_err(|_| Error::MalformedCursor);
    }
    if let Some(cursor) = query.last_event_id.iter().rev().find_map(|text| text.parse().ok()) {
        return Ok(Some(cursor));
    }
    query.cursor.as_deref().map(|text| text.parse().map_err(|_| Error::MalformedCursor)).transpose()
}

fn granted(stream: Stream) -> Response {
    let mut response = event_stream().into_response();
    response.extensions_mut().insert(OpenStream::new(stream));
    response
}

/// Head of a stream's response: caches must not store it, and proxies must not buffer or change it. Fly's proxy buffers
/// responses that it is going to compress, and compresses every response without a content coding.
fn event_stream() -> impl IntoResponse {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform")),
        (header::CONTENT_ENCODING, HeaderValue::from_static("identity")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ]
}

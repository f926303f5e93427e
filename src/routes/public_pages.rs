//! Public rooms as pages for readers without JavaScript, search engines and link previews: the app's own page, with the
//! room's messages and a description in it. The app replaces them once it has loaded (ADR 14).
//!
//! `/r/{slug}-{id}` has the newest messages, `/r/{slug}-{id}/{seq}` those around one, and `/r/{slug}-{id}/{yyyy-mm-dd}`
//! those of a day (UTC). Each page links to earlier ones, so that a crawler reaches all of a room.

mod html;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use time::Date;
use time::format_description::FormatItem;
use time::macros::format_description;
use tokio::time::timeout;
use uuid::Uuid;

use super::rooms::with_online;
use crate::app::App;
use crate::error::Result;
use crate::event::{Message, Room};
use crate::id::{RoomId, Seq};
use crate::limits::Address;
use crate::store;
use crate::store::messages::{Page, Range};
use crate::store::room_list::{self, Selection};

const NEWEST: i64 = 50;
/// Longest page of a day; a longer day continues on the page of a message.
const MOST_OF_A_DAY: i64 = 200;
/// Maximum number of addresses in one sitemap (sitemaps.org).
const MOST_IN_SITEMAP: i64 = 50_000;
/// Maximum time for the messages. Afterwards the page is sent without them, and the app loads them.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(800);
/// Maximum length of the app's page, which is a few kilobytes.
const MOST_BYTES: usize = 1 << 20;
const CONDITIONS: [HeaderName; 7] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
    header::ACCEPT_ENCODING,
];
const DAY: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The part of a room that an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Newest,
    Around(Seq),
    Day(Date),
}

/// A room and the messages of one page.
struct View {
    room: Room,
    place: Place,
    page: Page,
    /// Position of the page, from which a stream continues.
    cursor: String,
    /// An earlier page: the day before, or the messages before these.
    earlier: Option<String>,
    later: Option<String>,
    /// Search engines are asked not to list it.
    is_unlisted: bool,
    /// Origin of the app, where another host serves it.
    app_origin: Option<String>,
}

/// Adds the routes for crawlers: `/robots.txt` and `/sitemap.xml`.
pub(super) fn router() -> Router<App> {
    Router::new().route("/robots.txt", get(robots)).route("/sitemap.xml", get(sitemap))
}

/// Adds the room to the app's page, if the address is one of a public room. Otherwise, and when the database is too
/// slow, the page is what it is without it: the app itself then finds out and says so.
pub(super) async fn fill(State(app): State<App>, address: Address, mut request: Request, next: Next) -> Response {
    let Some((id, place)) = asked_for(&request) else { return next.run(request).await };
    // Programs that preview links accept anything. A page with messages is never answered by 304 or in part.
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    for name in CONDITIONS {
        headers.remove(name);
    }
    // The answer to HEAD has the length of the page; its body is left out where it is sent.
    *request.method_mut() = Method::GET;
    let view = match app.limits.admit_address(address) {
        Ok(()) => timeout(PATIENCE, find(&app, id, place)).await,
        Err(_) => return next.run(request).await,
    };
    match view {
        Ok(Ok(Some(view))) => with_view(next.run(request).await, &view).await,
        Ok(Ok(None)) => missing(next.run(request).await),
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot read a room for its page; sending the page without messages");
            next.run(request).await
        }
        Err(_) => next.run(request).await,
    }
}

fn asked_for(request: &Request) -> Option<(RoomId, Place)> {
    let accepts_pages = request.headers().get(header::ACCEPT).is_none_or(|accepted| {
        let accepted = accepted.to_str().unwrap_or_default();
        accepted.contains("text/html") || accepted.contains("*/*")
    });
    if !matches!(*request.method(), Method::GET | Method::HEAD) || !accepts_pages {
        return None;
    }
    place_of(request.uri().path())
}

/// Parses `/r/{slug}-{id}` and `/r/{slug}-{id}/{place}`.
fn place_of(path: &str) -> Option<(RoomId, Place)> {
    let mut parts = path.strip_prefix("/r/")?.trim_end_matches('/').split('/');
    let room = parts.next()?;
    let id = room.get(room.len().checked_sub(36)?..)?;
    let id = RoomId(Uuid::try_parse(id).ok()?);
    let place = match (parts.next(), parts.next()) {
        (None, _) => Place::Newest,
        (Some(place), None) => match (place.parse(), Date::parse(place, DAY)) {
            (Ok(seq), _) if seq > 0 => Place::Around(Seq(seq)),
            (_, Ok(day)) => Place::Day(day),
            _ => return None,
        },
        _ => return None,
    };
    Some((id, place))
}

/// Returns the messages at a place; `None` if the room is unknown or archived, or there are none on that day.
async fn find(app: &App, id: RoomId, place: Place) -> sqlx::Result<Option<View>> {
    let Some(room) = store::rooms::find(&app.db, id).await? else { return Ok(None) };
    let all = Range { before: None, after: None, around: None, limit: NEWEST };
    let range = match place {
        Place::Newest => all,
        Place::Around(seq) => Range { around: Some(seq), ..all },
        Place::Day(day) => {
            let (Some(Seq(first)), until) = seqs_of(app, id, day).await? else { return Ok(None) };
            Range { after: Some(Seq(first - 1)), before: until, limit: MOST_OF_A_DAY, ..all }
        }
    };
    let Some(page) = store::messages::page(&app.db, id, range, None).await? else { return Ok(None) };
    if page.is_archived || (page.messages.is_empty() && place != Place::Newest) {
        return Ok(None);
    }
    let (earlier, later) = neighbours(app, &room, &page).await?;
    let cursor = app.realtime.cursor_at(page.pos).to_string();
    let room = with_online(app, room);
    let app_origin = app.config.allowed_origins.first().and_then(|origin| origin.to_str().ok()).map(str::to_owned);
    let is_unlisted = app.config.demo_mode || !room.indexable;
    Ok(Some(View { room, place, page, cursor, earlier, later, is_unlisted, app_origin }))
}

/// Returns the `seq` of the first message on this day or later, and of the first one after it.
async fn seqs_of(app: &App, room: RoomId, day: Date) -> sqlx::Result<(Option<Seq>, Option<Seq>)> {
    let Some(next) = day.next_day() else { return Ok((None, None)) };
    let first = store::messages::first_since(&app.db, room, day.midnight().assume_utc()).await?;
    Ok((first, store::messages::first_since(&app.db, room, next.midnight().assume_utc()).await?))
}

/// Addresses of the pages before and after: the day of the message before, and the message after.
async fn neighbours(app: &App, room: &Room, page: &Page) -> sqlx::Result<(Option<String>, Option<String>)> {
    let (Some(first), Some(last)) = (page.messages.first(), page.messages.last()) else { return Ok((None, None)) };
    let later = (last.seq < page.head_seq).then(|| format!("{}/{}", address(room), last.seq.0 + 1));
    if first.seq <= page.first_seq {
        return Ok((None, later));
    }
    let before = Range { before: Some(first.seq), after: None, around: None, limit: 1 };
    let before = store::messages::page(&app.db, room.id, before, None).await?;
    let before = before.and_then(|page| page.messages.first().map(day_of));
    let earlier = before.map(|day| {
        // A day that is longer than a page is continued by position.
        let is_same_day = day == day_of(first);
        let seq = (first.seq.0 - NEWEST / 2).max(1);
        if is_same_day { format!("{}/{seq}", address(room)) } else { format!("{}/{day}", address(room)) }
    });
    Ok((earlier, later))
}

fn day_of(message: &Message) -> Date {
    message.created_at.date()
}

/// Address of a room within the chat. Crawlers expect ASCII.
fn address(room: &Room) -> String {
    let dash = if room.slug.is_empty() { "" } else { "-" };
    format!("/r/{}{dash}{}", utf8_percent_encode(&room.slug, CONTROLS), room.id)
}

/// A room that nobody may read now. The app says so as well.
fn missing(mut response: Response) -> Response {
    if response.status().is_success() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn with_view(response: Response, view: &View) -> Response {
    let robots = view.is_unlisted.then_some(HeaderValue::from_static("noindex"));
    // A host that serves the API alone has no app, and answers with a page of its own.
    let mut response = if response.status().is_success() {
        let (mut parts, body) = response.into_parts();
        let Ok(body) = Limited::new(body, MOST_BYTES).collect().await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        for name in [header::CONTENT_LENGTH, header::LAST_MODIFIED, header::ETAG, header::ACCEPT_RANGES] {
            parts.headers.remove(name);
        }
        let app = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Response::from_parts(parts, Body::from(html::within(&app, view)))
    } else {
        axum::response::Html(html::alone(view)).into_response()
    };
    if let Some(robots) = robots {
        response.headers_mut().insert("x-robots-tag", robots);
    }
    response
}

/// Pages may be visited, unless this is a demo.
async fn robots(State(app): State<App>, headers: HeaderMap) -> String {
    if app.config.demo_mode {
        return "User-agent: *\nDisallow: /\n".to_owned();
    }
    let sitemap = format!("{}/sitemap.xml", html::origin(host(&headers)));
    format!("User-agent: *\nDisallow: /sse\nDisallow: /messages\nDisallow: /rooms\nSitemap: {sitemap}\n")
}

/// Addresses of the rooms that can be read, except those that an admin excluded.
async fn sitemap(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let all = Selection { archived: false, part: "", after: None, limit: MOST_IN_SITEMAP };
    let found = room_list::page(&app.db, all).await?;
    let body = html::sitemap(host(&headers), found.rooms.iter().filter(|room| room.indexable));
    Ok(([(header::CONTENT_TYPE, "application/xml")], body).into_response())
}

fn host(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost")
}

#[cfg(test)]
mod tests;

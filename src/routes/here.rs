//! The people in a room now, and those who type there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::etag;
use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::{Anyone, SignedIn};
use crate::error::{Error, Result};
use crate::extract::Path;
use crate::here::Here;
use crate::id::RoomId;
use crate::store;

/// List the people in a room: signed-in users whose pages are open there, and the number of guests. In a room with more
/// than 200 users the list may be two seconds old.
///
/// With `If-None-Match`, a list that has not changed is answered with 304 and no body.
#[utoipa::path(
    get, path = "/rooms/{id}/here", tag = "rooms", security((), ("bearer" = [])),
    params(
        ("id" = RoomId, Path),
        ("if-none-match" = Option<String>, Header, description = "`ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Here, headers(("ETag" = String, description = "weak"))),
        (status = 304, description = "the list is as it was"),
        (status = 404, description = "unknown, or archived and the caller no admin"),
    )
)]
pub async fn list_here(
    State(app): State<App>,
    Anyone(caller): Anyone,
    headers: HeaderMap,
    Path(id): Path<RoomId>,
) -> Result<Response> {
    let is_archived = app.realtime.is_archived(id).ok_or(Error::NotFound("room"))?;
    if is_archived && !reads_archived(caller.as_ref()) {
        return Err(Error::NotFound("room"));
    }
    let here = app.people_here.in_room(&app.db, &app.realtime, id).await?;
    etag::respond(&headers, &*here, &*here)
}

/// Tell the readers of a room that the caller is typing. Has an effect at most once in three seconds, and none in a room
/// with more than 50 people.
#[utoipa::path(
    put, path = "/rooms/{id}/typing", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 204, description = "told, or nothing to tell"),
        (status = 403, description = "`muted` or `banned`"),
        (status = 404, description = "unknown room"),
        (status = 409, description = "`room_archived`"),
    )
)]
pub async fn announce_typing(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<RoomId>,
) -> Result<StatusCode> {
    // Mutes are in the database only, which is asked for announcements that count.
    if app.realtime.tells_typing(id, caller.id)? {
        store::users::may_write(&app.db, caller.id).await??;
        app.realtime.announce_typing(id, caller.author());
    }
    Ok(StatusCode::NO_CONTENT)
}

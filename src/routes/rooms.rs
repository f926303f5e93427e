//! Rooms: anyone reads the active ones, admins run them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{Anyone, AsAdmin, Caller, not_admin};
use crate::error::{Error, Result};
use crate::event::{Role, Room};
use crate::extract::{Json, Path, Query};
use crate::id::RoomId;
use crate::input::RoomName;
use crate::store;
use crate::store::rooms::{Changed, Outcome};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichRooms {
    /// The archived rooms instead of the active ones; for admins.
    #[serde(default)]
    archived: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Rooms {
    /// By name.
    rooms: Vec<Room>,
    /// A stream opened with it misses no change of a room after this list.
    #[schema(example = "5f0c2a9d81be.42")]
    cursor: String,
}

/// What an admin says about a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomInput {
    name: RoomName,
}

/// List the rooms, with how many are in each now.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms", params(WhichRooms), security((), ("bearer" = [])),
    responses((status = 200, body = Rooms), (status = 403, description = "`not_admin`: archived rooms are for admins"))
)]
pub async fn list_rooms(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Query(which): Query<WhichRooms>,
) -> Result<Json<Rooms>> {
    if which.archived {
        caller.ok_or(Error::Unauthenticated)?.admin()?;
    }
    let list = store::rooms::list(&app.db, which.archived).await?;
    let rooms = list.rooms.into_iter().map(|room| with_online(&app, room)).collect();
    Ok(Json(Rooms { rooms, cursor: app.realtime.cursor_at(list.pos).to_string() }))
}

/// Create a room.
#[utoipa::path(
    post, path = "/rooms", tag = "rooms", security(("bearer" = [])), request_body = RoomInput,
    responses(
        (status = 201, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 409, description = "`name_in_use`"),
    )
)]
pub async fn create_room(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Json(input): Json<RoomInput>,
) -> Result<(StatusCode, Json<Room>)> {
    let id = RoomId::new();
    let changed = store::rooms::create(&app.db, id, admin.id, input.name.as_ref()).await;
    let room = changed_room(&app, id, changed).await?;
    Ok((StatusCode::CREATED, room))
}

/// Read one room.
#[utoipa::path(
    get, path = "/rooms/{id}", tag = "rooms", security((), ("bearer" = [])), params(("id" = RoomId, Path)),
    responses((status = 200, body = Room), (status = 404, description = "unknown, or archived and the caller no admin"))
)]
pub async fn get_room(State(app): State<App>, Anyone(caller): Anyone, Path(id): Path<RoomId>) -> Result<Json<Room>> {
    let room = store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    if room.is_archived && !reads_archived(caller.as_ref()) {
        return Err(Error::NotFound("room"));
    }
    Ok(Json(with_online(&app, room)))
}

/// Rename a room.
#[utoipa::path(
    patch, path = "/rooms/{id}", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = RoomInput,
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`name_in_use`"),
    )
)]
pub async fn rename_room(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
    Json(input): Json<RoomInput>,
) -> Result<Json<Room>> {
    let changed = store::rooms::rename(&app.db, id, admin.id, input.name.as_ref()).await;
    changed_room(&app, id, changed).await
}

/// Archive a room: it leaves every list and takes no more messages. Doing it twice is not an error.
#[utoipa::path(
    post, path = "/rooms/{id}/archive", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    )
)]
pub async fn archive_room(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
) -> Result<Json<Room>> {
    let changed = store::rooms::set_archived(&app.db, id, admin.id, true).await;
    changed_room(&app, id, changed).await
}

/// Bring an archived room back. Doing it twice is not an error.
#[utoipa::path(
    post, path = "/rooms/{id}/restore", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`name_in_use`: another room took the name meanwhile"),
    )
)]
pub async fn restore_room(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
) -> Result<Json<Room>> {
    let changed = store::rooms::set_archived(&app.db, id, admin.id, false).await;
    changed_room(&app, id, changed).await
}

/// Only admins know what an archived room holds.
pub(super) fn reads_archived(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.role == Role::Admin)
}

/// The room after a change, once this instance has heard of it.
async fn changed_room(app: &App, id: RoomId, changed: sqlx::Result<Changed>) -> Result<Json<Room>> {
    let changed = changed.map_err(name_in_use)?;
    match changed.outcome {
        Outcome::Done | Outcome::Unchanged => {}
        Outcome::Unknown => return Err(Error::NotFound("room")),
        Outcome::NotAdmin => return Err(not_admin()),
    }
    if let Some(pos) = changed.pos {
        app.realtime.settle(pos).await;
    }
    let room = store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    Ok(Json(with_online(app, room)))
}

fn with_online(app: &App, room: Room) -> Room {
    Room { online: app.realtime.online(room.id), ..room }
}

fn name_in_use(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some(store::rooms::NAME_IN_USE) => {
            Error::Conflict { code: "name_in_use", detail: "Another active room has this name." }
        }
        _ => error.into(),
    }
}

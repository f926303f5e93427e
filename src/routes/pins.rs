//! Pins: everybody reads them, admins pin messages.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::{Anyone, AsAdmin};
use crate::error::{Error, Result};
use crate::event::Message;
use crate::extract::{Json, Path};
use crate::id::{MessageId, RoomId};
use crate::store;

#[derive(Debug, Serialize, ToSchema)]
pub struct Pins {
    /// Newest pin first.
    #[schema(max_items = 50)]
    messages: Vec<Message>,
}

/// Read the pinned messages of a room.
#[utoipa::path(
    get, path = "/rooms/{id}/pins", tag = "messages", security((), ("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 200, body = Pins),
        (status = 404, description = "unknown, or archived and the caller no admin"),
    )
)]
pub async fn list_pins(State(app): State<App>, Anyone(caller): Anyone, Path(id): Path<RoomId>) -> Result<Json<Pins>> {
    let pins = store::pins::of_room(&app.db, id, caller.as_ref().map(|caller| caller.id)).await?;
    let is_hidden = |pins: &store::pins::Pins| pins.is_archived && !reads_archived(caller.as_ref());
    let pins = pins.filter(|pins| !is_hidden(pins)).ok_or(Error::NotFound("room"))?;
    Ok(Json(Pins { messages: pins.messages }))
}

/// Pin a message. Repeating this is not an error. A deleted message is no longer pinned.
#[utoipa::path(
    put, path = "/messages/{id}/pin", tag = "messages", security(("bearer" = [])), params(("id" = MessageId, Path)),
    responses(
        (status = 204, description = "pinned, or pinned before"),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`too_many_pins` (50 of a room), `room_archived` or `message_deleted`"),
    )
)]
pub async fn pin_message(
    State(app): State<App>,
    AsAdmin(caller): AsAdmin,
    Path(id): Path<MessageId>,
) -> Result<StatusCode> {
    let changed = store::pins::set(&app.db, id, caller.id, true).await??;
    app.settled(changed).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Unpin a message. Repeating this is not an error.
#[utoipa::path(
    delete, path = "/messages/{id}/pin", tag = "messages", security(("bearer" = [])), params(("id" = MessageId, Path)),
    responses(
        (status = 204, description = "unpinned, or was not pinned"),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`room_archived` or `message_deleted`"),
    )
)]
pub async fn unpin_message(
    State(app): State<App>,
    AsAdmin(caller): AsAdmin,
    Path(id): Path<MessageId>,
) -> Result<StatusCode> {
    let changed = store::pins::set(&app.db, id, caller.id, false).await??;
    app.settled(changed).await;
    Ok(StatusCode::NO_CONTENT)
}

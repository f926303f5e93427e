//! Read marks: users say how far they have read a room, and which of its messages notify them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Caller, SignedIn};
use crate::error::Result;
use crate::event::{Level, Membership, Room};
use crate::extract::{Json, Path};
use crate::id::{RoomId, Seq};
use crate::input::{Natural, whole};
use crate::store;
use crate::store::read_marks::{Change, NewMark};

/// A room, and the caller's relation to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomForCaller {
    #[serde(flatten)]
    room: Room,
    /// `null` for guests.
    #[schema(required = true)]
    membership: Option<Membership>,
}

/// Adds the caller's membership to each of these rooms.
pub(super) async fn with_membership(
    app: &App,
    caller: Option<&Caller>,
    rooms: Vec<Room>,
) -> Result<Vec<RoomForCaller>> {
    let mut memberships = match caller {
        Some(caller) => store::read_marks::of_rooms(&app.db, caller.id, &rooms).await?,
        None => std::collections::HashMap::new(),
    };
    let joined = |room: Room| RoomForCaller { membership: memberships.remove(&room.id), room };
    Ok(rooms.into_iter().map(joined).collect())
}

/// The newest message that the caller has read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// Messages up to this `seq` are read. A number beyond the newest message means the newest.
    #[serde(deserialize_with = "whole_seq")]
    #[schema(value_type = i64, minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 42)]
    seq: Seq,
    /// Move the mark back if `seq` is before it: messages after `seq` become unread again.
    #[serde(default)]
    force: bool,
}

/// New messages that notify the caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelInput {
    level: Level,
}

/// Mark a room as read up to a message. The mark never moves back, unless forced. All streams of the caller receive
/// `room.read` if it moves.
#[utoipa::path(
    put, path = "/rooms/{id}/read", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = ReadInput,
    responses(
        (status = 204, description = "marked, or marked before"),
        (status = 404, description = "unknown, or archived and the caller no admin"),
    )
)]
pub async fn mark_read(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<RoomId>,
    Json(input): Json<ReadInput>,
) -> Result<StatusCode> {
    let change = Change::Read { seq: input.seq, is_forced: input.force };
    set(&app, &caller, id, change).await
}

/// Set which new messages of a room notify the caller: all, those that mention them, or none. All streams of the caller
/// receive `room.read` if it changes.
#[utoipa::path(
    put, path = "/rooms/{id}/level", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = LevelInput,
    responses(
        (status = 204, description = "set, or set before"),
        (status = 404, description = "unknown, or archived and the caller no admin"),
    )
)]
pub async fn set_level(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<RoomId>,
    Json(input): Json<LevelInput>,
) -> Result<StatusCode> {
    set(&app, &caller, id, Change::Level(input.level)).await
}

fn whole_seq<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Seq, D::Error> {
    let seq = whole(f64::deserialize(deserializer)?, 0..=Natural::MAX);
    seq.map(Seq).ok_or_else(|| de::Error::custom("must be a whole number from 0 to 9007199254740991"))
}

async fn set(app: &App, caller: &Caller, room: RoomId, change: Change) -> Result<StatusCode> {
    app.read_marks.set(NewMark { user: caller.id, room, change }).await??;
    Ok(StatusCode::NO_CONTENT)
}

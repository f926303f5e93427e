//! People to mention in a room: suggestions, and everybody.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::{AsAdmin, SignedIn};
use crate::error::{Error, Result};
use crate::event::User;
use crate::extract::{Json, Path, Query};
use crate::id::RoomId;
use crate::input::{Limit, SearchText};
use crate::store;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichPeople {
    /// Beginning of the name, in upper or lower case; empty for those who wrote in the room lately.
    #[serde(default)]
    #[param(required = false)]
    query: SearchText,
    /// Maximum number of people; values above 50 mean 50.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 8)]
    limit: Limit<8, 50>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct People {
    /// Authors of the room's last 1,000 messages, latest first, then other accounts by name.
    people: Vec<User>,
}

/// List people to mention in a room: those who wrote its last 1,000 messages, and other accounts whose name begins with
/// `query` if it is not empty.
#[utoipa::path(
    get, path = "/rooms/{id}/people", tag = "rooms", security(("bearer" = [])),
    params(("id" = RoomId, Path), WhichPeople),
    responses(
        (status = 200, body = People),
        (status = 404, description = "unknown room, or archived and the caller no admin"),
    )
)]
pub async fn list_people(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<RoomId>,
    Query(which): Query<WhichPeople>,
) -> Result<Json<People>> {
    let room = store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    if room.is_archived && !reads_archived(Some(&caller)) {
        return Err(Error::NotFound("room"));
    }
    let part = which.query.as_ref().to_lowercase();
    let people = store::people::of_room(&app.db, id, &part, which.limit.rows()).await?;
    Ok(Json(People { people }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RoomAudience {
    /// Number of people, without the caller.
    #[schema(minimum = 0, maximum = 1_000)]
    people: usize,
}

/// Count the people whom a message with `mentions_room` notifies, to ask before it is sent.
#[utoipa::path(
    get, path = "/rooms/{id}/audience", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 200, body = RoomAudience),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown room"),
    )
)]
pub async fn count_audience(
    State(app): State<App>,
    AsAdmin(caller): AsAdmin,
    Path(id): Path<RoomId>,
) -> Result<Json<RoomAudience>> {
    store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    let people = store::people::audience(&app.db, id, caller.id).await?.len();
    Ok(Json(RoomAudience { people }))
}

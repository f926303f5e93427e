//! The inbox: mentions of the caller, replies to them, and direct messages to them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::SignedIn;
use crate::error::Result;
use crate::event::inbox::InboxItem;
use crate::extract::{Json, Query};
use crate::id::Pos;
use crate::input::{Limit, Natural, not_empty, whole};
use crate::store;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichItems {
    /// `next` of the page before.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,15}$")]
    cursor: Option<Natural>,
    /// Maximum number of items; values above 100 mean 100.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 30)]
    limit: Limit<30, 100>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Inbox {
    /// Newest first.
    items: Vec<InboxItem>,
    /// `cursor` of the next page; `null` at the end.
    #[schema(required = true, example = "4211")]
    next: Option<String>,
}

/// The newest item that the caller has seen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxReadInput {
    /// Items up to this `pos` are read. A position beyond the newest means the newest.
    #[serde(deserialize_with = "whole_pos")]
    #[schema(value_type = i64, minimum = 0, maximum = 9_007_199_254_740_991_i64, example = 4_211)]
    pos: Pos,
}

fn whole_pos<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pos, D::Error> {
    let pos = whole(f64::deserialize(deserializer)?, 0..=Natural::MAX);
    pos.map(Pos).ok_or_else(|| de::Error::custom("must be a whole number from 0 to 9007199254740991"))
}

/// List messages that mention the caller, replies to the caller, and direct messages to the caller. Deleted messages and
/// those of archived rooms are left out.
#[utoipa::path(
    get, path = "/inbox", tag = "messages", params(WhichItems), security(("bearer" = [])),
    responses((status = 200, body = Inbox))
)]
pub async fn list_inbox(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Query(which): Query<WhichItems>,
) -> Result<Json<Inbox>> {
    let before = which.cursor.map(|pos| Pos(pos.get()));
    let page = store::inbox::page(&app.db, caller.id, before, which.limit.rows()).await?;
    Ok(Json(Inbox { items: page.items, next: page.next.map(|pos| pos.to_string()) }))
}

/// Mark the inbox as read up to an item. The mark never moves back.
#[utoipa::path(
    put, path = "/inbox/read", tag = "messages", security(("bearer" = [])), request_body = InboxReadInput,
    responses((status = 204, description = "marked, or marked before"))
)]
pub async fn mark_inbox_read(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(input): Json<InboxReadInput>,
) -> Result<StatusCode> {
    store::inbox::mark_read(&app.db, caller.id, input.pos).await?;
    Ok(StatusCode::NO_CONTENT)
}

//! `GET /search`: messages by their words.

mod highlight;

use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

use self::highlight::{Part, highlight};
use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::Anyone;
use crate::error::{Error, Result};
use crate::event::Message;
use crate::extract::{Json, Query};
use crate::id::{Pos, RoomId};
use crate::input::{Limit, not_empty};
use crate::limits::Address;
use crate::store;
use crate::store::search::{self, Selection, query};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SearchFor {
    /// Words, all of which a message must have; a word of three letters or more also finds longer ones that begin with
    /// it. Also `"a phrase"`, `-word` to exclude, `from:ali`, `in:general` (a name or slug), `has:link`, `has:code`,
    /// `before:2026-11-29` and `after:2026-11-29` (days of UTC, not included). Several `from:` or `in:` mean any of
    /// them. At most 200 characters and 20 terms.
    #[serde(default)]
    #[param(required = false, example = "deploy from:ali")]
    q: String,
    /// Only messages in this room.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<Uuid>)]
    room_id: Option<RoomId>,
    /// Maximum number of results; values above 50 mean 50.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 20)]
    limit: Limit<20, 50>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,15}$")]
    cursor: Option<PlaceInResults>,
}

/// A cursor of the results: the position before which they continue.
#[derive(Debug)]
struct PlaceInResults(Pos);

impl<'de> Deserialize<'de> for PlaceInResults {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number);
        number.map(|pos| Self(Pos(pos))).ok_or_else(|| de::Error::custom("`next` of the page before was expected"))
    }
}

/// Messages found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResults {
    /// Newest first.
    results: Vec<SearchResult>,
    /// `cursor` of the next page, which may follow a page that is not full, or empty: a search that takes long is
    /// continued there. `null` at the end.
    #[schema(required = true, example = "42")]
    next: Option<String>,
}

/// A message found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResult {
    message: Message,
    room: RoomFound,
    /// About 200 characters of the message around the first match, as text in parts; an ellipsis stands for the rest.
    highlight: Vec<Part>,
}

/// The room of a message found.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoomFound {
    id: RoomId,
    #[schema(example = "general")]
    name: String,
    #[schema(example = "general")]
    slug: String,
}

/// Search the messages that the caller may read, newest first.
///
/// Active rooms only; admins also find messages in an archived room named by `in:` or `room_id`. Deleted words are never
/// found, and edited messages are found by their present words.
#[utoipa::path(
    get, path = "/search", tag = "messages", params(SearchFor), security((), ("bearer" = [])),
    responses(
        (status = 200, body = SearchResults),
        (status = 404, description = "unknown room, or archived and the caller no admin"),
        (status = 422, description = "`invalid`: the query is empty or only excludes, or is not understood"),
    )
)]
pub async fn search_messages(
    State(app): State<App>,
    address: Address,
    Anyone(caller): Anyone,
    Query(asked): Query<SearchFor>,
) -> Result<Json<SearchResults>> {
    let query = query::Query::parse(&asked.q).map_err(|refusal| Error::invalid("q", refusal))?;
    let reads_archived = reads_archived(caller.as_ref());
    if let Some(id) = asked.room_id {
        let room = store::rooms::find(&app.db, id).await?;
        room.filter(|room| reads_archived || !room.is_archived).ok_or(Error::NotFound("room"))?;
    }
    let permit = app.limits.admit_search(address, caller.as_ref().map(|caller| caller.id)).await?;
    let selection = Selection {
        query: &query,
        room: asked.room_id,
        reads_archived,
        before: asked.cursor.map(|place| place.0),
        limit: asked.limit.rows(),
    };
    let found = search::search(&app.db, selection).await?;
    drop(permit);
    let results = results(&app, &found, &query).await?;
    Ok(Json(SearchResults { results, next: found.next.map(|pos| pos.0.to_string()) }))
}

/// Reads the messages found in their present state: one that was deleted meanwhile is left out.
async fn results(app: &App, found: &search::Found, query: &query::Query) -> Result<Vec<SearchResult>> {
    let mut messages = store::messages::find_all(&app.db, &found.messages).await?;
    messages.sort_by_key(|message| std::cmp::Reverse(message.pos));
    let mut ids: Vec<RoomId> = messages.iter().map(|message| message.room_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let rooms = store::rooms::find_all(&app.db, &ids).await?.into_iter();
    let rooms: HashMap<RoomId, RoomFound> =
        rooms.map(|room| (room.id, RoomFound { id: room.id, name: room.name, slug: room.slug })).collect();
    let results = messages.into_iter().filter_map(|message| {
        let highlight = highlight(message.body.as_deref()?, query);
        Some(SearchResult { room: rooms.get(&message.room_id)?.clone(), message, highlight })
    });
    Ok(results.collect())
}

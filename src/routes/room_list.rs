//! `GET /rooms`: the list of rooms, a page at a time.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};

use super::etag;
use super::read_marks::{RoomForCaller, with_membership};
use super::rooms::with_online;
use crate::app::App;
use crate::auth::Anyone;
use crate::error::{Error, Result};
use crate::extract::Query;
use crate::id::RoomId;
use crate::input::{Limit, SearchText, not_empty};
use crate::store::room_list::{self, Place, Selection};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichRooms {
    /// The archived rooms instead of the active ones; for admins.
    #[serde(default)]
    archived: bool,
    /// A part of the name, in upper or lower case; empty for all rooms.
    #[serde(default)]
    #[param(required = false)]
    query: SearchText,
    /// Maximum number of rooms; values above 500 mean 500.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 200)]
    limit: Limit<200, 500>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<String>, pattern = "^[A-Za-z0-9_-]{22,}$")]
    after: Option<PlaceInList>,
}

/// A cursor of the list of rooms.
#[derive(Debug)]
struct PlaceInList(Place);

impl<'de> Deserialize<'de> for PlaceInList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Rooms {
    #[serde(flatten)]
    page: RoomPage,
    /// A stream opened with it misses no change of a room after this page. Pages read one after the other may differ by
    /// changes between them: open the stream with the `cursor` of the first.
    #[schema(example = "5f0c2a9d81be.42")]
    cursor: String,
}

/// The part of the answer that its tag stands for. Not the cursor: the position grows with every message, and a stream
/// opened with an earlier one misses nothing either.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoomPage {
    /// By name.
    rooms: Vec<RoomForCaller>,
    /// `after` of the next page; `null` at the end.
    #[schema(required = true, example = "AZ8Kd2oAcAGAAQAAAAAAAWdlbmVyYWw")]
    next: Option<String>,
    /// The room to which the address of the chat leads: the landing room, otherwise the one with the newest message.
    /// Only on the first page of all active rooms; `null` if no room has a message.
    #[schema(required = true)]
    landing: Option<RoomId>,
}

/// List the rooms, with the number of people in each.
///
/// Sorted by name, in pages. With `If-None-Match`, a page that has not changed is answered with 304 and no body.
#[utoipa::path(
    get, path = "/rooms", tag = "rooms", security((), ("bearer" = [])),
    params(
        WhichRooms,
        ("if-none-match" = Option<String>, Header, description = "`ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Rooms, headers(("ETag" = String, description = "weak: of everything but `cursor`"))),
        (status = 304, description = "the page is as it was"),
        (status = 403, description = "`not_admin`: archived rooms are for admins"),
    )
)]
pub async fn list_rooms(
    State(app): State<App>,
    Anyone(caller): Anyone,
    headers: HeaderMap,
    Query(which): Query<WhichRooms>,
) -> Result<Response> {
    let caller = if which.archived { Some(caller.ok_or(Error::Unauthenticated)?.admin()?) } else { caller };
    let selection = Selection {
        archived: which.archived,
        part: which.query.as_ref(),
        after: which.after.as_ref().map(|place| &place.0),
        limit: which.limit.rows(),
    };
    let found = room_list::page(&app.db, selection).await?;
    let cursor = app.realtime.cursor_at(found.pos).to_string();
    let rooms = found.rooms.into_iter().map(|room| with_online(&app, room)).collect();
    let rooms = with_membership(&app, caller.as_ref(), rooms).await?;
    let answer = Rooms {
        page: RoomPage { rooms, next: found.next.map(|place| place.to_string()), landing: found.landing },
        cursor,
    };
    etag::respond(&headers, &answer.page, &answer)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Method, header};
    use serde_json::{Value, json};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::super::visitor::{Chat, Visitor};

    fn tag(headers: &HeaderMap) -> String {
        headers[header::ETAG].to_str().unwrap().to_owned()
    }

    async fn read(visitor: &Visitor, path: &str, known: &str) -> (u16, HeaderMap, Value) {
        let answer = visitor.get_with(path, header::IF_NONE_MATCH, known).await;
        (answer.status, answer.headers, answer.body)
    }

    #[sqlx::test(migrations = false)]
    async fn a_page_is_sent_again_only_after_a_change(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, guest) = (chat.admin("admin").await, chat.guest());
        let garden = admin.post("/rooms", json!({ "name": "Garden" })).await.expect(201);
        let (status, headers, body) = read(&guest, "/rooms", "\"another\"").await;
        assert_eq!((status, &headers[header::CACHE_CONTROL]), (200, &"private, no-cache".parse().unwrap()));
        assert_eq!((&body["rooms"][0]["slug"], &body["next"]), (&json!("garden"), &Value::Null));
        let first = tag(&headers);
        assert!(first.starts_with("W/\""), "{first}");

        let (status, headers, body) = read(&guest, "/rooms", &first).await;
        assert_eq!((status, tag(&headers), body), (304, first.clone(), Value::Null));
        assert_eq!(read(&guest, "/rooms?query=g", &first).await.0, 304, "it is the same page");
        assert_eq!(read(&guest, "/rooms?query=x", &first).await.0, 200);

        let path = format!("/rooms/{}", garden["id"].as_str().unwrap());
        admin.patch(&path, json!({ "name": "Orchard" })).await.expect(200);
        let (status, headers, body) = read(&guest, "/rooms", &first).await;
        assert_eq!((status, &body["rooms"][0]["name"]), (200, &json!("Orchard")));
        assert_ne!(tag(&headers), first);
        // The position has grown; the page has not changed.
        admin.post("/rooms", json!({ "name": "Pond" })).await.expect(201);
        assert_eq!(read(&guest, "/rooms?query=orch", &tag(&headers)).await.0, 304);
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn the_address_leads_to_the_landing_room_or_to_the_newest_message(
        _: PgPoolOptions,
        database: PgConnectOptions,
    ) {
        let chat = Chat::start(database).await;
        let (admin, guest) = (chat.admin("admin").await, chat.guest());
        let mut rooms = Vec::new();
        for name in ["Garden", "Lounge", "Party"] {
            rooms.push(admin.post("/rooms", json!({ "name": name })).await.expect(201)["id"].take());
        }
        let leads_to = async |path: &str| guest.get(path).await.expect(200)["landing"].take();
        let at = |room: usize, what: &str| format!("/rooms/{}/{what}", rooms[room].as_str().unwrap());
        assert_eq!(leads_to("/rooms").await, Value::Null);
        for room in [2, 1] {
            admin.post("/messages", json!({ "room_id": rooms[room], "body": "hi" })).await.expect(201);
            assert_eq!(leads_to("/rooms").await, rooms[room]);
        }
        admin.post(&at(1, "archive"), Value::Null).await.expect(200);
        assert_eq!(leads_to("/rooms").await, rooms[2]);
        admin.ask(Method::PUT, &at(0, "landing"), None).await.expect(204);
        assert_eq!(leads_to("/rooms").await, rooms[0]);
        for page in ["/rooms?query=par", "/rooms?limit=500&query=x"] {
            assert_eq!(leads_to(page).await, Value::Null, "{page}");
        }
        admin.post(&at(0, "archive"), Value::Null).await.expect(200);
        assert_eq!(leads_to("/rooms").await, rooms[2]);
        admin.ask(Method::PUT, &at(0, "landing"), None).await.expect_refusal(409, "room_archived");
        admin.post(&at(0, "restore"), Value::Null).await.expect(200);
        assert_eq!(leads_to("/rooms").await, rooms[0], "it is the landing room again");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn pages_follow_each_other_and_a_wrong_place_is_400(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, guest) = (chat.admin("admin").await, chat.guest());
        for name in ["c", "B", "a"] {
            admin.post("/rooms", json!({ "name": name })).await.expect(201);
        }
        let (mut names, mut path) = (Vec::new(), "/rooms?limit=2".to_owned());
        loop {
            let page = guest.get(&path).await.expect(200);
            names.extend(page["rooms"].as_array().unwrap().iter().map(|room| room["name"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/rooms?limit=2&after={next}");
        }
        assert_eq!(names, ["a", "B", "c"]);
        for wrong in ["after=", "after=x", "limit=0", "query=%00", "after=AAAAAAAAAAAAAAAAAAAAAAA="] {
            guest.get(&format!("/rooms?{wrong}")).await.expect_refusal(400, "malformed");
        }
        guest.get("/rooms?archived=true&query=a").await.expect_refusal(401, "unauthenticated");
        chat.stop().await;
    }
}

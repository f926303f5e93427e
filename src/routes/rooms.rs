//! Rooms: everybody reads the active ones, admins manage them. [`super::room_list`] lists them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::read_marks::{RoomForCaller, with_membership};
use crate::app::App;
use crate::auth::{Anyone, AsAdmin, Caller};
use crate::error::{Error, Result};
use crate::event::{Role, Room};
use crate::extract::{Json, Path};
use crate::id::RoomId;
use crate::input::{RoomName, RoomTopic, whole};
use crate::store;

/// Settings of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomInput {
    name: RoomName,
}

/// The topic of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    topic: RoomTopic,
}

/// Treatment of a room by search engines.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Indexing {
    /// False asks them not to list the room.
    indexable: bool,
}

/// Time for which a room keeps its messages.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days; 0 keeps messages for ever, `null` uses the server's setting.
    // By name, so that a missing field is not the same as `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<i32>, required = true, minimum = 0, maximum = 36_500, example = 90)]
    days: Option<RetentionDays>,
}

/// Days, from 0 to a hundred years.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub struct RetentionDays(i32);

impl TryFrom<f64> for RetentionDays {
    type Error = &'static str;

    fn try_from(days: f64) -> Result<Self, Self::Error> {
        whole(days, 0..=36_500).map(Self).ok_or("must be 0 to 36,500 whole days")
    }
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
    let changed = store::rooms::create(&app.db, id, admin.id, input.name.as_ref()).await.map_err(name_in_use)??;
    app.settled(changed).await;
    Ok((StatusCode::CREATED, room(&app, id).await?))
}

/// Read one room.
#[utoipa::path(
    get, path = "/rooms/{id}", tag = "rooms", security((), ("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 200, body = RoomForCaller),
        (status = 404, description = "unknown, or archived and the caller no admin"),
    )
)]
pub async fn get_room(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Path(id): Path<RoomId>,
) -> Result<Json<RoomForCaller>> {
    let room = store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    if room.is_archived && !reads_archived(caller.as_ref()) {
        return Err(Error::NotFound("room"));
    }
    let room = with_membership(&app, caller.as_ref(), vec![with_online(&app, room)]).await?.pop();
    Ok(Json(room.expect("one room in, one room out")))
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
    let changed = store::rooms::rename(&app.db, id, admin.id, input.name.as_ref()).await.map_err(name_in_use)??;
    app.settled(changed).await;
    room(&app, id).await
}

/// Set the time for which a room keeps its messages; older ones are permanently deleted within a minute.
#[utoipa::path(
    put, path = "/rooms/{id}/retention", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = Retention,
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    )
)]
pub async fn set_retention(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
    Json(retention): Json<Retention>,
) -> Result<Json<Room>> {
    let days = retention.days.map(|days| days.0);
    let changed = store::rooms::set_retention(&app.db, id, admin.id, days).await??;
    app.settled(changed).await;
    app.sweep.wake();
    room(&app, id).await
}

/// Set the topic of a room, shown in its header.
#[utoipa::path(
    put, path = "/rooms/{id}/topic", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = Topic,
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    )
)]
pub async fn set_topic(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
    Json(input): Json<Topic>,
) -> Result<Json<Room>> {
    let changed = store::rooms::set_topic(&app.db, id, admin.id, input.topic.as_ref()).await??;
    app.settled(changed).await;
    room(&app, id).await
}

/// Make a room the landing room, to which the address of the chat leads. Repeating this is not an error.
#[utoipa::path(
    put, path = "/rooms/{id}/landing", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    responses(
        (status = 204, description = "it is the landing room, and no other room is"),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`room_archived`"),
    )
)]
pub async fn set_landing(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
) -> Result<StatusCode> {
    let changed = store::rooms::set_landing(&app.db, id, admin.id).await??;
    app.settled(changed).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Let search engines list a room, or ask them not to: its public pages say `noindex` and leave the sitemap.
#[utoipa::path(
    put, path = "/rooms/{id}/indexable", tag = "rooms", security(("bearer" = [])), params(("id" = RoomId, Path)),
    request_body = Indexing,
    responses(
        (status = 200, body = Room),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    )
)]
pub async fn set_indexable(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(id): Path<RoomId>,
    Json(input): Json<Indexing>,
) -> Result<Json<Room>> {
    let changed = store::rooms::set_indexable(&app.db, id, admin.id, input.indexable).await??;
    app.settled(changed).await;
    room(&app, id).await
}

/// Archive a room: it leaves every list and accepts no more messages. Repeating this is not an error.
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
    let changed = store::rooms::set_archived(&app.db, id, admin.id, true).await.map_err(name_in_use)??;
    app.settled(changed).await;
    room(&app, id).await
}

/// Restore an archived room. Repeating this is not an error.
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
    let changed = store::rooms::set_archived(&app.db, id, admin.id, false).await.map_err(name_in_use)??;
    app.settled(changed).await;
    room(&app, id).await
}

/// Returns whether the caller may see archived rooms: admins only.
pub(super) fn reads_archived(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.role == Role::Admin)
}

/// Returns the room's current state.
async fn room(app: &App, id: RoomId) -> Result<Json<Room>> {
    let room = store::rooms::find(&app.db, id).await?.ok_or(Error::NotFound("room"))?;
    Ok(Json(with_online(app, room)))
}

pub(super) fn with_online(app: &App, room: Room) -> Room {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::super::visitor::{Chat, Visitor};

    async fn create(admin: &Visitor, name: &str) -> String {
        let room = admin.post("/rooms", json!({ "name": name })).await.expect(201);
        assert_eq!(room["online"], json!({ "users": 0, "guests": 0 }));
        room["id"].as_str().expect("an id").to_owned()
    }

    async fn names(visitor: &Visitor, path: &str) -> Vec<Value> {
        let list = visitor.get(path).await.expect(200);
        list["rooms"].as_array().expect("a list").iter().map(|room| room["name"].clone()).collect()
    }

    #[sqlx::test(migrations = false)]
    async fn an_admin_runs_the_rooms_and_everybody_sees_it(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, guest) = (chat.admin("admin").await, chat.guest());
        let id = create(&admin, "  general ").await;
        assert_eq!(names(&guest, "/rooms").await, ["general"]);

        let renamed = admin.patch(&format!("/rooms/{id}"), json!({ "name": "General" })).await.expect(200);
        assert_eq!(renamed["name"], "General");
        for _ in 0..2 {
            let archived = admin.post(&format!("/rooms/{id}/archive"), Value::Null).await.expect(200);
            assert_eq!(archived["is_archived"], true);
        }
        assert_eq!(names(&guest, "/rooms").await, Vec::<Value>::new());
        guest.get(&format!("/rooms/{id}")).await.expect_refusal(404, "not_found");
        assert_eq!(names(&admin, "/rooms?archived=true").await, ["General"]);
        admin.get(&format!("/rooms/{id}")).await.expect(200);
        for _ in 0..2 {
            admin.post(&format!("/rooms/{id}/restore"), Value::Null).await.expect(200);
        }
        assert_eq!(guest.get(&format!("/rooms/{id}")).await.expect(200)["name"], "General");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_name_in_use_is_a_conflict_and_an_archived_room_gives_it_free(
        _: PgPoolOptions,
        database: PgConnectOptions,
    ) {
        let chat = Chat::start(database).await;
        let admin = chat.admin("admin").await;
        let (first, other) = (create(&admin, "Garden").await, create(&admin, "Kitchen").await);
        admin.post("/rooms", json!({ "name": "gARDEN" })).await.expect_refusal(409, "name_in_use");
        admin.patch(&format!("/rooms/{other}"), json!({ "name": "garden" })).await.expect_refusal(409, "name_in_use");
        admin.post(&format!("/rooms/{first}/archive"), Value::Null).await.expect(200);
        create(&admin, "garden").await;
        admin.post(&format!("/rooms/{first}/restore"), Value::Null).await.expect_refusal(409, "name_in_use");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn what_is_no_room_is_404_and_what_is_no_name_is_422(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let admin = chat.admin("admin").await;
        for id in ["018f0000-0000-7000-8000-000000000001", "general", "%00"] {
            admin.get(&format!("/rooms/{id}")).await.expect_refusal(404, "not_found");
            admin.post(&format!("/rooms/{id}/archive"), Value::Null).await.expect_refusal(404, "not_found");
            admin.patch(&format!("/rooms/{id}"), json!({ "name": "x" })).await.expect_refusal(404, "not_found");
        }
        for name in [json!(""), json!(" \t"), json!("a\u{0}b"), json!("two\nlines"), json!("x".repeat(81)), json!(7)] {
            let refusal = admin.post("/rooms", json!({ "name": name })).await.expect_refusal(422, "invalid");
            assert_eq!(refusal["errors"][0]["field"], "name");
        }
        admin.post("/rooms", json!({ "name": "x", "colour": "red" })).await.expect_refusal(422, "invalid");
        admin.get("/rooms?archive=true").await.expect_refusal(400, "malformed");
        chat.stop().await;
    }
}

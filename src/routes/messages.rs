//! Messages: everybody reads them, users post them, authors edit them, authors and admins delete them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::{Anyone, SignedIn};
use crate::error::{Error, Result};
use crate::event::Message;
use crate::extract::{Json, Path, Query};
use crate::id::{ClientId, MessageId, RoomId, Seq};
use crate::input::{Limit, MessageBody, Natural, not_empty};
use crate::outcome::Posted;
use crate::post::NewMessage;
use crate::store;
use crate::store::messages::Range;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichMessages {
    #[param(value_type = Uuid)]
    room_id: RoomId,
    /// Only what is older than this `seq`.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    before: Option<Natural>,
    /// Only what is newer than this `seq`; the page then begins there instead of ending at the newest.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    after: Option<Natural>,
    /// How many; more than 200 is taken for 200.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 50)]
    limit: Limit<50, 200>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "these are the names of the contract")]
pub struct Messages {
    /// Ascending `seq`, without a gap.
    messages: Vec<Message>,
    /// `seq` of the room's newest message.
    head_seq: Seq,
    /// A stream opened with it misses nothing after this page.
    #[schema(example = "5f0c2a9d81be.42")]
    cursor: String,
}

/// A message to post.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostInput {
    room_id: RoomId,
    body: MessageBody,
    /// Made by the client for this submit and repeated in each retry of it, which then is safe. Any UUID; version 7 is
    /// the cheapest to store.
    client_id: Option<ClientId>,
}

/// Other words for a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditInput {
    body: MessageBody,
}

/// Read a page of a room: the newest, or what lies before or after a `seq`.
#[utoipa::path(
    get, path = "/messages", tag = "messages", params(WhichMessages), security((), ("bearer" = [])),
    responses(
        (status = 200, body = Messages),
        (status = 404, description = "unknown room, or archived and the caller no admin"),
    )
)]
pub async fn list_messages(
    State(app): State<App>,
    Anyone(caller): Anyone,
    Query(which): Query<WhichMessages>,
) -> Result<Json<Messages>> {
    let seq = |number: Natural| Seq(number.get());
    let range = Range { before: which.before.map(seq), after: which.after.map(seq), limit: which.limit.rows() };
    let page = store::messages::page(&app.db, which.room_id, range).await?.ok_or(Error::NotFound("room"))?;
    if page.is_archived && !reads_archived(caller.as_ref()) {
        return Err(Error::NotFound("room"));
    }
    let cursor = app.realtime.cursor_at(page.pos).to_string();
    Ok(Json(Messages { messages: page.messages, head_seq: page.head_seq, cursor }))
}

/// Post a message. The answer comes once it is durable; repeating it under the same `client_id` is safe for ever.
#[utoipa::path(
    post, path = "/messages", tag = "messages", security(("bearer" = [])), request_body = PostInput,
    responses(
        (status = 201, body = Message, description = "posted"),
        (status = 200, body = Message, description = "posted before, under this `client_id`"),
        (status = 403, description = "`muted` or `banned`"),
        (status = 404, description = "unknown room"),
        (status = 409, description = "`room_archived`"),
        (status = 422, description = "`invalid`, or `client_id_reused` for another message"),
    )
)]
pub async fn post_message(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(input): Json<PostInput>,
) -> Result<(StatusCode, Json<Message>)> {
    let message = NewMessage {
        id: MessageId::new(),
        room_id: input.room_id,
        author: caller.author(),
        client_id: input.client_id.unwrap_or_else(ClientId::new),
        body: input.body.into_text(),
    };
    Ok(match app.writer.post(message).await?? {
        Posted::Accepted(message) => (StatusCode::CREATED, Json(message)),
        Posted::Duplicate(message) => (StatusCode::OK, Json(message)),
    })
}

/// Give one's own message other words.
#[utoipa::path(
    patch, path = "/messages/{id}", tag = "messages", security(("bearer" = [])), params(("id" = MessageId, Path)),
    request_body = EditInput,
    responses(
        (status = 200, body = Message),
        (status = 403, description = "`not_author`, `muted` or `banned`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`room_archived` or `message_deleted`"),
    )
)]
pub async fn edit_message(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<MessageId>,
    Json(input): Json<EditInput>,
) -> Result<Json<Message>> {
    let changed = store::messages::edit(&app.db, id, caller.id, input.body.as_ref()).await??;
    app.settled(changed).await;
    let message = store::messages::find(&app.db, id).await?.ok_or(Error::NotFound("message"))?;
    Ok(Json(message))
}

/// Delete a message: its words are gone for good, its place stays. Doing it twice is not an error.
#[utoipa::path(
    delete, path = "/messages/{id}", tag = "messages", security(("bearer" = [])), params(("id" = MessageId, Path)),
    responses(
        (status = 204, description = "deleted"),
        (status = 403, description = "`not_author` (and no admin), or `banned`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`room_archived`"),
    )
)]
pub async fn delete_message(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Path(id): Path<MessageId>,
) -> Result<StatusCode> {
    let changed = store::messages::delete(&app.db, id, caller.id).await??;
    app.settled(changed).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
    use uuid::Uuid;

    use super::super::visitor::{Chat, Visitor};

    /// A chat with one room, its admin and a user.
    struct Scene {
        chat: Chat,
        admin: Visitor,
        ali: Visitor,
        room: String,
    }

    impl Scene {
        async fn set(database: PgConnectOptions) -> Self {
            let chat = Chat::start(database).await;
            let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
            let room = admin.post("/rooms", json!({ "name": "general" })).await.expect(201);
            let room = room["id"].as_str().expect("an id").to_owned();
            Self { chat, admin, ali, room }
        }

        fn message(&self, body: &str) -> Value {
            json!({ "room_id": self.room, "body": body })
        }

        async fn posted(&self, body: &str) -> String {
            let message = self.ali.post("/messages", self.message(body)).await.expect(201);
            format!("/messages/{}", message["id"].as_str().expect("an id"))
        }

        async fn read(&self, query: &str) -> Value {
            self.chat.guest().get(&format!("/messages?room_id={}{query}", self.room)).await.expect(200)
        }

        async fn archive(&self) {
            self.admin.post(&format!("/rooms/{}/archive", self.room), Value::Null).await.expect(200);
        }
    }

    #[sqlx::test(migrations = false)]
    async fn what_a_user_posts_a_guest_reads(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        let posted = scene.ali.post("/messages", scene.message(" one\r\ntwo ")).await.expect(201);
        assert_eq!((&posted["body"], &posted["seq"]), (&json!("one\ntwo"), &json!(1)));
        assert_eq!(posted["author"]["username"], "ali");
        assert_eq!((&posted["edited_at"], &posted["deleted_at"]), (&Value::Null, &Value::Null));

        let page = scene.read("").await;
        assert_eq!((&page["messages"][0], &page["head_seq"]), (&posted, &json!(1)));
        let cursor = page["cursor"].as_str().expect("a cursor");
        assert!(cursor.ends_with(&format!(".{}", posted["pos"])), "{cursor}");
        scene.chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_retry_is_the_same_message_and_other_words_are_refused(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        let submit =
            |body: &str, client_id: &str| json!({ "room_id": scene.room, "body": body, "client_id": client_id });
        let client_id = Uuid::now_v7().to_string();
        let first = scene.ali.post("/messages", submit("hello", &client_id)).await.expect(201);
        let again = scene.ali.post("/messages", submit(" hello ", &client_id)).await.expect(200);
        assert_eq!(first, again);
        let other = scene.ali.post("/messages", submit("goodbye", &client_id)).await;
        other.expect_refusal(422, "client_id_reused");
        scene.admin.post("/messages", submit("hello", &client_id)).await.expect(201);
        assert_eq!(scene.read("").await["head_seq"], 2);
        scene.chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn pages_are_cut_by_seq_and_bad_queries_are_refused(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        for n in 1..=5 {
            scene.posted(&n.to_string()).await;
        }
        for (query, expected) in [
            ("&limit=2", vec!["4", "5"]),
            ("&before=4&limit=2", vec!["2", "3"]),
            ("&after=3", vec!["4", "5"]),
            ("&after=0&limit=1", vec!["1"]),
            ("&limit=100000", vec!["1", "2", "3", "4", "5"]),
        ] {
            let page = scene.read(query).await;
            let bodies = page["messages"].as_array().expect("a list").iter().map(|message| message["body"].clone());
            assert_eq!(bodies.collect::<Vec<_>>(), expected, "{query}");
        }
        let guest = scene.chat.guest();
        let room = &scene.room;
        for query in ["limit=0", "limit=-1", "before=x", "before=", "after=-1", "after=1&after=2", "page=1"] {
            let answer = guest.get(&format!("/messages?room_id={room}&{query}")).await;
            answer.expect_refusal(400, "malformed");
        }
        guest.get("/messages").await.expect_refusal(400, "malformed");
        guest.get("/messages?room_id=general").await.expect_refusal(400, "malformed");
        guest.get(&format!("/messages?room_id={}", Uuid::now_v7())).await.expect_refusal(404, "not_found");
        scene.chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn authors_edit_and_delete_what_they_wrote(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        let message = scene.posted("helo").await;
        let edited = scene.ali.patch(&message, json!({ "body": "hello" })).await.expect(200);
        assert_eq!(edited["body"], "hello");
        assert!(edited["edited_at"].is_string());
        scene.admin.patch(&message, json!({ "body": "mine" })).await.expect_refusal(403, "not_author");
        let zoe = scene.chat.user("zoe").await;
        zoe.delete(&message).await.expect_refusal(403, "not_author");

        for _ in 0..2 {
            scene.ali.delete(&message).await.expect(204);
        }
        scene.ali.patch(&message, json!({ "body": "again" })).await.expect_refusal(409, "message_deleted");
        let page = scene.read("").await;
        assert_eq!((&page["messages"][0]["body"], &page["messages"][0]["seq"]), (&Value::Null, &json!(1)));

        let other = scene.posted("shouting").await;
        scene.admin.delete(&other).await.expect(204);
        scene.ali.delete("/messages/none").await.expect_refusal(404, "not_found");
        scene.chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn an_archived_room_takes_no_change_from_anyone(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        let message = scene.posted("hello").await;
        scene.archive().await;
        for visitor in [&scene.ali, &scene.admin] {
            visitor.post("/messages", scene.message("late")).await.expect_refusal(409, "room_archived");
        }
        let zoe = scene.chat.user("zoe").await;
        for visitor in [&scene.ali, &scene.admin, &zoe] {
            visitor.patch(&message, json!({ "body": "late" })).await.expect_refusal(409, "room_archived");
            visitor.delete(&message).await.expect_refusal(409, "room_archived");
        }
        let path = format!("/messages?room_id={}", scene.room);
        scene.ali.get(&path).await.expect_refusal(404, "not_found");
        assert_eq!(scene.admin.get(&path).await.expect(200)["messages"][0]["body"], "hello");
        scene.chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn what_cannot_be_posted_is_refused_with_a_reason(_: PgPoolOptions, database: PgConnectOptions) {
        let scene = Scene::set(database).await;
        let guest = scene.chat.guest();
        guest.post("/messages", scene.message("hello")).await.expect_refusal(401, "unauthenticated");
        let nowhere = json!({ "room_id": Uuid::now_v7(), "body": "hello" });
        scene.ali.post("/messages", nowhere).await.expect_refusal(404, "not_found");
        for body in [json!(""), json!("\u{0}"), json!("x".repeat(4_001)), json!(null), json!({})] {
            let message = json!({ "room_id": scene.room, "body": body });
            let refusal = scene.ali.post("/messages", message).await.expect_refusal(422, "invalid");
            assert_eq!(refusal["errors"][0]["field"], "body");
        }
        let mute = json!({ "seconds": 60, "reason": "shouting" });
        scene.admin.post(&format!("/users/{}/mute", scene.ali.id), mute).await.expect(200);
        scene.ali.post("/messages", scene.message("hello")).await.expect_refusal(403, "muted");
        scene.chat.stop().await;
    }
}

//! Direct messages: admins start conversations, and only sender and recipient can read them.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::SignedIn;
use crate::error::{Error, Result};
use crate::event::{DirectMessage, User};
use crate::extract::{Json, Query};
use crate::id::{ClientId, MessageId, Pos, UserId};
use crate::input::{Limit, MessageBody, Natural, not_empty};
use crate::outcome::{Posted, Refusal};
use crate::store;
use crate::store::direct_messages::NewDirectMessage;
use crate::store::events;

/// A direct message to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectMessageInput {
    recipient_id: UserId,
    body: MessageBody,
    /// Made by the client for this submit and repeated in each retry of it, which then is safe. Any UUID; version 7 is
    /// the cheapest to store.
    client_id: Option<ClientId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichDirectMessages {
    /// Only those with this user.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<Uuid>)]
    with: Option<UserId>,
    /// Only what is older than this `pos`.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    before: Option<Natural>,
    /// How many; more than 200 is taken for 200.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 50)]
    limit: Limit<50, 200>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DirectMessages {
    /// Ascending `pos`.
    messages: Vec<DirectMessage>,
    /// A stream opened with it misses nothing after this page.
    #[schema(example = "5f0c2a9d81be.42")]
    cursor: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichConversations {
    /// Only those whose newest message is older than this `pos`.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    before: Option<Natural>,
    /// How many; more than 500 is taken for 500.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 500)]
    limit: Limit<500, 500>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// The other one.
    user: User,
    last_message: DirectMessage,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations {
    /// The one with the newest message first.
    conversations: Vec<Conversation>,
}

/// Send a direct message. Only admins begin a conversation; where the operator allows it, users answer.
#[utoipa::path(
    post, path = "/direct-messages", tag = "direct messages", security(("bearer" = [])),
    request_body = DirectMessageInput,
    responses(
        (status = 201, body = DirectMessage, description = "sent"),
        (status = 200, body = DirectMessage, description = "sent before, under this `client_id`"),
        (status = 403, description = "`not_admin`, `not_allowed`, `muted` or `banned`"),
        (status = 404, description = "unknown recipient"),
        (status = 422, description = "`invalid`, or `client_id_reused` for another message"),
    )
)]
pub async fn post_direct_message(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(input): Json<DirectMessageInput>,
) -> Result<(StatusCode, Json<DirectMessage>)> {
    let message = NewDirectMessage {
        id: MessageId::new(),
        sender: caller.author(),
        recipient: input.recipient_id,
        client_id: input.client_id.unwrap_or_else(ClientId::new),
        body: input.body.as_ref(),
        replies: app.config.dm_replies,
    };
    let posted = store::direct_messages::append(&app.db, message).await?.map_err(|refusal| match refusal {
        Refusal::ToSelf => Error::invalid("recipient_id", "must be somebody else"),
        Refusal::NotAllowed if !app.config.dm_replies => Refusal::NotAdmin.into(),
        refusal => refusal.into(),
    })?;
    Ok(match posted {
        Posted::Accepted(message) => {
            app.realtime.settle_event(events::direct_messages::posted(&message)).await;
            (StatusCode::CREATED, Json(message))
        }
        Posted::Duplicate(message) => (StatusCode::OK, Json(message)),
    })
}

/// Read one's own direct messages, with everybody or with one.
#[utoipa::path(
    get, path = "/direct-messages", tag = "direct messages", params(WhichDirectMessages), security(("bearer" = [])),
    responses((status = 200, body = DirectMessages))
)]
pub async fn list_direct_messages(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Query(which): Query<WhichDirectMessages>,
) -> Result<Json<DirectMessages>> {
    let before = which.before.map(|number| Pos(number.get()));
    let page = store::direct_messages::page(&app.db, caller.id, which.with, before, which.limit.rows()).await?;
    let cursor = app.realtime.cursor_at(page.pos).to_string();
    Ok(Json(DirectMessages { messages: page.messages, cursor }))
}

/// List with whom one wrote, each with the newest message.
#[utoipa::path(
    get, path = "/direct-messages/conversations", tag = "direct messages", params(WhichConversations),
    security(("bearer" = [])), responses((status = 200, body = Conversations))
)]
pub async fn list_conversations(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Query(which): Query<WhichConversations>,
) -> Result<Json<Conversations>> {
    let before = which.before.map(|number| Pos(number.get()));
    let conversations = store::direct_messages::conversations(&app.db, caller.id, before, which.limit.rows())
        .await?
        .into_iter()
        .map(|found| Conversation { user: found.user, last_message: found.last_message })
        .collect();
    Ok(Json(Conversations { conversations }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
    use uuid::Uuid;

    use super::super::visitor::{Chat, Visitor};
    use crate::config::Config;

    fn to(recipient: &Visitor, body: &str) -> Value {
        json!({ "recipient_id": recipient.id, "body": body })
    }

    async fn read(visitor: &Visitor, query: &str) -> Vec<Value> {
        let page = visitor.get(&format!("/direct-messages{query}")).await.expect(200);
        page["messages"].as_array().expect("a list").iter().map(|message| message["body"].clone()).collect()
    }

    #[sqlx::test(migrations = false)]
    async fn an_admin_writes_and_only_the_recipient_reads(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, root) = (chat.admin("admin").await, chat.admin("root").await);
        let (ali, zoe) = (chat.user("ali").await, chat.user("zoe").await);
        let sent = admin.post("/direct-messages", to(&ali, " psst ")).await.expect(201);
        assert_eq!((&sent["body"], &sent["recipient"]["username"]), (&json!("psst"), &json!("ali")));

        assert_eq!(read(&ali, "").await, ["psst"]);
        assert_eq!(read(&ali, &format!("?with={}", admin.id)).await, ["psst"]);
        assert_eq!(read(&ali, &format!("?before={}", sent["pos"])).await, Vec::<Value>::new());
        for stranger in [&zoe, &root] {
            assert_eq!(read(stranger, "").await, Vec::<Value>::new());
            assert_eq!(read(stranger, &format!("?with={}", ali.id)).await, Vec::<Value>::new());
        }
        let list = ali.get("/direct-messages/conversations").await.expect(200);
        let other = json!({ "id": admin.id, "username": "admin", "role": "admin" });
        assert_eq!(list["conversations"], json!([{ "user": other, "last_message": sent }]));
        let older = format!("/direct-messages/conversations?limit=1&before={}", sent["pos"]);
        assert_eq!(ali.get(&older).await.expect(200)["conversations"], json!([]));
        chat.guest().get("/direct-messages").await.expect_refusal(401, "unauthenticated");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn users_begin_nothing_and_learn_nothing(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
        admin.post("/direct-messages", to(&ali, "hello")).await.expect(201);
        ali.post("/direct-messages", to(&admin, "hello")).await.expect_refusal(403, "not_admin");
        let to_nobody = json!({ "recipient_id": Uuid::now_v7(), "body": "hello" });
        ali.post("/direct-messages", to_nobody.clone()).await.expect_refusal(403, "not_admin");
        admin.post("/direct-messages", to_nobody).await.expect_refusal(404, "not_found");
        let refusal = admin.post("/direct-messages", to(&admin, "hello")).await.expect_refusal(422, "invalid");
        assert_eq!(refusal["errors"][0]["field"], "recipient_id");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn where_replies_are_on_a_recipient_answers(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::with(database, Config { dm_replies: true, ..Config::for_tests() }).await;
        let (admin, ali) = (chat.admin("admin").await, chat.user("ali").await);
        ali.post("/direct-messages", to(&admin, "hello")).await.expect_refusal(403, "not_allowed");
        admin.post("/direct-messages", to(&ali, "hello")).await.expect(201);
        ali.post("/direct-messages", to(&admin, "hello yourself")).await.expect(201);
        assert_eq!(read(&admin, "").await, ["hello", "hello yourself"]);
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_retry_is_the_same_message(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, ali, zoe) = (chat.admin("admin").await, chat.user("ali").await, chat.user("zoe").await);
        let client_id = Uuid::now_v7();
        let submit =
            |recipient: &Visitor| json!({ "recipient_id": recipient.id, "body": "hi", "client_id": client_id });
        let first = admin.post("/direct-messages", submit(&ali)).await.expect(201);
        assert_eq!(admin.post("/direct-messages", submit(&ali)).await.expect(200), first);
        admin.post("/direct-messages", submit(&zoe)).await.expect_refusal(422, "client_id_reused");
        assert_eq!(read(&zoe, "").await, Vec::<Value>::new());
        chat.stop().await;
    }
}

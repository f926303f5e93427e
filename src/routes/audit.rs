//! The audit trail: which changes were made and by whom, for admins. Message texts are not part of it.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::AsAdmin;
use crate::error::Result;
use crate::event::Author;
use crate::extract::{Json, Query};
use crate::id::{MessageId, Pos, RoomId};
use crate::input::{Limit, Natural, not_empty};
use crate::store;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichEntries {
    /// Only messages before this `pos`.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    before: Option<Natural>,
    /// Maximum number of entries; values above 200 mean 200.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 50)]
    limit: Limit<50, 200>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AuditTrail {
    /// Newest first.
    entries: Vec<AuditEntry>,
}

/// One change made by somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    pos: Pos,
    #[schema(example = "user.muted")]
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[schema(required = true)]
    actor: Option<Author>,
    #[schema(required = true)]
    room: Option<AuditedRoom>,
    /// The user whose rights or sessions changed.
    #[schema(required = true)]
    user: Option<Author>,
    #[schema(required = true)]
    message_id: Option<MessageId>,
    /// Further details, such as the reason of a mute.
    #[schema(value_type = Option<Object>, required = true)]
    detail: Option<serde_json::Value>,
}

/// The room with its current name.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditedRoom {
    id: RoomId,
    #[schema(example = "general")]
    name: String,
}

/// Read the audit trail, newest first.
#[utoipa::path(
    get, path = "/audit", tag = "moderation", params(WhichEntries), security(("bearer" = [])),
    responses((status = 200, body = AuditTrail), (status = 403, description = "`not_admin`"))
)]
pub async fn list_audit_entries(
    State(app): State<App>,
    AsAdmin(_admin): AsAdmin,
    Query(which): Query<WhichEntries>,
) -> Result<Json<AuditTrail>> {
    let before = which.before.map(|number| Pos(number.get()));
    let entries = store::audit::list(&app.db, before, which.limit.rows()).await?;
    let entries = entries.into_iter().map(AuditEntry::from).collect();
    Ok(Json(AuditTrail { entries }))
}

impl From<store::audit::Entry> for AuditEntry {
    fn from(entry: store::audit::Entry) -> Self {
        Self {
            pos: entry.pos,
            kind: entry.kind,
            at: entry.at,
            actor: entry.actor,
            room: entry.room.map(|room| AuditedRoom { id: room.id, name: room.name }),
            user: entry.user,
            message_id: entry.message_id,
            detail: entry.detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use super::super::visitor::Chat;

    #[sqlx::test(migrations = false)]
    async fn admins_read_who_did_what_and_nobody_else_does(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (admin, ali, zoe) = (chat.admin("admin").await, chat.user("ali").await, chat.user("zoe").await);
        let room = admin.post("/rooms", json!({ "name": "general" })).await.expect(201);
        let secret = json!({ "recipient_id": ali.id, "body": "psst" });
        admin.post("/direct-messages", secret).await.expect(201);
        let mute = json!({ "seconds": 60, "reason": "shouting" });
        admin.post(&format!("/users/{}/mute", ali.id), mute).await.expect(200);

        let trail = admin.get("/audit?limit=2").await.expect(200);
        let entries = trail["entries"].as_array().expect("a list");
        let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["kind"]).collect();
        assert_eq!(kinds, ["user.muted", "room.created"]);
        assert_eq!((&entries[0]["actor"]["username"], &entries[0]["user"]["id"]), (&json!("admin"), &json!(ali.id)));
        assert_eq!(entries[1]["room"], json!({ "id": room["id"], "name": "general" }));
        assert!(!trail.to_string().contains("psst"));

        // Changes that users make to their own messages are not audited.
        let mut deleted = Vec::new();
        for by in [&zoe, &admin] {
            let words = json!({ "room_id": room["id"], "body": "words" });
            let message = zoe.post("/messages", words).await.expect(201);
            let path = format!("/messages/{}", message["id"].as_str().expect("an id"));
            zoe.patch(&path, json!({ "body": "other words" })).await.expect(200);
            by.delete(&path).await.expect(204);
            deleted.push(message["id"].clone());
        }
        let newest = admin.get("/audit?limit=1").await.expect(200);
        assert_eq!(
            (&newest["entries"][0]["kind"], &newest["entries"][0]["message_id"]),
            (&json!("message.deleted"), &deleted[1])
        );
        let trail = admin.get("/audit").await.expect(200).to_string();
        assert!(!trail.contains("message.edited") && !trail.contains(deleted[0].as_str().expect("an id")), "{trail}");

        let older = admin.get(&format!("/audit?before={}", entries[1]["pos"])).await.expect(200);
        assert!(!older.to_string().contains("general"));
        ali.get("/audit").await.expect_refusal(403, "not_admin");
        chat.guest().get("/audit").await.expect_refusal(401, "unauthenticated");
        chat.stop().await;
    }
}

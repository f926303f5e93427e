//! The audit trail: who changed what, for admins. What people said is not part of it.

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
pub struct AuditTrail {
    /// Newest first.
    entries: Vec<AuditEntry>,
}

/// One change that somebody made.
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
    /// Whose standing or sessions changed.
    #[schema(required = true)]
    user: Option<Author>,
    #[schema(required = true)]
    message_id: Option<MessageId>,
    /// What else there is to know, such as the reason of a mute.
    #[schema(value_type = Option<Object>, required = true)]
    detail: Option<serde_json::Value>,
}

/// A room by its present name.
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

//! Users: role, mute, ban, ended sessions, erasure. Delivered to the user only, except for an erasure, which affects
//! every page that shows the user's name or messages.

use std::collections::HashMap;

use sqlx::FromRow;
use time::OffsetDateTime;

use super::{Audit, Kind, Of, Row, ids};
use crate::event::{Audience, Author, Effect, Event, GenerationEnd, Role, Standing};
use crate::id::{SessionId, UserId};
use crate::store::Db;

pub const KINDS: &[Kind] = &[
    rights("user.role_set"),
    rights("user.muted"),
    rights("user.unmuted"),
    rights("user.banned"),
    rights("user.unbanned"),
    Kind::new("user.erased", Audit::Yes)
        .telling::<Author>("A user was erased. `username` is the placeholder that replaces their name.")
        .for_everyone(),
    Kind::new("sessions.ended", Audit::Yes),
];

/// Name of the event that tells users of their own rights.
const CHANGED: &str = "user.changed";

const fn rights(name: &'static str) -> Kind {
    Kind::new(name, Audit::Yes).telling_as::<Standing>(CHANGED, "The caller's own role or mute was changed.")
}

#[derive(FromRow)]
struct UserRow {
    id: UserId,
    username: String,
    role: String,
    muted_until: Option<OffsetDateTime>,
    mute_reason: Option<String>,
    is_banned: bool,
}

impl UserRow {
    /// A ban is not delivered: a banned user has no stream.
    fn changed(&self, event: Event) -> Event {
        let role = if self.role == Role::Admin.as_str() { Role::Admin } else { Role::User };
        let effect = Effect::Rights { user: self.id, is_admin: role == Role::Admin, is_banned: self.is_banned };
        let standing = Standing {
            id: self.id,
            username: self.username.as_str().into(),
            role,
            muted_until: self.muted_until,
            mute_reason: self.mute_reason.clone(),
        };
        let event = event.with_effect(effect);
        if self.is_banned { event } else { event.told_as(CHANGED, Audience::User(self.id), &standing) }
    }

    fn erased(&self, event: Event) -> Event {
        // The name has already been replaced.
        let author = Author { id: self.id, username: self.username.as_str().into() };
        event.told_to(Audience::Everyone, &author).with_effect(Effect::UserErased { user: self.id })
    }
}

/// Returns the event of ended sessions. It is not delivered: the streams of these sessions end here.
fn sessions_ended(row: &Row, event: Event) -> Option<Event> {
    let detail = row.detail.as_ref()?;
    let sessions: Vec<SessionId> = serde_json::from_value(detail.get("sessions")?.clone()).ok()?;
    // Absent if single sessions ended, or if the previous release ended them.
    let all = serde_json::from_value::<GenerationEnd>(detail.clone()).ok();
    Some(event.with_effect(Effect::SessionsEnded { user: row.user_id?, sessions, all }))
}

pub(super) async fn read(db: &Db, rows: &Of<'_>) -> sqlx::Result<Vec<Event>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let users: Vec<UserRow> = sqlx::query_as(
        "select id, username, role, muted_until, mute_reason, banned_at is not null as is_banned
         from users where id = any($1)",
    )
    .bind(ids(rows.iter().map(|(row, _)| row.user_id)))
    .fetch_all(db)
    .await?;
    let users: HashMap<UserId, UserRow> = users.into_iter().map(|user| (user.id, user)).collect();

    let event = |(row, kind): &(&Row, &'static Kind)| {
        let event = row.event(kind);
        match kind.name {
            "sessions.ended" => sessions_ended(row, event),
            "user.erased" => Some(users.get(&row.user_id?)?.erased(event)),
            _ => Some(users.get(&row.user_id?)?.changed(event)),
        }
    };
    Ok(rows.iter().filter_map(event).collect())
}

//! The audit trail: log entries of the kinds that are marked for it, see [`events`].

use sqlx::FromRow;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::Db;
use super::events::{self, Audit};
use crate::event::Author;
use crate::id::{MessageId, Pos, RoomId, UserId};

/// One change in the audit trail.
pub struct Entry {
    pub pos: Pos,
    /// A value of the database type `log_kind`.
    pub kind: String,
    pub at: OffsetDateTime,
    pub actor: Option<Author>,
    pub room: Option<Room>,
    /// User whose rights or sessions changed.
    pub user: Option<Author>,
    pub message_id: Option<MessageId>,
    pub detail: Option<serde_json::Value>,
}

/// A room with its current name.
pub struct Room {
    pub id: RoomId,
    pub name: String,
}

/// Returns the newest entries before a position, newest first.
pub async fn list(db: &Db, before: Option<Pos>, limit: i64) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query_as::<_, EntryRow>(
        "select l.pos, l.kind::text as kind, l.at, l.actor_id, a.username as actor, l.room_id, r.name as room,
                l.user_id, u.username as user, l.message_id, l.detail
         from log l
         left join users a on a.id = l.actor_id
         left join rooms r on r.id = l.room_id
         left join users u on u.id = l.user_id
         -- The predicate of the index `log_audited_without_inbox`, then the kinds.
         where l.kind not in
               ('message.posted', 'direct.posted', 'message.edited', 'room.read', 'message.reactions', 'inbox.added')
           and (l.kind <> 'message.deleted' or l.actor_id is not null)
           and l.pos < $1
           -- The message may be gone; then `detail` says whether it was the actor's own.
           and (l.kind::text = any($3)
                or l.kind::text = any($4) and (l.detail ? 'own') is not true and not exists (
                    select from messages m where m.id = l.message_id and m.author_id = l.actor_id))
         order by l.pos desc limit $2",
    )
    .bind(before.unwrap_or(Pos(i64::MAX)))
    .bind(limit)
    .bind(events::audited(Audit::Yes))
    .bind(events::audited(Audit::ToOthers))
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

#[derive(FromRow)]
struct EntryRow {
    pos: Pos,
    kind: String,
    at: OffsetDateTime,
    actor_id: Option<UserId>,
    actor: Option<String>,
    room_id: Option<RoomId>,
    room: Option<String>,
    user_id: Option<UserId>,
    user: Option<String>,
    message_id: Option<MessageId>,
    detail: Option<Json<serde_json::Value>>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let author = |id: Option<UserId>, name: Option<String>| Some(Author { id: id?, username: name?.into() });
        Self {
            pos: row.pos,
            kind: row.kind,
            at: row.at,
            actor: author(row.actor_id, row.actor),
            room: row.room_id.zip(row.room).map(|(id, name)| Room { id, name }),
            user: author(row.user_id, row.user),
            message_id: row.message_id,
            detail: row.detail.map(|Json(detail)| detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test(migrations = "./migrations")]
    async fn the_trail_has_actor_action_and_target_but_no_message_bodies(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (UserId::new(), UserId::new());
        for (id, name, role) in [(admin, "admin", "admin"), (ali, "ali", "user")] {
            sqlx::query("insert into users (id, username, password_hash, role) values ($1, $2, '', $3)")
                .bind(id)
                .bind(name)
                .bind(role)
                .execute(&db)
                .await
                .expect("a user");
        }
        for change in [
            "select from create_room(gen_random_uuid(), $1, 'general', 'general') where $2 is not null",
            "select from append_direct_message(gen_random_uuid(), $1, $2, gen_random_uuid(), '\\x00', 'psst', false)",
            "select from set_mute($2, $1, now() + interval '1 hour', 'shouting')",
        ] {
            sqlx::query(change).bind(admin).bind(ali).execute(&db).await.expect("a change");
        }

        let entries = list(&db, None, 50).await.expect("a trail");
        let told: Vec<_> = entries.iter().map(|entry| (entry.pos.0, entry.kind.as_str())).collect();
        assert_eq!(told, [(3, "user.muted"), (1, "room.created")]);
        assert_eq!(entries[0].actor.as_ref().expect("an actor").username.as_ref(), "admin");
        assert_eq!(entries[0].user.as_ref().expect("a user").id, ali);
        assert_eq!(entries[0].detail.as_ref().expect("a detail")["reason"], "shouting");
        assert_eq!(entries[1].room.as_ref().expect("a room").name, "general");

        let older = list(&db, Some(Pos(3)), 50).await.expect("a trail");
        assert_eq!(older.len(), 1);
    }
}

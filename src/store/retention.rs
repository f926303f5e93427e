//! Deletion of expired messages, by the functions of `migrations/0008_forgetting.sql`.

use sqlx::FromRow;

use super::Db;
use crate::id::{Pos, RoomId};

/// Result of expiring a batch.
#[derive(Debug, FromRow)]
pub struct Expired {
    /// Number of expired messages, including those that were already deleted.
    pub passed: i64,
    /// Position of the last deletion; `None` if all of them were already deleted.
    pub pos: Option<Pos>,
}

/// Returns the rooms that have messages past their retention. `days`: retention of rooms without their own setting.
pub async fn rooms_with_expired(db: &Db, days: Option<i32>) -> sqlx::Result<Vec<RoomId>> {
    sqlx::query_scalar("select room from rooms_with_expired($1) as room").bind(days).fetch_all(db).await
}

/// Deletes the oldest expired messages of a room, at most `most`.
pub async fn expire(db: &Db, room: RoomId, days: Option<i32>, most: i32) -> sqlx::Result<Expired> {
    sqlx::query_as("select passed, pos from expire_messages($1, $2, $3)")
        .bind(room)
        .bind(days)
        .bind(most)
        .fetch_one(db)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Author, Effect, Event, Role};
    use crate::id::{ClientId, MessageId, UserId};
    use crate::post::NewMessage;
    use crate::store::{audit, log, messages, rooms, users};

    /// Creates a room in which an admin posted `said` messages, the first of them `old` days ago.
    async fn room(db: &Db, admin: UserId, name: &str, said: usize, old: i64) -> RoomId {
        let id = RoomId::new();
        rooms::create(db, id, admin, name).await.unwrap().unwrap();
        let author = Author { id: admin, username: "admin".into() };
        let message = |n: usize| NewMessage {
            id: MessageId::new(),
            room_id: id,
            author: author.clone(),
            client_id: ClientId::new(),
            body: n.to_string().into(),
        };
        log::append_messages(db, &(0..said).map(message).collect::<Vec<_>>()).await.unwrap();
        let age = "update messages set created_at = created_at - interval '40 days' where room_id = $1 and seq <= $2";
        sqlx::query(age).bind(id).bind(old).execute(db).await.unwrap();
        id
    }

    async fn words_left(db: &Db, room: RoomId) -> i64 {
        let left = "select count(*) from messages where room_id = $1 and body is not null";
        sqlx::query_scalar(left).bind(room).fetch_one(db).await.unwrap()
    }

    async fn admin(db: &Db) -> UserId {
        let id = UserId::new();
        users::create(db, id, "admin", "hash", Role::Admin).await.unwrap();
        id
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn expired_messages_are_deleted_in_batches_and_younger_ones_stay(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = admin(&db).await;
        let room = room(&db, admin, "general", 10, 7).await;
        assert!(rooms_with_expired(&db, None).await.unwrap().is_empty(), "nothing is said of going");
        assert!(rooms_with_expired(&db, Some(0)).await.unwrap().is_empty(), "0 is for ever");
        assert!(rooms_with_expired(&db, Some(41)).await.unwrap().is_empty());
        assert_eq!(rooms_with_expired(&db, Some(39)).await.unwrap(), [room]);

        let before = log::head(&db).await.unwrap().pos;
        let first = expire(&db, room, Some(39), 4).await.unwrap();
        assert_eq!((first.passed, first.pos), (4, Some(Pos(before.0 + 4))));
        let second = expire(&db, room, Some(39), 4).await.unwrap();
        assert_eq!((second.passed, second.pos), (3, Some(Pos(before.0 + 7))));
        let third = expire(&db, room, Some(39), 4).await.unwrap();
        assert_eq!((third.passed, third.pos), (0, None));
        assert_eq!(words_left(&db, room).await, 3);
        assert!(rooms_with_expired(&db, Some(39)).await.unwrap().is_empty());

        let events = log::read(&db, before, Pos(before.0 + 7)).await.unwrap();
        let seqs: Vec<_> = events
            .iter()
            .map(|event| {
                assert_eq!(event.kind, "message.deleted");
                let told: serde_json::Value = serde_json::from_str(event.told.as_ref().unwrap().data.get()).unwrap();
                told["seq"].as_i64().unwrap()
            })
            .collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7], "each at a position of its own, in their order");
        let trail = audit::list(&db, None, 50).await.unwrap();
        assert!(trail.iter().all(|entry| entry.kind != "message.deleted"), "nobody did that");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_rooms_own_retention_overrides_the_default(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = admin(&db).await;
        let kept = room(&db, admin, "kept", 2, 2).await;
        let short = room(&db, admin, "short", 2, 2).await;
        rooms::set_retention(&db, kept, admin, Some(0)).await.unwrap().unwrap();
        rooms::set_retention(&db, short, admin, Some(1)).await.unwrap().unwrap();
        assert_eq!(rooms_with_expired(&db, Some(39)).await.unwrap(), [short]);
        assert_eq!(rooms_with_expired(&db, None).await.unwrap(), [short]);
        assert_eq!(expire(&db, kept, Some(39), 10).await.unwrap().passed, 0, "asked again under the lock");
        let again = rooms::set_retention(&db, short, admin, Some(1)).await.unwrap();
        assert_eq!(again, Ok(None));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn deleted_messages_are_skipped_and_archived_rooms_expire_silently(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = admin(&db).await;
        let room = room(&db, admin, "general", 3, 3).await;
        let page = messages::page(&db, room, messages::Range { before: None, after: None, limit: 10 }).await.unwrap();
        for message in &page.unwrap().messages[..2] {
            messages::delete(&db, message.id, admin).await.unwrap().unwrap();
        }
        let tombstones = expire(&db, room, Some(39), 2).await.unwrap();
        assert_eq!((tombstones.passed, tombstones.pos), (2, None));

        rooms::set_archived(&db, room, admin, true).await.unwrap().unwrap();
        let last = expire(&db, room, Some(39), 2).await.unwrap().pos.expect("one was left");
        let events = log::read(&db, last.previous(), last).await.unwrap();
        let silent = |event: &Event| event.told.is_none() && matches!(event.effect, Effect::BodyDeleted { .. });
        assert!(matches!(&events[..], [event] if silent(event)), "{events:?}");
        assert_eq!(words_left(&db, room).await, 0);
    }
}

//! Deletion of expired messages, by the functions of `migrations/0026_trims.sql`.

use sqlx::FromRow;

use super::Db;
use crate::id::{Pos, RoomId};

/// Result of trimming a room by one batch.
#[derive(Debug, FromRow)]
pub struct Trimmed {
    /// Number of messages or receipts; less than requested if nothing is left.
    pub passed: i64,
    /// Position of `room.trimmed`; `None` if only receipts were deleted, or nothing.
    pub pos: Option<Pos>,
}

/// Returns the rooms that have messages past their retention, or receipts to delete. `days`: retention of rooms without
/// their own setting.
pub async fn rooms_to_trim(db: &Db, days: Option<i32>) -> sqlx::Result<Vec<RoomId>> {
    sqlx::query_scalar("select room from rooms_to_trim($1) as room").bind(days).fetch_all(db).await
}

/// Deletes the oldest expired messages of a room, at most `most`, and as many receipts.
pub async fn trim(db: &Db, room: RoomId, days: Option<i32>, most: i32) -> sqlx::Result<Trimmed> {
    sqlx::query_as("select passed, pos from trim_room($1, $2, $3)").bind(room).bind(days).bind(most).fetch_one(db).await
}

/// Checks up to `most` `room.trimmed` of the log after `after`, and deletes old ones that later ones include. Returns
/// where to continue; `None` at the end.
pub async fn remove_superseded(db: &Db, after: Pos, most: i32) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select remove_superseded_trims($1, $2)").bind(after).bind(most).fetch_one(db).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Audience, Author, Effect, Event, Role};
    use crate::id::{ClientId, MessageId, Seq, UserId};
    use crate::outcome::Posted;
    use crate::post::NewMessage;
    use crate::store::{audit, log, messages, rooms, users};

    /// A room in which an admin posted `said` messages, the first of them `old` messages and `days` days ago.
    struct Scene {
        db: Db,
        admin: UserId,
        room: RoomId,
        said: Vec<NewMessage>,
    }

    impl Scene {
        async fn with(pool: sqlx::PgPool, said: usize, old: i64, days: i32) -> Self {
            let (db, admin) = (Db::from(pool), UserId::new());
            users::create(&db, admin, "admin", "hash", Role::Admin).await.unwrap();
            let room = new_room(&db, admin, "general").await;
            let author = Author { id: admin, username: "admin".into() };
            let message = |n: usize| NewMessage {
                id: MessageId::new(),
                room_id: room,
                author: author.clone(),
                client_id: ClientId::new(),
                body: n.to_string().into(),
                reply_to: None,
                mentions: Vec::new(),
                audience: None,
            };
            let said: Vec<_> = (1..=said).map(message).collect();
            log::append_messages(&db, &said).await.unwrap();
            let scene = Self { db, admin, room, said };
            scene.age(old, days).await;
            scene
        }

        /// Makes the first `old` messages `days` days older.
        async fn age(&self, old: i64, days: i32) {
            let age = "update messages set created_at = created_at - make_interval(days => $3)
                       where room_id = $1 and seq <= $2";
            sqlx::query(age).bind(self.room).bind(old).bind(days).execute(&self.db).await.unwrap();
        }

        async fn trim(&self, days: i32, most: i32) -> (i64, Option<Pos>) {
            let trimmed = trim(&self.db, self.room, Some(days), most).await.unwrap();
            (trimmed.passed, trimmed.pos)
        }

        async fn page(&self) -> (Seq, Seq, Vec<i64>) {
            let range = messages::Range { before: None, after: None, around: None, limit: 200 };
            let page = messages::page(&self.db, self.room, range, None).await.unwrap().unwrap();
            (page.first_seq, page.head_seq, page.messages.iter().map(|message| message.seq.0).collect())
        }

        /// Counts the rows of messages and of the log, and the bodies.
        async fn rows(&self) -> (i64, i64, i64) {
            let count = "select (select count(*) from messages), (select count(*) from log),
                                (select count(*) from messages where body is not null)";
            sqlx::query_as(count).fetch_one(&self.db).await.unwrap()
        }

        async fn head(&self) -> Pos {
            log::head(&self.db).await.unwrap().pos
        }
    }

    async fn new_room(db: &Db, admin: UserId, name: &str) -> RoomId {
        let id = RoomId::new();
        rooms::create(db, id, admin, name).await.unwrap().unwrap();
        id
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_trim_deletes_the_oldest_rows_at_one_position(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 10, 7, 40).await;
        let db = &scene.db;
        assert!(rooms_to_trim(db, None).await.unwrap().is_empty(), "no retention is set");
        assert!(rooms_to_trim(db, Some(0)).await.unwrap().is_empty(), "0 keeps for ever");
        assert!(rooms_to_trim(db, Some(41)).await.unwrap().is_empty());
        assert_eq!(rooms_to_trim(db, Some(39)).await.unwrap(), [scene.room]);

        let before = scene.head().await;
        let rows = scene.rows().await;
        assert_eq!(scene.trim(39, 4).await, (4, Some(Pos(before.0 + 1))));
        assert_eq!(scene.trim(39, 4).await, (3, Some(Pos(before.0 + 2))));
        assert_eq!(scene.trim(39, 4).await, (0, None));
        assert_eq!(scene.page().await, (Seq(8), Seq(10), vec![8, 9, 10]));
        assert_eq!(scene.rows().await, (rows.0 - 7, rows.1 - 7 + 2, rows.2 - 7));
        assert!(rooms_to_trim(db, Some(39)).await.unwrap().is_empty());

        // Deleted positions are silent, and none is missing.
        let events = log::read(db, Pos(0), scene.head().await).await.unwrap();
        assert!(events.iter().map(|event| event.pos.0).eq(1..=before.0 + 2));
        let told: Vec<_> = events.iter().filter(|event| event.told.is_some()).map(|event| &*event.kind).collect();
        let posted = "message.posted";
        assert_eq!(told, ["user.role_set", "room.created", posted, posted, posted, "room.trimmed", "room.trimmed"]);
        let last = events.last().unwrap();
        assert_eq!(last.audience, Audience::Room(scene.room));
        assert_eq!(last.effect, Effect::Trimmed { room: scene.room, first_seq: Seq(8) });
        assert_eq!(log::read(db, Pos(3), Pos(1000)).await.unwrap().last().unwrap().pos, Pos(before.0 + 2));

        let trail = audit::list(db, None, 50).await.unwrap();
        assert!(trail.iter().all(|entry| entry.kind != "room.trimmed"), "nobody did that");
    }

    /// The newest entry of a quiet log goes with its message.
    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn the_position_of_a_deleted_entry_is_not_given_to_another(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 3, 3, 40).await;
        let before = scene.head().await;
        assert_eq!(scene.trim(39, 10).await, (3, Some(Pos(before.0 + 1))));
        assert_eq!((scene.head().await, scene.page().await), (Pos(before.0 + 1), (Seq(4), Seq(3), vec![])));

        sqlx::query("delete from log where pos = $1").bind(before.0 + 1).execute(&scene.db).await.unwrap();
        assert_eq!(scene.head().await, Pos(before.0 + 1));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_message_that_expires_early_leaves_a_receipt_for_thirty_days(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 3, 2, 5).await;
        let db = &scene.db;
        let rows = scene.rows().await;
        assert_eq!(scene.trim(2, 10).await.0, 2);
        assert_eq!(scene.page().await, (Seq(3), Seq(3), vec![3]));
        assert_eq!(scene.rows().await, (rows.0, rows.1 + 1, 1), "without the bodies");

        let again = log::append_messages(db, &scene.said).await.unwrap();
        let seqs: Vec<_> = again
            .iter()
            .map(|outcome| match outcome {
                Ok(Posted::Duplicate(message)) => (message.seq.0, message.body.is_some()),
                other => panic!("posted twice: {other:?}"),
            })
            .collect();
        assert_eq!(seqs, [(1, false), (2, false), (3, true)]);
        let events = log::read(db, Pos(0), scene.head().await).await.unwrap();
        let posted = events.iter().filter(|event| event.kind == "message.posted" && event.told.is_some());
        assert_eq!(posted.count(), 1, "a receipt is not replayed");

        scene.age(1, 26).await;
        assert_eq!(rooms_to_trim(db, None).await.unwrap(), [scene.room], "receipts go whatever the retention");
        assert_eq!(scene.trim(0, 10).await, (1, None));
        assert_eq!(scene.rows().await, (rows.0 - 1, rows.1, 1));
        assert!(rooms_to_trim(db, None).await.unwrap().is_empty());
        let again = log::append_messages(db, &scene.said[..1]).await.unwrap();
        assert!(matches!(&again[..], [Ok(Posted::Accepted(message))] if message.seq == Seq(4)));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn edits_go_with_their_message_and_the_audit_trail_stays(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 4, 0, 0).await;
        let (db, ali) = (&scene.db, UserId::new());
        users::create(db, ali, "ali", "hash", Role::User).await.unwrap();
        let author = Author { id: ali, username: "ali".into() };
        let message = NewMessage { id: MessageId::new(), client_id: ClientId::new(), author, ..scene.said[0].clone() };
        log::append_messages(db, std::slice::from_ref(&message)).await.unwrap();
        messages::edit(db, scene.said[0].id, scene.admin, "edited", None).await.unwrap().unwrap();
        messages::delete(db, scene.said[1].id, scene.admin).await.unwrap().unwrap();
        messages::delete(db, message.id, scene.admin).await.unwrap().unwrap();
        scene.age(5, 40).await;
        assert_eq!(scene.trim(30, 10).await.0, 5);
        assert_eq!(scene.page().await, (Seq(6), Seq(5), vec![]));
        let kinds: Vec<String> =
            sqlx::query_scalar("select kind::text from log where pos > 2 order by pos").fetch_all(db).await.unwrap();
        assert_eq!(kinds, ["message.deleted", "room.trimmed"]);
        let trail = audit::list(db, None, 50).await.unwrap();
        let deleted: Vec<_> = trail.iter().filter(|entry| entry.kind == "message.deleted").collect();
        assert!(matches!(&deleted[..], [entry] if entry.message_id == Some(message.id)), "of somebody else");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_rooms_own_retention_overrides_the_default(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 2, 2, 40).await;
        let (db, admin, short) = (&scene.db, scene.admin, scene.room);
        rooms::set_retention(db, short, admin, Some(0)).await.unwrap().unwrap();
        assert!(rooms_to_trim(db, Some(39)).await.unwrap().is_empty());
        assert_eq!(scene.trim(39, 10).await, (0, None), "checked again under the lock");
        rooms::set_retention(db, short, admin, Some(1)).await.unwrap().unwrap();
        assert_eq!(rooms_to_trim(db, Some(39)).await.unwrap(), [short]);
        assert_eq!(rooms_to_trim(db, None).await.unwrap(), [short]);
        let again = rooms::set_retention(db, short, admin, Some(1)).await.unwrap();
        assert_eq!(again, Ok(None));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn an_archived_room_is_trimmed_silently(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 2, 2, 40).await;
        let db = &scene.db;
        rooms::set_archived(db, scene.room, scene.admin, true).await.unwrap().unwrap();
        let last = scene.trim(39, 2).await.1.expect("a position");
        let events = log::read(db, last.previous(), last).await.unwrap();
        let silent = |event: &Event| event.told.is_none() && matches!(event.effect, Effect::Trimmed { .. });
        assert!(matches!(&events[..], [event] if silent(event)), "{events:?}");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn the_previous_release_continues_where_a_trim_ended(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 6, 4, 40).await;
        let db = &scene.db;
        assert_eq!(scene.trim(30, 2).await.0, 2);
        let due = "select room from rooms_with_expired(30) as room";
        assert_eq!(sqlx::query_scalar::<_, RoomId>(due).fetch_all(db).await.unwrap(), [scene.room]);
        let passed: i64 = sqlx::query_scalar("select passed from expire_messages($1, 30, 1)")
            .bind(scene.room)
            .fetch_one(db)
            .await
            .unwrap();
        assert_eq!(passed, 1);
        assert_eq!(scene.page().await, (Seq(3), Seq(6), vec![3, 4, 5, 6]), "a tombstone");
        assert_eq!(scene.trim(30, 10).await.0, 2);
        assert_eq!(scene.page().await, (Seq(5), Seq(6), vec![5, 6]));
        let deleted: i64 =
            sqlx::query_scalar("select count(*) from log where kind = 'message.deleted'").fetch_one(db).await.unwrap();
        assert_eq!(deleted, 1, "it is later in the log than the next message");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn the_log_keeps_the_newest_trim_of_each_room(pool: sqlx::PgPool) {
        let scene = Scene::with(pool, 6, 6, 40).await;
        let db = &scene.db;
        for _ in 0..3 {
            scene.trim(30, 2).await;
        }
        let trims = async || -> i64 {
            sqlx::query_scalar("select count(*) from log where kind = 'room.trimmed'").fetch_one(db).await.unwrap()
        };
        let walk = async || {
            let mut next = Some(Pos(0));
            while let Some(after) = next {
                next = remove_superseded(db, after, 2).await.unwrap();
            }
        };
        walk().await;
        assert_eq!(trims().await, 3, "an instance of the previous release may still read them");
        sqlx::query("update log set at = at - interval '25 hours'").execute(db).await.unwrap();
        walk().await;
        assert_eq!(trims().await, 1);
        let head = scene.head().await;
        let last = log::read(db, head.previous(), head).await.unwrap().pop().unwrap();
        assert_eq!(last.effect, Effect::Trimmed { room: scene.room, first_seq: Seq(7) });
    }
}

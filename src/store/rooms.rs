//! Rooms. They are changed only by the functions of `migrations/0003_changes.sql`, which append to the log and check
//! again that the actor is an admin. [`super::room_list`] lists them.

use sqlx::FromRow;
use time::OffsetDateTime;

use super::Db;
use crate::event::{Online, Room};
use crate::id::{RoomId, Seq, UserId};
use crate::input::{name_key, slug};
use crate::outcome::Outcome;

/// Constraint that is violated if an active room already has the name.
pub const NAME_IN_USE: &str = "rooms_active_name_key";

/// Returns the room, archived or not.
pub async fn find(db: &Db, id: RoomId) -> sqlx::Result<Option<Room>> {
    Ok(find_all(db, &[id]).await?.pop())
}

/// Returns those of these rooms that exist, archived or not, in no particular order.
pub async fn find_all(db: &Db, ids: &[RoomId]) -> sqlx::Result<Vec<Room>> {
    let rows = sqlx::query_as::<_, RoomRow>(
        "select id, name, topic, is_archived, created_at, head_seq, retention_days, landing, indexable
         from rooms where id = any($1)",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Room::from).collect())
}

/// Creates a room.
///
/// # Errors
///
/// [`NAME_IN_USE`] is violated if the name is taken.
pub async fn create(db: &Db, id: RoomId, actor: UserId, name: &str) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from create_room($1, $2, $3, $4)");
    super::outcome(query.bind(id).bind(actor).bind(name).bind(name_key(name)).fetch_one(db).await?, "room")
}

/// Renames a room.
///
/// # Errors
///
/// [`NAME_IN_USE`] is violated if the name is taken.
pub async fn rename(db: &Db, id: RoomId, actor: UserId, name: &str) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from rename_room($1, $2, $3, $4)");
    super::outcome(query.bind(id).bind(actor).bind(name).bind(name_key(name)).fetch_one(db).await?, "room")
}

/// Sets the number of days after which the room's messages are deleted: 0 never, `None` the server's default.
pub async fn set_retention(db: &Db, id: RoomId, actor: UserId, days: Option<i32>) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_retention($1, $2, $3)");
    super::outcome(query.bind(id).bind(actor).bind(days).fetch_one(db).await?, "room")
}

/// Sets the room's topic; empty for none.
pub async fn set_topic(db: &Db, id: RoomId, actor: UserId, topic: &str) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_room_topic($1, $2, $3)");
    super::outcome(query.bind(id).bind(actor).bind(topic).fetch_one(db).await?, "room")
}

/// Makes the room the landing room, instead of another one.
pub async fn set_landing(db: &Db, id: RoomId, actor: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_landing_room($1, $2)");
    super::outcome(query.bind(id).bind(actor).fetch_one(db).await?, "room")
}

/// Returns whether some room is the landing room.
pub async fn has_landing(db: &Db) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from rooms where landing)").fetch_one(db).await
}

/// Sets whether search engines may list the room.
pub async fn set_indexable(db: &Db, id: RoomId, actor: UserId, indexable: bool) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_room_indexable($1, $2, $3)");
    super::outcome(query.bind(id).bind(actor).bind(indexable).fetch_one(db).await?, "room")
}

/// Archives or restores a room.
///
/// # Errors
///
/// [`NAME_IN_USE`] is violated if another room took the name in the meantime.
pub async fn set_archived(db: &Db, id: RoomId, actor: UserId, archived: bool) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_room_archived($1, $2, $3)");
    super::outcome(query.bind(id).bind(actor).bind(archived).fetch_one(db).await?, "room")
}

/// Updates the keys of rooms named by an earlier release to those of today's [`name_key`], and returns the number of
/// updated keys. Of two active rooms with indistinguishable names, the second keeps its old key.
pub async fn renew_name_keys(db: &Db) -> sqlx::Result<u64> {
    // The key of an ASCII name has always been its lower case.
    let named: Vec<(RoomId, String, String)> =
        sqlx::query_as("select id, name, name_key from rooms where name ~ '[^ -~]' order by created_at, id")
            .fetch_all(db)
            .await?;
    let mut renewed = 0;
    for (id, name, stored_key) in named {
        let key = name_key(&name);
        if key == stored_key {
            continue;
        }
        let update = sqlx::query("update rooms set name_key = $3 where id = $1 and name = $2")
            .bind(id)
            .bind(&name)
            .bind(key)
            .execute(db)
            .await;
        match update {
            Ok(updated) => renewed += updated.rows_affected(),
            Err(error) if super::violates(&error, NAME_IN_USE) => {
                tracing::warn!(room = %id, "another active room has a name that looks the same; keeping both names");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(renewed)
}

/// A row of `rooms`.
#[derive(FromRow)]
pub(super) struct RoomRow {
    id: RoomId,
    name: String,
    topic: String,
    is_archived: bool,
    created_at: OffsetDateTime,
    head_seq: Seq,
    retention_days: Option<i32>,
    landing: bool,
    indexable: bool,
}

impl From<RoomRow> for Room {
    fn from(row: RoomRow) -> Self {
        Self {
            id: row.id,
            slug: slug(&row.name),
            name: row.name,
            topic: row.topic,
            is_archived: row.is_archived,
            created_at: row.created_at,
            head_seq: row.head_seq,
            retention_days: row.retention_days,
            landing: row.landing,
            indexable: row.indexable,
            online: Online::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Pos;
    use crate::outcome::Refusal;
    use crate::store::room_list::{Selection, page};

    async fn user(db: &Db, username: &str, role: &str) -> UserId {
        let id = UserId::new();
        sqlx::query("insert into users (id, username, password_hash, role) values ($1, $2, '', $3)")
            .bind(id)
            .bind(username)
            .bind(role)
            .execute(db)
            .await
            .expect("a user");
        id
    }

    async fn names(db: &Db, archived: bool) -> (Pos, Vec<String>) {
        let list = page(db, Selection { archived, part: "", after: None, limit: 100 }).await.expect("a list");
        (list.pos, list.rooms.into_iter().map(|room| room.name).collect())
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn creating_renaming_archiving_and_restoring_each_take_a_position(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = user(&db, "admin", "admin").await;
        let room = RoomId::new();
        assert_eq!(names(&db, false).await, (Pos(0), vec![]));

        let created = create(&db, room, admin, "general").await.expect("created");
        assert_eq!(created, Ok(Some(Pos(1))));
        let renamed = rename(&db, room, admin, "General").await.expect("renamed");
        assert_eq!(renamed, Ok(Some(Pos(2))));
        let same = rename(&db, room, admin, "General").await.expect("nothing to do");
        assert_eq!(same, Ok(None));

        let archived = set_archived(&db, room, admin, true).await.expect("archived");
        assert_eq!(archived, Ok(Some(Pos(3))));
        assert_eq!(names(&db, false).await, (Pos(3), vec![]));
        assert_eq!(names(&db, true).await, (Pos(3), vec!["General".to_owned()]));
        assert!(find(&db, room).await.expect("found").expect("there").is_archived);

        let restored = set_archived(&db, room, admin, false).await.expect("restored");
        assert_eq!(restored, Ok(Some(Pos(4))));
        let again = set_archived(&db, room, admin, false).await.expect("nothing to do");
        assert_eq!(again, Ok(None));
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn active_rooms_never_share_a_name_whatever_its_case(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = user(&db, "admin", "admin").await;
        let (first, second) = (RoomId::new(), RoomId::new());
        create(&db, first, admin, "garden").await.expect("created").unwrap();
        let in_use = |result: sqlx::Result<Outcome>| {
            let error = result.expect_err("the name is in use");
            assert_eq!(error.as_database_error().and_then(|error| error.constraint()), Some(NAME_IN_USE));
        };
        in_use(create(&db, second, admin, "GARDEN").await);

        set_archived(&db, first, admin, true).await.expect("archived").unwrap();
        create(&db, second, admin, "Garden").await.expect("the name is free").unwrap();
        in_use(set_archived(&db, first, admin, false).await);
        assert_eq!(names(&db, false).await.0, Pos(3), "a refused change takes no position");
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn active_rooms_never_share_a_name_that_looks_the_same(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = user(&db, "admin", "admin").await;
        for (taken, look_alike) in [
            ("Café", "CAFE\u{301}"),
            ("General", "Generаl"),
            ("Straße", "STRASSE"),
            ("Tea", "Ｔｅａ"),
            ("Team", "Te\u{200b}am"),
        ] {
            create(&db, RoomId::new(), admin, taken).await.expect("created").unwrap();
            let refused = create(&db, RoomId::new(), admin, look_alike).await.expect_err("the name is in use");
            assert!(crate::store::violates(&refused, NAME_IN_USE), "{look_alike:?}: {refused}");
        }
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn rooms_of_an_earlier_release_get_current_keys_and_none_is_lost(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let admin = user(&db, "admin", "admin").await;
        for (name, key) in [("Straße", "straße"), ("STRASSE", "strasse"), ("Кафе", "кафе"), ("plain", "plain")]
        {
            sqlx::query("select create_room($1, $2, $3, $4)")
                .bind(RoomId::new())
                .bind(admin)
                .bind(name)
                .bind(key)
                .execute(&db)
                .await
                .expect("created as the release before does");
        }
        let (_, before) = names(&db, false).await;
        assert_eq!(renew_name_keys(&db).await.expect("renewed"), 1, "Кафе; Straße is taken by STRASSE");
        assert_eq!(names(&db, false).await.1, before);
        let refused = create(&db, RoomId::new(), admin, "КАФЕ").await.expect_err("the name is in use");
        assert!(crate::store::violates(&refused, NAME_IN_USE));
        assert_eq!(renew_name_keys(&db).await.expect("nothing to do"), 0);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn a_topic_is_logged_once_with_its_old_and_new_text(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (user(&db, "admin", "admin").await, user(&db, "ali", "user").await);
        let room = RoomId::new();
        create(&db, room, admin, "general").await.expect("an answer").expect("created");
        for (id, by, topic, outcome) in [
            (room, admin, "Help", Ok(Some(Pos(2)))),
            (room, admin, "Help", Ok(None)),
            (room, ali, "Mine", Err(Refusal::NotAdmin)),
            (RoomId::new(), admin, "x", Err(Refusal::Unknown("room"))),
        ] {
            assert_eq!(set_topic(&db, id, by, topic).await.expect("an answer"), outcome);
        }
        assert_eq!(find(&db, room).await.expect("found").expect("there").topic, "Help");
        let detail: serde_json::Value =
            sqlx::query_scalar("select detail from log where pos = 2").fetch_one(&db).await.expect("the entry");
        assert_eq!(detail, serde_json::json!({"from": "", "to": "Help"}));
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn the_landing_room_moves_and_is_never_two(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (user(&db, "admin", "admin").await, user(&db, "ali", "user").await);
        let [first, second] = [RoomId::new(), RoomId::new()];
        for (room, name) in [(first, "Lounge"), (second, "Garden")] {
            create(&db, room, admin, name).await.expect("an answer").expect("created");
        }
        for (id, by, outcome) in [
            (first, admin, Ok(Some(Pos(3)))),
            (first, admin, Ok(None)),
            (second, ali, Err(Refusal::NotAdmin)),
            (RoomId::new(), admin, Err(Refusal::Unknown("room"))),
            (second, admin, Ok(Some(Pos(4)))),
        ] {
            assert_eq!(set_landing(&db, id, by).await.expect("an answer"), outcome);
        }
        set_archived(&db, first, admin, true).await.expect("an answer").expect("archived");
        assert_eq!(set_landing(&db, first, admin).await.expect("an answer"), Err(Refusal::Archived));
        let rooms = find_all(&db, &[first, second]).await.expect("rooms");
        let landing: Vec<_> = rooms.iter().filter(|room| room.landing).map(|room| room.id).collect();
        assert_eq!(landing, [second]);
        let details: Vec<serde_json::Value> =
            sqlx::query_scalar("select detail from log where kind = 'room.landing_set' order by pos")
                .fetch_all(&db)
                .await
                .expect("entries");
        let detail = |name: &str, from: Option<&str>| serde_json::json!({"name": name, "from": from});
        assert_eq!(details, [detail("Lounge", None), detail("Garden", Some("Lounge"))]);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn only_admins_change_rooms_and_only_existing_ones(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (user(&db, "admin", "admin").await, user(&db, "ali", "user").await);
        let room = RoomId::new();
        assert_eq!(create(&db, room, ali, "mine").await.expect("an answer"), Err(Refusal::NotAdmin));
        assert_eq!(rename(&db, room, admin, "x").await.expect("an answer"), Err(Refusal::Unknown("room")));
        assert_eq!(set_archived(&db, room, admin, true).await.expect("an answer"), Err(Refusal::Unknown("room")));
        assert!(find(&db, room).await.expect("an answer").is_none());
    }
}

//! Marks and unread counts in a room that several users post in.

use std::sync::Arc;

use super::*;
use crate::event::{Author, Role};
use crate::id::{ClientId, MessageId};
use crate::outcome::{Posted, Refusal};
use crate::post::NewMessage;
use crate::store::{erasure, log, messages, rooms, users};

/// An admin and a user who joined before anything was posted, and two rooms.
struct Scene {
    db: Db,
    admin: UserId,
    ali: UserId,
    room: RoomId,
    other: RoomId,
}

impl Scene {
    async fn set(pool: sqlx::PgPool) -> Self {
        let db = Db::from(pool);
        let (admin, ali, room, other) = (UserId::new(), UserId::new(), RoomId::new(), RoomId::new());
        users::create(&db, admin, "admin", "hash", Role::Admin).await.unwrap();
        users::create(&db, ali, "ali", "hash", Role::User).await.unwrap();
        for (room, name) in [(room, "general"), (other, "other")] {
            rooms::create(&db, room, admin, name).await.unwrap().unwrap();
        }
        Self { db, admin, ali, room, other }
    }

    async fn post(&self, author: UserId, count: usize) -> Vec<MessageId> {
        self.post_in(self.room, author, count).await
    }

    async fn post_in(&self, room_id: RoomId, author: UserId, count: usize) -> Vec<MessageId> {
        let new = |_| NewMessage {
            id: MessageId::new(),
            room_id,
            author: Author { id: author, username: "author".into() },
            client_id: ClientId::new(),
            body: Arc::from("words"),
            reply_to: None,
            mentions: Vec::new(),
            audience: None,
        };
        let batch: Vec<NewMessage> = (0..count).map(new).collect();
        for outcome in log::append_messages(&self.db, &batch).await.unwrap() {
            assert!(matches!(outcome, Ok(Posted::Accepted(_))), "{outcome:?}");
        }
        batch.iter().map(|message| message.id).collect()
    }

    /// Sets one mark and returns the position of its event, if it has one.
    async fn change(&self, user: UserId, room: RoomId, change: Change) -> Outcome {
        let mut outcomes = set(&self.db, &[NewMark { user, room, change }]).await.unwrap();
        outcomes.remove(0).map(|event| event.map(|event| event.pos))
    }

    async fn read(&self, seq: i64, is_forced: bool) -> bool {
        let change = Change::Read { seq: Seq(seq), is_forced };
        self.change(self.ali, self.room, change).await.unwrap().is_some()
    }

    async fn membership(&self, user: UserId) -> Membership {
        let rooms = rooms::find_all(&self.db, &[self.room, self.other]).await.unwrap();
        let memberships = of_rooms(&self.db, user, &rooms).await.unwrap();
        assert_eq!(memberships.len(), 2);
        memberships[&self.room]
    }

    async fn counts(&self) -> (i64, i64) {
        let membership = self.membership(self.ali).await;
        (membership.read_seq.0, membership.unread)
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_mark_moves_forward_only_unless_forced_and_never_beyond_the_newest_message(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    scene.post(scene.admin, 10).await;
    assert_eq!(scene.counts().await, (0, 10));
    for (seq, is_forced, is_changed, expected) in [
        (0, false, false, (0, 10)),
        (4, false, true, (4, 6)),
        (4, false, false, (4, 6)),
        (3, false, false, (4, 6)),
        (3, true, true, (3, 7)),
        (3, true, false, (3, 7)),
        (9_000, false, true, (10, 0)),
        (i64::MAX, true, false, (10, 0)),
        (0, true, true, (0, 10)),
    ] {
        assert_eq!(scene.read(seq, is_forced).await, is_changed, "{seq}, forced {is_forced}");
        assert_eq!(scene.counts().await, expected, "{seq}, forced {is_forced}");
    }
    let head = log::head(&scene.db).await.unwrap().pos;
    assert_eq!(head, Pos(13 + 4), "an unchanged mark takes no position");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn own_deleted_and_expired_messages_do_not_count(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    let posted = scene.post(scene.admin, 6).await;
    scene.post(scene.ali, 3).await;
    assert_eq!(scene.counts().await, (0, 6));
    messages::delete(&scene.db, posted[5], scene.admin).await.unwrap().unwrap();
    assert_eq!(scene.counts().await, (0, 5));
    for change in [
        "update messages set created_at = now() - interval '3 days' where seq <= 2",
        "select expire_messages(id, 1, 100) from rooms",
    ] {
        sqlx::query(change).execute(&scene.db).await.unwrap();
    }
    assert_eq!(scene.counts().await, (0, 3));
    assert!(scene.read(3, false).await);
    assert_eq!(scene.counts().await, (3, 2));
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_new_member_has_read_everything_up_to_joining(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    let zoe = UserId::new();
    scene.post(scene.admin, 5).await;
    users::create(&scene.db, zoe, "zoe", "hash", Role::User).await.unwrap();
    let at_first = scene.membership(zoe).await;
    assert_eq!((at_first.read_seq, at_first.unread, at_first.level), (Seq(5), 0, Level::Mentions));
    scene.post(scene.admin, 2).await;
    let later = scene.membership(zoe).await;
    assert_eq!((later.read_seq, later.unread), (Seq(5), 2));

    let set_level = Change::Level(Level::None);
    assert!(scene.change(zoe, scene.room, set_level).await.unwrap().is_some());
    assert_eq!(scene.change(zoe, scene.room, set_level).await, Ok(None));
    let silenced = scene.membership(zoe).await;
    assert_eq!((silenced.read_seq, silenced.unread, silenced.level), (Seq(5), 2, Level::None));
    let read = Change::Read { seq: Seq(6), is_forced: false };
    assert!(scene.change(zoe, scene.room, read).await.unwrap().is_some());
    let read = scene.membership(zoe).await;
    assert_eq!((read.read_seq, read.unread, read.level), (Seq(6), 1, Level::None));
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn counts_end_at_a_thousand_and_deleted_messages_in_between_do_not_hide_new_ones(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    for _ in 0..5 {
        scene.post(scene.admin, 500).await;
    }
    assert_eq!(scene.counts().await, (1_500, 1_000));
    assert!(scene.read(1_501, false).await);
    assert_eq!(scene.counts().await, (1_501, 999));
    assert!(scene.read(0, true).await);
    let delete = "update messages set body = null, deleted_at = now() where seq <= $1";
    for (upto, unread) in [(1_000, 1_000), (2_400, 100), (2_500, 0)] {
        sqlx::query(delete).bind(upto).execute(&scene.db).await.unwrap();
        assert_eq!(scene.counts().await, (0, unread), "deleted up to {upto}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn only_the_rooms_with_the_fewest_messages_are_counted_one_by_one(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    let mut all = vec![scene.room, scene.other];
    for n in 0..4 {
        let room = RoomId::new();
        rooms::create(&scene.db, room, scene.admin, &format!("room {n}")).await.unwrap().unwrap();
        all.push(room);
    }
    for (room, own) in all.iter().zip([100, 200, 300, 0, 0, 0]) {
        scene.post_in(*room, scene.admin, 300).await;
        scene.post_in(*room, scene.ali, own).await;
        scene.post_in(*room, scene.admin, 300).await;
    }
    let rooms = rooms::find_all(&scene.db, &all).await.unwrap();
    let memberships = of_rooms(&scene.db, scene.ali, &rooms).await.unwrap();
    // 3 of 600 messages and none of 700 or more fit in 2,000: the estimate sees others' messages only.
    let unread: Vec<i64> = all.iter().map(|room| memberships[room].unread).collect();
    assert_eq!(unread, [700, 800, 900, 600, 600, 600]);
    let alone = of_rooms(&scene.db, scene.ali, &rooms::find_all(&scene.db, &all[2..3]).await.unwrap()).await.unwrap();
    assert_eq!(alone[&all[2]].unread, 600);
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_room_that_was_never_opened_has_at_most_a_thousand_unread_messages(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    for (posted, expected) in [(700, (0, 700)), (300, (0, 1_000)), (5, (5, 1_000)), (700, (705, 1_000))] {
        scene.post(scene.admin, posted).await;
        assert_eq!(scene.counts().await, expected);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn live_and_replayed_events_are_equal_and_name_no_room_in_the_log(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    scene.post(scene.admin, 3).await;
    let before = log::head(&scene.db).await.unwrap().pos;
    let mark = |seq, is_forced| NewMark {
        user: scene.ali,
        room: scene.room,
        change: Change::Read { seq: Seq(seq), is_forced },
    };
    let batch = [mark(2, false), mark(2, false), mark(1, true)];
    let outcomes = set(&scene.db, &batch).await.unwrap();
    let events: Vec<Event> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(events.len(), 2);
    // Later messages do not change the counts of earlier events.
    scene.post(scene.admin, 1).await;
    assert_eq!(log::read(&scene.db, before, Pos(before.0 + 2)).await.unwrap(), events);
    let told = events[1].told.as_ref().unwrap().data.get();
    let room = scene.room;
    let expected = format!(r#"{{"room_id":"{room}","read_seq":1,"unread":2,"mentions":0,"level":"mentions"}}"#);
    assert_eq!(told, expected);
    let rooms: i64 = sqlx::query_scalar("select count(room_id) from log where kind = 'room.read'")
        .fetch_one(&scene.db)
        .await
        .unwrap();
    assert_eq!(rooms, 0, "a room's readers would replay the marks of all others");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn marks_of_the_banned_and_in_rooms_that_are_hidden_are_refused(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    scene.post(scene.admin, 1).await;
    let read = Change::Read { seq: Seq(1), is_forced: false };
    let unknown = Err(Refusal::Unknown("room"));
    assert_eq!(scene.change(scene.ali, RoomId::new(), read).await, unknown);
    rooms::set_archived(&scene.db, scene.room, scene.admin, true).await.unwrap().unwrap();
    assert_eq!(scene.change(scene.ali, scene.room, read).await, unknown);
    assert_eq!(scene.change(scene.ali, scene.room, Change::Level(Level::All)).await, unknown);
    let by_admin = scene.change(scene.admin, scene.room, Change::Level(Level::All)).await;
    assert!(matches!(by_admin, Ok(Some(_))), "{by_admin:?}");
    users::set_ban(&scene.db, scene.ali, scene.admin, true, None).await.unwrap().unwrap();
    assert_eq!(scene.change(scene.ali, scene.other, read).await, Err(Refusal::Banned));
    assert_eq!(scene.change(UserId::new(), scene.other, read).await, Err(Refusal::UnknownAuthor));
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn nothing_is_left_of_what_an_erased_user_read(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    scene.post(scene.admin, 3).await;
    for seq in 1..=3 {
        assert!(scene.read(seq, false).await);
    }
    let by_admin = scene.change(scene.admin, scene.room, Change::Level(Level::All)).await;
    assert!(by_admin.is_ok());
    users::erase(&scene.db, scene.ali, scene.admin).await.unwrap().unwrap();
    let mut erased = erasure::ErasedMessages::of(scene.ali);
    while erased.forget_some(&scene.db).await.unwrap() != erasure::Progress::Done {}
    let left: (i64, i64) = sqlx::query_as(
        "select (select count(*) from read_marks), (select count(detail) from log where kind = 'room.read')",
    )
    .fetch_one(&scene.db)
    .await
    .unwrap();
    assert_eq!(left, (1, 1), "the admin's");
    let head = log::head(&scene.db).await.unwrap().pos;
    let events = log::read(&scene.db, Pos(0), head).await.unwrap();
    let told = events.iter().filter(|event| event.kind == "room.read" && event.told.is_some()).count();
    assert_eq!((told, events.len()), (1, usize::try_from(head.0).unwrap()));
}

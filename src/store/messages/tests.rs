//! Pages, edits and deletions.

use super::*;
use crate::outcome::{Posted, Refusal};
use crate::post::NewMessage;
use crate::store::log::append_messages;

/// A room in which `ali` posted "1", "2", "3" and so on.
struct Room {
    db: Db,
    id: RoomId,
    ali: UserId,
}

impl Room {
    async fn with(db: Db, messages: usize) -> Self {
        let (id, ali) = (RoomId::new(), UserId::new());
        sqlx::query("insert into users (id, username, password_hash) values ($1, 'ali', '')")
            .bind(ali)
            .execute(&db)
            .await
            .expect("a user");
        sqlx::query("insert into rooms (id, name, name_key, created_at) values ($1, 'general', 'general', now())")
            .bind(id)
            .execute(&db)
            .await
            .expect("a room");
        let room = Self { db, id, ali };
        room.post(messages).await;
        room
    }

    async fn post(&self, messages: usize) {
        let batch: Vec<NewMessage> = (1..=messages)
            .map(|n| NewMessage {
                id: MessageId::new(),
                room_id: self.id,
                author: Author { id: self.ali, username: "ali".into() },
                client_id: ClientId::new(),
                body: n.to_string().into(),
                reply_to: None,
                mentions: Vec::new(),
                audience: None,
            })
            .collect();
        for outcome in append_messages(&self.db, &batch).await.expect("a batch") {
            assert!(matches!(outcome, Ok(Posted::Accepted(_))));
        }
    }

    async fn page(&self, before: Option<i64>, after: Option<i64>, limit: i64) -> Page {
        let range = Range { before: before.map(Seq), after: after.map(Seq), around: None, limit };
        page(&self.db, self.id, range, None).await.expect("a page").expect("the room")
    }

    async fn newest(&self) -> MessageId {
        self.page(None, None, 1).await.messages[0].id
    }
}

/// A former version of a row cannot be removed during a dump, and every later post would walk over it.
#[sqlx::test(migrations = "./migrations")]
async fn posts_leave_no_former_versions_of_the_heads(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db.clone(), 0).await;
    let versions = async || -> (String, String) {
        let versions = "select (select h.ctid::text from stored_log_head h), (select r.ctid::text from stored_rooms r)";
        sqlx::query_as(versions).fetch_one(&db).await.expect("both rows")
    };
    let before = versions().await;
    room.post(3).await;
    room.post(2).await;
    edit(&db, room.newest().await, room.ali, "changed", None).await.expect("an answer").expect("an edit");
    assert_eq!(versions().await, before);
    let page = room.page(None, None, 1).await;
    assert_eq!((page.pos, page.head_seq), (Pos(6), Seq(5)));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_page_around_a_seq_has_half_before_it_and_half_from_it_on(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db, 10).await;
    for (around, limit, expected) in [
        (5, 4, vec![3, 4, 5, 6]),
        (5, 5, vec![3, 4, 5, 6, 7]),
        (5, 1, vec![5]),
        (1, 6, vec![1, 2, 3]),
        (0, 6, vec![1, 2, 3]),
        (10, 6, vec![7, 8, 9, 10]),
        (11, 6, vec![8, 9, 10]),
        (9_000, 4, vec![9, 10]),
    ] {
        let range = Range { before: None, after: None, around: Some(Seq(around)), limit };
        let page = page(&room.db, room.id, range, None).await.expect("a page").expect("the room");
        assert_eq!(seqs(&page), expected, "around {around}, {limit}");
        assert_eq!((page.pos, page.head_seq), (Pos(10), Seq(10)));
    }
}

fn seqs(page: &Page) -> Vec<i64> {
    page.messages.iter().map(|message| message.seq.0).collect()
}

#[sqlx::test(migrations = "./migrations")]
async fn a_page_holds_the_newest_messages_or_those_next_to_a_seq_in_ascending_order(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db, 10).await;
    for (before, after, limit, expected) in [
        (None, None, 3, vec![8, 9, 10]),
        (Some(8), None, 3, vec![5, 6, 7]),
        (Some(1), None, 3, vec![]),
        (None, Some(0), 3, vec![1, 2, 3]),
        (None, Some(8), 3, vec![9, 10]),
        (None, Some(10), 3, vec![]),
        (Some(6), Some(2), 2, vec![3, 4]),
        (None, None, 200, (1..=10).collect()),
    ] {
        let page = room.page(before, after, limit).await;
        assert_eq!(seqs(&page), expected, "before {before:?} after {after:?}");
        assert_eq!((page.pos, page.head_seq), (Pos(10), Seq(10)));
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn an_empty_room_has_an_empty_page_and_an_unknown_room_has_none(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db, 0).await;
    let page = room.page(None, None, 50).await;
    assert_eq!((page.pos, page.head_seq, page.messages.len()), (Pos(0), Seq(0), 0));
    let range = Range { before: None, after: None, around: None, limit: 50 };
    assert!(super::page(&room.db, RoomId::new(), range, None).await.expect("an answer").is_none());
}

#[sqlx::test(migrations = "./migrations")]
async fn an_edit_takes_one_position_and_a_deletion_removes_the_body(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db, 1).await;
    let id = room.newest().await;

    let edited = edit(&room.db, id, room.ali, "one", None).await.expect("edited");
    assert_eq!(edited, Ok(Some(Pos(2))));
    let same = edit(&room.db, id, room.ali, "one", None).await.expect("nothing to do");
    assert_eq!(same, Ok(None));
    let message = find(&room.db, id, None).await.expect("an answer").expect("the message");
    assert_eq!((message.body.as_deref(), message.pos), (Some("one"), Pos(1)));
    assert!(message.edited_at.is_some());

    let deleted = delete(&room.db, id, room.ali).await.expect("deleted");
    assert_eq!(deleted, Ok(Some(Pos(3))));
    let again = delete(&room.db, id, room.ali).await.expect("nothing to do");
    assert_eq!(again, Ok(None));
    let message = find(&room.db, id, None).await.expect("an answer").expect("its place");
    assert_eq!((message.body, message.seq), (None, Seq(1)));
    assert_eq!(edit(&room.db, id, room.ali, "two", None).await.expect("an answer"), Err(Refusal::Deleted));
}

#[sqlx::test(migrations = "./migrations")]
async fn a_change_that_is_not_allowed_is_refused_with_its_reason(pool: sqlx::PgPool) {
    let db = Db::from(pool);
    let room = Room::with(db, 1).await;
    let id = room.newest().await;
    let stranger = UserId::new();
    sqlx::query("insert into users (id, username, password_hash) values ($1, 'zoe', '')")
        .bind(stranger)
        .execute(&room.db)
        .await
        .expect("a user");
    assert_eq!(edit(&room.db, id, stranger, "x", None).await.expect("an answer"), Err(Refusal::NotAuthor));
    assert_eq!(delete(&room.db, id, stranger).await.expect("an answer"), Err(Refusal::NotAuthor));
    assert_eq!(
        delete(&room.db, MessageId::new(), room.ali).await.expect("an answer"),
        Err(Refusal::Unknown("message"))
    );

    for (state, refusal) in [
        ("update users set muted_until = now() + interval '1 hour'", Refusal::Muted),
        ("update rooms set is_archived = true", Refusal::Archived),
        ("update users set banned_at = now()", Refusal::Banned),
    ] {
        sqlx::raw_sql(state).execute(&room.db).await.expect("a state");
        assert_eq!(edit(&room.db, id, room.ali, "x", None).await.expect("an answer"), Err(refusal), "{state}");
    }
}

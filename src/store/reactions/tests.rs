//! Counts of a message's reactions, as the database keeps them.

use std::sync::Arc;

use super::*;
use crate::event::{Author, Message, Role};
use crate::id::ClientId;
use crate::outcome::{Posted, Refusal};
use crate::post::NewMessage;
use crate::store::{log, messages, rooms, users};

/// A room with one message of ali.
struct Scene {
    db: Db,
    admin: UserId,
    ali: UserId,
    message: MessageId,
}

impl Scene {
    async fn set(pool: sqlx::PgPool) -> Self {
        let db = Db::from(pool);
        let (admin, ali, room_id, id) = (UserId::new(), UserId::new(), RoomId::new(), MessageId::new());
        users::create(&db, admin, "admin", "hash", Role::Admin).await.unwrap();
        users::create(&db, ali, "ali", "hash", Role::User).await.unwrap();
        rooms::create(&db, room_id, admin, "general").await.unwrap().unwrap();
        let author = Author { id: ali, username: "ali".into() };
        let new = NewMessage {
            id,
            room_id,
            author,
            client_id: ClientId::new(),
            body: Arc::from("words"),
            reply_to: None,
            mentions: Vec::new(),
            audience: None,
        };
        let outcomes = log::append_messages(&db, &[new]).await.unwrap();
        assert!(matches!(outcomes[..], [Ok(Posted::Accepted(_))]));
        Self { db, admin, ali, message: id }
    }

    fn change(&self, user: UserId, emoji: &str, is_added: bool) -> NewReaction {
        NewReaction { user, message: self.message, emoji: Emoji::parse(emoji).unwrap(), is_added }
    }

    async fn message(&self) -> Message {
        messages::find(&self.db, self.message, Some(self.ali)).await.unwrap().unwrap()
    }

    async fn counts(&self) -> Vec<(String, i64, bool)> {
        self.message().await.reactions.into_iter().map(|one| (one.emoji, one.count, one.mine)).collect()
    }
}

fn counted(counts: &[(&str, i64, bool)]) -> Vec<(String, i64, bool)> {
    counts.iter().map(|(emoji, count, mine)| ((*emoji).to_owned(), *count, *mine)).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn emoji_are_in_the_order_of_their_first_use(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    let (ali, admin) = (scene.ali, scene.admin);
    let batch = [
        scene.change(ali, "👍", true),
        scene.change(admin, "🎉", true),
        scene.change(admin, "👍", true),
        scene.change(admin, "👍", true),
    ];
    let committed = set(&scene.db, &batch).await.unwrap();
    assert_eq!((committed.outcomes, committed.events.len()), (vec![Ok(()); 4], 1));
    assert_eq!(scene.counts().await, counted(&[("👍", 2, true), ("🎉", 1, false)]));
    // Nobody uses it for a moment: then it comes last.
    let batch = [(ali, false), (admin, false), (ali, true)].map(|(user, added)| scene.change(user, "👍", added));
    let committed = set(&scene.db, &batch).await.unwrap();
    assert_eq!(committed.events.len(), 1);
    assert_eq!(scene.counts().await, counted(&[("🎉", 1, false), ("👍", 1, true)]));
    let read = log::read(&scene.db, committed.events[0].pos.previous(), committed.events[0].pos).await.unwrap();
    assert_eq!(read, committed.events, "an event that is read from the log is the one that was sent");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_refused_change_neither_fails_its_batch_nor_takes_a_position(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    let before = log::head(&scene.db).await.unwrap().pos;
    let unknown = NewReaction { message: MessageId::new(), ..scene.change(scene.ali, "👍", true) };
    let batch = [
        unknown,
        scene.change(UserId::new(), "👍", true),
        scene.change(scene.ali, "👍", false),
        scene.change(scene.ali, "👍", true),
    ];
    let committed = set(&scene.db, &batch).await.unwrap();
    let refused = [Err(Refusal::Unknown("message")), Err(Refusal::UnknownAuthor), Ok(()), Ok(())];
    assert_eq!((committed.outcomes, committed.events.len()), (refused.to_vec(), 1));
    assert_eq!(log::head(&scene.db).await.unwrap().pos, before.next());
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_deletion_removes_every_row(pool: sqlx::PgPool) {
    let scene = Scene::set(pool).await;
    set(&scene.db, &[scene.change(scene.ali, "👍", true)]).await.unwrap();
    messages::delete(&scene.db, scene.message, scene.admin).await.unwrap().unwrap();
    assert_eq!(scene.counts().await, []);
    let left: i64 =
        sqlx::query_scalar("select (select count(*) from reactions) + (select count(*) from reaction_counts)")
            .fetch_one(&scene.db)
            .await
            .unwrap();
    assert_eq!(left, 0);
    let late = set(&scene.db, &[scene.change(scene.ali, "🎉", true)]).await.unwrap();
    assert_eq!(late.outcomes, [Err(Refusal::Deleted)]);
}

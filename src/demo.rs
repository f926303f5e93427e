//! Demo data: two accounts, three rooms, and messages. Only in demo mode, since the passwords are public.
//!
//! It is created by the same functions that serve real users, and each part only if it is missing: a second start
//! changes nothing, an interrupted first one is completed, and rooms that an admin renamed or archived stay that way.

use anyhow::Context as _;
use secrecy::SecretString;
use sqlx::error::DatabaseError;
use uuid::Uuid;

use crate::auth::password::Passwords;
use crate::event::{Author, Role};
use crate::id::{ClientId, MessageId, RoomId, Seq, UserId};
use crate::post::NewMessage;
use crate::store::{self, Db};

/// Name, password and role of each account.
const ACCOUNTS: [(&str, &str, Role); 2] = [(ADMIN, "admin", Role::Admin), (USER, "test", Role::User)];
const ADMIN: &str = "admin";
const USER: &str = "ali";

/// Each room with its first messages, by author.
const ROOMS: [(&str, &[(&str, &str)]); 3] = [
    (
        "General",
        &[
            (ADMIN, "Welcome to Gapless! This is a demo; all of it lives in a database on this machine."),
            (ADMIN, "Sign in as ali (password: test) or admin (password: admin), or sign up under a name you like."),
            (USER, "Open a second window beside this one: what you write here is there at once."),
        ],
    ),
    (
        "Help",
        &[
            (ADMIN, "Ask here. Guests read along; to write, sign in."),
            (
                ADMIN,
                "Try this: stop the server while somebody writes, and start it again. Nothing is lost, nothing comes twice.",
            ),
        ],
    ),
    ("Random", &[(USER, "Tea or coffee?"), (ADMIN, "Yes.")]),
];

/// The landing room.
const LANDING: &str = "General";

/// Fixed ids identify what was created earlier, even if it was changed since: UUID version 8 (RFC 9562, for custom
/// uses), in a range that random UUIDs do not reach.
const FIRST_ID: u128 = 0x6761_706c_6573_8000_8000_0000_0000_0000;

/// Creates the missing parts.
///
/// # Errors
/// If the database or the password pool fails; the next start continues where this one stopped.
pub async fn seed(db: &Db, passwords: &Passwords) -> anyhow::Result<()> {
    let mut people = Vec::with_capacity(ACCOUNTS.len());
    for (username, password, role) in ACCOUNTS {
        let id = account(db, passwords, username, password, role).await?;
        people.push(Author { id, username: username.into() });
    }
    let by_name = |name: &str| people.iter().find(|person| *person.username == *name).cloned();
    let admin = by_name(ADMIN).context("the demo accounts include no admin")?;

    let mut messages = Vec::new();
    for (room, (name, conversation)) in (1_u128..).zip(ROOMS) {
        let room_id = RoomId(Uuid::from_u128(FIRST_ID + (room << 16)));
        match store::rooms::find(db, room_id).await? {
            // The messages were posted by an earlier start. Their author may have been erased since, and the name taken
            // by somebody else.
            Some(room) if room.head_seq > Seq::default() => continue,
            Some(_) => {}
            None if create_room(db, room_id, admin.id, name).await? => {}
            None => continue,
        }
        if name == LANDING && !store::rooms::has_landing(db).await? {
            // A refusal leaves the chat without a landing room, which is possible.
            let _refused = store::rooms::set_landing(db, room_id, admin.id).await?;
        }
        for (message, (author, body)) in (1_u128..).zip(conversation) {
            let id = Uuid::from_u128(FIRST_ID + (room << 16) + message);
            let author = by_name(author).context("a demo author has no account")?;
            messages.push(NewMessage {
                id: MessageId(id),
                room_id,
                author,
                // Posting again with the same client id does not create a second message.
                client_id: ClientId(id),
                body: (*body).into(),
                reply_to: None,
                mentions: Vec::new(),
                audience: None,
            });
        }
    }
    store::log::append_messages(db, &messages).await?;
    Ok(())
}

async fn account(db: &Db, passwords: &Passwords, username: &str, password: &str, role: Role) -> anyhow::Result<UserId> {
    if let Some(known) = store::users::credentials_by_name(db, username).await? {
        return Ok(known.user.id);
    }
    let id = UserId::new();
    let password_hash = passwords.hash(SecretString::from(password)).await?;
    store::users::create(db, id, username, &password_hash, role).await?;
    Ok(id)
}

/// Returns whether the room exists now. It does not if another room has its name, or if the demo's admin is no longer
/// an admin.
async fn create_room(db: &Db, id: RoomId, admin: UserId, name: &str) -> sqlx::Result<bool> {
    match store::rooms::create(db, id, admin, name).await {
        Ok(outcome) => Ok(matches!(outcome, Ok(Some(_)))),
        Err(error) => match error.as_database_error().and_then(DatabaseError::constraint) {
            Some(store::rooms::NAME_IN_USE) => Ok(false),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Room;
    use crate::id::Pos;
    use crate::store::room_list::Selection;

    async fn all_rooms(db: &Db) -> Vec<Room> {
        let all = Selection { archived: false, part: "", after: None, limit: 100 };
        store::room_list::page(db, all).await.unwrap().rooms
    }

    async fn head(db: &Db) -> Pos {
        store::log::head(db).await.unwrap().pos
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_newcomer_finds_accounts_rooms_and_words_and_a_second_start_adds_none(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let passwords = Passwords::new();
        seed(&db, &passwords).await.unwrap();
        for (username, password, role) in ACCOUNTS {
            let known = store::users::credentials_by_name(&db, username).await.unwrap().unwrap();
            assert_eq!(known.user.role, role);
            assert!(passwords.verify(password.into(), Some(known.password_hash)).await.unwrap());
        }
        let rooms = all_rooms(&db).await;
        let shown: Vec<_> = rooms.iter().map(|room| (room.name.as_str(), room.head_seq.0)).collect();
        assert_eq!(shown, [("General", 3), ("Help", 2), ("Random", 2)]);
        assert_eq!(rooms.iter().map(|room| room.landing).collect::<Vec<_>>(), [true, false, false]);

        let first = head(&db).await;
        seed(&db, &passwords).await.unwrap();
        assert_eq!(head(&db).await, first);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn what_an_admin_changed_stays_and_what_is_missing_is_completed(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let passwords = Passwords::new();
        seed(&db, &passwords).await.unwrap();
        let admin = store::users::credentials_by_name(&db, ADMIN).await.unwrap().unwrap().user.id;
        let rooms = all_rooms(&db).await;
        store::rooms::rename(&db, rooms[0].id, admin, "Lounge").await.unwrap().unwrap();
        store::rooms::set_archived(&db, rooms[1].id, admin, true).await.unwrap().unwrap();
        // The state after a start that was interrupted before its last step.
        sqlx::query("delete from messages where room_id = $1").bind(rooms[2].id).execute(&db).await.unwrap();

        seed(&db, &passwords).await.unwrap();
        let rooms = all_rooms(&db).await;
        let shown: Vec<_> = rooms.iter().map(|room| room.name.as_str()).collect();
        assert_eq!(shown, ["Lounge", "Random"]);
        let messages: i64 = sqlx::query_scalar("select count(*) from messages").fetch_one(&db).await.unwrap();
        assert_eq!(messages, 7);
    }
}

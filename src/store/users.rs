//! Accounts, their rights and restrictions. Every change of a right is a function of `migrations/0003_changes.sql`,
//! which takes the actor and returns the outcome as a word.

use time::OffsetDateTime;

use crate::event::{Role, User};
use crate::id::{Pos, SessionId, UserId};
use crate::outcome::{Outcome, Refusal};

use super::Db;
use super::sessions::NewSession;

/// Constraint that is violated if an account already has the name.
pub const USERNAME_TAKEN: &str = "users_username_key";
/// Constraint that is violated if the name is reserved for erased accounts.
pub const USERNAME_KEPT: &str = "users_username_kept";

/// An account with its restrictions, as its owner and admins may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: User,
    /// End of the mute; `None` also when it has passed.
    pub muted_until: Option<OffsetDateTime>,
    pub mute_reason: Option<String>,
    pub banned_at: Option<OffsetDateTime>,
    pub ban_reason: Option<String>,
}

/// Data for checking a sign-in. Not `Debug`, so that the hash cannot be logged by mistake.
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
    pub is_banned: bool,
    /// Reason of the ban, if an admin gave one.
    pub ban_reason: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct AccountRow {
    id: UserId,
    username: String,
    is_admin: bool,
    muted_until: Option<OffsetDateTime>,
    mute_reason: Option<String>,
    banned_at: Option<OffsetDateTime>,
    ban_reason: Option<String>,
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            user: user(row.id, row.username, row.is_admin),
            muted_until: row.muted_until,
            mute_reason: row.mute_reason,
            banned_at: row.banned_at,
            ban_reason: row.ban_reason,
        }
    }
}

fn user(id: UserId, username: String, is_admin: bool) -> User {
    User { id, username: username.into(), role: if is_admin { Role::Admin } else { Role::User } }
}

/// Creates an account and its first session.
///
/// # Errors
/// [`USERNAME_TAKEN`] is violated if the name is in use.
pub async fn register(
    db: &Db,
    id: UserId,
    username: &str,
    password_hash: &str,
    session: NewSession<'_>,
) -> sqlx::Result<()> {
    sqlx::query("select register_account($1, $2, $3, $4, $5, $6, $7)")
        .bind(id)
        .bind(username)
        .bind(password_hash)
        .bind(session.id)
        .bind(session.opened_at)
        .bind(session.token_hash)
        .bind(session.token_expires_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Creates an account without a session, at the operator's request. Returns the position in the log, where only admins'
/// accounts have an entry.
///
/// # Errors
/// [`USERNAME_TAKEN`] is violated if the name is in use.
pub async fn create(db: &Db, id: UserId, username: &str, password_hash: &str, role: Role) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select create_account($1, $2, $3, $4)")
        .bind(id)
        .bind(username)
        .bind(password_hash)
        .bind(role.as_str())
        .fetch_one(db)
        .await
}

/// Returns the credentials of the account with this name.
pub async fn credentials_by_name(db: &Db, username: &str) -> sqlx::Result<Option<Credentials>> {
    let row: Option<(UserId, String, bool, String, bool, Option<String>)> = sqlx::query_as(
        "select id, username, role = 'admin', password_hash, banned_at is not null, nullif(ban_reason, '')
         from users where username = $1 and erased_at is null",
    )
    .bind(username)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(id, username, is_admin, password_hash, is_banned, ban_reason)| Credentials {
        user: user(id, username, is_admin),
        password_hash,
        is_banned,
        ban_reason,
    }))
}

/// Returns the hash of a user's current password.
pub async fn password_hash(db: &Db, id: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select password_hash from users where id = $1").bind(id).fetch_optional(db).await
}

/// Returns one account.
pub async fn find(db: &Db, id: UserId) -> sqlx::Result<Option<Account>> {
    let row: Option<AccountRow> = sqlx::query_as(
        "select id, username, is_admin, muted_until, mute_reason, banned_at, ban_reason
             from accounts where id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(row.map(Account::from))
}

/// Returns whether a user may write, who may be banned or muted.
pub async fn may_write(db: &Db, id: UserId) -> sqlx::Result<Outcome<()>> {
    let standing: Option<(bool, bool)> = sqlx::query_as(
        "select banned_at is not null, coalesce(muted_until > clock_timestamp(), false)
         from users where id = $1 and erased_at is null",
    )
    .bind(id)
    .fetch_optional(db)
    .await?;
    Ok(match standing {
        None => Err(Refusal::UnknownAuthor),
        Some((true, _)) => Err(Refusal::Banned),
        Some((_, true)) => Err(Refusal::Muted),
        Some(_) => Ok(()),
    })
}

/// Gives `user` a role.
pub async fn set_role(db: &Db, user: UserId, actor: UserId, role: Role) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_role($1, $2, $3)");
    super::outcome(query.bind(user).bind(actor).bind(role.as_str()).fetch_one(db).await?, "user")
}

/// Gives `user` a role at the operator's request, without an actor's account.
pub async fn operator_set_role(db: &Db, user: UserId, role: Role) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from operator_set_role($1, $2)");
    super::outcome(query.bind(user).bind(role.as_str()).fetch_one(db).await?, "user")
}

/// Mutes `user` until a time; `None` ends the mute.
pub async fn set_mute(
    db: &Db,
    user: UserId,
    actor: UserId,
    until: Option<OffsetDateTime>,
    reason: Option<&str>,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_mute($1, $2, $3, $4)");
    super::outcome(query.bind(user).bind(actor).bind(until).bind(reason).fetch_one(db).await?, "user")
}

/// Bans `user` and ends all sessions, or lifts the ban.
pub async fn set_ban(
    db: &Db,
    user: UserId,
    actor: UserId,
    banned: bool,
    reason: Option<&str>,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_ban($1, $2, $3, $4)");
    super::outcome(query.bind(user).bind(actor).bind(banned).bind(reason).fetch_one(db).await?, "user")
}

/// Erases `user` permanently, at an admin's request; [`super::erasure`] deletes their messages afterwards.
pub async fn erase(db: &Db, user: UserId, actor: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from erase_user($1, $2)");
    super::outcome(query.bind(user).bind(actor).fetch_one(db).await?, "user")
}

/// Like [`erase`], at the operator's request, without an actor's account.
pub async fn operator_erase(db: &Db, user: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from operator_erase_user($1)");
    super::outcome(query.bind(user).fetch_one(db).await?, "user")
}

/// Ends all sessions of `user`, at an admin's request.
pub async fn end_sessions(db: &Db, user: UserId, actor: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from admin_end_sessions($1, $2)");
    super::outcome(query.bind(user).bind(actor).fetch_one(db).await?, "user")
}

/// Replaces the password that was checked (`old_hash`), and ends all sessions but `session`. The outcome has no
/// position if there were no others; the password is changed all the same.
pub async fn change_password(
    db: &Db,
    user: UserId,
    old_hash: &str,
    new_hash: &str,
    session: SessionId,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from change_password($1, $2, $3, $4)");
    super::outcome(query.bind(user).bind(old_hash).bind(new_hash).bind(session).fetch_one(db).await?, "user")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::error::DatabaseError;

    use super::*;
    use crate::outcome::Refusal;
    use crate::store::sessions;

    async fn account(db: &Db, username: &str, role: Role) -> UserId {
        let id = UserId::new();
        create(db, id, username, "hash", role).await.unwrap();
        id
    }

    async fn database_now(db: &Db) -> OffsetDateTime {
        sqlx::query_scalar("select clock_timestamp()").fetch_one(db).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_name_is_unique_and_a_refused_sign_up_leaves_nothing(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        account(&db, "ali", Role::User).await;
        let now = database_now(&db).await;
        let session = NewSession { id: SessionId::new(), opened_at: now, token_hash: b"1", token_expires_at: now };
        let refused = register(&db, UserId::new(), "ali", "hash", session).await.unwrap_err();
        let constraint = refused.as_database_error().and_then(DatabaseError::constraint);
        assert_eq!(constraint, Some(USERNAME_TAKEN));

        register(&db, UserId::new(), "bo", "hash", session).await.unwrap();
        let sessions: i64 = sqlx::query_scalar("select count(*) from sessions").fetch_one(&db).await.unwrap();
        assert_eq!(sessions, 1);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn an_admins_account_is_logged_and_a_users_is_not(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        assert_eq!(create(&db, UserId::new(), "ali", "hash", Role::User).await.unwrap(), None);
        assert_eq!(create(&db, UserId::new(), "admin", "hash", Role::Admin).await.unwrap(), Some(Pos(1)));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn changes_of_rights_are_refused_unless_allowed(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (account(&db, "admin", Role::Admin).await, account(&db, "ali", Role::User).await);
        let later = database_now(&db).await + Duration::from_mins(1);
        assert_eq!(set_role(&db, admin, ali, Role::User).await.unwrap(), Err(Refusal::NotAdmin));
        assert_eq!(set_mute(&db, admin, ali, Some(later), None).await.unwrap(), Err(Refusal::NotAdmin));
        assert_eq!(set_ban(&db, admin, ali, true, None).await.unwrap(), Err(Refusal::NotAdmin));
        assert_eq!(end_sessions(&db, admin, ali).await.unwrap(), Err(Refusal::NotAdmin));

        assert_eq!(set_role(&db, UserId::new(), admin, Role::User).await.unwrap(), Err(Refusal::Unknown("user")));
        assert_eq!(end_sessions(&db, UserId::new(), admin).await.unwrap(), Err(Refusal::Unknown("user")));
        assert_eq!(set_role(&db, admin, admin, Role::User).await.unwrap(), Err(Refusal::LastAdmin));
        assert_eq!(set_mute(&db, admin, admin, Some(later), None).await.unwrap(), Err(Refusal::ToSelf));
        assert_eq!(set_ban(&db, admin, admin, true, None).await.unwrap(), Err(Refusal::ToSelf));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn of_two_admins_who_ban_each_other_at_once_one_remains(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (one, other) = (account(&db, "one", Role::Admin).await, account(&db, "other", Role::Admin).await);
        let (first, second) = tokio::join!(set_ban(&db, other, one, true, None), set_ban(&db, one, other, true, None));
        let mut outcomes = [first.unwrap(), second.unwrap()];
        outcomes.sort_by_key(|outcome| matches!(outcome, Err(Refusal::NotAdmin)));
        assert!(matches!(outcomes, [Ok(Some(_)), Err(Refusal::NotAdmin)]), "{outcomes:?}");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_mute_shows_while_it_lasts_and_a_ban_until_it_is_lifted(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (account(&db, "admin", Role::Admin).await, account(&db, "ali", Role::User).await);
        let until = database_now(&db).await.replace_nanosecond(0).unwrap() + Duration::from_mins(1);
        set_mute(&db, ali, admin, Some(until), Some("shouting")).await.unwrap().unwrap();
        let muted = find(&db, ali).await.unwrap().unwrap();
        assert_eq!((muted.muted_until, muted.mute_reason.as_deref()), (Some(until), Some("shouting")));

        let past = database_now(&db).await;
        set_mute(&db, ali, admin, Some(past), Some("shouting")).await.unwrap().unwrap();
        let heard_again = find(&db, ali).await.unwrap().unwrap();
        assert_eq!((heard_again.muted_until, heard_again.mute_reason), (None, None));

        set_ban(&db, ali, admin, true, Some("spam")).await.unwrap().unwrap();
        assert_eq!(set_ban(&db, ali, admin, true, None).await.unwrap(), Ok(None));
        assert_eq!(find(&db, ali).await.unwrap().unwrap().ban_reason.as_deref(), Some("spam"));
        assert!(credentials_by_name(&db, "ali").await.unwrap().unwrap().is_banned);
        set_ban(&db, ali, admin, false, None).await.unwrap().unwrap();
        let back = find(&db, ali).await.unwrap().unwrap();
        assert_eq!((back.banned_at, back.ban_reason), (None, None));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_new_password_ends_the_other_sessions_and_is_set_once(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let ali = account(&db, "ali", Role::User).await;
        let now = database_now(&db).await;
        let session = |token| NewSession {
            id: SessionId::new(),
            opened_at: now,
            token_hash: token,
            token_expires_at: now + Duration::from_mins(1),
        };
        let (own, other) = (session(b"own".as_slice()), session(b"other"));
        for session in [own, other] {
            assert!(sessions::open(&db, ali, "hash", session).await.unwrap().is_some());
        }
        assert_eq!(change_password(&db, ali, "hash", "new hash", own.id).await.unwrap(), Ok(Some(Pos(1))));
        assert_eq!(change_password(&db, ali, "hash", "third", own.id).await.unwrap(), Err(Refusal::ChangedMeanwhile));
        assert_eq!(change_password(&db, ali, "new hash", "third", own.id).await.unwrap(), Ok(None));
        let open: Vec<SessionId> =
            sqlx::query_scalar("select id from sessions where ended_at is null").fetch_all(&db).await.unwrap();
        assert_eq!(open, [own.id]);
        assert_eq!(password_hash(&db, ali).await.unwrap().as_deref(), Some("third"));
    }
}

//! Accounts, and what may be changed about them. Every change of a right is a function of
//! `migrations/0003_changes.sql`, asked to act for somebody and answering with a word.

use time::OffsetDateTime;

use crate::event::{Role, User};
use crate::id::{Pos, UserId};

use super::Db;
use super::sessions::NewSession;

/// An account with its restrictions, as its owner and admins may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub user: User,
    /// `None` also when it has passed.
    pub muted_until: Option<OffsetDateTime>,
    pub mute_reason: Option<String>,
    pub banned_at: Option<OffsetDateTime>,
    pub ban_reason: Option<String>,
}

/// What a sign-in is checked against. Not `Debug`: a hash has no place in a log.
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
    pub is_banned: bool,
}

/// What became of a change that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done(Pos),
    /// It was so already.
    Unchanged,
    UnknownUser,
    /// Who asked is no admin (any more).
    NotAdmin,
    /// Nobody would be left to run the chat.
    LastAdmin,
    /// Nobody mutes or bans themselves.
    ToSelf,
    /// The password was changed in between.
    ChangedMeanwhile,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
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

/// Makes an account and its first session.
///
/// # Errors
/// The constraint `users_username_key` where the name is in use.
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

/// Makes an account without a session: for those that the operator gives, of whom one is an admin.
///
/// # Errors
/// The constraint `users_username_key` where the name is in use.
pub async fn create(db: &Db, id: UserId, username: &str, password_hash: &str, role: Role) -> sqlx::Result<Option<Pos>> {
    sqlx::query_scalar("select create_account($1, $2, $3, $4)")
        .bind(id)
        .bind(username)
        .bind(password_hash)
        .bind(role.as_str())
        .fetch_one(db)
        .await
}

/// What a sign-in under this name is checked against.
pub async fn credentials_by_name(db: &Db, username: &str) -> sqlx::Result<Option<Credentials>> {
    let row: Option<(UserId, String, bool, String, bool)> = sqlx::query_as(
        "select id, username, role = 'admin', password_hash, banned_at is not null from users where username = $1",
    )
    .bind(username)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(id, username, is_admin, password_hash, is_banned)| Credentials {
        user: user(id, username, is_admin),
        password_hash,
        is_banned,
    }))
}

/// The hash that a user's current password is checked against.
pub async fn password_hash(db: &Db, id: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("select password_hash from users where id = $1").bind(id).fetch_optional(db).await
}

/// One account.
pub async fn find(db: &Db, id: UserId) -> sqlx::Result<Option<Account>> {
    let row: Option<AccountRow> =
        sqlx::query_as("select * from accounts where id = $1").bind(id).fetch_optional(db).await?;
    Ok(row.map(Account::from))
}

/// The accounts whose name contains `part` (lower case), those that begin with it first.
pub async fn list(db: &Db, part: &str, limit: i64) -> sqlx::Result<Vec<Account>> {
    let rows: Vec<AccountRow> = sqlx::query_as(
        "select * from accounts
         -- Not `like`: an underscore is an ordinary character of a name.
         where strpos(username, $1) > 0
         order by not starts_with(username, $1), username
         limit $2",
    )
    .bind(part)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Gives `user` a role.
pub async fn set_role(db: &Db, user: UserId, actor: UserId, role: Role) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_role($1, $2, $3)");
    outcome(query.bind(user).bind(actor).bind(role.as_str()).fetch_one(db).await?)
}

/// Keeps `user` from posting until then; `None` lets them post again.
pub async fn set_mute(
    db: &Db,
    user: UserId,
    actor: UserId,
    until: Option<OffsetDateTime>,
    reason: Option<&str>,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_mute($1, $2, $3, $4)");
    outcome(query.bind(user).bind(actor).bind(until).bind(reason).fetch_one(db).await?)
}

/// Shuts `user` out, sessions included, or lets them in again.
pub async fn set_ban(
    db: &Db,
    user: UserId,
    actor: UserId,
    banned: bool,
    reason: Option<&str>,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from set_ban($1, $2, $3, $4)");
    outcome(query.bind(user).bind(actor).bind(banned).bind(reason).fetch_one(db).await?)
}

/// Ends all sessions of `user`, at an admin's wish.
pub async fn end_sessions(db: &Db, user: UserId, actor: UserId) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from admin_end_sessions($1, $2)");
    outcome(query.bind(user).bind(actor).fetch_one(db).await?)
}

/// Puts a new password in the place of the one that was checked, and ends all other sessions.
/// `Unchanged` says that there were none; the password is changed all the same.
pub async fn change_password(
    db: &Db,
    user: UserId,
    old_hash: &str,
    new_hash: &str,
    session: crate::id::SessionId,
) -> sqlx::Result<Outcome> {
    let query = sqlx::query_as("select outcome, pos from change_password($1, $2, $3, $4)");
    outcome(query.bind(user).bind(old_hash).bind(new_hash).bind(session).fetch_one(db).await?)
}

fn outcome((word, pos): (String, Option<Pos>)) -> sqlx::Result<Outcome> {
    Ok(match word.as_str() {
        "done" => pos.map_or(Outcome::Unchanged, Outcome::Done),
        "unchanged" => Outcome::Unchanged,
        "unknown" => Outcome::UnknownUser,
        "not_admin" => Outcome::NotAdmin,
        "last_admin" => Outcome::LastAdmin,
        "to_self" => Outcome::ToSelf,
        "changed_meanwhile" => Outcome::ChangedMeanwhile,
        other => return Err(sqlx::Error::Decode(format!("unknown outcome {other}").into())),
    })
}

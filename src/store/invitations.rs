//! Invitations to sign up. Next: `migrations/0007_invitations.sql`, which defines the rules.

use sqlx::FromRow;
use time::OffsetDateTime;

use super::Db;
use super::sessions::NewSession;
use crate::event::Author;
use crate::id::{InvitationId, UserId};

/// An invitation as admins see it; its code is shown only once, when it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    /// `None` if the operator created it.
    pub created_by: Option<Author>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub max_uses: i32,
    pub uses: i32,
    pub revoked_at: Option<OffsetDateTime>,
    /// True if it could be used at the time of the query.
    pub is_valid: bool,
}

/// An invitation to create.
#[derive(Clone, Copy)]
pub struct NewInvitation<'a> {
    pub id: InvitationId,
    pub code_hash: &'a [u8],
    pub created_by: Option<UserId>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
    pub max_uses: i32,
}

/// Creates an invitation.
pub async fn create(db: &Db, new: NewInvitation<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into invitations (id, code_hash, created_by, created_at, expires_at, max_uses)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(new.code_hash)
    .bind(new.created_by)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(new.max_uses)
    .execute(db)
    .await?;
    Ok(())
}

/// Returns one invitation.
pub async fn find(db: &Db, id: InvitationId, now: OffsetDateTime) -> sqlx::Result<Option<Invitation>> {
    let row: Option<InvitationRow> = sqlx::query_as(
        "select i.id, i.created_by, i.created_at, i.expires_at, i.max_uses, i.uses, i.revoked_at,
                u.username, invitation_stands(i, $2) as is_valid
         from invitations i left join users u on u.id = i.created_by
         where i.id = $1",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(db)
    .await?;
    Ok(row.map(Invitation::from))
}

/// Returns the newest invitations, newest first, including those that are no longer valid.
pub async fn list(db: &Db, now: OffsetDateTime, limit: i64) -> sqlx::Result<Vec<Invitation>> {
    let rows: Vec<InvitationRow> = sqlx::query_as(
        "select i.id, i.created_by, i.created_at, i.expires_at, i.max_uses, i.uses, i.revoked_at,
                u.username, invitation_stands(i, $1) as is_valid
         from invitations i left join users u on u.id = i.created_by
         order by i.created_at desc, i.id desc
         limit $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Invitation::from).collect())
}

/// Revokes an invitation. Returns whether it exists; revoking it again changes nothing.
pub async fn revoke(db: &Db, id: InvitationId, now: OffsetDateTime) -> sqlx::Result<bool> {
    let changed = sqlx::query("update invitations set revoked_at = coalesce(revoked_at, $2) where id = $1")
        .bind(id)
        .bind(now)
        .execute(db)
        .await?;
    Ok(changed.rows_affected() > 0)
}

/// Returns whether the invitation with this digest of its code is valid. [`register`] checks it again.
pub async fn stands(db: &Db, code_hash: &[u8], now: OffsetDateTime) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from invitations i where code_hash = $1 and invitation_stands(i, $2))")
        .bind(code_hash)
        .bind(now)
        .fetch_one(db)
        .await
}

/// Creates an account and its first session, and counts a use of the invitation. Returns false, with nothing created,
/// if the invitation is no longer valid.
///
/// # Errors
/// [`USERNAME_TAKEN`](super::users::USERNAME_TAKEN) is violated if the name is in use; no use is counted then.
pub async fn register(
    db: &Db,
    code_hash: &[u8],
    id: UserId,
    username: &str,
    password_hash: &str,
    session: NewSession<'_>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar("select register_by_invitation($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(code_hash)
        .bind(id)
        .bind(username)
        .bind(password_hash)
        .bind(session.id)
        .bind(session.opened_at)
        .bind(session.token_hash)
        .bind(session.token_expires_at)
        .fetch_one(db)
        .await
}

#[derive(FromRow)]
struct InvitationRow {
    id: InvitationId,
    created_by: Option<UserId>,
    username: Option<String>,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    max_uses: i32,
    uses: i32,
    revoked_at: Option<OffsetDateTime>,
    is_valid: bool,
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        let author = row.created_by.zip(row.username).map(|(id, name)| Author { id, username: name.into() });
        Self {
            id: row.id,
            created_by: author,
            created_at: row.created_at,
            expires_at: row.expires_at,
            max_uses: row.max_uses,
            uses: row.uses,
            revoked_at: row.revoked_at,
            is_valid: row.is_valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::macros::datetime;

    use super::*;
    use crate::event::Role;
    use crate::id::SessionId;
    use crate::store::users::{self, USERNAME_TAKEN};
    use crate::store::violates;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
    const HOUR: Duration = Duration::from_hours(1);

    async fn invitation(db: &Db, code_hash: &[u8], created_by: Option<UserId>, max_uses: i32) -> InvitationId {
        let id = InvitationId::new();
        let new = NewInvitation { id, code_hash, created_by, created_at: NOW, expires_at: NOW + HOUR, max_uses };
        create(db, new).await.unwrap();
        id
    }

    async fn signs_up(db: &Db, code_hash: &[u8], username: &str) -> sqlx::Result<bool> {
        let token = username.as_bytes();
        let session =
            NewSession { id: SessionId::new(), opened_at: NOW, token_hash: token, token_expires_at: NOW + HOUR };
        register(db, code_hash, UserId::new(), username, "hash", session).await
    }

    async fn uses(db: &Db, id: InvitationId) -> i32 {
        find(db, id, NOW).await.unwrap().unwrap().uses
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn concurrent_sign_ups_never_exceed_the_maximum_uses(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let id = invitation(&db, b"code", None, 3).await;
        let names: Vec<String> = (0..10).map(|n| format!("name-{n}")).collect();
        let tries = names.iter().map(|name| signs_up(&db, b"code", name));
        let let_in = futures_util::future::join_all(tries).await.into_iter().filter(|tried| *tried.as_ref().unwrap());
        assert_eq!(let_in.count(), 3);
        let accounts: i64 = sqlx::query_scalar("select count(*) from users").fetch_one(&db).await.unwrap();
        assert_eq!((accounts, uses(&db, id).await), (3, 3));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_taken_name_counts_no_use(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        users::create(&db, UserId::new(), "ali", "hash", Role::User).await.unwrap();
        let id = invitation(&db, b"code", None, 1).await;
        let refused = signs_up(&db, b"code", "ali").await.unwrap_err();
        assert!(violates(&refused, USERNAME_TAKEN));
        assert_eq!(uses(&db, id).await, 0);
        assert!(signs_up(&db, b"code", "bo").await.unwrap());
        assert!(!signs_up(&db, b"code", "cleo").await.unwrap(), "used up");
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn an_invitation_ends_by_expiry_revocation_or_its_creators_loss_of_rights(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (maker, other) = (UserId::new(), UserId::new());
        for (id, name) in [(maker, "maker"), (other, "other")] {
            users::create(&db, id, name, "hash", Role::Admin).await.unwrap();
        }
        let id = invitation(&db, b"code", Some(maker), 5).await;
        assert!(stands(&db, b"code", NOW).await.unwrap());
        assert!(!stands(&db, b"code", NOW + HOUR).await.unwrap(), "expired");
        assert!(!stands(&db, b"cod", NOW).await.unwrap(), "unknown");

        users::set_role(&db, maker, other, Role::User).await.unwrap().unwrap();
        assert!(!signs_up(&db, b"code", "ali").await.unwrap(), "of an admin no more");
        users::set_role(&db, maker, other, Role::Admin).await.unwrap().unwrap();
        users::set_ban(&db, maker, other, true, None).await.unwrap().unwrap();
        assert!(!signs_up(&db, b"code", "ali").await.unwrap(), "of somebody banned");
        users::set_ban(&db, maker, other, false, None).await.unwrap().unwrap();
        assert!(signs_up(&db, b"code", "ali").await.unwrap());

        assert!(revoke(&db, id, NOW).await.unwrap());
        assert!(revoke(&db, id, NOW + HOUR).await.unwrap(), "twice is no error");
        assert!(!signs_up(&db, b"code", "bo").await.unwrap(), "revoked");
        let kept = find(&db, id, NOW).await.unwrap().unwrap();
        assert_eq!((kept.revoked_at, kept.uses, kept.is_valid), (Some(NOW), 1, false));
        assert_eq!(kept.created_by.unwrap().username.as_ref(), "maker");
        assert!(!revoke(&db, InvitationId::new(), NOW).await.unwrap());
    }
}

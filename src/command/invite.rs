//! `gapless admin invite`: invites the first people of a chat with restricted registration.

use std::time::Duration;

use clap::Args;

use crate::auth::invitation::InvitationCode;
use crate::clock::Clock;
use crate::id::InvitationId;
use crate::store::Db;
use crate::store::invitations::{self, NewInvitation};

/// Limits of the invitation. The default is one account within a week, long enough to be read.
#[derive(Debug, Clone, Copy, Args)]
pub struct Invite {
    /// Number of accounts that may be created with the invitation.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    uses: i32,
    /// Seconds until the invitation expires; a week by default.
    #[arg(long, default_value_t = 7 * 86_400, value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    expires_in_secs: u64,
}

impl Invite {
    /// Creates the invitation and returns the text to print.
    pub(super) async fn make(self, db: &Db) -> anyhow::Result<String> {
        let (id, code, now) = (InvitationId::new(), InvitationCode::random(), Clock::System.now());
        let expires_at = now + Duration::from_secs(self.expires_in_secs);
        let code_hash = &code.digest();
        let max_uses = self.uses;
        let new = NewInvitation { id, code_hash, created_by: None, created_at: now, expires_at, max_uses };
        invitations::create(db, new).await?;
        let (code, date, hour, minute) = (code.expose(), expires_at.date(), expires_at.hour(), expires_at.minute());
        let accounts = if max_uses == 1 { "one account".to_owned() } else { format!("{max_uses} accounts") };
        Ok(format!(
            "Invitation: {code}\nValid for {accounts} until {date} {hour:02}:{minute:02} UTC, if REGISTRATION=invite: \
             share the app's address followed by /sign-up?invitation={code}. It is not shown again."
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn the_operators_invitation_lets_in_and_nobody_is_its_maker(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let said = Invite { uses: 3, expires_in_secs: 60 }.make(&db).await.unwrap();
        let code = said.lines().find_map(|line| line.strip_prefix("Invitation: ")).expect("a code is told");
        let digest = InvitationCode::shown(&code.into()).digest();
        let now = Clock::System.now();
        assert!(invitations::stands(&db, &digest, now).await.unwrap());
        assert!(!invitations::stands(&db, &digest, now + Duration::from_mins(2)).await.unwrap());
        let made = &invitations::list(&db, now, 1).await.unwrap()[0];
        assert_eq!((made.max_uses, &made.created_by), (3, &None));
    }
}

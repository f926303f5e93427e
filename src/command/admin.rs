//! `gapless admin`: creates the first admin, and restores access when the last one is locked out.
//!
//! It works directly on the database while instances run: a changed right takes a position in the log, so they apply it
//! within a second.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rand::Rng as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::invite::Invite;
use crate::app::Database;
use crate::auth::password::Passwords;
use crate::config::Config;
use crate::event::Role;
use crate::id::{SessionId, UserId};
use crate::input::{Password, Username};
use crate::outcome::Refusal;
use crate::store::erasure::{ErasedMessages, Progress};
use crate::store::users::{self, Credentials};
use crate::store::{self, Db};

/// The commands run one query at a time.
const CONNECTIONS: u32 = 1;
/// 24 characters out of 55 make 138 bits; characters that are easily mistaken for each other are left out.
const PASSWORD_LENGTH: usize = 24;
const PASSWORD_SIGNS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

#[derive(Debug, Clone, Subcommand)]
pub enum Admin {
    /// Create an admin account.
    Create(Target),
    /// Make an existing user an admin.
    Promote { username: String },
    /// Set a new password for an account and end all its sessions.
    ResetPassword(Target),
    /// Erase an account permanently, including all its messages.
    Erase { username: String },
    /// Create an invitation to sign up, for REGISTRATION=invite.
    Invite(Invite),
}

#[derive(Debug, Clone, Args)]
pub struct Target {
    username: String,
    /// Read the password from standard input; otherwise a random one is generated and printed once.
    #[arg(long)]
    password_stdin: bool,
}

impl Admin {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let database = Database::open(&config).await?;
        let done = async {
            drop(database.prepare().await?);
            let db = database.access().await?.connect(CONNECTIONS);
            let said = self.act(&db).await;
            db.close().await;
            said
        };
        let done = done.await;
        database.close().await;
        println!("{}", done?);
        Ok(())
    }

    async fn act(self, db: &Db) -> anyhow::Result<String> {
        match self {
            Self::Create(target) => create(db, &target).await,
            Self::Promote { username } => promote(db, &username).await,
            Self::ResetPassword(target) => reset_password(db, &target).await,
            Self::Erase { username } => erase(db, &username).await,
            Self::Invite(terms) => terms.make(db).await,
        }
    }
}

async fn create(db: &Db, target: &Target) -> anyhow::Result<String> {
    let username = name(&target.username)?;
    let (password, told) = target.password()?;
    let hash = Passwords::new().hash(password.into_secret()).await?;
    match users::create(db, UserId::new(), username.as_ref(), &hash, Role::Admin).await {
        Ok(_) => Ok(format!("{} is now an admin.{told}", username.as_ref())),
        Err(error) if store::violates(&error, users::USERNAME_TAKEN) => {
            bail!(
                "`{0}` already has an account; run `gapless admin promote {0}` to make it an admin",
                username.as_ref()
            )
        }
        Err(error) => Err(error.into()),
    }
}

async fn promote(db: &Db, username: &str) -> anyhow::Result<String> {
    let account = account(db, username).await?;
    if account.is_banned {
        bail!("{} is banned; an admin has to lift the ban first", account.user.username);
    }
    match users::operator_set_role(db, account.user.id, Role::Admin).await? {
        Ok(Some(_)) => Ok(format!("{} is now an admin.", account.user.username)),
        Ok(None) => Ok(format!("{} is already an admin.", account.user.username)),
        _ => bail!("{} no longer has an account", account.user.username),
    }
}

async fn reset_password(db: &Db, target: &Target) -> anyhow::Result<String> {
    let account = account(db, &target.username).await?;
    let (password, told) = target.password()?;
    let hash = Passwords::new().hash(password.into_secret()).await?;
    // Pass a session that does not exist as the one to keep: all sessions end.
    let nobodys = SessionId::new();
    match users::change_password(db, account.user.id, &account.password_hash, &hash, nobodys).await? {
        Err(Refusal::ChangedMeanwhile) => bail!("the password was changed at the same time; try again"),
        _ => Ok(format!("{} has a new password, and all sessions are ended.{told}", account.user.username)),
    }
}

async fn erase(db: &Db, username: &str) -> anyhow::Result<String> {
    let account = account(db, username).await?;
    match users::operator_erase(db, account.user.id).await? {
        Ok(Some(_)) => {}
        Err(Refusal::LastAdmin) => bail!("{} is the last admin; promote another user first", account.user.username),
        _ => bail!("{} no longer has an account", account.user.username),
    }
    let mut messages = ErasedMessages::of(account.user.id);
    while messages.forget_some(db).await? != Progress::Done {}
    Ok(format!("{} is erased, with all their messages.", account.user.username))
}

async fn account(db: &Db, username: &str) -> anyhow::Result<Credentials> {
    let username = name(username)?;
    let found = users::credentials_by_name(db, username.as_ref()).await?;
    found.with_context(|| format!("`{}` has no account", username.as_ref()))
}

fn name(username: &str) -> anyhow::Result<Username> {
    Username::parse(username).map_err(|refusal| anyhow::anyhow!("the username {refusal}"))
}

impl Target {
    /// Returns the password, and what to print about it.
    fn password(&self) -> anyhow::Result<(Password, String)> {
        if !self.password_stdin {
            let made = made_up();
            let told = format!("\nPassword: {}", made.expose_secret());
            return Ok((parsed(made.expose_secret())?, told));
        }
        let mut line = String::new();
        if std::io::stdin().is_terminal() {
            eprintln!("Password (it will be visible):");
        }
        std::io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
        Ok((parsed(line.trim_end_matches(['\r', '\n']))?, String::new()))
    }
}

fn parsed(password: &str) -> anyhow::Result<Password> {
    Password::parse(password).map_err(|refusal| anyhow::anyhow!("the password {refusal}"))
}

fn made_up() -> SecretString {
    let mut chance = rand::rng();
    let signs = (0..PASSWORD_LENGTH).map(|_| char::from(PASSWORD_SIGNS[chance.random_range(..PASSWORD_SIGNS.len())]));
    signs.collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(username: &str) -> Target {
        Target { username: username.to_owned(), password_stdin: false }
    }

    /// Extracts the password from the printed text.
    fn told(said: &str) -> SecretString {
        said.lines().find_map(|line| line.strip_prefix("Password: ")).expect("a password is told").into()
    }

    async fn opens(db: &Db, username: &str, password: SecretString) -> bool {
        let known = users::credentials_by_name(db, username).await.unwrap().expect("an account");
        Passwords::new().verify(password, Some(known.password_hash)).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn the_first_admin_is_made_and_gets_in(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let said = Admin::Create(target("Root")).act(&db).await.unwrap();
        let known = users::credentials_by_name(&db, "root").await.unwrap().expect("an account");
        assert_eq!(known.user.role, Role::Admin);
        assert!(opens(&db, "root", told(&said)).await);

        let error = Admin::Create(target("root")).act(&db).await.unwrap_err();
        assert!(error.to_string().contains("gapless admin promote root"), "{error}");
        assert!(Admin::Create(target("no name")).act(&db).await.is_err());
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn somebody_is_promoted_without_any_admin_and_the_log_tells(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        users::create(&db, UserId::new(), "ali", "hash", Role::User).await.unwrap();
        let promote = || Admin::Promote { username: "ali".to_owned() }.act(&db);
        assert_eq!(promote().await.unwrap(), "ali is now an admin.");
        assert_eq!(store::log::head(&db).await.unwrap().pos.0, 1);
        assert_eq!(promote().await.unwrap(), "ali is already an admin.");
        assert_eq!(store::log::head(&db).await.unwrap().pos.0, 1);
        assert!(Admin::Promote { username: "nobody".to_owned() }.act(&db).await.is_err());
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn somebody_is_erased_but_not_the_last_admin(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let erase = |username: &str| Admin::Erase { username: username.to_owned() }.act(&db);
        users::create(&db, UserId::new(), "ali", "hash", Role::User).await.unwrap();
        assert_eq!(erase("Ali").await.unwrap(), "ali is erased, with all their messages.");
        assert!(erase("ali").await.unwrap_err().to_string().contains("no account"));
        Admin::Create(target("root")).act(&db).await.unwrap();
        assert!(erase("root").await.unwrap_err().to_string().contains("last admin"));
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_new_password_opens_and_the_former_does_not(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let former = told(&Admin::Create(target("root")).act(&db).await.unwrap());
        let new = told(&Admin::ResetPassword(target("root")).act(&db).await.unwrap());
        assert!(opens(&db, "root", new).await);
        assert!(!opens(&db, "root", former).await);
    }
}

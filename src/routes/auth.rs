//! Sign-up, sign-in, refresh, sign-out and change of password.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::SignedIn;
use crate::auth::invitation::{CodeDigest, InvitationCode};
use crate::auth::session::{Session, TokenDigests};
use crate::config::Registration;
use crate::error::{Error, Result};
use crate::event::{Role, User};
use crate::extract::Json;
use crate::id::{Generation, SessionClaim, SessionId, UserId};
use crate::input::{Password, Username};
use crate::limits::Address;
use crate::store::sessions::Rotation;
use crate::store::{invitations, sessions, users};

/// Maximum number of attempts at a refresh while other uses of the same token interfere.
const REFRESH_ATTEMPTS: usize = 4;

/// A name and a password for a new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    username: Username,
    password: Password,
    /// An invitation code, if signing up requires one.
    #[schema(value_type = Option<String>, example = "k7mq2xw9hd4tnp8rcv3ybz6fjg")]
    invitation: Option<SecretString>,
}

/// A username and a password. Any text is accepted here.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    #[schema(example = "ali")]
    username: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    password: SecretString,
}

/// The refresh token that came with a session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionHolder {
    #[schema(value_type = String, example = "q2n1oJ0hYFj3x0dJtqf0uVdBcqg7mP6sYb0T9rJ3k8A")]
    refresh_token: SecretString,
}

/// The current password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    current_password: SecretString,
    new_password: Password,
}

/// Sign up.
///
/// Creates an account and signs it in.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = NewAccount,
    responses(
        (status = 201, description = "The account's first session.", body = Session),
        (status = 403, description = "`registration_closed`; `invitation_required`; `invalid_invitation`: unknown, used up, expired or revoked"),
        (status = 409, description = "`username_taken`: the invitation keeps its use"),
    ),
)]
pub async fn register(
    State(app): State<App>,
    address: Address,
    Json(account): Json<NewAccount>,
) -> Result<(StatusCode, Json<Session>)> {
    app.limits.admit_sign_up(address)?;
    let invitation = admission(&app, account.invitation).await?;
    app.limits.admit_account()?;
    let username = account.username.into_text();
    let made = make_account(&app, address, &username, account.password, invitation).await;
    match &made {
        Ok(_) => app.limits.remember(&username, address),
        // Requests for taken names must not use up the budget of new accounts.
        Err(Error::Conflict { .. } | Error::Forbidden { .. }) => app.limits.no_account_was_made(),
        Err(_) => {}
    }
    made.map(|session| (StatusCode::CREATED, Json(session)))
}

async fn make_account(
    app: &App,
    address: Address,
    username: &Arc<str>,
    password: Password,
    invitation: Option<CodeDigest>,
) -> Result<Session> {
    let password_hash = app.passwords.hash_for(address, password.into_secret()).await?;
    let user = User { id: UserId::new(), username: Arc::clone(username), role: Role::User };
    let (id, next) = (SessionId::new(), app.auth.next_token());
    let opening = next.opening(id);
    let registered = match invitation {
        None => users::register(&app.db, user.id, username, &password_hash, opening).await.map(|()| true),
        Some(code) => invitations::register(&app.db, &code, user.id, username, &password_hash, opening).await,
    };
    if !registered.map_err(username_taken)? {
        return Err(invalid_invitation());
    }
    // The first session of an account is of its first generation.
    let session = SessionClaim { id, generation: Some(Generation::default()) };
    Ok(app.auth.session(session, user, next))
}

/// Checks whether a new account is allowed: always if registration is open, otherwise with a valid invitation. Checked
/// before the password is hashed, so that a caller without an invitation costs only a query. The invitation is checked
/// again when it is used, which is what counts.
async fn admission(app: &App, shown: Option<SecretString>) -> Result<Option<CodeDigest>> {
    match app.config.registration {
        Registration::Open => Ok(None),
        Registration::Closed => Err(Error::Forbidden {
            code: "registration_closed",
            detail: "Sign-up is closed. Ask an admin of this chat for an account.",
        }),
        Registration::Invite => {
            let shown = shown.as_ref().map(InvitationCode::shown).filter(|code| !code.is_empty());
            let code = shown.ok_or(Error::Forbidden {
                code: "invitation_required",
                detail: "You need an invitation to sign up. Ask an admin of this chat for one.",
            })?;
            let digest = code.digest();
            let stands = invitations::stands(&app.db, &digest, app.clock.now()).await?;
            if stands { Ok(Some(digest)) } else { Err(invalid_invitation()) }
        }
    }
}

fn invalid_invitation() -> Error {
    Error::Forbidden {
        code: "invalid_invitation",
        detail: "This invitation is not valid or no longer valid. Ask an admin of this chat for a new one.",
    }
}

/// Sign in.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses(
        (status = 200, description = "A new session.", body = Session),
        (status = 401, description = "`wrong_credentials`: says not which half"),
        (status = 403, description = "`banned`, and the password was right; `detail` names the reason"),
    ),
)]
pub async fn login(State(app): State<App>, address: Address, Json(shown): Json<Credentials>) -> Result<Json<Session>> {
    let signed_in = sign_in(&app, address, shown).await;
    let outcome = signed_in.as_ref().map_or_else(Error::code, |_| "succeeded");
    metrics::counter!("gapless_sign_ins_total", "outcome" => outcome).increment(1);
    signed_in
}

async fn sign_in(app: &App, address: Address, shown: Credentials) -> Result<Json<Session>> {
    let attempt = app.limits.admit_password(&shown.username.to_ascii_lowercase(), address).await?;
    // Text that is not a valid username is not looked up; it is refused like any other wrong one, and as slowly.
    let known = match Username::parse_existing(&shown.username) {
        Ok(username) => users::credentials_by_name(&app.db, username.as_ref()).await?,
        Err(_) => None,
    };
    let known = known.filter(|_| app.config.demo_mode || !is_demo_password(&shown.password));
    let password_hash = known.as_ref().map(|known| known.password_hash.clone());
    let matches = app.passwords.verify_for(address, shown.password, password_hash).await?;
    let Some(known) = known.filter(|_| matches) else {
        attempt.wrong();
        return Err(Error::WrongCredentials);
    };
    attempt.right();
    // Only after the password check: callers who do not know the password learn nothing about the account.
    if known.is_banned {
        return Err(Error::Banned { reason: known.ban_reason });
    }

    let (id, next) = (SessionId::new(), app.auth.next_token());
    let session = sessions::open(&app.db, known.user.id, &known.password_hash, next.opening(id)).await?;
    let session = session.ok_or(Error::WrongCredentials)?;
    match sessions::end_surplus(&app.db, known.user.id).await {
        Ok(ended_at) => app.settled(ended_at).await,
        Err(error) => {
            tracing::warn!(%error, user = %known.user.id, "cannot end surplus sessions; retrying at the next sign-in");
        }
    }
    Ok(Json(app.auth.session(session, known.user, next)))
}

/// Exchange a refresh token for a new session pair.
///
/// This spends the token. If the response is lost, send it again: within a minute it gives the same new token, to every
/// tab that asks, and later another one. Once the new token was used, sending the spent one ends the whole session,
/// since somebody else must hold a copy.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = SessionHolder,
    responses(
        (status = 200, description = "The same session with new tokens.", body = Session),
        (status = 401, description = "`invalid_refresh_token`: unknown, expired, spent and its successor used, or its session has ended"),
        (status = 403, description = "`banned`, and the token was the user's; `detail` names the reason"),
    ),
)]
pub async fn refresh(
    State(app): State<App>,
    address: Address,
    Json(holder): Json<SessionHolder>,
) -> Result<Json<Session>> {
    let spent = &holder.refresh_token;
    let shown = TokenDigests::of(spent);
    let mut replaces = false;
    for _ in 0..REFRESH_ATTEMPTS {
        let next = app.auth.next_successor(spent);
        let now = next.made_at;
        match sessions::rotate(&app.db, shown.presented(), now, next.offer(replaces)).await? {
            Rotation::Done { session, user, nonce, digest } => {
                let token = next.with_digest(&digest).or_else(|| app.auth.successors.find(spent, &nonce, &digest));
                let Some(token) = token else {
                    // Derived with a key that this instance does not have (yet or any more).
                    replaces = true;
                    continue;
                };
                app.limits.remember(&user.username, address);
                return Ok(Json(app.auth.session_with(session, user, &token, now)));
            }
            Rotation::Raced => {}
            Rotation::Invalid => {
                let ban = sessions::ban_of_holder(&app.db, shown.presented(), now).await?;
                return Err(ban.map_or(Error::InvalidRefreshToken, |ban| Error::Banned { reason: ban.reason }));
            }
            Rotation::Reused { session, user, ended_at } => {
                metrics::counter!("gapless_refresh_tokens_reused_total").increment(1);
                tracing::warn!(
                    %session, %user,
                    "a spent refresh token was presented after its successor was used; ended the session"
                );
                app.settled(ended_at).await;
                return Err(Error::InvalidRefreshToken);
            }
        }
    }
    Err(Error::unavailable())
}

/// Sign out.
///
/// Ends the session of the refresh token. A token that is unknown, or not the caller's, has no effect.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", request_body = SessionHolder, security(("bearer" = [])),
    responses((status = 204, description = "The session has ended.")),
)]
pub async fn logout(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(holder): Json<SessionHolder>,
) -> Result<StatusCode> {
    let shown = TokenDigests::of(&holder.refresh_token);
    let ended_at = sessions::end_by_token(&app.db, caller.id, shown.presented()).await?;
    app.settled(ended_at).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere.
///
/// Ends all sessions of the caller, including this one.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "All sessions have ended.")),
)]
pub async fn logout_all(State(app): State<App>, SignedIn(caller): SignedIn) -> Result<StatusCode> {
    let ended_at = sessions::end_all(&app.db, caller.id).await?;
    app.settled(ended_at).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the password.
///
/// All other sessions of the caller end.
#[utoipa::path(
    put, path = "/auth/password", tag = "auth", request_body = PasswordChange, security(("bearer" = [])),
    responses(
        (status = 204, description = "The password is changed."),
        (status = 409, description = "`changed_meanwhile`: by another request at the same time"),
    ),
)]
pub async fn change_password(
    State(app): State<App>,
    address: Address,
    SignedIn(caller): SignedIn,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode> {
    // A stolen access token must not become a way to guess the password.
    let attempt = app.limits.admit_password(&caller.username, address).await?;
    let old_hash = users::password_hash(&app.db, caller.id).await?.ok_or(Error::InvalidToken)?;
    if !app.passwords.verify_for(address, change.current_password, Some(old_hash.clone())).await? {
        attempt.wrong();
        return Err(Error::invalid("current_password", "is not the current password"));
    }
    attempt.right();
    let new_hash = app.passwords.hash_for(address, change.new_password.into_secret()).await?;

    let session = caller.session.id;
    let ended_at = users::change_password(&app.db, caller.id, &old_hash, &new_hash, session).await??;
    app.settled(ended_at).await;
    Ok(StatusCode::NO_CONTENT)
}

fn username_taken(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some(users::USERNAME_TAKEN | users::USERNAME_KEPT) => {
            Error::Conflict { code: "username_taken", detail: "This username is taken." }
        }
        _ => error.into(),
    }
}

/// The demo's passwords are shorter than any that users can choose. Outside demo mode they open no account, even if a
/// demo used the same database before.
fn is_demo_password(password: &SecretString) -> bool {
    Password::parse(secrecy::ExposeSecret::expose_secret(password)).is_err()
}

#[cfg(test)]
mod guessing_tests;
#[cfg(test)]
mod tests;

//! Sign-up, sign-in and what follows from it: refresh, sign-out, a new password.

use axum::extract::State;
use axum::http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::session::{RefreshToken, Session};
use crate::auth::{SignedIn, banned};
use crate::error::{Error, Result};
use crate::event::{Role, User};
use crate::extract::Json;
use crate::id::{Pos, SessionId, UserId};
use crate::input::{Password, Username};
use crate::limits::Address;
use crate::store::sessions::Rotation;
use crate::store::users::Outcome;
use crate::store::{sessions, users};

/// A name and a password for a new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    username: Username,
    password: Password,
}

/// A name and its password. Any text may be tried.
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

/// The password now and the one to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password, example = "correct horse battery")]
    current_password: SecretString,
    new_password: Password,
}

/// Sign up.
///
/// Makes an account and signs it in.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = NewAccount,
    responses(
        (status = 201, description = "The account's first session.", body = Session),
        (status = 409, description = "`username_taken`"),
    ),
)]
pub async fn register(
    State(app): State<App>,
    address: Address,
    Json(account): Json<NewAccount>,
) -> Result<(StatusCode, Json<Session>)> {
    app.limits.admit_sign_up(address)?;
    let username = account.username.into_text();
    let password_hash = app.passwords.hash(account.password.into_secret()).await?;

    let user = User { id: UserId::new(), username, role: Role::User };
    let (id, next) = (SessionId::new(), app.next_token());
    users::register(&app.db, user.id, &user.username, &password_hash, next.opening(id))
        .await
        .map_err(username_taken)?;
    Ok((StatusCode::CREATED, Json(app.session(id, user, next))))
}

/// Sign in.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses(
        (status = 200, description = "A new session.", body = Session),
        (status = 401, description = "`wrong_credentials`: says not which half"),
        (status = 403, description = "`banned`, and the password was right"),
    ),
)]
pub async fn login(State(app): State<App>, address: Address, Json(shown): Json<Credentials>) -> Result<Json<Session>> {
    app.limits.admit_sign_in(&shown.username.to_ascii_lowercase(), address)?;
    // A text that can be nobody's name is not looked up; it is refused like any other wrong one, as slowly.
    let known = match Username::parse(&shown.username) {
        Ok(username) => users::credentials_by_name(&app.db, username.as_ref()).await?,
        Err(_) => None,
    };
    let known = known.filter(|_| app.config.demo_mode || !is_demo_password(&shown.password));
    let password_hash = known.as_ref().map(|known| known.password_hash.clone());
    let matches = app.passwords.verify(shown.password, password_hash).await?;
    let known = known.filter(|_| matches).ok_or(Error::WrongCredentials)?;
    // Only now: whoever does not know the password learns nothing about the account.
    if known.is_banned {
        return Err(banned());
    }

    let (id, next) = (SessionId::new(), app.next_token());
    if !sessions::open(&app.db, known.user.id, &known.password_hash, next.opening(id)).await? {
        return Err(Error::WrongCredentials);
    }
    Ok(Json(app.session(id, known.user, next)))
}

/// Exchange a refresh token for a new session pair.
///
/// The token is spent by this. Showing a spent one again ends the whole session, since two must be holding it.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth", request_body = SessionHolder,
    responses(
        (status = 200, description = "The same session with new tokens.", body = Session),
        (status = 401, description = "`invalid_refresh_token`: unknown, expired, spent, or its session has ended"),
    ),
)]
pub async fn refresh(State(app): State<App>, Json(holder): Json<SessionHolder>) -> Result<Json<Session>> {
    let shown = RefreshToken::digest_of(&holder.refresh_token);
    let next = app.next_token();
    match sessions::rotate(&app.db, &shown, next.made_at, &next.digest, next.expires_at).await? {
        Rotation::Done { session, user } => Ok(Json(app.session(session, user, next))),
        Rotation::Invalid => Err(Error::InvalidRefreshToken),
        Rotation::Reused { session, user, ended_at } => {
            tracing::warn!(%session, %user, "a spent refresh token was shown again; the session ends");
            settle(&app, ended_at).await;
            Err(Error::InvalidRefreshToken)
        }
    }
}

/// Sign out.
///
/// Ends the session that the refresh token belongs to. A token that is not the caller's, or not known any
/// more, leaves nothing to do.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth", request_body = SessionHolder, security(("bearer" = [])),
    responses((status = 204, description = "The session has ended.")),
)]
pub async fn logout(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(holder): Json<SessionHolder>,
) -> Result<StatusCode> {
    let shown = RefreshToken::digest_of(&holder.refresh_token);
    let ended_at = sessions::end_by_token(&app.db, caller.id, &shown).await?;
    settle(&app, ended_at).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out everywhere.
///
/// Ends all sessions of the caller, this one too.
#[utoipa::path(
    post, path = "/auth/logout-all", tag = "auth", security(("bearer" = [])),
    responses((status = 204, description = "All sessions have ended.")),
)]
pub async fn logout_all(State(app): State<App>, SignedIn(caller): SignedIn) -> Result<StatusCode> {
    let ended_at = sessions::end_all(&app.db, caller.id).await?;
    settle(&app, ended_at).await;
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
    // A found access token must not become a way to guess the password.
    app.limits.admit_sign_in(&caller.username, address)?;
    let old_hash = users::password_hash(&app.db, caller.id).await?.ok_or(Error::InvalidToken)?;
    if !app.passwords.verify(change.current_password, Some(old_hash.clone())).await? {
        return Err(Error::invalid("current_password", "is not the current password"));
    }
    let new_hash = app.passwords.hash(change.new_password.into_secret()).await?;

    match users::change_password(&app.db, caller.id, &old_hash, &new_hash, caller.session).await? {
        Outcome::ChangedMeanwhile => {
            Err(Error::Conflict { code: "changed_meanwhile", detail: "The password was changed in between." })
        }
        Outcome::Done(pos) => {
            app.realtime.settle(pos).await;
            Ok(StatusCode::NO_CONTENT)
        }
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

async fn settle(app: &App, ended_at: Option<Pos>) {
    if let Some(pos) = ended_at {
        app.realtime.settle(pos).await;
    }
}

fn username_taken(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::constraint) {
        Some(users::USERNAME_TAKEN) => {
            Error::Conflict { code: "username_taken", detail: "Somebody else has this username." }
        }
        _ => error.into(),
    }
}

/// The demo's passwords are shorter than any that can be chosen. Outside demo mode none such opens an
/// account, also where a demo once used the same database.
fn is_demo_password(password: &SecretString) -> bool {
    Password::parse(secrecy::ExposeSecret::expose_secret(password)).is_err()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use axum::http::{Method, header};
    use serde_json::json;
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    use crate::config::Config;
    use crate::event::Role;
    use crate::routes::visitor::{Chat, PASSWORD, Visitor, credentials};

    async fn is_signed_in(visitor: &Visitor) -> bool {
        let answer = visitor.get("/users/me").await;
        assert!(answer.status == 200 || answer.body["code"] == "invalid_token", "{}", answer.body);
        answer.status == 200
    }

    #[sqlx::test(migrations = false)]
    async fn a_new_user_is_signed_in_and_their_name_is_theirs_in_any_case(
        _: PgPoolOptions,
        database: PgConnectOptions,
    ) {
        let chat = Chat::start(database).await;
        let ali = chat.guest().post("/auth/register", credentials("Ali", PASSWORD)).await;
        assert_eq!(ali.headers[header::CACHE_CONTROL], "no-store");
        let session = ali.expect(201);
        assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!((&session["user"]["username"], &session["user"]["role"]), (&json!("ali"), &json!("user")));
        let mut ali = chat.guest();
        ali.hold(&session);
        assert_eq!(ali.get("/users/me").await.expect(200)["id"], session["user"]["id"]);

        chat.guest()
            .post("/auth/register", credentials("ALI", "another password"))
            .await
            .expect_refusal(409, "username_taken");
        let again = chat.guest().post("/auth/login", credentials("aLI", PASSWORD)).await.expect(200);
        assert_eq!(again["user"], session["user"]);

        let short =
            chat.guest().post("/auth/register", credentials("bo", "short")).await.expect_refusal(422, "invalid");
        assert!(!short.to_string().contains("short\""), "{short}");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_refused_sign_in_says_nothing_about_the_account(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let ali = chat.user("ali").await;
        let admin = chat.admin("admin").await;
        let wrong = [
            credentials("ali", "wrong password"),
            credentials("nobody", PASSWORD),
            credentials("no name\0at all", PASSWORD),
            credentials("", ""),
        ];
        let mut refusals = Vec::new();
        for attempt in &wrong {
            refusals
                .push(chat.guest().post("/auth/login", attempt.clone()).await.expect_refusal(401, "wrong_credentials"));
        }
        admin.post(&format!("/users/{}/ban", ali.id), json!({})).await.expect(200);
        refusals
            .push(chat.guest().post("/auth/login", wrong[0].clone()).await.expect_refusal(401, "wrong_credentials"));
        refusals.dedup();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        // Who knows the password may know of the ban.
        chat.guest().post("/auth/login", credentials("ali", PASSWORD)).await.expect_refusal(403, "banned");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_spent_refresh_token_ends_the_session_for_whoever_holds_it(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let mut ali = chat.user("ali").await;
        let other_device = ali.sign_in("ali").await;
        let thief = ali.clone();
        let next = ali.refresh().await.expect(200);
        ali.hold(&next);
        assert!(is_signed_in(&ali).await);

        thief.refresh().await.expect_refusal(401, "invalid_refresh_token");
        assert!(!is_signed_in(&ali).await, "the access token ends with the session");
        assert!(!is_signed_in(&thief).await);
        ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
        assert!(is_signed_in(&other_device).await);
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn signing_out_ends_the_session_that_was_named_and_no_other(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let (ali, bob) = (chat.user("ali").await, chat.user("bob").await);
        let other_device = ali.sign_in("ali").await;
        let log_out = |refresh_token: &str| json!({ "refresh_token": refresh_token });

        bob.post("/auth/logout", log_out(&ali.refresh_token)).await.expect(204);
        bob.post("/auth/logout", log_out("unknown")).await.expect(204);
        assert!(is_signed_in(&ali).await && is_signed_in(&bob).await);

        ali.post("/auth/logout", log_out(&ali.refresh_token)).await.expect(204);
        assert!(!is_signed_in(&ali).await);
        ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
        assert!(is_signed_in(&other_device).await);

        let third_device = ali.sign_in("ali").await;
        third_device.ask(Method::POST, "/auth/logout-all", None).await.expect(204);
        assert!(!is_signed_in(&other_device).await && !is_signed_in(&third_device).await);
        assert!(is_signed_in(&bob).await);
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn a_new_password_needs_the_old_one_and_ends_the_other_sessions(
        _: PgPoolOptions,
        database: PgConnectOptions,
    ) {
        let chat = Chat::start(database).await;
        let ali = chat.user("ali").await;
        let other_device = ali.sign_in("ali").await;
        let change = |from: &str, to: &str| json!({ "current_password": from, "new_password": to });

        let wrong = ali.ask(Method::PUT, "/auth/password", Some(change("wrong", "battery staple"))).await;
        assert_eq!(wrong.expect_refusal(422, "invalid")["errors"][0]["field"], "current_password");
        ali.ask(Method::PUT, "/auth/password", Some(change(PASSWORD, "short"))).await.expect_refusal(422, "invalid");
        assert!(is_signed_in(&other_device).await);

        ali.ask(Method::PUT, "/auth/password", Some(change(PASSWORD, "battery staple"))).await.expect(204);
        assert!(is_signed_in(&ali).await);
        assert!(!is_signed_in(&other_device).await);
        chat.guest().post("/auth/login", credentials("ali", PASSWORD)).await.expect_refusal(401, "wrong_credentials");
        chat.guest().post("/auth/login", credentials("ali", "battery staple")).await.expect(200);
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn tokens_end_at_their_time(_: PgPoolOptions, database: PgConnectOptions) {
        let chat = Chat::start(database).await;
        let mut ali = chat.user("ali").await;
        chat.app.clock.advance(Duration::from_mins(15));
        assert!(!is_signed_in(&ali).await);
        let next = ali.refresh().await.expect(200);
        ali.hold(&next);
        assert!(is_signed_in(&ali).await);
        chat.app.clock.advance(Duration::from_hours(30 * 24));
        ali.refresh().await.expect_refusal(401, "invalid_refresh_token");
        chat.stop().await;
    }

    #[sqlx::test(migrations = false)]
    async fn the_demos_passwords_open_nothing_outside_demo_mode(_: PgPoolOptions, database: PgConnectOptions) {
        for (demo_mode, status) in [(true, 200), (false, 401)] {
            // The database of a demo, then put to serious use.
            let chat = Chat::with(database.clone(), Config { demo_mode, ..Config::for_tests() }).await;
            for (username, password) in [("ali", "test"), ("admin", "admin")] {
                chat.guest().post("/auth/login", credentials(username, password)).await.expect(status);
            }
            chat.stop().await;
        }
    }

    #[sqlx::test(migrations = false)]
    async fn guessing_is_slowed_for_the_account_and_answered_with_a_pause(
        _: PgPoolOptions,
        database: PgConnectOptions,
    ) {
        let chat = Chat::with(database, Config { rate_limits: true, ..Config::for_tests() }).await;
        chat.account("ali", PASSWORD, Role::User).await;
        for _ in 0..10 {
            chat.guest()
                .post("/auth/login", credentials("ali", "guess"))
                .await
                .expect_refusal(401, "wrong_credentials");
        }
        let elsewhere = chat.guest_from(IpAddr::from([198, 51, 100, 1]));
        let refused = elsewhere.post("/auth/login", credentials("ALI", PASSWORD)).await;
        let pause: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=6).contains(&pause), "{pause} s");
        refused.expect_refusal(429, "too_many_requests");
        chat.stop().await;
    }
}

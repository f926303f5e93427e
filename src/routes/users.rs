//! Accounts as their owners and admins see them, and what admins can do to them.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, de};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::{AsAdmin, SignedIn};
use crate::error::{Error, Result};
use crate::event::{Role, User};
use crate::extract::{Json, Path, Query};
use crate::id::UserId;
use crate::input::{Limit, Reason, SearchText, not_empty, whole};
use crate::store::user_search::{self, Place};
use crate::store::users::{self, Account};

/// A user with the restrictions that are in force.
#[derive(Serialize, ToSchema)]
pub struct UserDetails {
    #[serde(flatten)]
    user: User,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    muted_until: Option<OffsetDateTime>,
    #[schema(required = true, example = "advertising")]
    mute_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    banned_at: Option<OffsetDateTime>,
    #[schema(required = true, example = "advertising")]
    ban_reason: Option<String>,
}

/// Users found.
#[derive(Serialize, ToSchema)]
pub struct UserList {
    users: Vec<UserDetails>,
    /// The `cursor` of the next page, which may follow a page that is not full; `null` at the end.
    #[schema(required = true, example = "b.ali")]
    next: Option<String>,
}

/// Selection of the users to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// A part of the username; empty for all users.
    #[serde(default)]
    #[param(required = false)]
    query: SearchText,
    /// Maximum number of users; values above 200 mean 200.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 50)]
    limit: Limit<50, 200>,
    /// `next` of the page before.
    #[serde(default, deserialize_with = "not_empty")]
    #[param(value_type = Option<String>, pattern = r"^[bc]\.[!-~]{0,32}$")]
    cursor: Option<PlaceInList>,
}

/// A cursor of the list of users.
struct PlaceInList(Place);

impl<'de> Deserialize<'de> for PlaceInList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// A new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    role: Role,
}

/// A mute: its duration and reason.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    seconds: MuteSeconds,
    /// Shown to the user.
    #[serde(default)]
    #[schema(required = false)]
    reason: Reason,
}

/// Seconds from 1 to a year.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(try_from = "f64")]
#[schema(value_type = u64, minimum = 1, maximum = 31_536_000, example = 3_600)]
pub struct MuteSeconds(u32);

impl TryFrom<f64> for MuteSeconds {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        whole(seconds, 1..=31_536_000).map(Self).ok_or("must be 1 to 31,536,000 whole seconds")
    }
}

/// A ban and its reason.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Shown to admins.
    #[serde(default)]
    #[schema(required = false)]
    reason: Reason,
}

/// Get the caller's account.
#[utoipa::path(
    get, path = "/users/me", tag = "users", security(("bearer" = [])),
    responses((status = 200, description = "The caller.", body = UserDetails)),
)]
pub async fn get_me(State(app): State<App>, SignedIn(caller): SignedIn) -> Result<Json<UserDetails>> {
    let account = users::find(&app.db, caller.id).await?.ok_or(Error::InvalidToken)?;
    Ok(Json(account.into()))
}

/// Find users.
///
/// Those whose name begins with the query come first. Among very many users, a page may be short of those whose name
/// contains it elsewhere: `next` continues the search.
#[utoipa::path(
    get, path = "/users", tag = "users", security(("bearer" = [])), params(UserQuery),
    responses(
        (status = 200, description = "Users, by name.", body = UserList),
        (status = 403, description = "`not_admin`"),
    ),
)]
pub async fn list_users(
    State(app): State<App>,
    _admin: AsAdmin,
    Query(query): Query<UserQuery>,
) -> Result<Json<UserList>> {
    let part = query.query.as_ref().to_ascii_lowercase();
    let after = query.cursor.map(|PlaceInList(place)| place);
    let found = user_search::search(&app.db, &part, after.as_ref(), query.limit.rows()).await?;
    let users = found.accounts.into_iter().map(UserDetails::from).collect();
    Ok(Json(UserList { users, next: found.next.map(|place| place.to_string()) }))
}

/// Set a user's role.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)), request_body = RoleChange,
    responses(
        (status = 200, description = "The user with that role.", body = UserDetails),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`last_admin`: nobody would be left to run the chat"),
    ),
)]
pub async fn set_role(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
    Json(change): Json<RoleChange>,
) -> Result<Json<UserDetails>> {
    let changed = users::set_role(&app.db, user, admin.id, change.role).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// Mute a user for some time.
///
/// A muted user can read, but not post or edit.
#[utoipa::path(
    post, path = "/users/{id}/mute", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)), request_body = Mute,
    responses(
        (status = 200, description = "The user, muted.", body = UserDetails),
        (status = 403, description = "`not_admin`; `not_allowed` to oneself"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn mute_user(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
    Json(mute): Json<Mute>,
) -> Result<Json<UserDetails>> {
    let until = app.clock.now() + Duration::from_secs(mute.seconds.0.into());
    let reason = mute.reason.into_text();
    let changed = users::set_mute(&app.db, user, admin.id, Some(until), reason.as_deref()).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// End a user's mute.
#[utoipa::path(
    post, path = "/users/{id}/unmute", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, description = "The user, not muted.", body = UserDetails),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn unmute_user(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
) -> Result<Json<UserDetails>> {
    let changed = users::set_mute(&app.db, user, admin.id, None, None).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// Ban a user.
///
/// Ends all sessions of the user, who cannot sign in until the ban is lifted.
#[utoipa::path(
    post, path = "/users/{id}/ban", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)), request_body = Ban,
    responses(
        (status = 200, description = "The user, banned.", body = UserDetails),
        (status = 403, description = "`not_admin`; `not_allowed` to oneself"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn ban_user(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
    Json(ban): Json<Ban>,
) -> Result<Json<UserDetails>> {
    let reason = ban.reason.into_text();
    let changed = users::set_ban(&app.db, user, admin.id, true, reason.as_deref()).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// Lift a user's ban.
#[utoipa::path(
    post, path = "/users/{id}/unban", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, description = "The user, not banned.", body = UserDetails),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn unban_user(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
) -> Result<Json<UserDetails>> {
    let changed = users::set_ban(&app.db, user, admin.id, false, None).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// End a user's sessions.
///
/// The user may sign in again at once.
#[utoipa::path(
    post, path = "/users/{id}/end-sessions", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 200, description = "The user, signed out everywhere.", body = UserDetails),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn end_sessions(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
) -> Result<Json<UserDetails>> {
    let changed = users::end_sessions(&app.db, user, admin.id).await??;
    app.settled(changed).await;
    details(&app, user).await
}

/// Erase a user, for good.
///
/// When this responds, the name, password, sessions and private messages (sent and received) are deleted. Public
/// messages lose their bodies, and their author is shown under a placeholder name; for very many messages this takes
/// some minutes.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = UserId, Path)),
    responses(
        (status = 204, description = "erased"),
        (status = 403, description = "`not_admin`; `not_allowed` to oneself"),
        (status = 404, description = "unknown, or erased before"),
    ),
)]
pub async fn erase_user(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Path(user): Path<UserId>,
) -> Result<StatusCode> {
    let changed = users::erase(&app.db, user, admin.id).await??;
    app.settled(changed).await;
    app.sweep.forget_now(user).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns the user's current state.
async fn details(app: &App, user: UserId) -> Result<Json<UserDetails>> {
    let account = users::find(&app.db, user).await?.ok_or(Error::NotFound("user"))?;
    Ok(Json(account.into()))
}

impl From<Account> for UserDetails {
    fn from(account: Account) -> Self {
        Self {
            user: account.user,
            muted_until: account.muted_until,
            mute_reason: account.mute_reason,
            banned_at: account.banned_at,
            ban_reason: account.ban_reason,
        }
    }
}

#[cfg(test)]
mod tests;

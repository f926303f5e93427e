//! Invitations to sign up: admins create, list and revoke them.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::AsAdmin;
use crate::auth::invitation::InvitationCode;
use crate::error::{Error, Result};
use crate::event::Author;
use crate::extract::{Json, Path, Query};
use crate::id::InvitationId;
use crate::input::{Limit, whole};
use crate::store;
use crate::store::invitations::{self, NewInvitation};

/// Terms of a new invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationTerms {
    /// Number of accounts that it can create.
    #[serde(default)]
    #[schema(value_type = u32, required = false, minimum = 1, maximum = 1_000, default = 1)]
    max_uses: Whole<1, 1, 1_000>,
    /// Duration: one minute to one year.
    #[serde(default)]
    #[schema(value_type = u32, required = false, minimum = 60, maximum = 31_536_000, default = 604_800)]
    expires_in_secs: Whole<604_800, 60, 31_536_000>,
}

/// A whole number from `LEAST` to `MOST`; `DEFAULT` if absent.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub struct Whole<const DEFAULT: u32, const LEAST: u32, const MOST: u32>(u32);

impl<const DEFAULT: u32, const LEAST: u32, const MOST: u32> Default for Whole<DEFAULT, LEAST, MOST> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: u32, const LEAST: u32, const MOST: u32> TryFrom<f64> for Whole<DEFAULT, LEAST, MOST> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        let number = whole(number, LEAST..=MOST);
        number.map(Self).ok_or_else(|| format!("must be a whole number from {LEAST} to {MOST}"))
    }
}

/// An invitation as admins see it, without its code.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitation {
    id: InvitationId,
    /// The admin who created it; `null` if the operator did.
    #[schema(required = true)]
    created_by: Option<Author>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[schema(example = 1)]
    max_uses: i32,
    #[schema(example = 0)]
    uses: i32,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    revoked_at: Option<OffsetDateTime>,
    /// True if it can be used now: not used up, expired or revoked, and its creator is still an admin.
    is_valid: bool,
}

/// A new invitation. Not `Debug`, since it contains the code.
#[derive(Serialize, ToSchema)]
pub struct MadeInvitation {
    /// The code to hand on. It is shown only here.
    #[schema(example = "k7mq2xw9hd4tnp8rcv3ybz6fjg")]
    code: String,
    invitation: Invitation,
}

/// A list of invitations.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationList {
    /// Newest first.
    invitations: Vec<Invitation>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhichInvitations {
    /// Maximum number of invitations; values above 200 mean 200.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9_007_199_254_740_991_i64, default = 50)]
    limit: Limit<50, 200>,
}

/// Create an invitation.
///
/// If `REGISTRATION` is `invite`, its code lets newcomers sign up until it is used up, expired or revoked.
#[utoipa::path(
    post, path = "/invitations", tag = "auth", security(("bearer" = [])), request_body = InvitationTerms,
    responses(
        (status = 201, description = "The invitation with its code.", body = MadeInvitation),
        (status = 403, description = "`not_admin`"),
    ),
)]
pub async fn create_invitation(
    State(app): State<App>,
    AsAdmin(admin): AsAdmin,
    Json(terms): Json<InvitationTerms>,
) -> Result<(StatusCode, Json<MadeInvitation>)> {
    let (id, code) = (InvitationId::new(), InvitationCode::random());
    let now = app.clock.now();
    let new = NewInvitation {
        id,
        code_hash: &code.digest(),
        created_by: Some(admin.id),
        created_at: now,
        expires_at: now + Duration::from_secs(terms.expires_in_secs.0.into()),
        max_uses: i32::try_from(terms.max_uses.0).expect("a thousand at most"),
    };
    invitations::create(&app.db, new).await?;
    let made = invitations::find(&app.db, id, now).await?.ok_or(Error::NotFound("invitation"))?;
    Ok((StatusCode::CREATED, Json(MadeInvitation { code: code.expose().to_owned(), invitation: made.into() })))
}

/// List invitations, newest first, including those that can no longer be used.
#[utoipa::path(
    get, path = "/invitations", tag = "auth", security(("bearer" = [])), params(WhichInvitations),
    responses(
        (status = 200, description = "Invitations, without their codes.", body = InvitationList),
        (status = 403, description = "`not_admin`"),
    ),
)]
pub async fn list_invitations(
    State(app): State<App>,
    AsAdmin(_admin): AsAdmin,
    Query(which): Query<WhichInvitations>,
) -> Result<Json<InvitationList>> {
    let found = invitations::list(&app.db, app.clock.now(), which.limit.rows()).await?;
    Ok(Json(InvitationList { invitations: found.into_iter().map(Invitation::from).collect() }))
}

/// Revoke an invitation.
///
/// It can no longer be used; accounts created with it stay. Repeating this is not an error.
#[utoipa::path(
    delete, path = "/invitations/{id}", tag = "auth", security(("bearer" = [])),
    params(("id" = InvitationId, Path)),
    responses(
        (status = 204, description = "The invitation is revoked."),
        (status = 403, description = "`not_admin`"),
        (status = 404, description = "unknown"),
    ),
)]
pub async fn revoke_invitation(
    State(app): State<App>,
    AsAdmin(_admin): AsAdmin,
    Path(invitation): Path<InvitationId>,
) -> Result<StatusCode> {
    if invitations::revoke(&app.db, invitation, app.clock.now()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NotFound("invitation"))
    }
}

impl From<store::invitations::Invitation> for Invitation {
    fn from(kept: store::invitations::Invitation) -> Self {
        Self {
            id: kept.id,
            created_by: kept.created_by,
            created_at: kept.created_at,
            expires_at: kept.expires_at,
            max_uses: kept.max_uses,
            uses: kept.uses,
            revoked_at: kept.revoked_at,
            is_valid: kept.is_valid,
        }
    }
}

#[cfg(test)]
mod tests;

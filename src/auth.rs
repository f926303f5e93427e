//! Authentication. A handler's signature says who may call it: [`Anyone`], [`SignedIn`] or [`AsAdmin`].
//!
//! A token proves identity and session. The rights of that user come from [`crate::realtime`], which follows the log,
//! so a ban, a lost role or a sign-out takes effect within a second on every instance, even for tokens that have not
//! expired, and without a database query on each request.

pub mod invitation;
pub mod password;
pub mod session;
pub mod token;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::event::{Author, Role};
use crate::id::{SessionClaim, UserId};
use crate::limits::Limits;
use crate::outcome::Refusal;
use crate::realtime::Realtime;

use session::Successors;
use token::Tokens;

/// A caller with a valid access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub id: UserId,
    pub username: Arc<str>,
    /// The current role according to the log; tokens carry none.
    pub role: Role,
    pub session: SessionClaim,
    pub expires_at: OffsetDateTime,
}

impl Caller {
    /// Returns the caller as an author.
    pub fn author(&self) -> Author {
        Author { id: self.id, username: self.username.clone() }
    }

    /// Returns the caller if they are an admin.
    pub fn admin(self) -> Result<Self> {
        match self.role {
            Role::Admin => Ok(self),
            Role::User => Err(Refusal::NotAdmin.into()),
        }
    }
}

/// Guests and users alike. A request without a token is a guest's; an invalid token is refused rather than ignored, so
/// that nobody becomes anonymous without noticing.
pub struct Anyone(pub Option<Caller>);

/// A signed-in user of any role.
pub struct SignedIn(pub Caller);

/// An admin.
pub struct AsAdmin(pub Caller);

/// Issues and verifies tokens. Handlers get it from their state.
pub struct Auth {
    pub tokens: Tokens,
    pub successors: Successors,
    refresh_token_ttl: Duration,
    realtime: Realtime,
    limits: Arc<Limits>,
    clock: Clock,
}

impl Auth {
    /// Creates it with the configured keys and lifetimes.
    pub fn new(config: &Config, realtime: Realtime, limits: Arc<Limits>, clock: Clock) -> Self {
        let (key, previous) = (&config.jwt_signing_key, &config.jwt_previous_keys);
        let tokens = Tokens::new(key, previous, &config.jwt_issuer, &config.jwt_audience, config.access_token_ttl);
        let (successors, refresh_token_ttl) = (Successors::new(key, previous), config.refresh_token_ttl);
        Self { tokens, successors, refresh_token_ttl, realtime, limits, clock }
    }

    /// Returns the user of a valid access token.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] if the token is forged or expired, its session has ended or its user is banned.
    pub fn authenticate(&self, access_token: &str) -> Result<Caller> {
        let identity = self.tokens.verify(access_token, self.clock.now()).map_err(|_| Error::InvalidToken)?;
        if self.realtime.is_ended(identity.user_id, identity.session) || self.realtime.is_banned(identity.user_id) {
            return Err(Error::InvalidToken);
        }
        Ok(Caller {
            id: identity.user_id,
            role: self.realtime.role_of(identity.user_id),
            username: identity.username,
            session: identity.session,
            expires_at: identity.expires_at,
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Anyone
where
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let auth = <Arc<Auth>>::from_ref(state);
        let Some(token) = bearer_token(&parts.headers)? else { return Ok(Self(None)) };
        let caller = auth.authenticate(token)?;
        auth.limits.admit_user(caller.id)?;
        Ok(Self(Some(caller)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Anyone(caller) = Anyone::from_request_parts(parts, state).await?;
        caller.map(Self).ok_or(Error::Unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AsAdmin
where
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let SignedIn(caller) = SignedIn::from_request_parts(parts, state).await?;
        caller.admin().map(Self)
    }
}

/// Returns the token in `Authorization: Bearer …` (RFC 6750; the scheme is case-insensitive, RFC 9110, section 11.1).
/// Credentials in any other form, or more than one of them, are an error: the caller meant to authenticate.
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(credentials) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::InvalidToken);
    }
    let credentials = credentials.to_str().map_err(|_| Error::InvalidToken)?;
    match credentials.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim_matches(' '))),
        _ => Err(Error::InvalidToken),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn without_credentials_the_caller_is_a_guest() {
        assert!(matches!(bearer_token(&headers(&[])), Ok(None)));
    }

    #[rstest]
    #[case("Bearer abc")]
    #[case("bearer abc")]
    #[case("BEARER  abc ")]
    fn a_bearer_token_is_found(#[case] value: &'static str) {
        assert_eq!(bearer_token(&headers(&[value])).unwrap(), Some("abc"));
    }

    #[rstest]
    #[case(&["Basic YWxpOnRlc3Q="])]
    #[case(&["Bearer"])]
    #[case(&["abc"])]
    #[case(&[""])]
    #[case(&["Bearer abc", "Bearer def"])]
    fn other_credentials_never_make_a_guest(#[case] values: &[&'static str]) {
        assert!(matches!(bearer_token(&headers(values)), Err(Error::InvalidToken)));
    }
}

//! A session: one sign-in on one device, carried by two tokens. The access token opens doors for minutes;
//! the refresh token, good for one use, buys the next pair.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;
use crate::event::User;
use crate::id::SessionId;
use crate::store::sessions::NewSession;

/// A session as its holder receives it. Not `Debug`: both tokens are secrets.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Send it as `Authorization: Bearer …`.
    #[schema(example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6Ik1rUGJ1aUxWIn0.e30.c2ln")]
    pub access_token: String,
    pub token_type: TokenType,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Good for one use; using it again ends the session.
    #[schema(example = "q2n1oJ0hYFj3x0dJtqf0uVdBcqg7mP6sYb0T9rJ3k8A")]
    pub refresh_token: String,
    pub user: User,
}

/// How the access token is shown: RFC 6750.
#[derive(Serialize, ToSchema)]
pub enum TokenType {
    Bearer,
}

/// A refresh token: 256 bits of chance, of which the database keeps a digest only. The bits are too many
/// to guess, and so one fast hash without salt is enough.
pub struct RefreshToken(SecretString);

/// What the database knows a refresh token by.
pub type TokenDigest = [u8; 32];

impl RefreshToken {
    fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the system gives random bytes, or nothing here is safe");
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The digest of a token that somebody shows. Any text has one; only ours are known.
    pub fn digest_of(shown: &SecretString) -> TokenDigest {
        Sha256::digest(shown.expose_secret()).into()
    }
}

/// The next refresh token of a session, made before the database is asked to take it.
pub struct NextToken {
    token: RefreshToken,
    pub digest: TokenDigest,
    pub made_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl NextToken {
    /// A token of chance that lives for `ttl` unless it is used.
    pub fn new(now: OffsetDateTime, ttl: Duration) -> Self {
        let token = RefreshToken::random();
        let digest = RefreshToken::digest_of(&token.0);
        Self { token, digest, made_at: now, expires_at: now + ttl }
    }

    /// The first token of the session `id`, as the store takes it.
    pub fn opening(&self, id: SessionId) -> NewSession<'_> {
        NewSession { id, opened_at: self.made_at, token_hash: &self.digest, token_expires_at: self.expires_at }
    }
}

impl App {
    /// The next refresh token, with the life that the settings give it.
    pub fn next_token(&self) -> NextToken {
        NextToken::new(self.clock.now(), self.config.refresh_token_ttl)
    }

    /// The session as its holder receives it, with an access token made now.
    pub fn session(&self, id: SessionId, user: User, next: NextToken) -> Session {
        Session {
            access_token: self.tokens.issue(user.id, user.username.clone(), id, next.made_at),
            token_type: TokenType::Bearer,
            expires_in: self.tokens.ttl().as_secs(),
            refresh_token: next.token.0.expose_secret().to_owned(),
            user,
        }
    }
}

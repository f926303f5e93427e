//! A session: one sign-in on one device, carried by two tokens. The access token authenticates requests for some
//! minutes; the refresh token can be exchanged once for the next pair.
//!
//! The response carrying the next pair may get lost. The spent token then yields the same successor again, although the
//! database stores digests only and must not learn the token: [`Successors`] derives a successor from the spent token
//! with a key that is kept outside the database, so any instance with that key can derive it again.
//!
//! All tokens of a session begin with the same random text, their family. By it an earlier token is recognised, although
//! the database keeps only the current one and the one before.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rand::TryRngCore as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Auth;
use crate::config::SigningKey;
use crate::event::User;
use crate::id::{SessionClaim, SessionId};
use crate::store::sessions::{NewSession, Offer, Presented};

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
    /// Valid for one use. If the response was lost, send the same token again: for a minute it gives the same new
    /// token, later another one. Once a new token was used, sending the one before it ends the session.
    #[schema(example = "Zk3vWb0cXq8rT1yUe5oPaS7dq2n1oJ0hYFj3x0dJtqf0uVdBcqg7mP6sYb0T9rJ3k8A")]
    pub refresh_token: String,
    pub user: User,
}

/// Scheme in which the access token is presented (RFC 6750).
#[derive(Serialize, ToSchema)]
pub enum TokenType {
    Bearer,
}

/// A refresh token: its family, 144 random bits, and 256 bits of its own. The database stores digests only. They cannot
/// be guessed by trial, so one fast hash without salt is enough.
pub struct RefreshToken(SecretString);

/// Length of the family in characters.
const FAMILY_LENGTH: usize = 24;
/// Length of the rest of a token, which is all of a token of the previous release.
const SECRET_LENGTH: usize = 43;

/// Digest by which the database finds a refresh token.
pub type TokenDigest = [u8; 32];

/// Digests of a presented token.
pub struct TokenDigests {
    token: TokenDigest,
    family: Option<TokenDigest>,
}

impl TokenDigests {
    /// Any text has a digest; only those of issued tokens are in the database.
    pub fn of(shown: &SecretString) -> Self {
        Self { token: digest(shown.expose_secret()), family: family(shown).map(digest) }
    }

    pub fn presented(&self) -> Presented<'_> {
        Presented { digest: &self.token, family: self.family.as_ref().map(<[u8; 32]>::as_slice) }
    }
}

impl RefreshToken {
    fn random() -> Self {
        Self(format!("{}{}", URL_SAFE_NO_PAD.encode(random::<18>()), URL_SAFE_NO_PAD.encode(random::<32>())).into())
    }

    fn digest(&self) -> TokenDigest {
        digest(self.0.expose_secret())
    }

    fn family_digest(&self) -> TokenDigest {
        digest(family(&self.0).expect("tokens of this release have a family"))
    }
}

fn digest(text: &str) -> TokenDigest {
    Sha256::digest(text).into()
}

/// Returns the family of a token; `None` if an earlier release created it.
fn family(token: &SecretString) -> Option<&str> {
    let token = token.expose_secret();
    if token.len() == FAMILY_LENGTH + SECRET_LENGTH { token.get(..FAMILY_LENGTH) } else { None }
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the system gives random bytes, or nothing here is safe");
    bytes
}

/// Derives refresh tokens from their predecessors: HMAC-SHA-256 of a nonce and the spent token, under a key derived
/// from the one that signs access tokens.
pub struct Successors {
    /// The current key comes first and derives new tokens; the former keys only derive earlier tokens again.
    keys: Vec<EncodingKey>,
}

impl Successors {
    #[must_use]
    pub fn new(signing: &SigningKey, previous: &[SigningKey]) -> Self {
        Self { keys: std::iter::once(signing).chain(previous).map(derived).collect() }
    }

    /// Returns the successor of `spent` with this digest, if one of the keys derived it, for this release or the
    /// previous one.
    pub fn find(&self, spent: &SecretString, nonce: &[u8], digest: &[u8]) -> Option<RefreshToken> {
        let mut made =
            self.keys.iter().flat_map(|key| [successor(key, spent, nonce), without_family(key, spent, nonce)]);
        made.find(|token| token.digest() == digest)
    }
}

/// A key for this purpose only: no access token has a header with a space, so the signing key never signs this text.
fn derived(key: &SigningKey) -> EncodingKey {
    EncodingKey::from_secret(
        hmac(b"successors of refresh tokens", &EncodingKey::from_secret(key.as_bytes())).as_bytes(),
    )
}

/// Derives a successor of the same family. A token without a family begins one, derived in the same way from a longer
/// text: no token ends with a space.
fn successor(key: &EncodingKey, spent: &SecretString, nonce: &[u8]) -> RefreshToken {
    let secret = without_family(key, spent, nonce).0;
    let mut family = family(spent)
        .map_or_else(|| hmac(&[nonce, spent.expose_secret().as_bytes(), b" "].concat(), key), ToOwned::to_owned);
    family.truncate(FAMILY_LENGTH);
    RefreshToken(format!("{family}{}", secret.expose_secret()).into())
}

/// Derives what is a token's own, which is all of a token of the previous release.
fn without_family(key: &EncodingKey, spent: &SecretString, nonce: &[u8]) -> RefreshToken {
    RefreshToken(hmac(&[nonce, spent.expose_secret().as_bytes()].concat(), key).into())
}

/// Encoded like a random token, and indistinguishable from one.
fn hmac(message: &[u8], key: &EncodingKey) -> String {
    crypto::sign(message, key, Algorithm::HS256).expect("the key is a secret of this algorithm")
}

/// A candidate successor of a refresh token.
pub struct NextSuccessor {
    token: RefreshToken,
    nonce: [u8; 16],
    digest: TokenDigest,
    family: TokenDigest,
    pub made_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

impl NextSuccessor {
    /// Returns the candidate in the form that the store takes. `replaces`: see [`Offer`].
    pub fn offer(&self, replaces: bool) -> Offer<'_> {
        Offer { nonce: &self.nonce, digest: &self.digest, family: &self.family, expires_at: self.expires_at, replaces }
    }

    /// Returns the token if this is its digest.
    pub fn with_digest(self, digest: &[u8]) -> Option<RefreshToken> {
        (self.digest == digest).then_some(self.token)
    }
}

/// The first refresh token of a session, created before the session is stored.
pub struct NextToken {
    token: RefreshToken,
    pub digest: TokenDigest,
    pub made_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

impl NextToken {
    /// Creates a random token that lives for `ttl` unless it is used.
    pub fn new(now: OffsetDateTime, ttl: Duration) -> Self {
        let token = RefreshToken::random();
        let digest = token.digest();
        Self { token, digest, made_at: now, expires_at: now + ttl }
    }

    /// Returns the first token of the session `id` in the form that the store takes.
    pub fn opening(&self, id: SessionId) -> NewSession<'_> {
        NewSession { id, opened_at: self.made_at, token_hash: &self.digest, token_expires_at: self.expires_at }
    }
}

impl Auth {
    /// Creates the first refresh token of a session, with the configured lifetime.
    pub fn next_token(&self) -> NextToken {
        NextToken::new(self.clock.now(), self.refresh_token_ttl)
    }

    /// Creates a new successor of this refresh token.
    pub fn next_successor(&self, spent: &SecretString) -> NextSuccessor {
        let (nonce, now) = (random::<16>(), self.clock.now());
        let key = self.successors.keys.first().expect("there is a signing key");
        let token = successor(key, spent, &nonce);
        let (digest, family) = (token.digest(), token.family_digest());
        NextSuccessor { token, nonce, digest, family, made_at: now, expires_at: now + self.refresh_token_ttl }
    }

    /// Builds the tokens for the holder of a new session.
    pub fn session(&self, session: SessionClaim, user: User, next: NextToken) -> Session {
        self.session_with(session, user, &next.token, next.made_at)
    }

    /// Builds the tokens for the holder of a session, with a fresh access token.
    pub fn session_with(
        &self,
        session: SessionClaim,
        user: User,
        token: &RefreshToken,
        now: OffsetDateTime,
    ) -> Session {
        Session {
            access_token: self.tokens.issue(user.id, user.username.clone(), session, now),
            token_type: TokenType::Bearer,
            expires_in: self.tokens.ttl().as_secs(),
            refresh_token: token.0.expose_secret().to_owned(),
            user,
        }
    }
}

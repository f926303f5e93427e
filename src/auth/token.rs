//! Access tokens: short-lived proofs of a sign-in that any instance verifies without a look-up.
//!
//! A token identifies a user and a session and carries no rights: a role could change while the token lives, so the
//! role is looked up when it is needed. The only algorithm is HS256. A token's header must be, byte for byte, the
//! header that one of the configured keys writes (each key has its own `kid`, so that a new key can take over while
//! tokens of the previous one expire). So no token influences how it is verified.
//! Next: [`crate::auth`], which calls [`Tokens`] and then checks that the session is still open.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::config::SigningKey;
use crate::id::{Generation, SessionClaim, SessionId, UserId};

/// Issues and verifies access tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Keyring>);

struct Keyring {
    header: Header,
    signing: EncodingKey,
    /// The current signing key comes first: nearly every token is signed with it.
    verifying: Vec<VerifyingKey>,
    validation: Validation,
    issuer: String,
    audience: String,
    ttl: Duration,
}

struct VerifyingKey {
    /// First part of every token that this key signed.
    header: String,
    key: DecodingKey,
}

/// Identity in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user_id: UserId,
    pub username: Arc<str>,
    pub session: SessionClaim,
    pub expires_at: OffsetDateTime,
}

/// The token is forged, expired, or made for another service. Callers are not told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the access token is not valid")]
pub struct InvalidToken;

/// Every claim but `sgn` and `nbf` is required: a token that lacks one is rejected. Our tokens have no `nbf`; one that
/// has it comes from another service that shares the key.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    /// The session's generation. Tokens issued by the previous release have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sgn: Option<Generation>,
    name: Arc<str>,
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
}

impl Tokens {
    /// Tokens are signed with `signing`, verified with it and each of `previous`, and live for `ttl`.
    #[must_use]
    pub fn new(
        signing: &SigningKey,
        previous: &[SigningKey],
        issuer: impl Into<String>,
        audience: impl Into<String>,
        ttl: Duration,
    ) -> Self {
        let verifying = std::iter::once(signing).chain(previous).map(VerifyingKey::new).collect();
        let (issuer, audience) = (issuer.into(), audience.into());
        Self(Arc::new(Keyring {
            header: header(signing),
            validation: validation(&issuer, &audience),
            signing: EncodingKey::from_secret(signing.as_bytes()),
            verifying,
            issuer,
            audience,
            ttl,
        }))
    }

    /// Returns the lifetime of a new token.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.0.ttl
    }

    /// Signs a token for one session of one user.
    ///
    /// # Panics
    /// Never: claims are plain JSON, and the key is a secret of the header's algorithm.
    pub fn issue(
        &self,
        user_id: UserId,
        username: Arc<str>,
        session: impl Into<SessionClaim>,
        now: OffsetDateTime,
    ) -> String {
        let session = session.into();
        let claims = Claims {
            iss: self.0.issuer.clone(),
            aud: self.0.audience.clone(),
            sub: user_id,
            sid: session.id,
            sgn: session.generation,
            name: username,
            iat: now.unix_timestamp(),
            nbf: None,
            exp: (now + self.0.ttl).unix_timestamp(),
        };
        jsonwebtoken::encode(&self.0.header, &claims, &self.0.signing).expect("claims and key suit the header")
    }

    /// Returns the identity in `token` if it is ours, intact, already valid and not yet expired: without leeway, since
    /// every instance that signs also verifies, and a stream must end at the announced second.
    pub fn verify(&self, token: &str, now: OffsetDateTime) -> Result<Identity, InvalidToken> {
        let (header, _) = token.split_once('.').ok_or(InvalidToken)?;
        let by = self.0.verifying.iter().find(|by| by.header == header).ok_or(InvalidToken)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &by.key, &self.0.validation);
        let claims = decoded.map_err(|_| InvalidToken)?.claims;
        let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(|_| InvalidToken)?;
        if expires_at <= now || claims.nbf.is_some_and(|begin| begin > now.unix_timestamp()) {
            return Err(InvalidToken);
        }
        let session = SessionClaim { id: claims.sid, generation: claims.sgn };
        Ok(Identity { user_id: claims.sub, username: claims.name, session, expires_at })
    }
}

/// The library's checks: algorithm, issuer, audience, and that no claim is missing. `exp` and `nbf` are compared in
/// [`Tokens::verify`], since the library reads the system's clock and here the time is a parameter.
fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

impl VerifyingKey {
    fn new(key: &SigningKey) -> Self {
        let header = serde_json::to_vec(&header(key)).expect("a header is plain JSON");
        Self { header: URL_SAFE_NO_PAD.encode(header), key: DecodingKey::from_secret(key.as_bytes()) }
    }
}

/// Returns the header of the tokens that `key` signs.
fn header(key: &SigningKey) -> Header {
    Header { kid: Some(key_id(key)), ..Header::new(Algorithm::HS256) }
}

/// Returns the name of a key in a token's header: enough of its digest to tell keys apart, and too little to find the
/// key.
fn key_id(key: &SigningKey) -> String {
    let digest = Sha256::digest(key.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..8])
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto;
    use rstest::rstest;
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00:00 UTC);
    const TTL: Duration = Duration::from_mins(15);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from([byte; 32])
    }

    fn tokens() -> Tokens {
        Tokens::new(&key(1), &[key(2)], "https://chat.example", "gapless", TTL)
    }

    fn claims() -> Value {
        json!({
            "iss": "https://chat.example", "aud": "gapless", "name": "ali",
            "sub": "018f0000-0000-7000-8000-000000000001", "sid": "018f0000-0000-7000-8000-000000000002",
            "iat": NOW.unix_timestamp(), "exp": NOW.unix_timestamp() + 900,
        })
    }

    /// A token of the correct form, except for one detail.
    fn crafted(header: &str, claims: &Value, secret: &SigningKey) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), encoded(claims));
        let signature = crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256);
        format!("{signed}.{}", signature.unwrap())
    }

    fn encoded(part: &Value) -> String {
        URL_SAFE_NO_PAD.encode(part.to_string())
    }

    /// As text, because the exact bytes matter.
    fn header() -> String {
        format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{}"}}"#, key_id(&key(1)))
    }

    fn header_with_alg(alg: &str) -> String {
        header().replace("HS256", alg)
    }

    fn header_with_kid(of: u8) -> String {
        header().replace(&key_id(&key(1)), &key_id(&key(of)))
    }

    fn with(mut object: Value, field: &str, value: Value) -> Value {
        object[field] = value;
        object
    }

    fn without(mut object: Value, field: &str) -> Value {
        object.as_object_mut().unwrap().remove(field);
        object
    }

    #[test]
    fn a_token_speaks_for_its_user_and_session_until_it_expires() {
        let (user, session) = (UserId::new(), SessionId::new());
        let session = SessionClaim { id: session, generation: Some(Generation(3)) };
        let token = tokens().issue(user, "ali".into(), session, NOW);
        let expires_at = NOW + TTL;
        let identity = Identity { user_id: user, username: "ali".into(), session, expires_at };
        assert_eq!(tokens().verify(&token, NOW), Ok(identity.clone()));
        assert_eq!(tokens().verify(&token, expires_at - Duration::from_secs(1)), Ok(identity));
        assert_eq!(tokens().verify(&token, expires_at), Err(InvalidToken));
    }

    #[test]
    fn the_crafted_tokens_of_the_table_below_differ_from_a_good_one_only_where_they_say() {
        assert!(tokens().verify(&crafted(&header(), &claims(), &key(1)), NOW).is_ok());
    }

    #[rstest]
    #[case::long_since(0)]
    #[case::just_now(NOW.unix_timestamp())]
    fn a_token_is_taken_from_the_second_that_it_names(#[case] begin: i64) {
        assert!(tokens().verify(&crafted(&header(), &with(claims(), "nbf", json!(begin)), &key(1)), NOW).is_ok());
    }

    #[rstest]
    #[case::unsigned(format!("{}.{}.", URL_SAFE_NO_PAD.encode(header_with_alg("none")), encoded(&claims())))]
    #[case::signature_left_out(format!("{}.{}.", URL_SAFE_NO_PAD.encode(header()), encoded(&claims())))]
    #[case::signed_but_alg_none(crafted(&header_with_alg("none"), &claims(), &key(1)))]
    #[case::other_hmac(crafted(&header_with_alg("HS384"), &claims(), &key(1)))]
    #[case::asymmetric_alg(crafted(&header_with_alg("RS256"), &claims(), &key(1)))]
    #[case::key_brought_along(crafted(&header().replace('}', r#","jwk":{"kty":"oct","k":"AQ"}}"#), &claims(), &key(1)))]
    #[case::forged(crafted(&header(), &claims(), &key(9)))]
    #[case::unknown_kid(crafted(&header_with_kid(9), &claims(), &key(9)))]
    #[case::kid_of_another_key(crafted(&header_with_kid(2), &claims(), &key(1)))]
    #[case::no_kid(crafted(r#"{"typ":"JWT","alg":"HS256"}"#, &claims(), &key(1)))]
    #[case::other_issuer(crafted(&header(), &with(claims(), "iss", json!("https://else.example")), &key(1)))]
    #[case::no_issuer(crafted(&header(), &without(claims(), "iss"), &key(1)))]
    #[case::other_audience(crafted(&header(), &with(claims(), "aud", json!("other")), &key(1)))]
    #[case::no_audience(crafted(&header(), &without(claims(), "aud"), &key(1)))]
    #[case::expired(crafted(&header(), &with(claims(), "exp", json!(NOW.unix_timestamp())), &key(1)))]
    #[case::no_expiry(crafted(&header(), &without(claims(), "exp"), &key(1)))]
    #[case::expiry_as_text(crafted(&header(), &with(claims(), "exp", json!("9999999999")), &key(1)))]
    #[case::expiry_beyond_time(crafted(&header(), &with(claims(), "exp", json!(i64::MAX)), &key(1)))]
    #[case::not_valid_yet(crafted(&header(), &with(claims(), "nbf", json!(NOW.unix_timestamp() + 1)), &key(1)))]
    #[case::valid_far_beyond_time(crafted(&header(), &with(claims(), "nbf", json!(i64::MAX)), &key(1)))]
    #[case::valid_from_a_text(crafted(&header(), &with(claims(), "nbf", json!("0")), &key(1)))]
    #[case::no_session(crafted(&header(), &without(claims(), "sid"), &key(1)))]
    #[case::subject_no_uuid(crafted(&header(), &with(claims(), "sub", json!("ali")), &key(1)))]
    #[case::empty(String::new())]
    #[case::dots("..".to_owned())]
    #[case::garbage("eyJ.not.a-token".to_owned())]
    fn a_token_that_is_not_wholly_ours_is_refused(#[case] token: String) {
        assert_eq!(tokens().verify(&token, NOW), Err(InvalidToken));
    }

    #[test]
    fn changing_any_byte_makes_a_token_worthless() {
        let token = tokens().issue(UserId::new(), "ali".into(), SessionId::new(), NOW);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(tokens().verify(&changed, NOW), Err(InvalidToken), "byte {at}");
        }
    }

    #[test]
    fn a_new_key_takes_over_while_tokens_of_the_previous_one_live_on() {
        let before = Tokens::new(&key(2), &[], "https://chat.example", "gapless", TTL);
        let after = tokens();
        let old = before.issue(UserId::new(), "ali".into(), SessionId::new(), NOW);
        let new = after.issue(UserId::new(), "ali".into(), SessionId::new(), NOW);
        assert!(after.verify(&old, NOW).is_ok());
        assert_eq!(before.verify(&new, NOW), Err(InvalidToken));
    }
}

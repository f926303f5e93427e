//! Authorization at push services: a signed token of this server for each request (VAPID, RFC 8292).

use std::time::Duration;

use axum::http::Uri;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use time::OffsetDateTime;

use crate::config::VapidKey;

/// Lifetime of a token. The standard allows a day; clocks differ.
const LIFETIME: Duration = Duration::from_hours(12);

#[derive(Debug, Serialize)]
struct Claims<'a> {
    aud: String,
    exp: i64,
    sub: &'a str,
}

/// Signs the requests of this server.
pub struct Authorization {
    key: EncodingKey,
    public_key: String,
    subject: String,
}

impl Authorization {
    pub fn new(key: &VapidKey, subject: &str) -> Self {
        let encoding = EncodingKey::from_ec_der(key.to_der().as_ref());
        Self { key: encoding, public_key: key.public_text(), subject: subject.to_owned() }
    }

    /// Returns the value of `Authorization` for a request to this endpoint. The token is valid for its origin only.
    ///
    /// # Errors
    /// If the token cannot be signed.
    pub fn header(&self, endpoint: &Uri, now: OffsetDateTime) -> jsonwebtoken::errors::Result<String> {
        let scheme = endpoint.scheme_str().unwrap_or("https");
        let host = endpoint.authority().map_or("", |authority| authority.as_str());
        let aud = format!("{scheme}://{}", host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase());
        let claims = Claims { aud, exp: (now + LIFETIME).unix_timestamp(), sub: &self.subject };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.key)?;
        Ok(format!("vapid t={token}, k={}", self.public_key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_token_names_the_origin_and_is_signed_by_the_key() {
        let key = VapidKey::generate().unwrap();
        let authorization = Authorization::new(&key, "mailto:ops@example.org");
        let now = datetime!(2026-11-30 12:00 UTC);
        let endpoint = "https://Push.example.org:443/send/abc".parse().unwrap();
        let header = authorization.header(&endpoint, now).unwrap();
        let (token, public) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(public, key.public_text());

        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.set_audience(&["https://push.example.org"]);
        let verified = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_ec_der(&key.public()), &validation);
        let claims = verified.unwrap().claims;
        assert_eq!(claims["sub"], "mailto:ops@example.org");
        assert_eq!(claims["exp"], (now + LIFETIME).unix_timestamp());
    }
}

//! Conditional requests (RFC 9110, section 13): a client that has the current state of a list receives no body.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::extract::Json;

/// Returns `body` with a weak tag of `state`, the part of the body that matters to its reader; or 304 if the request
/// already has this tag. Browsers may keep the answer, and ask each time whether it is still current.
///
/// # Errors
/// When `state` cannot be serialized.
pub fn respond(request: &HeaderMap, state: &impl Serialize, body: impl Serialize) -> Result<Response> {
    let state = serde_json::to_vec(state).map_err(|error| Error::Internal(error.into()))?;
    let digest = Sha256::digest(state);
    let tag = URL_SAFE_NO_PAD.encode(&digest[..12]);
    let headers = [
        (header::ETAG, HeaderValue::from_str(&format!("W/\"{tag}\"")).expect("base64 is a header value")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, HeaderValue::from_static("authorization")),
    ];
    if has_tag(request, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, Json(body)).into_response())
}

/// Returns whether `If-None-Match` names the tag, weak or strong.
fn has_tag(request: &HeaderMap, tag: &str) -> bool {
    let named = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).map(str::trim).any(|named| {
        let opaque = named.strip_prefix("W/").unwrap_or(named);
        named == "*" || opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_name_several_tags_weak_or_strong() {
        for (named, is_match) in [
            ("W/\"abc\"", true),
            ("\"abc\"", true),
            ("\"x\", W/\"abc\"", true),
            ("*", true),
            ("abc", false),
            ("\"abcd\"", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(named))]);
            assert_eq!(has_tag(&headers, "abc"), is_match, "{named}");
        }
        assert!(!has_tag(&HeaderMap::new(), "abc"));
    }
}

//! `ALLOWED_ORIGINS`: the origins of pages that may call the API.

use anyhow::{Context as _, bail};
use axum::http::HeaderValue;

/// Origins of the Vite development server.
const DEVELOPMENT_ORIGINS: [&str; 2] = ["http://localhost:5173", "http://127.0.0.1:5173"];

/// Parses the allowed origins. An origin is scheme, host and port, compared byte by byte; a wildcard is refused, since
/// it would let any page use a token that it obtained.
pub(super) fn origins(said: Option<&str>, demo_mode: bool) -> anyhow::Result<Vec<HeaderValue>> {
    let Some(list) = said.filter(|list| !list.trim().is_empty()) else {
        let development = if demo_mode { &DEVELOPMENT_ORIGINS[..] } else { &[] };
        return Ok(development.iter().copied().map(HeaderValue::from_static).collect());
    };
    list.split(',')
        .map(|origin| {
            let origin = origin.trim().trim_end_matches('/');
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '*', '?', '#', '@'])) {
                bail!(
                    "ALLOWED_ORIGINS: `{origin}` is not an origin; use scheme and host, as in https://chat.example.org"
                );
            }
            HeaderValue::from_str(origin).with_context(|| {
                format!("ALLOWED_ORIGINS: `{origin}` contains a character that is not valid in an origin")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_exact_and_a_wildcard_is_refused() {
        let two = origins(Some("https://a.example, http://b.example:8000/"), false).unwrap();
        assert_eq!(two, ["https://a.example", "http://b.example:8000"]);
        for wrong in ["*", "https://*.example", "a.example", "https://a.example/path", "null"] {
            assert!(origins(Some(wrong), false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_demo_lets_the_development_server_in_unasked() {
        assert!(origins(None, false).unwrap().is_empty());
        assert_eq!(origins(Some(" "), true).unwrap(), DEVELOPMENT_ORIGINS);
    }
}

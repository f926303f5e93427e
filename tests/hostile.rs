//! Randomly generated input: no parser panics, and accepted text is written back unchanged.
//!
//! A run of every test takes seconds. `PROPTEST_CASES=2000000 cargo nextest run --test hostile` searches for minutes;
//! it replaces `cargo fuzz`, which needs a nightly compiler. The parsers of news and of HTTP heads have property tests
//! in their modules (`src/realtime/backplane`, `src/server`), and Markdown has
//! `frontend/src/features/timeline/rich-text/hostile.test.tsx`.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use gapless::auth::token::Tokens;
use gapless::config::{Config, KeyFile, SigningKey, TrustedProxy};
use gapless::id::{SessionId, UserId};
use gapless::input::{MessageBody, Reason, RoomName, SearchText, Username};
use gapless::realtime::cursor::Cursor;
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;

/// Generates arbitrary text, and plausible text made of the tokens that parsers look for.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(pieces).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,12}",
        1 => "[0-9]{1,21}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

const CURSOR: &[&str] = &["1a2b3c", ".", "..", "-", "_", "0", "00", "9223372036854775807", "9223372036854775808", "é"];

const FORWARDED: &[&str] = &[
    "127.0.0.1",
    "10.0.0.1",
    "203.0.113.7",
    "::1",
    "[::1]",
    "[::1]:80",
    "fe80::1%eth0",
    ":80",
    ",",
    ", ",
    " ",
    "unknown",
    "for=",
    "\"",
    "/8",
    "/129",
    "private",
    "::ffff:10.0.0.1",
];

const TOKEN: &[&str] = &[".", "..", "eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", "e30", "=", "-_", "\0"];

const SETTING: &[&str] = &[
    "redis://",
    "rediss://",
    "postgres://",
    "https://",
    "http://",
    "user:p@",
    "localhost",
    ":6379",
    "/0",
    "?",
    "ssl=True",
    "password=",
    ",",
    "*",
    "[::1]",
    "%zz",
    "#",
    "@",
    "true",
    "-1",
    "0x10",
    "1e9",
    " ",
    "\t",
    "ff",
    "\u{0}",
    "defaultDatabase=",
];

fn key(byte: u8) -> SigningKey {
    SigningKey::parse(&format!("{byte:02x}").repeat(32).into()).expect("64 hex digits")
}

fn tokens() -> Tokens {
    Tokens::new(&key(1), &[key(2)], "gapless", "gapless-clients", Duration::from_mins(15))
}

proptest! {
    // Failing cases are printed. A regression file would have to be beside a crate's `lib.rs`, which tests do not have.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_parsed_cursor_is_written_identically(text in text(CURSOR)) {
        if let Ok(cursor) = text.parse::<Cursor>() {
            let written = cursor.to_string();
            prop_assert!(text.len() <= 64);
            prop_assert_eq!(written.parse::<Cursor>(), Ok(cursor));
        }
    }

    #[test]
    fn only_a_signed_text_is_a_token(text in text(TOKEN)) {
        prop_assert!(tokens().verify(&text, OffsetDateTime::UNIX_EPOCH).is_err());
    }

    #[test]
    fn a_modified_token_is_invalid(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let now = OffsetDateTime::UNIX_EPOCH;
        let token = tokens().issue(UserId::new(), "ali".into(), SessionId::new(), now);
        prop_assert!(tokens().verify(&token, now).is_ok());
        let place = place.index(token.len());
        let mut changed = token.clone().into_bytes();
        if cut { changed.truncate(place) } else { changed[place] = byte }
        let changed = String::from_utf8_lossy(&changed).into_owned();
        if changed != token {
            prop_assert!(tokens().verify(&changed, now).is_err(), "{changed}");
        }
    }

    #[test]
    fn a_forwarded_header_names_an_address_or_the_peer(said in text(FORWARDED), header in text(FORWARDED), more in text(FORWARDED)) {
        let peer = IpAddr::from([127, 0, 0, 1]);
        let mut headers = HeaderMap::new();
        for value in [&header, &more] {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append("x-forwarded-for", value);
            }
        }
        let elsewhere = IpAddr::from([198, 51, 100, 1]);
        for said in [said.as_str(), "private"] {
            if let Ok(Some(proxy)) = TrustedProxy::parse(Some(said), "x-forwarded-for") {
                let client = proxy.client(peer, &headers);
                prop_assert!(client == peer || proxy.is(peer));
                // Only the proxy is trusted.
                if !proxy.is(elsewhere) {
                    prop_assert_eq!(proxy.client(elsewhere, &headers), elsewhere);
                }
            }
        }
    }

    #[test]
    fn a_setting_is_accepted_or_refused_without_repeating_secrets(
        name in proptest::sample::select(&[
            "PORT", "HOST", "REDIS_CONNECTION", "JWT_SIGNING_KEY", "JWT_PREVIOUS_KEYS", "JWT_ISSUER", "ALLOWED_ORIGINS", "TRUSTED_PROXY",
            "CLIENT_ADDRESS_HEADER", "ACCESS_TOKEN_TTL_SECS", "DEMO_MODE", "REGISTRATION", "RETENTION_DAYS", "RATE_LIMITS", "DB_POOL_SIZE",
            "VAPID_PRIVATE_KEY", "VAPID_SUBJECT", "PUSH_HOSTS", "PUSH_DELAY_SECS",
        ][..]),
        value in text(SETTING),
    ) {
        let variables = [("DATABASE_URL".to_owned(), "postgres://localhost/x".to_owned()), ("JWT_SIGNING_KEY".to_owned(), "ab".repeat(32))];
        let said = (name.to_owned(), value.clone());
        let others = variables.into_iter().filter(|(other, _)| other != name);
        if let Err(refusal) = Config::from_variables(others.chain([said])) {
            let sentence = format!("{refusal:#}");
            prop_assert!(!sentence.trim().is_empty());
            let is_secret = ["REDIS_CONNECTION", "JWT_SIGNING_KEY", "JWT_PREVIOUS_KEYS", "VAPID_PRIVATE_KEY"].contains(&name);
            // Short values may occur in any sentence.
            prop_assert!(!is_secret || value.trim().len() < 16 || !sentence.contains(value.trim()), "{sentence}");
        }
    }

    #[test]
    fn a_key_file_is_parsed_and_written_identically(text in text(&["ab", "\n", "#", " since ", "2026-01-01T00:00:00Z", "0123456789abcdef"])) {
        for text in [text.clone(), format!("{}\n{text}", "ab".repeat(32))] {
            if let Ok(file) = KeyFile::parse(&SecretString::from(text)) {
                let written = file.to_text().expect("a file");
                let again = KeyFile::parse(&written).expect("a file that the program wrote");
                let again = again.to_text().expect("a file");
                prop_assert_eq!(again.expose_secret(), written.expose_secret());
            }
        }
    }

    #[test]
    fn accepted_input_is_accepted_again_unchanged(text in any::<String>()) {
        if let Ok(name) = RoomName::parse(&text) {
            prop_assert_eq!(RoomName::parse(name.as_ref()), Ok(name));
        }
        if let Ok(body) = MessageBody::parse(&text) {
            prop_assert_eq!(MessageBody::parse(body.as_ref()), Ok(body));
        }
        if let Ok(name) = Username::parse(&text) {
            prop_assert_eq!(Username::parse(name.as_ref()), Ok(name));
        }
        if let Ok(reason) = Reason::parse(&text) {
            prop_assert_eq!(Reason::parse(reason.as_ref()), Ok(reason));
        }
        if let Ok(search) = SearchText::parse(&text) {
            prop_assert_eq!(SearchText::parse(search.as_ref()), Ok(search));
        }
    }
}

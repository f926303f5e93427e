//! Extractors for handlers. Their errors are problem documents, like all others.
//!
//! `axum` has extractors with the same names; those answer in plain text and accept unknown query fields.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::Instant;

use crate::error::{Error, FieldError};
use crate::id::{InvitationId, MessageId, RoomId, UserId};

/// Largest body in bytes: four times what the longest message can need.
pub const BODY_LIMIT: usize = 64 << 10;

/// Time limit for receiving a body. 6.4 KiB/s is enough for the largest, and a packet of a small one may be lost at a
/// round trip of 2.4 s, as when a phone's radio wakes up.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Deadline for answering a request. It counts from the arrival of the complete request, so reading a body extends it.
#[derive(Debug, Clone)]
pub struct Deadline(Arc<Mutex<Instant>>, Duration);

impl Deadline {
    /// Sets the deadline to `now` plus this duration.
    pub fn after(patience: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + patience)), patience)
    }

    pub fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Restarts the deadline after this pause.
    fn restart_in(&self, pause: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + pause + self.1;
    }
}

/// A JSON body of a request or a response.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        if !is_json(request.headers()) {
            return Err(Error::UnsupportedMediaType);
        }
        parse(&read(request).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

async fn read(request: Request) -> Result<Bytes, Error> {
    let deadline = request.extensions().get::<Deadline>().cloned();
    if let Some(deadline) = &deadline {
        deadline.restart_in(BODY_TIMEOUT);
    }
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let read = tokio::time::timeout(BODY_TIMEOUT, body.collect()).await;
    if let Some(deadline) = &deadline {
        deadline.restart_in(Duration::ZERO);
    }
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Ok(Err(_)) => Err(Error::Malformed("The body did not arrive whole.".to_owned())),
        Err(_) => Err(Error::RequestTimeout),
    }
}

/// Malformed JSON is 400; valid JSON of the wrong shape is 422 and names the field.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // serde would also accept an array of the field values, in the order of their declaration.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if !is_object && is_valid_json(body) {
        return Err(Error::invalid("", "must be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json);
    let place = parsed.as_ref().err().map(|error| error.path().to_string()).unwrap_or_default();
    let parsed = parsed.map_err(serde_path_to_error::Error::into_inner);
    parsed.and_then(|value| json.end().map(|()| value)).map_err(|error| {
        // Not `error.is_data()`: the parser stops at the first error, and reports some wrong types as syntax errors.
        if !is_valid_json(body) {
            return Error::Malformed(format!("The body is not valid JSON: {error}."));
        }
        // Remove the line and column: they do not help somebody who sent one line.
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        Error::Invalid(vec![FieldError::new(if place == "." { "" } else { &place }, message)])
    })
}

/// Returns whether the bytes are valid JSON. serde does not check UTF-8 in strings that it ignores.
fn is_valid_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// The query; repeated keys form a list. Every `T` except a stream's denies unknown fields.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        serde_html_form::from_str(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|error| Error::Malformed(format!("The query is not acceptable: {error}.")))
    }
}

/// The only id in the path. Text that is not an id matches nothing, so it is 404.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

/// Names the kind of thing that an id belongs to, for error messages.
pub trait Noun: std::str::FromStr {
    const NOUN: &'static str;
}

impl Noun for RoomId {
    const NOUN: &'static str = "room";
}

impl Noun for MessageId {
    const NOUN: &'static str = "message";
}

impl Noun for UserId {
    const NOUN: &'static str = "user";
}

impl Noun for InvitationId {
    const NOUN: &'static str = "invitation";
}

impl<S: Send + Sync, T: Noun> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let no_such = Error::NotFound(T::NOUN);
        match axum::extract::Path::<String>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(text)) => text.parse().map(Self).map_err(|_| no_such),
            Err(_) => Err(no_such),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde::Deserialize;

    use super::*;
    use crate::id::ClientId;
    use crate::input::MessageBody;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        #[expect(dead_code, reason = "only parsed")]
        body: MessageBody,
        #[expect(dead_code, reason = "only parsed")]
        client_id: Option<ClientId>,
    }

    async fn refusal(content_type: &str, body: impl Into<Body>) -> Error {
        let request = Request::builder().header("content-type", content_type).body(body.into()).expect("a request");
        Json::<Note>::from_request(request, &()).await.expect_err("a refusal")
    }

    #[tokio::test]
    async fn each_kind_of_bad_body_has_its_own_refusal() {
        let json = "application/json";
        assert!(matches!(refusal("text/plain", "{}").await, Error::UnsupportedMediaType));
        assert!(matches!(refusal(json, r#"{"body": "#).await, Error::Malformed(_)));
        assert!(matches!(refusal(json, r#"{"body":"a"} {}"#).await, Error::Malformed(_)));
        assert!(matches!(refusal(json, "{} {}").await, Error::Malformed(_)));
        assert!(matches!(refusal(json, "\u{ff}".as_bytes().to_vec()).await, Error::Malformed(_)));
        assert!(matches!(refusal(json, b"\"\xff\xfe\"".to_vec()).await, Error::Malformed(_)));
        assert!(matches!(refusal(json, vec![b' '; BODY_LIMIT + 1]).await, Error::TooLarge));
    }

    #[tokio::test]
    async fn a_field_that_is_wrong_is_named_and_its_place_in_the_text_is_not() {
        for (body, field, message) in [
            (r#"{"body":" "}"#, "body", "must be 1 to 4,000 characters after trimming"),
            (r#"{"body":"a","client_id":"1"}"#, "client_id", "UUID parsing failed"),
            (r#"{"body":"a","colour":1}"#, "colour", "unknown field `colour`"),
            ("{}", "", "missing field `body`"),
            (r#"["a"]"#, "", "must be a JSON object"),
            (r#" ["a",null]"#, "", "must be a JSON object"),
            ("null", "", "must be a JSON object"),
            (r#""a""#, "", "must be a JSON object"),
        ] {
            let Error::Invalid(errors) = refusal("application/json; charset=utf-8", body).await else {
                panic!("{body} is 422");
            };
            assert_eq!(errors[0].field, field, "{body}");
            assert!(errors[0].message.starts_with(message), "{body}: {}", errors[0].message);
            assert!(!errors[0].message.contains("line 1"), "{body}: {}", errors[0].message);
        }
    }
}

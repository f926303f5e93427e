//! Errors at the HTTP edge: one enum, each variant with its status, a stable `code` for programs and a sentence for
//! people, returned as RFC 9457 `application/problem+json`.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::outcome::Refusal;
use crate::post::WriteError;

/// One invalid field of the input, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    #[schema(example = "body")]
    pub field: String,
    #[schema(example = "must be 1 to 4,000 characters after trimming")]
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Every error that a caller can receive.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400: malformed JSON, path or query; the sentence says which.
    #[error("{0}")]
    Malformed(String),
    /// 400: a cursor in a form that the server never issues.
    #[error("The cursor is malformed. Use one exactly as a response or an event returned it.")]
    MalformedCursor,
    /// 401: a token is needed.
    #[error("Sign in first. This request needs an access token.")]
    Unauthenticated,
    /// 401: the token is expired, forged, or of a session that has ended.
    #[error("The access token is no longer valid. Refresh it or sign in again.")]
    InvalidToken,
    /// 401: sign-in refused, without saying whether the username or the password was wrong.
    #[error("Wrong username or password.")]
    WrongCredentials,
    /// 401: the refresh token is unknown, expired or spent.
    #[error("The refresh token is no longer valid. Sign in again.")]
    InvalidRefreshToken,
    /// 403: sign-in or refresh of a banned user, who has shown that the account is theirs.
    #[error("{}", banned(.reason.as_deref()))]
    Banned { reason: Option<String> },
    /// 403 with a code of its own.
    #[error("{detail}")]
    Forbidden { code: &'static str, detail: &'static str },
    /// 404: unknown, or hidden from this caller.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// 405, with `Allow` set by the router.
    #[error("This address does not support that method.")]
    MethodNotAllowed,
    /// 408: the request did not arrive in time.
    #[error("The request took too long to arrive.")]
    RequestTimeout,
    /// 409 with a code of its own.
    #[error("{detail}")]
    Conflict { code: &'static str, detail: &'static str },
    /// 413.
    #[error("The body is larger than 64 KiB.")]
    TooLarge,
    /// 415.
    #[error("Send the body as JSON, with `Content-Type: application/json`.")]
    UnsupportedMediaType,
    /// 422: well-formed but not acceptable.
    #[error("Some fields are invalid.")]
    Invalid(Vec<FieldError>),
    /// 422: this `client_id` was used for a different request.
    #[error("This client_id was already used for a different message.")]
    ClientIdReused,
    /// 429.
    #[error("Too many requests. Try again in a moment.")]
    TooManyRequests { retry_after: Duration },
    /// 503: a queue is full or the database does not answer. Acknowledged messages are safe, and retrying with the same
    /// `client_id` is, too.
    #[error("The service is temporarily unavailable. Try again; a retry with the same client_id is safe.")]
    Unavailable { retry_after: Duration },
    /// 503: the same, because the database is unavailable or too slow.
    #[error("The service is temporarily unavailable. Try again; a retry with the same client_id is safe.")]
    Outage(#[source] sqlx::Error),
    /// 500: a bug. The cause is logged, and never sent.
    #[error("Something went wrong on our side.")]
    Internal(#[source] anyhow::Error),
}

/// Default of `Retry-After`.
const USUAL_PAUSE: Duration = Duration::from_secs(1);

/// Cause of a 5xx response: an extension of the response, for the request's log line only.
#[derive(Debug, Clone)]
pub struct Cause(pub String);

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The body of every error: RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "about:blank")]
    pub kind: &'static str,
    #[schema(value_type = String, example = "Unprocessable Entity")]
    pub title: &'static str,
    #[schema(example = 422)]
    pub status: u16,
    /// Stable: programs may compare it.
    #[schema(example = "invalid")]
    pub code: &'static str,
    /// For people; may change.
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
}

impl Error {
    /// 503 with the default `Retry-After`.
    pub const fn unavailable() -> Self {
        Self::Unavailable { retry_after: USUAL_PAUSE }
    }

    /// 422 about one field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, message)])
    }

    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::MalformedCursor => StatusCode::BAD_REQUEST,
            Self::Unauthenticated | Self::InvalidToken | Self::WrongCredentials | Self::InvalidRefreshToken => {
                StatusCode::UNAUTHORIZED
            }
            Self::Banned { .. } | Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::ClientIdReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Outage(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::MalformedCursor => "malformed_cursor",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidToken => "invalid_token",
            Self::WrongCredentials => "wrong_credentials",
            Self::InvalidRefreshToken => "invalid_refresh_token",
            Self::Banned { .. } => "banned",
            Self::Forbidden { code, .. } | Self::Conflict { code, .. } => code,
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::Invalid(_) => "invalid",
            Self::ClientIdReused => "client_id_reused",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Unavailable { .. } | Self::Outage(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }
}

fn banned(reason: Option<&str>) -> String {
    let Some(reason) = reason else { return "You were banned.".to_owned() };
    let stop = if reason.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("You were banned: {reason}{stop}")
}

/// A database that is unavailable or too slow is 503, so that callers retry; any other database error is a bug.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if crate::store::is_outage(&error) { Self::Outage(error) } else { Self::Internal(error.into()) }
    }
}

impl From<WriteError> for Error {
    fn from(_: WriteError) -> Self {
        Self::unavailable()
    }
}

/// Maps a refused change to a response. Handlers with a more specific message match the refusal first.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let forbidden = |code, detail| Self::Forbidden { code, detail };
        let conflict = |code, detail| Self::Conflict { code, detail };
        match refusal {
            Refusal::Unknown(subject) => Self::NotFound(subject),
            Refusal::UnknownAuthor => Self::InvalidToken,
            Refusal::ClientIdReused => Self::ClientIdReused,
            Refusal::NotAuthor => forbidden("not_author", "Only the author can change this message."),
            Refusal::NotAdmin => forbidden("not_admin", "Only an admin may do that."),
            Refusal::NotAllowed => forbidden("not_allowed", "You can only reply to an admin who wrote to you first."),
            Refusal::ToSelf => forbidden("not_allowed", "You cannot do that to yourself."),
            Refusal::Banned => forbidden("banned", "This account is banned."),
            Refusal::Muted => forbidden("muted", "This account is muted. You can keep reading."),
            Refusal::Archived => conflict("room_archived", "This room is archived and can no longer be changed."),
            Refusal::Deleted => conflict("message_deleted", "This message was deleted."),
            Refusal::TooManyReactions => conflict(
                "too_many_reactions",
                "A message takes 20 different emoji at most, and 10 of them from one person.",
            ),
            Refusal::TooManyPins => conflict("too_many_pins", "This room has 50 pins. Unpin another message first."),
            Refusal::UnknownReply => Self::invalid("reply_to", "is not the seq of a message of this room"),
            Refusal::UnknownMention => Self::invalid("mentions", "must be ids of users"),
            Refusal::LastAdmin => conflict("last_admin", "This is the last admin; appoint another first."),
            Refusal::ChangedMeanwhile => {
                conflict("changed_meanwhile", "The password was changed in the meantime. Try again.")
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        metrics::counter!("gapless_refusals_total", "code" => self.code()).increment(1);
        let cause = match &self {
            Self::Internal(cause) => Some(format!("{cause:#}")),
            Self::Outage(cause) => Some(cause.to_string()),
            _ => None,
        };
        let retry_after = match &self {
            Self::TooManyRequests { retry_after } | Self::Unavailable { retry_after } => Some(*retry_after),
            Self::Outage(_) => Some(USUAL_PAUSE),
            _ => None,
        };
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            code: self.code(),
            detail: self.to_string(),
            errors: if let Self::Invalid(errors) = self { errors } else { Vec::new() },
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(pause) = retry_after {
            let seconds = pause.as_secs_f64().ceil().max(1.0);
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from_str(&seconds.to_string()).expect("a number is a header value"),
            );
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

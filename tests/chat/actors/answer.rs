//! The response to one request, with assertions about it.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A response and its request, so that a failed assertion prints both.
#[derive(Debug)]
pub struct Answer {
    pub request: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: String, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_open = response.content_length().is_none()
            && headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        if is_open {
            return Self { request, status, headers, text: "(a stream)".to_owned() };
        }
        let text = response.text().await.unwrap_or_else(|error| panic!("{request}: the body ended early: {error}"));
        Self { request, status, headers, text }
    }

    /// Asserts the status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self
    }

    /// Returns the body as JSON; `null` if it is empty.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text))
    }

    /// Parses the body as one of the API's types.
    #[track_caller]
    pub fn body<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.json()).unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text))
    }

    /// Returns a header's text; empty if it is absent.
    pub fn header(&self, name: impl Into<HeaderName>) -> &str {
        self.headers.get(name.into()).map_or("", |value| value.to_str().expect("header values are plain text"))
    }

    /// Asserts a refusal with this status and `code`, as a problem document (RFC 9457).
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let this = self.is(status);
        let problem = this.json();
        let said = |member: &str| problem[member].as_str().unwrap_or_default().to_owned();
        let request = &this.request;
        assert_eq!(this.header(CONTENT_TYPE), "application/problem+json", "{request}");
        assert_eq!(said("code"), code, "{request}: {problem}");
        assert_eq!(problem["status"], status, "{request}: {problem}");
        assert_eq!(said("type"), "about:blank", "{request}: {problem}");
        assert!(!said("title").is_empty() && said("detail").ends_with('.'), "{request}: {problem}");
        assert_eq!(this.headers.contains_key("www-authenticate"), status == 401, "{request}");
        assert_eq!(this.headers.contains_key("retry-after"), matches!(status, 429 | 503), "{request}");
        assert_eq!(this.headers.contains_key("allow"), status == 405, "{request}");
        this
    }

    /// Asserts a refusal that names this field.
    #[track_caller]
    pub fn refused_field(self, field: &str) {
        let problem = self.refused(422, "invalid").json();
        let named = problem["errors"].as_array().is_some_and(|errors| errors.iter().any(|one| one["field"] == field));
        assert!(named, "{problem} names {field}");
    }
}

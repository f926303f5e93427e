//! Requests to push services (RFC 8030). Redirects are not followed, and no more of a response is read than is needed.

use std::time::Duration;

use axum::http::{Method, Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Time limit for a connection, without TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// Most of a response's body that is read. It is ignored; a connection whose response was read to its end is used again.
const MOST_BYTES: usize = 4_096;
/// Idle connections of each push service that are kept.
const IDLE_PER_HOST: usize = 4;
const IDLE: Duration = Duration::from_mins(1);

/// An encrypted message for one endpoint.
pub struct Message {
    pub endpoint: Uri,
    pub authorization: String,
    pub body: Vec<u8>,
    /// Time after which the push service drops it.
    pub ttl: Duration,
    /// The push service replaces an undelivered message of the same topic.
    pub topic: String,
}

/// Answer of a push service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Accepted,
    /// The subscription is unknown, or has ended.
    Gone,
    /// The service is busy, perhaps until a time that it names.
    Busy(Option<Duration>),
    /// No answer in time.
    None,
    /// Any other status: of the server's key, or a bug here. Retrying would not help.
    Refused(StatusCode),
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct Service {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Service {
    /// Creates a client. `timeout` is the limit of a whole request.
    ///
    /// # Panics
    ///
    /// Never: the provider supports the versions of TLS.
    pub fn new(timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT.min(timeout)));
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .expect("the provider supports the usual versions of TLS")
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build(connector);
        Self { client, timeout }
    }

    /// Sends a message and waits for the answer. `now`: for a `Retry-After` that is a date.
    ///
    /// # Cancellation
    /// The message may have been delivered.
    pub async fn send(&self, message: Message, now: OffsetDateTime) -> Answer {
        let request = Request::builder()
            .method(Method::POST)
            .uri(message.endpoint)
            .header(header::AUTHORIZATION, message.authorization)
            .header(header::CONTENT_ENCODING, "aes128gcm")
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header("ttl", message.ttl.as_secs())
            .header("topic", message.topic)
            .header("urgency", "high")
            .body(Full::from(message.body));
        let Ok(request) = request else { return Answer::Refused(StatusCode::BAD_REQUEST) };
        let answered = async {
            let response = self.client.request(request).await?;
            let (head, body) = response.into_parts();
            // An endless body ends with the time limit, and a long one with its connection.
            Limited::new(body, MOST_BYTES).collect().await.ok();
            Ok::<_, hyper_util::client::legacy::Error>(head)
        };
        let head = match tokio::time::timeout(self.timeout, answered).await {
            Ok(Ok(head)) => head,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a request to a push service failed");
                return Answer::None;
            }
            Err(_) => return Answer::None,
        };
        match head.status {
            status if status.is_success() => Answer::Accepted,
            StatusCode::NOT_FOUND | StatusCode::GONE => Answer::Gone,
            status if status.is_server_error() || [408, 425, 429].contains(&status.as_u16()) => {
                let value = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                Answer::Busy(value.and_then(|value| pause(value, now)))
            }
            status => Answer::Refused(status),
        }
    }
}

/// Parses `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn pause(value: &str, now: OffsetDateTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(value.trim(), &Rfc2822).ok()?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_pause_is_a_number_of_seconds_or_a_date() {
        let now = datetime!(2026-11-30 12:00 UTC);
        assert_eq!(pause("120", now), Some(Duration::from_mins(2)));
        assert_eq!(pause("Mon, 30 Nov 2026 12:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(pause("Mon, 30 Nov 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!((pause("soon", now), pause("-1", now)), (None, None));
    }
}

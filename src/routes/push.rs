//! Web Push: browsers subscribe to the caller's mentions, replies and direct messages, and receive them while closed.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::SignedIn;
use crate::config::VapidKey;
use crate::error::{Error, FieldError, Result};
use crate::extract::Json;
use crate::push::BrowserKeys;
use crate::store;
use crate::store::push::NewSubscription;

/// Longest endpoint, in bytes. Those of today's push services have at most 600.
const MOST_OF_ENDPOINT: usize = 2_048;

#[derive(Debug, Serialize, ToSchema)]
pub struct PushSettings {
    /// Key for `pushManager.subscribe` (`applicationServerKey`), base64url; `null` if this server sends no notifications
    /// to closed browsers.
    #[schema(
        required = true,
        example = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    )]
    public_key: Option<String>,
}

/// A browser's subscription, as `PushSubscription.toJSON()` returns it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionInput {
    /// https, on a host of a push service that this server knows.
    #[schema(max_length = 2_048, example = "https://fcm.googleapis.com/fcm/send/abc")]
    endpoint: String,
    keys: SubscriptionKeys,
    /// Include the text of messages and, for direct messages, the sender.
    preview: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionKeys {
    /// Public key of the browser: 65 bytes, base64url.
    #[schema(example = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")]
    p256dh: String,
    /// Secret of the browser: 16 bytes, base64url.
    #[schema(example = "BTBZMqHH6r4Tts7J_aSIgg")]
    auth: String,
}

/// A subscription to remove.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsubscribeInput {
    #[schema(example = "https://fcm.googleapis.com/fcm/send/abc")]
    endpoint: String,
}

/// Read the key with which browsers subscribe.
#[utoipa::path(
    get, path = "/push", tag = "push", responses((status = 200, body = PushSettings))
)]
pub async fn get_push(State(app): State<App>) -> Json<PushSettings> {
    Json(PushSettings { public_key: app.config.push.key.as_ref().map(VapidKey::public_text) })
}

/// Subscribe a browser, or change its subscription. It ends with the caller's session. A user's oldest subscription is
/// removed when there are more than ten.
#[utoipa::path(
    put, path = "/push/subscriptions", tag = "push", security(("bearer" = [])), request_body = SubscriptionInput,
    responses(
        (status = 204, description = "subscribed, or subscribed before"),
        (status = 409, description = "`push_off`: this server sends no notifications to closed browsers"),
        (status = 422, description = "`invalid`: not an endpoint of a known push service, or not keys of a browser"),
    )
)]
pub async fn subscribe_to_push(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(input): Json<SubscriptionInput>,
) -> Result<StatusCode> {
    let server_key = server_key(&app)?;
    let (endpoint, p256dh, auth) = check(&app, &input)?;
    let authority = endpoint.authority().expect("an allowed endpoint has a host");
    let subscription = NewSubscription {
        user: caller.id,
        session: caller.session.id,
        endpoint: &input.endpoint,
        host: &authority.as_str().to_ascii_lowercase(),
        p256dh: &p256dh,
        auth: &auth,
        server_key: &server_key.public(),
        preview: input.preview,
    };
    store::push::subscribe(&app.db, subscription).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Unsubscribe a browser. Repeating this is not an error.
#[utoipa::path(
    delete, path = "/push/subscriptions", tag = "push", security(("bearer" = [])), request_body = UnsubscribeInput,
    responses((status = 204, description = "unsubscribed, or was not subscribed"))
)]
pub async fn unsubscribe_from_push(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    Json(input): Json<UnsubscribeInput>,
) -> Result<StatusCode> {
    store::push::unsubscribe(&app.db, caller.id, &input.endpoint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Send a test notification to all of the caller's subscribed browsers.
#[utoipa::path(
    post, path = "/push/test", tag = "push", security(("bearer" = [])),
    responses(
        (status = 204, description = "queued; it is sent at once"),
        (status = 409, description = "`push_off`: this server sends no notifications to closed browsers"),
    )
)]
pub async fn test_push(State(app): State<App>, SignedIn(caller): SignedIn) -> Result<StatusCode> {
    server_key(&app)?;
    app.limits.admit_push_test(caller.id)?;
    store::push::queue_tests(&app.db, caller.id).await?;
    app.push.wake();
    Ok(StatusCode::NO_CONTENT)
}

fn server_key(app: &App) -> Result<&VapidKey> {
    let detail = "This server sends no notifications to closed browsers.";
    app.config.push.key.as_ref().ok_or(Error::Conflict { code: "push_off", detail })
}

/// Returns the endpoint and both keys.
fn check(app: &App, input: &SubscriptionInput) -> Result<(Uri, Vec<u8>, Vec<u8>)> {
    let endpoint = Some(&input.endpoint).filter(|endpoint| endpoint.len() <= MOST_OF_ENDPOINT && endpoint.is_ascii());
    let endpoint = endpoint.and_then(|endpoint| endpoint.parse::<Uri>().ok());
    let endpoint = endpoint.filter(|endpoint| app.config.push.hosts.allow(endpoint));
    let p256dh = decode(&input.keys.p256dh).filter(|key| BrowserKeys::is_public_key(key));
    let auth = decode(&input.keys.auth).filter(|secret| secret.len() == 16);

    let mut errors = Vec::new();
    if endpoint.is_none() {
        errors.push(FieldError::new("endpoint", "must be https on a host of a push service that this server knows"));
    }
    if p256dh.is_none() {
        errors.push(FieldError::new("keys.p256dh", "must be a public key on P-256: 65 bytes, base64url"));
    }
    if auth.is_none() {
        errors.push(FieldError::new("keys.auth", "must be 16 bytes, base64url"));
    }
    match (endpoint, p256dh, auth) {
        (Some(endpoint), Some(p256dh), Some(auth)) => Ok((endpoint, p256dh, auth)),
        _ => Err(Error::Invalid(errors)),
    }
}

/// Decodes base64url; browsers write it without padding.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

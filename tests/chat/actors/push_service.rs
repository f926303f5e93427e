//! A push service and the browsers that it knows: it checks each request as RFC 8030 and RFC 8292 say, and the browser
//! decrypts the message (RFC 8291).

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gapless::config::{Config, PushHosts, VapidKey};
use hkdf::Hkdf;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use p256::ecdh::diffie_hellman;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use p256::{PublicKey, SecretKey};
use rand::Rng as _;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;

use super::{Answer, DEADLINE, Guest};

/// The private key of the chat in these tests.
const KEY: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";

/// An address at which nothing listens.
const NOBODY: &str = "127.0.0.1:9";

/// A notification as its browser received it.
#[derive(Debug)]
pub struct Pushed {
    pub browser: String,
    /// The decrypted message.
    pub message: Value,
    pub ttl: u64,
    pub topic: String,
    pub at: Instant,
}

/// Answer of the service to one request.
#[derive(Debug, Clone)]
pub enum Reply {
    Status(u16),
    With(u16, &'static str, String),
    /// None, for as long as the test runs.
    Never,
}

#[derive(Default)]
struct Inner {
    browsers: HashMap<String, Secrets>,
    replies: VecDeque<Reply>,
}

#[derive(Clone)]
struct Secrets {
    key: SecretKey,
    auth: [u8; 16],
}

/// See the [module](self).
pub struct PushService {
    pub address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    received: mpsc::Receiver<Pushed>,
}

/// A browser with a subscription at a push service.
#[derive(Debug, Clone)]
pub struct Browser {
    pub name: String,
    pub endpoint: String,
    pub keys: Value,
}

#[derive(Clone)]
struct Receiving {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    received: mpsc::Sender<Pushed>,
}

impl PushService {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, received) = mpsc::channel(1_000);
        let inner = Arc::<Mutex<Inner>>::default();
        let state = Receiving { address, inner: Arc::clone(&inner), received: sender };
        let router = Router::new().route("/push/{browser}", post(receive)).with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, inner, received }
    }

    /// Settings of a chat that knows these services, looks for due notifications all the time and waits for an hour
    /// before it sends one: the tests let that time pass.
    pub fn set_up(services: &[&Self], config: &mut Config) {
        let addresses = services.iter().map(|service| service.address.to_string());
        let hosts: Vec<String> = addresses.chain([NOBODY.to_owned()]).collect();
        config.push.key = Some(VapidKey::parse(&KEY.into()).expect("a key"));
        config.push.hosts = PushHosts::parse(Some(&hosts.join(","))).expect("hosts");
        config.push.delay = std::time::Duration::from_hours(1);
        config.push.poll = std::time::Duration::from_millis(20);
        config.push.timeout = std::time::Duration::from_millis(500);
        config.push.backoff = std::time::Duration::from_millis(20);
    }

    /// The same key for the program.
    pub fn private_key() -> &'static str {
        KEY
    }

    /// Returns a subscription at a service that never answers.
    pub fn unanswered(name: &str) -> Value {
        json!({
            "endpoint": format!("http://{NOBODY}/{name}"),
            "keys": {
                "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                "auth": "BTBZMqHH6r4Tts7J_aSIgg",
            },
            "preview": true,
        })
    }

    /// Returns a new browser.
    pub fn browser(&self) -> Browser {
        let key = SecretKey::from_slice(&rand::rng().random::<[u8; 32]>()).expect("a number below the order");
        let auth: [u8; 16] = rand::rng().random();
        let keys = json!({
            "p256dh": URL_SAFE_NO_PAD.encode(key.public_key().to_encoded_point(false)),
            "auth": URL_SAFE_NO_PAD.encode(auth),
        });
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("browser-{}", inner.browsers.len());
        inner.browsers.insert(name.clone(), Secrets { key, auth });
        let endpoint = format!("http://{}/push/{name}", self.address);
        Browser { name, endpoint, keys }
    }

    /// Answers the next requests so, instead of accepting them.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).replies.extend(replies);
    }

    /// Waits for the next notification.
    pub async fn next(&mut self) -> Pushed {
        let received = tokio::time::timeout(DEADLINE, self.received.recv()).await;
        received.expect("no notification arrived").expect("the service runs")
    }

    /// Returns everything that has arrived and was not read, in the order of the browsers' names.
    pub fn rest(&mut self) -> Vec<Pushed> {
        let mut rest: Vec<_> = std::iter::from_fn(|| self.received.try_recv().ok()).collect();
        rest.sort_by(|one, other| one.browser.cmp(&other.browser));
        rest
    }
}

impl Browser {
    pub async fn try_subscribe(&self, user: &Guest, preview: bool) -> Answer {
        let body = json!({"endpoint": self.endpoint, "keys": self.keys, "preview": preview});
        user.put("/push/subscriptions", body).await
    }

    pub async fn subscribe(&self, user: &Guest) {
        self.try_subscribe(user, true).await.is(204);
    }

    pub async fn unsubscribe(&self, user: &Guest) {
        let body = json!({"endpoint": self.endpoint});
        user.call(reqwest::Method::DELETE, "/push/subscriptions", Some(body)).await.is(204);
    }
}

async fn receive(
    State(service): State<Receiving>,
    Path(browser): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (secrets, reply) = {
        let mut inner = service.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner.browsers.get(&browser).cloned(), inner.replies.pop_front())
    };
    let Some(secrets) = secrets else { return StatusCode::NOT_FOUND.into_response() };
    let pushed = match open(&service, browser, &headers, &body, &secrets) {
        Ok(pushed) => pushed,
        Err(fault) => {
            eprintln!("the push service refuses a request: {fault}");
            return (StatusCode::BAD_REQUEST, fault).into_response();
        }
    };
    service.received.try_send(pushed).expect("the test reads what arrives");
    match reply {
        None => StatusCode::CREATED.into_response(),
        Some(Reply::Status(status)) => StatusCode::from_u16(status).expect("a status").into_response(),
        Some(Reply::With(status, name, value)) => {
            let mut response = StatusCode::from_u16(status).expect("a status").into_response();
            let value = HeaderValue::from_str(&value).expect("a value");
            response.headers_mut().insert(HeaderName::from_static(name), value);
            response
        }
        Some(Reply::Never) => std::future::pending().await,
    }
}

fn open(
    service: &Receiving,
    browser: String,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &Secrets,
) -> Result<Pushed, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    check_authorization(&header("authorization"), service.address)?;
    if header("content-encoding") != "aes128gcm" {
        return Err("wrong content coding".to_owned());
    }
    if body.len() > 4_096 {
        return Err(format!("{} bytes are too many", body.len()));
    }
    let ttl = header("ttl").parse().map_err(|_| "no TTL".to_owned())?;
    let topic = header("topic");
    if topic.is_empty() || topic.len() > 32 {
        return Err(format!("wrong topic {topic:?}"));
    }
    let message = decrypt(body, secrets).ok_or("cannot be decrypted")?;
    let message = serde_json::from_slice(&message).map_err(|error| error.to_string())?;
    Ok(Pushed { browser, message, ttl, topic, at: Instant::now() })
}

/// RFC 8292: a token signed by the key with which the browser subscribed, for this service, and valid for a day at most.
fn check_authorization(header: &str, address: SocketAddr) -> Result<(), String> {
    let parts = header.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", k="));
    let (token, public) = parts.ok_or_else(|| format!("{header:?} is no authorization"))?;
    let expected = VapidKey::parse(&KEY.into()).expect("a key").public_text();
    if public != expected {
        return Err("another key".to_owned());
    }
    let key = DecodingKey::from_ec_der(&URL_SAFE_NO_PAD.decode(public).expect("base64url"));
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_required_spec_claims(&["aud", "exp", "sub"]);
    validation.set_audience(&[format!("http://{address}")]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(|error| error.to_string())?.claims;
    let left = claims["exp"].as_i64().unwrap_or_default() - jsonwebtoken::get_current_timestamp().cast_signed();
    let is_contact = claims["sub"].as_str().is_some_and(|contact| contact.starts_with("mailto:"));
    if left > 86_400 || !is_contact { Err(format!("wrong claims {claims}")) } else { Ok(()) }
}

fn decrypt(body: &[u8], secrets: &Secrets) -> Option<Vec<u8>> {
    let (salt, rest) = body.split_at_checked(16)?;
    let (_, rest) = rest.split_at_checked(4)?;
    let (length, rest) = rest.split_first()?;
    let (sender, record) = rest.split_at_checked(usize::from(*length))?;
    let shared = diffie_hellman(secrets.key.to_nonzero_scalar(), PublicKey::from_sec1_bytes(sender).ok()?.as_affine());

    let expand = |salt: &[u8], material: &[u8], info: &[u8], length: usize| {
        let mut derived = vec![0; length];
        Hkdf::<Sha256>::new(Some(salt), material).expand(info, &mut derived).expect("a short key");
        derived
    };
    let own = secrets.key.public_key().to_encoded_point(false);
    let info = [b"WebPush: info\0", own.as_bytes(), sender].concat();
    let material = expand(&secrets.auth, shared.raw_secret_bytes(), &info, 32);
    let key = expand(salt, &material, b"Content-Encoding: aes128gcm\0", 16);
    let nonce = expand(salt, &material, b"Content-Encoding: nonce\0", 12);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
    let mut record = record.to_vec();
    let opened = key.open_in_place(Nonce::try_assume_unique_for_key(&nonce).ok()?, Aad::empty(), &mut record).ok()?;
    let end = opened.iter().rposition(|byte| *byte != 0)?;
    (opened[end] == 2).then(|| opened[..end].to_vec())
}

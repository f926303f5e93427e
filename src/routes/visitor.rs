//! A client of the API for tests of the routes: `ali.post("/auth/login", json!({…})).await`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Builder;
use axum::http::{HeaderMap, HeaderName, Method, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tower::ServiceExt as _;

use crate::app::App;
use crate::auth::password::Passwords;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::Role;
use crate::id::UserId;
use crate::store;

/// A chat for one test: its own database, clock and limits.
pub struct Chat {
    pub app: App,
    router: Router,
}

/// A guest, until signed in.
#[derive(Clone)]
pub struct Visitor {
    router: Router,
    address: IpAddr,
    pub access_token: Option<String>,
    pub refresh_token: String,
    pub id: String,
}

/// The response to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Chat {
    pub async fn start(database: PgConnectOptions) -> Self {
        Self::with(database, Config::for_tests()).await
    }

    pub async fn with(database: PgConnectOptions, config: Config) -> Self {
        let app = App::start(config, database, Clock::manual(Clock::System.now())).await.unwrap();
        let router = super::router(app.clone());
        Self { app, router }
    }

    pub fn guest(&self) -> Visitor {
        self.guest_from(IpAddr::from([203, 0, 113, 1]))
    }

    pub fn guest_from(&self, address: IpAddr) -> Visitor {
        let (access_token, refresh_token, id) = (None, String::new(), String::new());
        Visitor { router: self.router.clone(), address, access_token, refresh_token, id }
    }

    /// Signs up a new user with the password that [`Visitor::sign_in`] uses.
    pub async fn user(&self, username: &str) -> Visitor {
        let mut visitor = self.guest();
        let session = visitor.post("/auth/register", credentials(username, PASSWORD)).await.expect(201);
        visitor.hold(&session);
        visitor
    }

    pub async fn admin(&self, username: &str) -> Visitor {
        self.account(username, PASSWORD, Role::Admin).await;
        self.guest().sign_in(username).await
    }

    /// Creates an account without signing up, so any password is allowed.
    pub async fn account(&self, username: &str, password: &str, role: Role) {
        let password_hash = Passwords::new().hash(password.into()).await.unwrap();
        let pos = store::users::create(&self.app.db, UserId::new(), username, &password_hash, role).await.unwrap();
        self.app.settled(pos).await;
    }

    pub async fn stop(self) {
        self.app.lifecycle.leave(Duration::ZERO, || ()).await;
        self.app.db.close().await;
    }
}

/// Password of all users, unless a test says otherwise.
pub const PASSWORD: &str = "correct horse";

pub fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

impl Visitor {
    /// Signs the same user in on another device.
    pub async fn sign_in(&self, username: &str) -> Self {
        let mut visitor = Self { access_token: None, ..self.clone() };
        let session = visitor.post("/auth/login", credentials(username, PASSWORD)).await.expect(200);
        visitor.hold(&session);
        visitor
    }

    /// Uses this session from now on.
    pub fn hold(&mut self, session: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.access_token = Some(text(&session["access_token"]));
        self.refresh_token = text(&session["refresh_token"]);
        self.id = text(&session["user"]["id"]);
    }

    pub async fn refresh(&self) -> Answer {
        self.post("/auth/refresh", json!({ "refresh_token": self.refresh_token })).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub async fn get_with(&self, path: &str, name: HeaderName, value: &str) -> Answer {
        self.send(Request::get(path).header(name, value), None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(Request::builder().method(method).uri(path), body).await
    }

    async fn send(&self, mut request: Builder, body: Option<Value>) -> Answer {
        if let Some(token) = &self.access_token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.address, 4_000)));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }
}

impl Answer {
    /// Returns the body; fails on any other status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Returns the problem document; fails on any other status or code.
    #[track_caller]
    pub fn expect_refusal(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, &self.body["code"]), (status, &json!(code)), "{}", self.body);
        self.body
    }
}

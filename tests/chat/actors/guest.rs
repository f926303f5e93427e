//! A caller of the HTTP API, with or without an account: a [`User`](super::User) is a guest
//! with a token.

use std::net::SocketAddr;
use std::sync::LazyLock;

use gapless::event::{Message, Room};
use gapless::id::{MessageId, RoomId, UserId};
use reqwest::Method;
use serde_json::{Value, json};

use super::stream::{Opening, Stream};
use super::{Answer, METRICS_TOKEN};

/// A connection serves one request: a shared client with a connection pool would outlive the runtime of the test
/// that created it.
static HTTP: LazyLock<reqwest::Client> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("an HTTP client"));

#[derive(Debug, Clone)]
pub struct Guest {
    pub address: SocketAddr,
    pub token: Option<String>,
}

impl Guest {
    pub fn at(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    /// Returns the same caller with this token, valid or not.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Builds a request with the caller's token.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = HTTP.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let said = format!("{method} {path}");
        let request = self.request(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap_or_else(|error| panic!("{said}: {error:?}"));
        Answer::of(said, response).await
    }

    /// Returns the text of `/metrics`, read with the operator's token.
    pub async fn metrics(&self) -> String {
        self.with_token(METRICS_TOKEN).get("/metrics").await.is(200).text
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// Sends a `POST` with a body.
    pub async fn send(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Sends a `POST` without a body.
    pub async fn tell(&self, path: &str) -> Answer {
        self.call(Method::POST, path, None).await
    }

    pub async fn try_post(&self, room: &Room, body: &str) -> Answer {
        self.send("/messages", json!({"room_id": room.id, "body": body})).await
    }

    /// Posts with this `client_id`, which a client repeats in every retry.
    pub async fn try_post_as(&self, room: RoomId, body: &str, client_id: &str) -> Answer {
        self.send("/messages", json!({"room_id": room, "body": body, "client_id": client_id})).await
    }

    pub async fn try_edit(&self, message: MessageId, body: &str) -> Answer {
        self.patch(&format!("/messages/{message}"), json!({"body": body})).await
    }

    pub async fn try_delete(&self, message: MessageId) -> Answer {
        self.delete(&format!("/messages/{message}")).await
    }

    pub async fn try_write_to(&self, recipient: UserId, body: &str) -> Answer {
        self.send("/direct-messages", json!({"recipient_id": recipient, "body": body})).await
    }

    pub async fn rooms(&self) -> Vec<Room> {
        serde_json::from_value(self.get("/rooms").await.is(200).json()["rooms"].take()).expect("rooms")
    }

    pub async fn read_room(&self, room: RoomId) -> Room {
        self.get(&format!("/rooms/{room}")).await.is(200).body()
    }

    /// Returns the newest messages of a room.
    pub async fn messages(&self, room: &Room) -> Vec<Message> {
        let mut page = self.get(&format!("/messages?room_id={}&limit=200", room.id)).await.is(200).json();
        serde_json::from_value(page["messages"].take()).expect("messages")
    }

    /// Returns the bodies of a room's newest messages.
    pub async fn bodies(&self, room: &Room) -> Vec<String> {
        let body = |message: Message| message.body.as_deref().unwrap_or("(deleted)").to_owned();
        self.messages(room).await.into_iter().map(body).collect()
    }

    /// Returns a builder for a stream.
    pub fn opening(&self) -> Opening {
        Opening::by(self)
    }

    /// Opens a stream of a room from now on.
    pub async fn listen(&self, room: &Room) -> Stream {
        self.opening().room(room).open().await
    }
}

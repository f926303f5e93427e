//! A user with an account and a session; an admin is a user whose role permits more actions.

use std::ops::Deref;

use gapless::event::{DirectMessage, Message, Room};
use gapless::id::{MessageId, UserId};
use serde_json::{Value, json};

use super::{Guest, Instance, PASSWORD};

#[derive(Debug, Clone)]
pub struct User {
    guest: Guest,
    pub id: UserId,
    pub name: String,
    pub refresh_token: String,
}

impl Deref for User {
    type Target = Guest;

    fn deref(&self) -> &Guest {
        &self.guest
    }
}

impl User {
    pub async fn sign_up(guest: Guest, name: &str) -> Self {
        let answer = guest.send("/auth/register", json!({"username": name, "password": PASSWORD})).await;
        Self::of_session(guest, &answer.is(201).json())
    }

    pub async fn sign_in(guest: Guest, name: &str, password: &str) -> Self {
        let answer = guest.send("/auth/login", json!({"username": name, "password": password})).await;
        Self::of_session(guest, &answer.is(200).json())
    }

    fn of_session(guest: Guest, session: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a session has these as text").to_owned();
        let (user, refresh_token) = (&session["user"], text(&session["refresh_token"]));
        let id = text(&user["id"]).parse().expect("an id");
        Self::with_tokens(guest, id, &text(&user["username"]), &text(&session["access_token"]), refresh_token)
    }

    pub fn with_tokens(guest: Guest, id: UserId, name: &str, access_token: &str, refresh_token: String) -> Self {
        Self { guest: guest.with_token(access_token), id, name: name.to_owned(), refresh_token }
    }

    /// Signs in again: another session of the same user.
    pub async fn another_session(&self) -> Self {
        Self::sign_in(Guest::at(self.address), &self.name, PASSWORD).await
    }

    /// Returns the same user with refreshed tokens.
    pub async fn refreshed(&self) -> Self {
        let answer = self.send("/auth/refresh", json!({"refresh_token": self.refresh_token})).await;
        Self::of_session(self.guest.clone(), &answer.is(200).json())
    }

    /// Returns the same user, calling another instance.
    #[must_use]
    pub fn at(&self, instance: &Instance) -> Self {
        Self { guest: Guest { address: instance.address, ..self.guest.clone() }, ..self.clone() }
    }

    pub fn access_token(&self) -> &str {
        self.token.as_deref().expect("a user has a token")
    }

    pub async fn post(&self, room: &Room, body: &str) -> Message {
        self.try_post(room, body).await.is(201).body()
    }

    pub async fn edit(&self, message: MessageId, body: &str) -> Message {
        self.try_edit(message, body).await.is(200).body()
    }

    pub async fn delete_message(&self, message: MessageId) {
        self.try_delete(message).await.is(204);
    }

    /// Sends a direct message.
    pub async fn write_to(&self, recipient: &Self, body: &str) -> DirectMessage {
        self.try_write_to(recipient.id, body).await.is(201).body()
    }

    pub async fn create_room(&self, name: &str) -> Room {
        self.send("/rooms", json!({"name": name})).await.is(201).body()
    }

    pub async fn rename(&self, room: &Room, name: &str) -> Room {
        self.patch(&format!("/rooms/{}", room.id), json!({"name": name})).await.is(200).body()
    }

    pub async fn archive(&self, room: &Room) -> Room {
        self.tell(&format!("/rooms/{}/archive", room.id)).await.is(200).body()
    }

    pub async fn restore(&self, room: &Room) -> Room {
        self.tell(&format!("/rooms/{}/restore", room.id)).await.is(200).body()
    }

    pub async fn set_role(&self, user: &Self, role: &str) {
        self.patch(&format!("/users/{}", user.id), json!({"role": role})).await.is(200);
    }

    pub async fn mute(&self, user: &Self, seconds: u64) {
        self.send(&format!("/users/{}/mute", user.id), json!({"seconds": seconds, "reason": "noise"})).await.is(200);
    }

    pub async fn unmute(&self, user: &Self) {
        self.tell(&format!("/users/{}/unmute", user.id)).await.is(200);
    }

    pub async fn ban(&self, user: &Self) {
        self.send(&format!("/users/{}/ban", user.id), json!({"reason": "advertising"})).await.is(200);
    }

    pub async fn unban(&self, user: &Self) {
        self.tell(&format!("/users/{}/unban", user.id)).await.is(200);
    }

    pub async fn end_sessions_of(&self, user: &Self) {
        self.tell(&format!("/users/{}/end-sessions", user.id)).await.is(200);
    }

    pub async fn sign_out(&self) {
        self.send("/auth/logout", json!({"refresh_token": self.refresh_token})).await.is(204);
    }
}

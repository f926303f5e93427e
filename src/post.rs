//! A submitted message. A module of its own because both the store and the real-time core use it.

use std::sync::Arc;

use crate::event::Author;
use crate::id::{ClientId, MessageId, RoomId, Seq, UserId};

/// A message that an author submits.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Made by the server for each request; a client's retry gets a new one.
    pub id: MessageId,
    pub room_id: RoomId,
    pub author: Author,
    pub client_id: ClientId,
    pub body: Arc<str>,
    /// The message of the room that this one replies to.
    pub reply_to: Option<Seq>,
    /// Mentioned users, each once.
    pub mentions: Vec<UserId>,
    /// Users to notify because the message mentions the whole room, which only an admin may do.
    pub audience: Option<Vec<UserId>>,
}

/// The outcome of a post is unknown, or it was not attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the post queue is full")]
    Full,
    #[error("the database did not answer in time")]
    Unavailable,
}

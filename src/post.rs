//! A submitted message: named by the store, which commits it, and by the core, which carries it.

use std::sync::Arc;

use crate::event::Author;
use crate::id::{ClientId, MessageId, RoomId};

/// A message that an author submits.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Made by the server for this attempt; a retry by the client has another.
    pub id: MessageId,
    pub room_id: RoomId,
    pub author: Author,
    pub client_id: ClientId,
    pub body: Arc<str>,
}

/// No outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the queue of posts is full")]
    Full,
    #[error("the database did not answer in time")]
    Unavailable,
}

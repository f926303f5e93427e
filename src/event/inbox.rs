//! Items of a user's inbox.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{DirectMessage, Message, Room};
use crate::id::{Pos, RoomId};

/// Reason for which a message is in an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InboxKind {
    /// The message mentions the user.
    Mention,
    /// The message replies to one of the user, and may mention them too.
    Reply,
    /// A direct message to the user.
    Direct,
}

/// The room of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxRoom {
    pub id: RoomId,
    #[schema(example = "general")]
    pub name: String,
    /// See `Room`.
    #[schema(example = "general")]
    pub slug: String,
}

impl From<&Room> for InboxRoom {
    fn from(room: &Room) -> Self {
        Self { id: room.id, name: room.name.clone(), slug: room.slug.clone() }
    }
}

/// The message of an item: for the kind `direct` a direct message, otherwise one of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum InboxMessage {
    Public(Message),
    Direct(DirectMessage),
}

/// An item of a user's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxItem {
    pub kind: InboxKind,
    /// Position of the message, or of the edit that added the mention. The inbox is read up to it by `PUT /inbox/read`.
    pub pos: Pos,
    pub message: InboxMessage,
    /// Absent for direct messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<InboxRoom>,
    /// Time of the message, or of the edit that added the mention.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The room was read up to this message, or the inbox up to this item.
    pub read: bool,
}

impl InboxItem {
    /// Makes an unread item of a room's message.
    pub fn of_room(kind: InboxKind, message: Message, room: &Room, pos: Pos, at: OffsetDateTime) -> Self {
        Self { kind, pos, message: InboxMessage::Public(message), room: Some(room.into()), at, read: false }
    }

    /// Makes an unread item of a direct message.
    pub const fn of_direct(message: DirectMessage) -> Self {
        let (pos, at) = (message.pos, message.created_at);
        Self { kind: InboxKind::Direct, pos, message: InboxMessage::Direct(message), room: None, at, read: false }
    }
}

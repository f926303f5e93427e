//! Rooms, as events and the API show them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::id::{RoomId, Seq};

/// Number of people in a room now: distinct users, and guests counted by connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Online {
    pub users: u32,
    pub guests: u32,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Room {
    pub id: RoomId,
    #[schema(example = "general")]
    pub name: String,
    /// The name as a part of an address, `/r/{slug}-{id}`: letters, digits and dashes; may be empty.
    #[serde(default)]
    #[schema(required = true, example = "general")]
    pub slug: String,
    /// Topic, shown in the header of the room; empty if there is none.
    #[serde(default)]
    #[schema(required = true, max_length = 250, example = "Announcements and help")]
    pub topic: String,
    pub is_archived: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// `seq` of the newest message; 0 in a room without any.
    pub head_seq: Seq,
    /// Days after which messages are deleted automatically; 0 keeps them for ever, `null` uses the server's setting.
    #[serde(default)]
    #[schema(required = true, minimum = 0, maximum = 36_500)]
    pub retention_days: Option<i32>,
    /// True for the landing room, to which the address of the chat leads; at most one room.
    #[serde(default)]
    #[schema(required = true)]
    pub landing: bool,
    /// False if search engines are asked not to list the room.
    #[serde(default = "is_usual")]
    #[schema(required = true)]
    pub indexable: bool,
    pub online: Online,
}

/// News of an earlier release leaves `indexable` out.
const fn is_usual() -> bool {
    true
}

//! Everything a client can hear, and the things that it hears about.
//!
//! These types are the wire: they are answered by REST, carried by the stream, and sent between instances,
//! in one shape. What is private to an account (password, sessions) is not here and cannot leak from here.
//! Next: [`crate::realtime`], which carries events to whoever may hear them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::id::{ClientId, Generation, MessageId, Pos, RoomId, Seq, SessionClaim, SessionId, UserId};

/// What a user may do beyond reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Role {
    /// Posts, and edits and deletes what they posted.
    #[default]
    User,
    /// Runs the rooms, moderates, and writes direct messages.
    Admin,
}

/// From text alone: serde's own enums also take `{"admin": null}`.
impl TryFrom<String> for Role {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        [Self::User, Self::Admin].into_iter().find(|role| role.as_str() == word).ok_or("must be `user` or `admin`")
    }
}

impl Role {
    /// The word for this role on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// Who wrote, sent or received something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    pub id: UserId,
    #[schema(value_type = String, example = "ali")]
    pub username: Arc<str>,
}

/// An account as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    #[schema(value_type = String, example = "ali")]
    pub username: Arc<str>,
    pub role: Role,
}

/// How many are in a room now: distinct users, and guests counted by connection.
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
    pub is_archived: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// `seq` of the newest message; 0 in a room without any.
    pub head_seq: Seq,
    /// Days after which a message is deleted by itself; 0 keeps for ever, `null` as the server is set.
    #[serde(default)]
    #[schema(required = true, minimum = 0, maximum = 36_500)]
    pub retention_days: Option<i32>,
    pub online: Online,
}

/// A public message. A deleted one keeps its place; its body is gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    /// Where it was posted, and stays.
    pub pos: Pos,
    pub seq: Seq,
    pub client_id: ClientId,
    pub author: Author,
    #[schema(value_type = Option<String>, required = true, example = "Good morning")]
    pub body: Option<Arc<str>>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    pub edited_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    pub deleted_at: Option<OffsetDateTime>,
}

/// A message for one person's eyes: nobody but sender and recipient ever receives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DirectMessage {
    pub id: MessageId,
    pub pos: Pos,
    pub client_id: ClientId,
    pub sender: Author,
    pub recipient: Author,
    #[schema(value_type = String, example = "A word in private")]
    pub body: Arc<str>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A user's role and restrictions, as told to that user when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    pub id: UserId,
    #[schema(value_type = String, example = "ali")]
    pub username: Arc<str>,
    pub role: Role,
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required = true)]
    pub muted_until: Option<OffsetDateTime>,
    #[schema(required = true)]
    pub mute_reason: Option<String>,
    /// Not told on the wire: a banned user has no stream to hear it on.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    #[schema(ignore)]
    pub banned: bool,
}

/// The end of all sessions of a user that were open at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationEnd {
    /// The first that is not over.
    pub generation: Generation,
    /// The session that went on into it.
    #[serde(default)]
    pub except: Option<SessionId>,
}

impl GenerationEnd {
    /// Returns whether the session of this token ended. Tokens without a generation are left to the list of the event.
    pub fn ends(&self, session: SessionClaim) -> bool {
        self.except != Some(session.id) && session.generation.is_some_and(|generation| generation < self.generation)
    }
}

/// One durable change, at its position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub pos: Pos,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub change: Change,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    MessagePosted(Message),
    MessageEdited(Message),
    MessageDeleted {
        id: MessageId,
        room_id: RoomId,
        seq: Seq,
    },
    DirectPosted(DirectMessage),
    /// Heard by nobody: a message deleted by its age, or with its author, while its room was archived; a
    /// direct message of somebody who was erased since.
    Forgotten {
        id: MessageId,
    },
    Room {
        what: RoomChange,
        room: Room,
    },
    /// Role, mute or ban; heard by that user, obeyed by every instance.
    Standing(Standing),
    /// Heard by nobody: their streams end here.
    SessionsEnded {
        user_id: UserId,
        /// If all of a user's sessions ended: only the newest of them.
        sessions: Vec<SessionId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        all: Option<GenerationEnd>,
    },
    /// Heard by everybody, since everybody may show something of theirs. The name is the one that is left.
    UserErased(Author),
    /// An entry of the log that this release does not understand: of a kind that a newer release added, or with a
    /// subject or detail that it left out. Nobody hears it, and every position passes it.
    Unknown {
        /// As in `log_kind`.
        kind: Arc<str>,
        /// The room that it belongs to, where the log names one.
        room_id: Option<RoomId>,
    },
}

/// What happened to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomChange {
    Created,
    Renamed,
    Archived,
    Restored,
    RetentionSet,
}

impl Change {
    /// The event's name on the stream, or `None` for what no client hears.
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::MessagePosted(_) => "message.posted",
            Self::MessageEdited(_) => "message.edited",
            Self::MessageDeleted { .. } => "message.deleted",
            Self::DirectPosted(_) => "direct.posted",
            Self::Room { what: RoomChange::Created, .. } => "room.created",
            Self::Room { what: RoomChange::Renamed, .. } => "room.renamed",
            Self::Room { what: RoomChange::Archived, .. } => "room.archived",
            Self::Room { what: RoomChange::Restored, .. } => "room.restored",
            Self::Room { what: RoomChange::RetentionSet, .. } => "room.retention_set",
            Self::Standing(_) => "user.changed",
            Self::UserErased(_) => "user.erased",
            Self::Forgotten { .. } | Self::SessionsEnded { .. } | Self::Unknown { .. } => return None,
        })
    }
}

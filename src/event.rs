//! Events, and the types that they and the API share: rooms, messages, users.
//!
//! These are the wire types: REST responses, streams and news between instances use them in one form. They hold
//! nothing private to an account (password, sessions), so nothing of that can leak through them.
//! Next: [`crate::realtime`], which delivers events to the clients that may receive them.

pub mod compact;
pub mod inbox;
mod room;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub use self::room::{Online, Room};
use crate::id::{ClientId, Generation, MessageId, Pos, RoomId, Seq, SessionClaim, SessionId, UserId};

/// Rights of a user beyond reading and posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Role {
    /// Posts, and edits and deletes what they posted.
    #[default]
    User,
    /// Runs the rooms, moderates, and writes direct messages.
    Admin,
}

/// Parses a role from a string only: a derived `Deserialize` would also accept `{"admin": null}`.
impl TryFrom<String> for Role {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        [Self::User, Self::Admin].into_iter().find(|role| role.as_str() == word).ok_or("must be `user` or `admin`")
    }
}

impl Role {
    /// Returns this role's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// Author, sender or recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    pub id: UserId,
    #[schema(value_type = String, example = "ali")]
    pub username: Arc<str>,
}

/// The public part of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    #[schema(value_type = String, example = "ali")]
    pub username: Arc<str>,
    pub role: Role,
}

/// New messages of a room that notify a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Level {
    All,
    /// Only those that mention the user.
    #[default]
    Mentions,
    None,
}

/// Parses a level from a string only, like [`Role`].
impl TryFrom<String> for Level {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        let levels = [Self::All, Self::Mentions, Self::None];
        levels.into_iter().find(|level| level.as_str() == word).ok_or("must be `all`, `mentions` or `none`")
    }
}

impl Level {
    /// Returns this level's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::None => "none",
        }
    }
}

/// A user's relation to a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Membership {
    /// Messages up to this `seq` are read.
    pub read_seq: Seq,
    /// Number of messages of others after `read_seq` that are not deleted; 1,000 means 1,000 or more. In a list of
    /// several rooms with hundreds of unread messages each, the greatest numbers are estimates.
    #[schema(minimum = 0, maximum = 1_000)]
    pub unread: i64,
    /// Number of unread messages that mention the user or reply to them.
    #[schema(minimum = 0, maximum = 1_000)]
    pub mentions: i64,
    pub level: Level,
}

/// The message that another one replies to, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quote {
    pub seq: Seq,
    /// `null` if the message was deleted because of its age.
    #[schema(required = true)]
    pub author: Option<Author>,
    /// First 160 characters of the body; `null` if the message was deleted.
    #[schema(value_type = Option<String>, required = true, example = "Good morning")]
    pub excerpt: Option<Arc<str>>,
    /// Not sent to clients; `None` if the message was deleted because of its age.
    #[serde(skip)]
    pub id: Option<MessageId>,
}

impl Quote {
    /// Makes the quote of a message that was deleted because of its age.
    pub const fn trimmed(seq: Seq) -> Self {
        Self { seq, author: None, excerpt: None, id: None }
    }
}

/// A public message. A deleted one keeps its place; its body, its mentions and the reference to another message are gone
/// for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    /// Position of the post; edits do not change it.
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
    /// The earlier message of the room that this one replies to.
    #[serde(default)]
    #[schema(required = true)]
    pub reply_to: Option<Quote>,
    /// Users whom the message mentions. The body has `@[user:<id>]` where it does.
    #[serde(default)]
    #[schema(required = true, max_items = 10)]
    pub mentions: Vec<Author>,
    /// In the order of their first use.
    #[serde(default)]
    #[schema(required = true, max_items = 20)]
    pub reactions: Vec<Reaction>,
}

/// An emoji that users reacted to a message with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    #[schema(example = "👍")]
    pub emoji: String,
    /// Number of users.
    #[schema(minimum = 1)]
    pub count: i64,
    /// True if the caller is one of them; always false in events.
    pub mine: bool,
}

/// A private message: only its sender and recipient ever receive it.
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

/// A user's role and restrictions, sent to that user when they change.
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
}

/// Marks that all of a user's sessions ended at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationEnd {
    /// The first generation that is still valid.
    pub generation: Generation,
    /// The session that was moved to that generation instead of being ended.
    #[serde(default)]
    pub except: Option<SessionId>,
}

impl GenerationEnd {
    /// Returns whether the session of this token ended. False for tokens without a generation: the event lists their
    /// sessions by id.
    pub fn ends(&self, session: SessionClaim) -> bool {
        self.except != Some(session.id) && session.generation.is_some_and(|generation| generation < self.generation)
    }
}

/// One durable change at its position, as carried by the log, by news between instances, and by streams.
///
/// Delivery does not read `told` or depend on the kind: it reads only the audience and the effect. Kinds are defined in
/// [`crate::store::events`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub pos: Pos,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// A value of the database type `log_kind`.
    pub kind: Cow<'static, str>,
    pub audience: Audience,
    /// Data sent to clients; `None` if no client receives the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// The public message whose body `told` contains. When it is deleted, the body is removed from cached copies of
    /// this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// The public message of which `told` contains an excerpt. It is removed with the body of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Effect::is_none")]
    pub effect: Effect,
}

impl Event {
    /// Makes an event that no client receives and that changes nothing in memory.
    pub fn silent(pos: Pos, at: OffsetDateTime, kind: impl Into<Cow<'static, str>>) -> Self {
        let (kind, audience, effect) = (kind.into(), Audience::Nobody, Effect::None);
        Self { pos, at, kind, audience, told: None, message: None, quoted: None, effect }
    }

    #[must_use]
    pub fn with_effect(self, effect: Effect) -> Self {
        Self { effect, ..self }
    }

    /// Sends `data` to `audience` under the kind's name.
    #[must_use]
    pub fn told_to(self, audience: Audience, data: &impl Serialize) -> Self {
        let name = self.kind.clone();
        self.told_as(name, audience, data)
    }

    /// Sends `data` to `audience` under another name than the kind's.
    #[must_use]
    pub fn told_as(self, name: impl Into<Cow<'static, str>>, audience: Audience, data: &impl Serialize) -> Self {
        Self { audience, told: Some(Told::new(name, data)), ..self }
    }
}

/// The part of an event that clients receive: the same bytes live and in a replay.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// `event:` on the stream.
    pub name: Cow<'static, str>,
    /// `data:` on the stream.
    pub data: Arc<RawValue>,
}

impl Told {
    pub fn new(name: impl Into<Cow<'static, str>>, data: &impl Serialize) -> Self {
        let data = to_raw_value(data).expect("these types have string keys and write to memory");
        Self { name: name.into(), data: data.into() }
    }
}

impl PartialEq for Told {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.data.get()) == (&other.name, other.data.get())
    }
}

/// The streams that receive an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Readers of this room.
    Room(RoomId),
    /// Sender and recipient of a direct message only.
    Pair(UserId, UserId),
    /// One user, on each of their streams.
    User(UserId),
    /// The lobby: every stream.
    Everyone,
    /// No stream: the event only changes the memory of instances, if anything.
    Nobody,
}

/// A source of events. A stream carries its rooms, its user (if it has one) and the lobby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Room(RoomId),
    User(UserId),
    /// Events for everyone.
    Lobby,
}

/// An event's change to the memory of each instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nothing, as for most kinds.
    #[default]
    None,
    /// The room's newest message has this `seq`.
    RoomHead { room: RoomId, seq: Seq },
    /// The room exists. `is_archived` is absent if the event does not change it.
    Room { room: RoomId, is_archived: Option<bool> },
    /// The user has these rights from here on.
    Rights { user: UserId, is_admin: bool, is_banned: bool },
    /// Sessions of a user ended.
    SessionsEnded {
        user: UserId,
        /// Ended sessions; if all of a user's sessions ended, only the newest of them.
        sessions: Vec<SessionId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        all: Option<GenerationEnd>,
    },
    /// The user was erased. Cached events from before this may contain their name and messages.
    UserErased { user: UserId },
    /// The body of a message was deleted.
    BodyDeleted { message: MessageId },
    /// Messages of the room before `first_seq` were deleted.
    Trimmed { room: RoomId, first_seq: Seq },
}

impl Effect {
    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

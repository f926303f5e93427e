//! Export and import of a whole chat as lines of JSON: for backups, other programs, or a move to another database.
//!
//! A file begins with [`Header`] and ends with [`End`], so that a truncated one is detected. Between them: users,
//! then rooms, then messages in the order of the log, then reactions, pins and read marks. Data that belongs to one history is left out: positions, the
//! epoch, sessions and their push subscriptions, the audit trail. Everything else keeps its ids, numbers and times, so a client's retry of a post is
//! recognised after the import too.

mod export;
mod import;
mod numbers;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use export::{Options, export};
pub use import::import;

use crate::event::{Level, Role};
use crate::id::{ClientId, MessageId, RoomId, Seq, UserId};

/// Version of the format. An import refuses a file with another number.
pub const FORMAT: u32 = 1;

/// One line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    Export(Header),
    User(User),
    Room(Room),
    Message(Message),
    DirectMessage(DirectMessage),
    Reactions(Reactions),
    Pin(Pin),
    ReadMark(ReadMark),
    End(End),
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub format: u32,
    /// Time of the snapshot that all lines show.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// An account.
#[derive(Debug, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub id: UserId,
    pub username: String,
    #[sqlx(try_from = "RoleWord")]
    pub role: Role,
    /// Only if requested. An account imported without it has no valid password until it is given a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_hash: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub muted_until: Option<OffsetDateTime>,
    pub mute_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub banned_at: Option<OffsetDateTime>,
    pub ban_reason: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub erased_at: Option<OffsetDateTime>,
    /// Messages up to this time count as read in rooms without a mark; all messages if it is left out, as by releases
    /// without read marks.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub read_until: Option<OffsetDateTime>,
}

/// A role as stored in the database.
#[derive(sqlx::Type)]
#[sqlx(transparent)]
struct RoleWord(String);

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        if word.0 == Self::Admin.as_str() { Self::Admin } else { Self::User }
    }
}

/// A room. Its newest `seq` follows from its messages.
#[derive(Debug, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct Room {
    pub id: RoomId,
    pub name: String,
    pub is_archived: bool,
    /// Left out if empty, as releases without topics expect.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    pub retention_days: Option<i32>,
    /// Left out if false, as releases without a landing room expect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub landing: bool,
    /// Left out if true, likewise.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub indexable: bool,
    /// `seq` of the oldest message that is kept. Earlier ones in the file are receipts: they are never shown. Left out
    /// if nothing was trimmed, as earlier releases expect.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub first_seq: Seq,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_true(value: &bool) -> bool {
    *value
}

const fn first() -> Seq {
    Seq(1)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_first(seq: &Seq) -> bool {
    seq.0 == 1
}

/// A public message.
#[derive(Debug, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub id: MessageId,
    pub room_id: RoomId,
    pub seq: Seq,
    pub author_id: UserId,
    pub client_id: ClientId,
    /// Hex digits of the [fingerprint](crate::id::Fingerprint), which distinguishes a retry from another request even
    /// after an edit.
    pub fingerprint: String,
    pub body: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub edited_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub deleted_at: Option<OffsetDateTime>,
    /// Left out if it replies to no message, as releases without replies expect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// Left out if it mentions nobody, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
}

/// A direct message: only if requested.
#[derive(Debug, Serialize, Deserialize, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct DirectMessage {
    pub id: MessageId,
    pub sender_id: UserId,
    pub recipient_id: UserId,
    pub client_id: ClientId,
    pub fingerprint: String,
    pub body: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// The reactions to a message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reactions {
    pub message_id: MessageId,
    /// In the order of first use.
    pub reactions: Vec<Reaction>,
}

/// An emoji, and the users who chose it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    pub emoji: String,
    pub users: Vec<UserId>,
}

/// A pinned message. Later lines are newer pins.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub message_id: MessageId,
}

/// A user's mark in a room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadMark {
    pub user_id: UserId,
    pub room_id: RoomId,
    pub read_seq: Seq,
    pub level: Level,
}

/// The last line: the number of lines of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    pub users: u64,
    pub rooms: u64,
    pub messages: u64,
    pub direct_messages: u64,
    /// Number of messages with reactions. Left out if there are none, as releases without reactions expect.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reactions: u64,
    /// Left out if there are none, as releases without pins expect.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pins: u64,
    /// Left out if there are none, as releases without read marks expect.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_marks: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { users, rooms, messages, direct_messages, reactions, pins, read_marks } = self;
        write!(f, "{users} users, {rooms} rooms, {messages} messages, {direct_messages} direct messages, ")?;
        write!(f, "reactions to {reactions} messages, {pins} pins, {read_marks} read marks")
    }
}

//! The outcome of a change that a user asked for: one type for rooms, messages, direct messages and users.
//!
//! A handler commits, waits until the change is applied here (`App::settled`) and answers; a refusal becomes its error
//! by `?`, in `error.rs`.

use crate::id::Pos;

/// Result of a change that the database decided on: its position in the log, `None` if nothing had to be changed.
pub type Outcome<T = Option<Pos>> = Result<T, Refusal>;

/// A message or direct message that is in the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Posted<T> {
    /// Committed now.
    Accepted(T),
    /// Committed before, under the same `client_id`: this is its present state.
    Duplicate(T),
}

/// Why the database refused a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such room, message or user.
    Unknown(&'static str),
    /// The author has no account any more.
    UnknownAuthor,
    /// The room is archived.
    Archived,
    /// The message was deleted before.
    Deleted,
    /// The `client_id` was used for something else.
    ClientIdReused,
    NotAuthor,
    /// The caller is not an admin (any more).
    NotAdmin,
    /// The sender may not write to this recipient.
    NotAllowed,
    Banned,
    Muted,
    /// Users cannot mute, ban, erase or message themselves.
    ToSelf,
    /// The room has no message of this `seq` to reply to.
    UnknownReply,
    /// A mentioned user does not exist.
    UnknownMention,
    /// The chat would have no admin left.
    LastAdmin,
    /// The password was changed in the meantime.
    ChangedMeanwhile,
    /// The message has 20 kinds of reactions, or 10 of the caller.
    TooManyReactions,
    /// The room has 50 pins.
    TooManyPins,
}

impl Refusal {
    /// Parses the code that the database functions return. `subject`: the kind of thing that was to be changed.
    pub fn named(word: &str, subject: &'static str) -> Option<Self> {
        Some(match word {
            "unknown" => Self::Unknown(subject),
            "unknown_room" => Self::Unknown("room"),
            "unknown_recipient" => Self::Unknown("user"),
            "unknown_user" => Self::UnknownAuthor,
            "archived" => Self::Archived,
            "deleted" => Self::Deleted,
            "conflict" => Self::ClientIdReused,
            "not_author" => Self::NotAuthor,
            "not_admin" => Self::NotAdmin,
            "not_allowed" => Self::NotAllowed,
            "banned" => Self::Banned,
            "muted" => Self::Muted,
            "to_self" => Self::ToSelf,
            "unknown_reply" => Self::UnknownReply,
            "unknown_mention" => Self::UnknownMention,
            "last_admin" => Self::LastAdmin,
            "changed_meanwhile" => Self::ChangedMeanwhile,
            "too_many_pins" => Self::TooManyPins,
            "too_many_reactions" => Self::TooManyReactions,
            _ => return None,
        })
    }
}

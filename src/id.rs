//! Newtypes for identifiers and positions, so that the compiler rejects mixing them up: a common bug in chat servers,
//! whose signatures often have several bare integers.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            sqlx::Type, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a new one from the time and random bits (UUID version 7), so that rows created at about the same
            /// time are close together in indexes.
            #[expect(clippy::new_without_default, reason = "every call gives another value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

uuid_id! {
    /// A user's account.
    UserId;
    /// One sign-in on one device.
    SessionId;
    /// Sign-up codes, for servers on which not everybody may sign up.
    InvitationId;
    /// A room.
    RoomId;
    /// A message, public or direct.
    MessageId;
    /// Chosen by the client for one message; repeated in each retry.
    ClientId;
    /// One run of one instance.
    InstanceId;
}

/// Generation of an account's session: ending all sessions begins the next generation. The first is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Generation(pub i64);

/// Claims of an access token about its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionClaim {
    pub id: SessionId,
    /// `None` in tokens issued by a release without generations.
    pub generation: Option<Generation>,
}

impl From<SessionId> for SessionClaim {
    fn from(id: SessionId) -> Self {
        Self { id, generation: None }
    }
}

/// A position in the global log: 1 for the first change, without gaps.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[serde(transparent)]
#[sqlx(transparent)]
#[schema(value_type = i64, minimum = 1)]
pub struct Pos(pub i64);

impl Pos {
    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

impl std::fmt::Display for Pos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A message's number within its room: 1 for the first, without a gap.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    sqlx::Type,
    utoipa::ToSchema,
)]
#[serde(transparent)]
#[sqlx(transparent)]
#[schema(value_type = i64, minimum = 0)]
pub struct Seq(pub i64);

/// Digest of a submitted message: its destination and body. Distinguishes a retry from a different request under the
/// same [`ClientId`], even after the message was edited or deleted. 16 bytes are enough: it detects mistakes of a
/// client, not attackers who search for collisions among their own messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// `to`: the room or the recipient. `body`: as it will be stored.
    pub fn of(to: Uuid, body: &str) -> Self {
        let digest = Sha256::new().chain_update(to).chain_update(body).finalize();
        Self(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
    }

    /// Like [`of`](Self::of), for a message that may reply to another and mention users. Without both it is the same, so
    /// that a retry of a post is recognised across releases. NUL separates them from the body, which contains none.
    pub fn of_message(to: Uuid, body: &str, reply_to: Option<Seq>, mentions: &[UserId], mentions_room: bool) -> Self {
        if reply_to.is_none() && mentions.is_empty() && !mentions_room {
            return Self::of(to, body);
        }
        let mut digest = Sha256::new().chain_update(to).chain_update(body).chain_update([0]);
        digest.update(reply_to.unwrap_or(Seq(0)).0.to_be_bytes());
        for user in mentions {
            digest.update(user.0);
        }
        if mentions_room {
            digest.update(b"room");
        }
        Self(*digest.finalize().first_chunk().expect("SHA-256 has 32 bytes"))
    }

    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_differ_by_destination_and_body() {
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(Fingerprint::of(here, "hi"), Fingerprint::of(here, "hi"));
        assert_ne!(Fingerprint::of(here, "hi"), Fingerprint::of(there, "hi"));
        assert_ne!(Fingerprint::of(here, "hi"), Fingerprint::of(here, "hi "));
    }
}

//! Identifiers and numbers as types of their own: two bare integers in one signature is the bug that
//! chat servers have.

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
            /// A new one, made of the time and chance (UUID version 7), so that rows made together lie together.
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
    /// A way in for newcomers, where not everybody may sign up.
    InvitationId;
    /// A room.
    RoomId;
    /// A message, public or direct.
    MessageId;
    /// Chosen by the client for one submit; repeated in each retry of it.
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

/// A position in the global log: 1 for the first change ever, without a gap.
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

/// What a submit asked for, digested: where it goes and its words. Tells a retry from a second, different
/// request under the same [`ClientId`], also after the words were edited or deleted. 16 bytes, because what
/// is guarded against is a client's mistake and not somebody who searches for collisions of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// `to` is the room or the recipient; `body` as it will be stored.
    pub fn of(to: Uuid, body: &str) -> Self {
        let digest = Sha256::new().chain_update(to).chain_update(body).finalize();
        Self(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
    }

    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_places_and_words_apart() {
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(Fingerprint::of(here, "hi"), Fingerprint::of(here, "hi"));
        assert_ne!(Fingerprint::of(here, "hi"), Fingerprint::of(there, "hi"));
        assert_ne!(Fingerprint::of(here, "hi"), Fingerprint::of(here, "hi "));
    }
}

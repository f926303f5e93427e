//! How instances tell each other who is here.

use serde::{Deserialize, Serialize};

use crate::id::{RoomId, UserId};

/// Who came and went on one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Counts an instance's reports, so that a missed one is noticed.
    pub number: u64,
    /// Whether this is everybody there is, or what changed since the report before.
    pub is_full: bool,
    pub rooms: Vec<RoomReport>,
}

/// Who came to and went from one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomReport {
    pub room: RoomId,
    pub joined: Vec<UserId>,
    pub left: Vec<UserId>,
    /// All guests there now.
    pub guests: u32,
}

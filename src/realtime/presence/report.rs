//! Presence reports, sent between instances.

use serde::{Deserialize, Serialize};

use super::pages::PageKey;
use crate::id::{RoomId, UserId};

/// Presence on one instance: everyone there, or the changes since its previous report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Sequence number of the instance's reports, by which a missed one is detected.
    pub number: u64,
    /// True if this lists everyone present; false if it lists changes since the previous report.
    pub is_full: bool,
    pub rooms: Vec<RoomReport>,
    /// Pages that opened a stream on the instance since its previous report: they are no longer where they were before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PageKey>,
}

/// Presence in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomReport {
    pub room: RoomId,
    pub joined: Vec<UserId>,
    pub left: Vec<UserId>,
    /// Current number of guests.
    pub guests: u32,
}

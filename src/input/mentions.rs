//! Mentioned users.

use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

use crate::id::UserId;

/// Users whom a message mentions: at most 10, each once, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, Default, ToSchema)]
#[schema(value_type = Vec<Uuid>, max_items = 10)]
pub struct Mentions(Vec<UserId>);

impl Mentions {
    /// Maximum number of users whom one message mentions. Each is told by a row of the log.
    const MOST: usize = 10;

    pub fn into_ids(self) -> Vec<UserId> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Mentions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Vec::<UserId>::deserialize(deserializer)?;
        if given.len() > Self::MOST {
            return Err(de::Error::custom("must be at most 10 users"));
        }
        let mut ids = Vec::with_capacity(given.len());
        for id in given {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(Self(ids))
    }
}

//! The size of a page.

use serde::{Deserialize, Deserializer, de};

use super::Natural;

/// Page size: `DEFAULT` if absent, and at most `MAX`; greater values are reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<const DEFAULT: u16, const MAX: u16>(u16);

impl<const DEFAULT: u16, const MAX: u16> Limit<DEFAULT, MAX> {
    pub const fn rows(self) -> i64 {
        self.0 as i64
    }
}

impl<const DEFAULT: u16, const MAX: u16> Default for Limit<DEFAULT, MAX> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const DEFAULT: u16, const MAX: u16> Deserialize<'de> for Limit<DEFAULT, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Natural::deserialize(deserializer)?.get() {
            0 => Err(de::Error::custom("a limit of at least 1 was expected")),
            asked => Ok(Self(u16::try_from(asked).map_or(MAX, |asked| asked.min(MAX)))),
        }
    }
}

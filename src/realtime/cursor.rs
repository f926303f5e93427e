//! A reader's position within one history of the log.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::id::Pos;

/// `<epoch>.<pos>`: the reader has received everything up to this position. Opaque to clients; the same for every
/// subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Name of the history. A restored database begins a new one, in which the same positions belong to other events.
    pub epoch: Arc<str>,
    pub pos: Pos,
}

/// The text is not a cursor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid cursor")]
pub struct NotACursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.pos)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        /// Maximum length of an event id, by the API's contract.
        const LONGEST: usize = 64;
        let (epoch, pos) = text.rsplit_once('.').ok_or(NotACursor)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let well_formed = text.len() <= LONGEST
            && !epoch.is_empty()
            && epoch.chars().all(plain)
            && !pos.is_empty()
            && pos.bytes().all(|b| b.is_ascii_digit());
        if !well_formed {
            return Err(NotACursor);
        }
        Ok(Self { epoch: epoch.into(), pos: Pos(pos.parse().map_err(|_| NotACursor)?) })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_written_and_parsed_back() {
        let cursor = Cursor { epoch: "ab12".into(), pos: Pos(42) };
        assert_eq!(cursor.to_string(), "ab12.42");
        assert_eq!("ab12.42".parse(), Ok(cursor));
    }

    #[test]
    fn malformed_cursors_are_refused() {
        let too_long = format!("{}.1", "a".repeat(63));
        for text in
            ["", ".", "42", "ab.", ".42", "ab.-1", "ab.4x", "a b.1", "ab.99999999999999999999", "é.1", &too_long]
        {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text:?}");
        }
    }
}

//! Validated topic of a room: a line that says what it is about.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Refusal, line, look};

/// One line of at most 250 characters; empty for no topic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, max_length = 250, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Announcements and help")]
pub struct RoomTopic(String);

impl TryFrom<String> for RoomTopic {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        let topic = line(&look::composed(&text), 250).ok_or("must be one line of at most 250 characters")?;
        if look::disturbs_neighbours(&topic) {
            return Err("must not hold characters that break or reorder the text around it");
        }
        Ok(Self(if look::is_visible(&topic) { topic } else { String::new() }))
    }
}

impl AsRef<str> for RoomTopic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_one_line_that_may_be_empty() {
        let parse = |text: &str| RoomTopic::try_from(text.to_owned()).map(|topic| topic.0);
        assert_eq!(parse("  Cafe\u{301} and cake ").as_deref(), Ok("Café and cake"));
        assert_eq!(parse(" \u{200b} ").as_deref(), Ok(""));
        assert!(parse(&"😀".repeat(250)).is_ok());
        for refused in [&"x".repeat(251), "two\nlines", "a\0", "abc\u{202e}def"] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }
}

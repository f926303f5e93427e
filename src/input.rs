//! Validated types for text that people type.
//!
//! A handler that takes a [`RoomName`] has a valid room name and nothing left to check. Control characters are refused
//! here once, so that none reaches the database, a stream's frame or a terminal.

mod emoji;
mod limit;
mod look;
mod mentions;
mod room_topic;
mod slug;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;

pub use self::{emoji::Emoji, limit::Limit, look::name_key, mentions::Mentions, room_topic::RoomTopic, slug::slug};

/// Why a text is refused: the rest of a sentence that begins with the field's name.
pub type Refusal = &'static str;

/// The body of a message: trimmed, newlines as LF, 1 to 4,000 characters.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 4_000,
    pattern = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8][^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$",
    example = "Good morning"
)]
pub struct MessageBody(Arc<str>);

impl MessageBody {
    /// Most characters (Unicode scalar values) of a message.
    pub const MAX_CHARS: usize = 4_000;

    /// Parses a new message.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let body = Self::parse_existing(text)?;
        if !look::is_visible(&body.0) {
            return Err("must contain at least one visible character");
        }
        Ok(body)
    }

    /// Parses a stored message: earlier releases accepted one without visible characters.
    pub fn parse_existing(text: &str) -> Result<Self, Refusal> {
        // A lone CR also ends a line, as in old editors and terminals.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim();
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            return Err("must not contain control characters other than newline and tab");
        }
        if text.is_empty() || text.chars().count() > Self::MAX_CHARS {
            return Err("must be 1 to 4,000 characters after trimming");
        }
        Ok(Self(text.into()))
    }

    pub fn into_text(self) -> Arc<str> {
        self.0
    }
}

impl AsRef<str> for MessageBody {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The name of a room: one trimmed line of 1 to 80 characters, in NFC, of which something shows.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 80,
    pattern = r"^[^\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]*[^\s\u0000-\u001F\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u2800\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8][^\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]*$",
    example = "general"
)]
pub struct RoomName(String);

impl RoomName {
    /// Parses the name of a new or renamed room.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        // Compose before checking the length: composing can make a name longer, for instance in Hebrew.
        let name = Self::parse_existing(&look::composed(text))?;
        if !look::is_visible(&name.0) {
            return Err("must contain at least one visible character");
        }
        if look::disturbs_neighbours(&name.0) {
            return Err("must not contain characters that break or reorder the text around it");
        }
        Ok(name)
    }

    /// Parses the name of an existing room: earlier releases accepted names without visible characters.
    pub fn parse_existing(text: &str) -> Result<Self, Refusal> {
        line(text, 80).filter(|name| !name.is_empty()).map(Self).ok_or("must be one line of 1 to 80 characters")
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A name to sign in with: 3 to 32 of `a-z 0-9 _ . -`, with a letter or digit among them, folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, ToSchema)]
#[schema(
    value_type = String,
    min_length = 3,
    max_length = 32,
    pattern = "^[_.-]*[A-Za-z0-9][A-Za-z0-9_.-]*$",
    example = "ali"
)]
pub struct Username(Arc<str>);

impl Username {
    /// Parses the name of a new account.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let name = Self::parse_existing(text)?;
        if !name.0.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
            return Err("must contain a letter or a digit");
        }
        Ok(name)
    }

    /// Parses the name of an existing account: earlier releases accepted punctuation only, such as `...`.
    pub fn parse_existing(text: &str) -> Result<Self, Refusal> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if !(3..=32).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err("must be 3 to 32 characters: a-z, 0-9, dot, dash, underscore");
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    pub fn into_text(self) -> Arc<str> {
        self.0
    }
}

impl AsRef<str> for Username {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A new password: 8 to 128 characters of any kind.
#[derive(Debug, Clone, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 128, example = "correct horse battery")]
pub struct Password(SecretString);

impl Password {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if !(8..=128).contains(&text.chars().count()) {
            return Err("must be 8 to 128 characters");
        }
        Ok(Self(text.into()))
    }

    pub fn into_secret(self) -> SecretString {
        self.0
    }
}

impl ExposeSecret<str> for Password {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The reason of an admin's action: one trimmed line of at most 200 characters, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, ToSchema)]
#[schema(value_type = String, max_length = 200, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "advertising")]
pub struct Reason(String);

impl Reason {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let reason = line(text, 200).ok_or("must be one line of at most 200 characters")?;
        Ok(Self(if look::is_visible(&reason) { reason } else { String::new() }))
    }

    /// Returns the reason, or `None` if it is empty.
    pub fn into_text(self) -> Option<String> {
        Some(self.0).filter(|reason| !reason.is_empty())
    }
}

impl AsRef<str> for Reason {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Text to search for: one trimmed line of at most 100 characters, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, ToSchema)]
#[schema(value_type = String, max_length = 100, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "ali")]
pub struct SearchText(String);

impl SearchText {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        line(text, 100).map(Self).ok_or("must be one line of at most 100 characters")
    }
}

impl AsRef<str> for SearchText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A number from 0 to the greatest integer that every JSON parser keeps exactly (RFC 8259, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Natural(i64);

impl Natural {
    pub const MAX: i64 = (1 << 53) - 1;

    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Natural {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            number @ 0..=Self::MAX => Ok(Self(number)),
            _ => Err(de::Error::custom("a number from 0 to 9007199254740991 was expected")),
        }
    }
}

/// A whole number within `range`, which is part of that of [`Natural`]. JSON has one kind of number, so `60.0` is 60.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "whole, and exact up to 2^53")]
pub fn whole<T: Copy + Into<i64> + TryFrom<i64>>(number: f64, range: std::ops::RangeInclusive<T>) -> Option<T> {
    let (least, most): (i64, i64) = ((*range.start()).into(), (*range.end()).into());
    let is_whole = number.fract() == 0.0 && (least as f64..=most as f64).contains(&number);
    if is_whole { T::try_from(number as i64).ok() } else { None }
}

/// For optional values in a query: an empty one (`?before=`) is refused, not treated as absent.
pub fn not_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Returns the trimmed text if it has no control characters and at most `max` characters.
fn line(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    (text.chars().count() <= max && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

macro_rules! deserialize_by_parsing {
    ($($name:ident)+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )+};
}

deserialize_by_parsing! { MessageBody RoomName Username Password Reason SearchText }

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_trimmed_and_its_line_ends_are_made_one_kind() {
        let body = MessageBody::parse("  one\r\ntwo\rthree\n\tfour \r\n").expect("a message");
        assert_eq!(body.as_ref(), "one\ntwo\nthree\n\tfour");
    }

    #[test]
    fn a_message_has_1_to_4000_characters_whatever_their_bytes() {
        assert!(MessageBody::parse(&"😀".repeat(4_000)).is_ok());
        assert!(MessageBody::parse(&format!(" {} ", "a".repeat(4_000))).is_ok());
        assert!(MessageBody::parse(&"a".repeat(4_001)).is_err());
        assert!(MessageBody::parse(" \r\n\t\u{2003}").is_err());
    }

    #[test]
    fn a_message_holds_no_control_characters() {
        for refused in ['\0', '\u{8}', '\u{b}', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}'] {
            assert!(MessageBody::parse(&format!("a{refused}b")).is_err(), "{refused:?}");
        }
        assert!(MessageBody::parse("a\u{2028}b\u{202e}c\u{fe0f}").is_ok());
    }

    #[test]
    fn a_room_name_is_one_trimmed_line() {
        assert_eq!(RoomName::parse("  The Garden ").expect("a name").as_ref(), "The Garden");
        for refused in ["", "   ", "two\nlines", "a\tb", "a\0", &"x".repeat(81)] {
            assert!(RoomName::parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_username_is_folded_and_plain() {
        assert_eq!(Username::parse("A.li-3_").expect("a name").as_ref(), "a.li-3_");
        for refused in ["al", "al i", "älia", "ａｌｉ", "аli", "ali\u{200b}", "ali\0", &"a".repeat(33), "", "..."]
        {
            assert!(Username::parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn an_account_named_by_punctuation_alone_stays_reachable() {
        assert_eq!(Username::parse_existing("...").expect("a name").as_ref(), "...");
    }

    #[test]
    fn text_that_shows_nothing_is_refused_and_every_script_is_not() {
        for hidden in ["\u{200b}", "\u{2800}\u{2800}", "\u{3164}", "\u{ad}", "\u{e0067}", "\u{202e}\u{200f}"] {
            assert!(MessageBody::parse(hidden).is_err(), "{hidden:?}");
            assert!(RoomName::parse(hidden).is_err(), "{hidden:?}");
            assert_eq!(Reason::parse(hidden).expect("a reason").into_text(), None, "{hidden:?}");
        }
        for shown in ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧", "שלום", "العربية", "می\u{200c}خواهم", "ไทย", "한국어", "日本語", "Ελληνικά"]
        {
            assert_eq!(MessageBody::parse(shown).expect("a message").as_ref(), shown);
            assert!(RoomName::parse(shown).is_ok(), "{shown:?}");
        }
    }

    #[test]
    fn a_room_name_is_composed_and_leaves_the_text_around_it_in_order() {
        assert_eq!(RoomName::parse("Cafe\u{301}").expect("a name").as_ref(), "Café");
        for refused in ["abc\u{202e}def", "\u{2067}abc", "a\u{2028}b"] {
            assert!(RoomName::parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_password_is_measured_in_characters_and_never_shows() {
        let password = Password::parse("ünïcödé!").expect("eight characters");
        assert!(!format!("{password:?}").contains("cöd"));
        assert!(Password::parse("short77").is_err());
        assert!(Password::parse(&"p".repeat(129)).is_err());
    }

    #[test]
    fn a_limit_is_cut_to_the_most_and_never_zero() {
        type Rows = Limit<50, 200>;
        let parse = |text| serde_json::from_str::<Rows>(text).map(Limit::rows).ok();
        assert_eq!((parse("1"), parse("500"), parse("70000")), (Some(1), Some(200), Some(200)));
        assert_eq!((parse("0"), parse("-1")), (None, None));
        assert_eq!(parse("9007199254740991"), Some(200));
        assert_eq!(parse("9007199254740992"), None);
        assert_eq!(Rows::default().rows(), 50);
    }

    proptest! {
        #[test]
        fn what_a_message_keeps_can_be_sent_again_unchanged(text in any::<String>()) {
            if let Ok(once) = MessageBody::parse(&text) {
                let twice = MessageBody::parse(once.as_ref()).expect("what was kept is acceptable");
                prop_assert_eq!(&once, &twice);
                prop_assert!(!once.as_ref().contains(['\r', '\0']));
            }
        }

        #[test]
        fn what_a_room_name_keeps_has_no_control_character(text in any::<String>()) {
            if let Ok(name) = RoomName::parse(&text) {
                prop_assert!(!name.as_ref().chars().any(char::is_control));
                prop_assert_eq!(RoomName::parse(name.as_ref()), Ok(name));
            }
        }
    }
}

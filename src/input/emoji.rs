//! Validated emoji of a reaction.

use std::fmt;

use super::Refusal;

/// One emoji that the Unicode Consortium recommends for general interchange (RGI): a single grapheme, with a skin tone, a
/// flag or a joined sequence among them. Always in its fully qualified form, so that two spellings count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Emoji(&'static str);

impl Emoji {
    /// Maximum length in bytes of UTF-8. Longer are only couples with two skin tones.
    pub const MAX_BYTES: usize = 32;

    /// Parses an emoji with or without its variation selectors (U+FE0F).
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let known = emojis::get(text).map(emojis::Emoji::as_str);
        known.filter(|emoji| emoji.len() <= Self::MAX_BYTES).map(Self).ok_or("must be one emoji of at most 32 bytes")
    }

    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_is_accepted_in_its_qualified_form() {
        for (text, expected) in [
            ("👍", "👍"),
            ("👍🏽", "👍🏽"),
            ("❤", "❤\u{fe0f}"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("☺", "☺\u{fe0f}"),
            ("🇩🇪", "🇩🇪"),
            (
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            ),
            ("👩\u{200d}👩\u{200d}👧\u{200d}👦", "👩\u{200d}👩\u{200d}👧\u{200d}👦"),
            ("🏳\u{200d}🌈", "🏳\u{fe0f}\u{200d}🌈"),
            ("1\u{20e3}", "1\u{fe0f}\u{20e3}"),
        ] {
            assert_eq!(Emoji::parse(text).map(Emoji::as_str), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let joined = "👩\u{200d}".repeat(9);
        let couple = "👩🏻\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👩🏼";
        assert_eq!(couple.len(), 35);
        for text in [
            "",
            "a",
            "1",
            "👍👍",
            "👍 ",
            ":+1:",
            "+1",
            "🏽",
            "🇩",
            "❤\u{fe0e}",
            "\u{fe0f}",
            "\u{0}",
            "👍\u{301}",
            &joined,
            couple,
        ] {
            assert!(Emoji::parse(text).is_err(), "{text:?}");
        }
    }
}

//! Visual properties of text: whether it has visible characters, and which names look alike.
//!
//! Apart from [`composed`], nothing here changes text; it only decides which text is refused and which names collide.
//! The tables come from Unicode: default-ignorable code points, NFC and NFKC (UAX 15), and the confusables of UTS 39.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::skeleton;

/// Symbols that Unicode classifies as visible although every font draws them blank: the blank braille pattern and the
/// null notehead.
const BLANK_SYMBOLS: [char; 2] = ['\u{2800}', '\u{1d159}'];

/// Returns whether `c` reorders or breaks the text around it: an embedding, an override or an isolate, or the end of one, or
/// a separator of lines.
const fn disturbs(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_ignorable(c: char) -> bool {
    const { CodePointSetData::new::<DefaultIgnorableCodePoint>() }.contains(c)
}

/// Returns whether the text has a visible character. White space, zero-width characters, fillers, soft hyphens, tags
/// and direction marks are invisible.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_ignorable(c) && !BLANK_SYMBOLS.contains(&c))
}

/// Returns whether the text reorders or breaks the text around it.
pub fn disturbs_neighbours(text: &str) -> bool {
    text.chars().any(disturbs)
}

/// The text in NFC: `é` is one character, whichever keyboard it came from.
pub fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// Returns a key that is equal for names which readers cannot tell apart: it ignores case, width, composition,
/// invisible characters and repeated spaces, and replaces letters of other scripts by the Latin letters that they
/// resemble.
///
/// ASCII characters are compared with each other by case alone, so that `Room 1` and `Room l` are two
/// names and the key of an ASCII name is its lower case.
pub fn name_key(name: &str) -> String {
    let visible: String = name.nfkc().filter(|c| !is_ignorable(*c) && !BLANK_SYMBOLS.contains(c)).collect();
    // Upper case first: it writes `ß` as `SS`, and gives all forms of a letter (σ, ς) one lower case.
    let folded = visible.to_uppercase().to_lowercase();
    let mut key = String::with_capacity(folded.len());
    for word in folded.split_whitespace() {
        if !key.is_empty() {
            key.push(' ');
        }
        for c in word.chars() {
            if c.is_ascii() {
                key.push(c);
            } else {
                push_skeleton(c, &mut key);
            }
        }
    }
    key.nfc().collect()
}

/// Appends the prototype of `c`. The table maps `m` to `rn`; here `m` stays as it is.
fn push_skeleton(c: char, key: &mut String) {
    let mut bytes = [0; 4];
    let looks_like: String = skeleton(c.encode_utf8(&mut bytes)).collect();
    match looks_like.as_str() {
        "rn" => key.push('m'),
        looks_like => key.push_str(&looks_like.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_that_draws_nothing_is_not_visible() {
        for hidden in [
            "",
            " \u{a0}\u{2003}\n\t",
            "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}",
            "\u{2800}\u{2800}",
            "\u{3164}",
            "\u{115f}\u{1160}\u{ffa0}",
            "\u{ad}",
            "\u{e0067}\u{e0062}\u{e007f}",
            "\u{202e}\u{2066}\u{200f}\u{61c}",
            "\u{fe0f}\u{34f}\u{180e}",
        ] {
            assert!(!is_visible(hidden), "{hidden:?}");
        }
        for shown in ["a", ".", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍👩‍👧", "שלום", "مرحبا\u{200f}", "日本", "\u{301}", "می\u{200c}خواهم", "🏳️‍🌈"]
        {
            assert!(is_visible(shown), "{shown:?}");
        }
    }

    #[test]
    fn names_that_look_the_same_share_a_key() {
        for (one, other) in [
            ("Café", "Cafe\u{301}"),
            ("Ｇｅｎｅｒａｌ", "general"),
            ("Straße", "STRASSE"),
            ("Generаl", "General"), // a Cyrillic а
            ("GENERАL", "general"), // a Cyrillic А
            ("Gen\u{200b}eral", "General"),
            ("Gen\u{ad}eral", "General"),
            ("General\u{3164}", "General"),
            ("Lou\u{2800}nge", "Lounge"),
            ("Lounge\u{1d159}", "Lounge"),
            ("General \u{2003} chat", "General chat"),
            ("Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"),
            ("ﬁne", "fine"),
            ("tea🏴\u{e0067}", "tea🏴"),
        ] {
            assert_eq!(name_key(one), name_key(other), "{one:?} and {other:?}");
        }
    }

    #[test]
    fn names_that_look_different_have_different_keys() {
        for (one, other) in [
            ("Room 1", "Room l"),
            ("Mail", "Mall"),
            ("modern", "modem"),
            ("Café", "Cafe"),
            ("München", "Munchen"),
            ("東京", "京都"),
            ("🎉 Party", "🎈 Party"),
            ("Новости", "Спорт"),
        ] {
            assert_ne!(name_key(one), name_key(other), "{one:?} and {other:?}");
        }
    }

    proptest! {
        #[test]
        fn the_key_of_an_ascii_name_is_its_lower_case(name in "[!-~]{1,40}( [!-~]{1,30})?") {
            prop_assert_eq!(name_key(&name), name.to_lowercase());
        }

        #[test]
        fn any_text_has_a_key_whatever_its_case(name in any::<String>()) {
            prop_assert_eq!(name_key(&name), name_key(&name.to_uppercase()));
            prop_assert_eq!(name_key(&name), name_key(&composed(&name)));
        }

        #[test]
        fn a_visible_name_has_a_key_that_is_not_empty(name in any::<String>()) {
            prop_assert!(!is_visible(&name) || !name_key(&name).is_empty());
        }
    }
}

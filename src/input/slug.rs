//! Readable addresses of rooms.

use unicode_normalization::UnicodeNormalization as _;

/// Maximum number of characters of a slug: the id beside it identifies the room.
const MOST_CHARS: usize = 60;

/// Returns a room's name as a part of an address, as in `/r/{slug}-{id}`: letters and digits in lower case, and a dash
/// for each run of anything else. It may be empty, and two rooms may share one.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    let mut is_gap = false;
    for c in name.nfkc().flat_map(char::to_lowercase).take(MOST_CHARS) {
        if c.is_alphanumeric() {
            if is_gap && !slug.is_empty() {
                slug.push('-');
            }
            slug.push(c);
        }
        is_gap = !c.is_alphanumeric();
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_letters_digits_and_single_dashes() {
        for (name, expected) in [
            ("General", "general"),
            ("  Q&A: Rust / Web  ", "q-a-rust-web"),
            ("Café №5", "café-no5"),
            ("日本 語", "日本-語"),
            ("??", ""),
            ("-- x --", "x"),
        ] {
            assert_eq!(slug(name), expected, "{name:?}");
        }
        assert_eq!(slug(&"ab ".repeat(40)).chars().count(), 59);
    }
}

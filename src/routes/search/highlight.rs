//! The part of a message in which a search found its words.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::search::query::{Query, Text, stands_alone};

/// Number of characters of an excerpt.
const LENGTH: usize = 200;
/// Number of those before the first match.
const BEFORE: usize = 60;
/// Number of characters by which an excerpt is shortened so that it begins or ends with a whole word.
const WORD: usize = 20;

/// A part of an excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    #[schema(example = "deploy")]
    text: String,
    /// True for a part that the query matches.
    #[serde(rename = "match")]
    is_match: bool,
}

/// Returns about 200 characters of a message around the first match, with an ellipsis on each side that was cut.
pub fn highlight(body: &str, query: &Query) -> Vec<Part> {
    let body: Vec<char> = body.chars().collect();
    // One character each, so that positions are those of the body.
    let lower: Vec<char> = body.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
    let mut marks = vec![false; body.len()];
    for text in &query.wanted {
        mark(&lower, text, &mut marks);
    }
    let first = marks.iter().position(|is_marked| *is_marked).unwrap_or_default();
    let mut from = first.saturating_sub(BEFORE).min(body.len().saturating_sub(LENGTH));
    let mut to = (from + LENGTH).min(body.len());
    if from > 0 {
        let gap = body[from..first.min(from + WORD)].iter().position(|c| c.is_whitespace());
        from += gap.map_or(0, |gap| gap + 1);
    }
    if to < body.len() {
        let gap = body[to - WORD..to].iter().rposition(|c| c.is_whitespace());
        to = gap.map_or(to, |gap| to - WORD + gap);
    }
    (from, to) = around_mentions(&body, from, to);

    let mut parts: Vec<Part> = Vec::new();
    let mut add = |c: char, is_match: bool| match parts.last_mut() {
        Some(part) if part.is_match == is_match => part.text.push(c),
        _ => parts.push(Part { text: c.to_string(), is_match }),
    };
    if from > 0 {
        add('…', false);
    }
    for n in from..to {
        add(body[n], marks[n]);
    }
    if to < body.len() {
        add('…', false);
    }
    parts
}

/// Marks all matches: of a word, whole words that are or begin with it; of any other text, the text wherever it is.
fn mark(lower: &[char], text: &Text, marks: &mut [bool]) {
    let wanted: Vec<char> = text.text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect();
    let is_in_word = |n: usize| lower.get(n).is_some_and(|c| c.is_alphanumeric() && !stands_alone(*c));
    for start in 0..lower.len() {
        if !matches(&lower[start..], &wanted) {
            continue;
        }
        let mut end = start + wanted.len();
        if text.is_word() {
            if start.checked_sub(1).is_some_and(is_in_word) || (is_in_word(end) && !text.is_beginning()) {
                continue;
            }
            while is_in_word(end) {
                end += 1;
            }
        }
        marks[start..end].fill(true);
    }
}

/// Returns whether the text begins with `wanted`.
fn matches(text: &[char], wanted: &[char]) -> bool {
    text.len() >= wanted.len() && text.iter().zip(wanted).all(|(a, b)| a == b)
}

/// Returns the range, extended so that it does not cut the token of a mention.
fn around_mentions(body: &[char], from: usize, to: usize) -> (usize, usize) {
    const TOKEN: &str = "@[user:";
    /// With the id and the closing bracket.
    const TOKEN_LENGTH: usize = TOKEN.len() + 37;
    let around = |at: usize| {
        let mut starts = (at.saturating_sub(TOKEN_LENGTH - 1)..at).filter(|start| {
            let token = body.get(*start..start + TOKEN_LENGTH).unwrap_or_default();
            token.last() == Some(&']') && token.iter().copied().zip(TOKEN.chars()).all(|(a, b)| a == b)
        });
        starts.next_back()
    };
    let to = around(to).map_or(to, |start| start + TOKEN_LENGTH);
    (around(from).unwrap_or(from), to)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the excerpt with the matches in brackets.
    fn shown(body: &str, query: &str) -> String {
        let parts = highlight(body, &Query::parse(query).expect("a query"));
        let shown = parts.iter().map(|part| if part.is_match { format!("[{}]", part.text) } else { part.text.clone() });
        shown.collect()
    }

    #[test]
    fn words_phrases_and_parts_are_marked_whatever_their_case() {
        for (body, query, expected) in [
            ("We Deploy today", "deploy", "We [Deploy] today"),
            ("deployed, redeployed", "dep", "[deployed], redeployed"),
            ("to be, today to", "to", "[to] be, today [to]"),
            ("to be or not to be", "\"to be\" not", "[to be] or [not] [to be]"),
            ("今日は東京都で", "京都", "今日は東[京都]で"),
            ("<b>&amp; Über</b>", "über b", "<[b]>&amp; [Über]</[b]>"),
            ("see example.org/a", "example.org", "see [example.org]/a"),
            ("done 🎉", "🎉", "done [🎉]"),
            ("nothing here", "from:ali", "nothing here"),
            ("a b", "-b a", "[a] b"),
            ("", "a", ""),
        ] {
            assert_eq!(shown(body, query), expected, "{query}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_words_around_the_first_match() {
        let body = format!("{}needle {}", "word ".repeat(100), "word ".repeat(100));
        let shown = shown(&body, "needle");
        assert!(shown.starts_with("…word word") && shown.ends_with("word…"), "{shown}");
        assert!(shown.contains("[needle]") && (180..210).contains(&shown.chars().count()), "{shown}");
    }

    #[test]
    fn a_cut_leaves_mentions_whole() {
        let token = "@[user:0190d5a2-0000-7000-8000-000000000000]";
        for lead in 130..220 {
            let body = format!("{}{token}{}", "x".repeat(lead), "y".repeat(400));
            let shown = shown(&body, "has:link");
            assert!(shown.contains(token) || !shown.contains('@'), "{shown}");
        }
        let body = format!("{}{token}{} needle", "x".repeat(400), "y".repeat(30));
        assert!(shown(&body, "needle").contains(token));
    }
}

//! The language of searches: `word "a phrase" -word from:ali in:general has:link before:2026-11-29`.

use time::{Date, Month, OffsetDateTime, macros::datetime};
use unicode_normalization::char::is_combining_mark;

use crate::input::Refusal;

/// Greatest number of characters of a query.
const MOST_CHARS: usize = 200;
/// Greatest number of words, phrases and filters: each is one more look-up in the index.
const MOST_TERMS: usize = 20;
/// Letters of which a word needs so many to find longer words that begin with it. There are too many words that begin
/// with one or two given letters.
const BEGINNING: usize = 3;

const BEGINNING_OF_TIME: OffsetDateTime = datetime!(0001-01-01 00:00 UTC);
const END_OF_TIME: OffsetDateTime = datetime!(9999-12-31 00:00 UTC);

/// A search for messages. At least one text or filter is not excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Texts that a message must contain.
    pub wanted: Vec<Text>,
    /// Texts that it must not contain.
    pub unwanted: Vec<Text>,
    pub filters: Vec<Filter>,
    pub unwanted_filters: Vec<Filter>,
    /// Posted at this time or later.
    pub since: OffsetDateTime,
    /// Posted before this time.
    pub until: OffsetDateTime,
}

/// A property of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Written by the user of this name, in lower case.
    From(String),
    /// In a room with this name or slug.
    In(String),
    HasLink,
    HasCode,
}

impl Filter {
    pub fn author(&self) -> Option<&str> {
        if let Self::From(name) = self { Some(name) } else { None }
    }

    pub fn room(&self) -> Option<&str> {
        if let Self::In(name) = self { Some(name) } else { None }
    }

    /// Returns the value of `has:`.
    pub const fn contents(&self) -> Option<&'static str> {
        match self {
            Self::HasLink => Some("link"),
            Self::HasCode => Some("code"),
            Self::From(_) | Self::In(_) => None,
        }
    }
}

/// A word or phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// In lower case, with single spaces.
    pub text: String,
    /// The same in the case in which it was typed.
    typed: String,
    pub is_phrase: bool,
}

impl Text {
    /// Returns the runs of letters and digits.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(|c| !is_of_word(c)).filter(|word| word.contains(char::is_alphanumeric))
    }

    /// Returns whether the text is a single word of a script that is written with spaces between words. A message may
    /// contain any other text in the middle of a word.
    pub fn is_word(&self) -> bool {
        self.text.chars().all(|c| is_of_word(c) && (!c.is_numeric() || c.is_ascii_digit()))
            && !self.text.chars().any(stands_alone)
    }

    /// Returns whether longer words that begin with this one match as well.
    pub fn is_beginning(&self) -> bool {
        !self.is_phrase && self.is_word() && self.text.chars().count() >= BEGINNING
    }

    /// Returns the words in the syntax of `to_tsquery`; empty if there are none.
    fn to_tsquery(&self, with_beginnings: bool) -> String {
        let suffix = if with_beginnings && self.is_beginning() { ":*" } else { "" };
        let words = self.words().map(|word| {
            // A database with the locale C knows the case of ASCII letters only.
            let mut forms = vec![word.to_owned()];
            if !word.is_ascii() {
                let mut letters = word.chars();
                let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
                forms.extend([first + letters.as_str(), word.to_uppercase()]);
                forms.dedup();
            }
            let forms: Vec<String> = forms.iter().map(|form| format!("'{form}'{suffix}")).collect();
            format!("({})", forms.join(" | "))
        });
        words.collect::<Vec<_>>().join(" & ")
    }
}

/// Returns whether the character is part of a word: a letter, a digit, a mark on a letter such as the vowel signs of Hindi,
/// or a joiner, which Persian has within words.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Returns whether the character belongs to a script without spaces between words, so that the index has it as a word of
/// its own: the same as in `spaced` of `migrations/0036_search.sql`.
pub fn stands_alone(c: char) -> bool {
    matches!(
        c,
        '\u{0e00}'..='\u{0eff}'
            | '\u{1000}'..='\u{109f}'
            | '\u{1780}'..='\u{17ff}'
            | '\u{3005}'..='\u{3007}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{4e00}'..='\u{9fff}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff66}'..='\u{ff9d}'
            | '\u{20000}'..='\u{3ffff}'
    )
}

impl Query {
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err("must not contain control characters");
        }
        let text = text.trim();
        if text.chars().count() > MOST_CHARS {
            return Err("must be at most 200 characters");
        }
        let mut query = Self {
            wanted: Vec::new(),
            unwanted: Vec::new(),
            filters: Vec::new(),
            unwanted_filters: Vec::new(),
            since: BEGINNING_OF_TIME,
            until: END_OF_TIME,
        };
        let (mut terms, mut rest) = (0, text);
        while let Some((term, after)) = next_term(rest) {
            rest = after;
            terms += 1;
            query.add(&term)?;
        }
        if terms > MOST_TERMS {
            return Err("must have at most 20 words, phrases and filters");
        }
        if query.wanted.is_empty() && query.filters.is_empty() && !query.is_dated() {
            return Err("must have a word, a phrase or a filter that is not excluded");
        }
        Ok(query)
    }

    fn add(&mut self, term: &Term<'_>) -> Result<(), Refusal> {
        let (wanted, filters) = if term.is_excluded {
            (&mut self.unwanted, &mut self.unwanted_filters)
        } else {
            (&mut self.wanted, &mut self.filters)
        };
        let value = term.value.trim();
        if let Some(key) = term.key {
            if value.is_empty() {
                return Err("must have a value after from:, in:, has:, before: and after:");
            }
            if matches!(key, "before" | "after") {
                if term.is_excluded {
                    return Err("must not exclude before: or after:");
                }
                let day = day(value).ok_or("must have a day such as 2026-11-29 after before: and after:")?;
                if key == "before" {
                    self.until = self.until.min(day.midnight().assume_utc());
                } else if let Some(next) = day.next_day() {
                    self.since = self.since.max(next.midnight().assume_utc());
                }
                return Ok(());
            }
            filters.push(match key {
                "from" => Filter::From(value.trim_start_matches('@').to_lowercase()),
                "in" => Filter::In(value.trim_start_matches('#').to_owned()),
                _ if value.eq_ignore_ascii_case("link") => Filter::HasLink,
                _ if value.eq_ignore_ascii_case("code") => Filter::HasCode,
                _ => return Err("must have link or code after has:"),
            });
            return Ok(());
        }
        let spaced = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut typed = &*spaced;
        if !term.is_phrase && typed.contains(char::is_alphanumeric) {
            typed = typed.trim_matches(|c: char| ".,;:!?()[]{}<>\"'".contains(c));
        }
        if !typed.is_empty() {
            wanted.push(Text { text: typed.to_lowercase(), typed: typed.to_owned(), is_phrase: term.is_phrase });
        }
        Ok(())
    }

    /// Returns whether the query has a day.
    pub fn is_dated(&self) -> bool {
        (self.since, self.until) != (BEGINNING_OF_TIME, END_OF_TIME)
    }

    /// Returns the words that a message must have or not in the syntax of `to_tsquery`; empty if there are none.
    pub fn words(&self) -> String {
        let wanted = self.wanted.iter().map(|text| text.to_tsquery(true));
        let unwanted = self.unwanted.iter().filter(|text| text.is_word());
        let unwanted = unwanted.map(|text| format!("!({})", text.to_tsquery(false)));
        wanted.chain(unwanted).filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" & ")
    }

    /// Returns the texts that words alone do not find, and those to be excluded that they do not exclude.
    pub fn parts(&self) -> (Vec<&str>, Vec<&str>) {
        let parts = |texts| -> Vec<&str> {
            let texts: &[Text] = texts;
            texts.iter().filter(|text| !text.is_word()).map(|text| &*text.typed).collect()
        };
        (parts(&self.wanted), parts(&self.unwanted))
    }
}

/// One word, phrase or filter as typed.
struct Term<'a> {
    is_excluded: bool,
    key: Option<&'static str>,
    value: &'a str,
    is_phrase: bool,
}

const KEYS: [&str; 5] = ["from", "in", "has", "before", "after"];

/// Splits off the first term. A quotation mark that is not closed quotes all the rest.
fn next_term(text: &str) -> Option<(Term<'_>, &str)> {
    let text = text.trim_start();
    let (is_excluded, value) = match text.strip_prefix('-') {
        Some(value) if value.starts_with(|c: char| !c.is_whitespace() && c != '-') => (true, value),
        _ => (false, text),
    };
    let key = value.split_once(':').and_then(|(key, _)| KEYS.into_iter().find(|known| known.eq_ignore_ascii_case(key)));
    let value = key.map_or(value, |key| &value[key.len() + 1..]);
    let is_quote = |c: char| matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}');
    let quoted = value.strip_prefix(is_quote);
    let (value, rest) = match quoted {
        Some(quoted) => quoted.split_once(is_quote).unwrap_or((quoted, "")),
        None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
    };
    let is_end = value.is_empty() && rest.is_empty() && key.is_none() && quoted.is_none();
    (!is_end).then_some((Term { is_excluded, key, value, is_phrase: quoted.is_some() }, rest))
}

/// Parses `2026-11-29`.
fn day(text: &str) -> Option<Date> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let number = |text: &str, length| -> Option<u16> {
        (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let month = Month::try_from(u8::try_from(number(month, 2)?).ok()?).ok()?;
    let year = i32::from(number(year, 4)?);
    Date::from_calendar_date(year.max(1), month, u8::try_from(number(day, 2)?).ok()?).ok().filter(|_| year > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap_or_else(|refusal| panic!("{text}: {refusal}"))
    }

    #[test]
    fn words_match_from_their_beginning_and_phrases_as_they_are() {
        for (text, words, parts) in [
            ("deploy", "('deploy':*)", vec![]),
            ("to", "('to')", vec![]),
            ("Deploy, now!", "('deploy':*) & ('now':*)", vec![]),
            ("\"Deploy  now\"", "('deploy') & ('now')", vec!["Deploy now"]),
            ("\u{201c}one two\u{201d} three", "('one') & ('two') & ('three':*)", vec!["one two"]),
            ("\"left open", "('left') & ('open')", vec!["left open"]),
            ("a\"b", "('a') & ('b')", vec!["a\"b"]),
            ("example.org it's", "('example') & ('org') & ('it') & ('s')", vec!["example.org", "it's"]),
            ("東京都", "('東京都')", vec!["東京都"]),
            ("Über", "('über':* | 'Über':* | 'ÜBER':*)", vec![]),
            ("हिन्दी cafe\u{301}", "('हिन्दी':*) & ('cafe\u{301}':* | 'Cafe\u{301}':* | 'CAFE\u{301}':*)", vec![]),
            ("\"Éric arrive\"", "('éric' | 'Éric' | 'ÉRIC') & ('arrive')", vec!["Éric arrive"]),
            ("🎉 !!!", "", vec!["🎉", "!!!"]),
            (
                "error:x http://a.b/c",
                "('error') & ('x') & ('http') & ('a') & ('b') & ('c')",
                vec!["error:x", "http://a.b/c"],
            ),
            ("- a", "('a')", vec!["-"]),
        ] {
            let query = query(text);
            assert_eq!((&*query.words(), query.parts().0), (words, parts), "{text}");
        }
    }

    #[test]
    fn a_minus_excludes() {
        let query = query("a -deploy -\"to be\" -from:ali -in:general -🎉");
        assert_eq!(query.words(), "('a') & !(('deploy'))");
        assert_eq!(query.parts(), (vec![], vec!["to be", "🎉"]));
        assert_eq!(query.unwanted_filters, [Filter::From("ali".into()), Filter::In("general".into())]);
    }

    #[test]
    fn filters_take_names_and_days() {
        let query =
            query("FROM:@Ali in:\"Coffee corner\" in:#general has:Link has:code after:2026-11-28 before:2026-12-01");
        assert_eq!(
            query.filters,
            [
                Filter::From("ali".into()),
                Filter::In("Coffee corner".into()),
                Filter::In("general".into()),
                Filter::HasLink,
                Filter::HasCode
            ]
        );
        assert_eq!((query.since, query.until), (datetime!(2026-11-29 00:00 UTC), datetime!(2026-12-01 00:00 UTC)));
        assert!(query.wanted.is_empty());
    }

    #[test]
    fn unacceptable_queries_say_why() {
        for (text, refusal) in [
            ("", "not excluded"),
            ("  ", "not excluded"),
            ("\"\"", "not excluded"),
            ("-word", "not excluded"),
            ("-from:ali", "not excluded"),
            (&"-a ".repeat(66), "at most 20"),
            (&"a ".repeat(21), "at most 20"),
            (&"a".repeat(201), "200 characters"),
            ("a\0b", "control characters"),
            ("from:", "a value"),
            ("in: general", "a value"),
            ("has:cheese", "link or code"),
            ("before:today", "a day"),
            ("after:2026-02-30", "a day"),
            ("after:0000-01-01", "a day"),
            ("a -before:2026-11-29", "must not exclude"),
        ] {
            let told = Query::parse(text).expect_err(text);
            assert!(told.contains(refusal), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_refused(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(!query.words().contains(['\0', '\\']));
            }
        }
    }
}

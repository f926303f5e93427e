//! Format of `JWT_SIGNING_KEY_FILE`: the signing key on the first line, and below it the former keys, which still
//! verify tokens. All keys are in one file, so that one rename changes all of them: with two files, a reader could see
//! the new one of the first and the old one of the second.
//!
//! ```text
//! 4f1c…                                          the key that signs
//! 07a9…  # former since 2026-11-22T15:00:00Z
//! ```

use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::SigningKey;

/// Access tokens live for at most 15 minutes; the rest allows for instances that restart late.
const FORMER_FOR: Duration = Duration::from_hours(1);
const SINCE: &str = "former since ";

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct KeyFile {
    signing: SigningKey,
    former: Vec<Former>,
}

#[derive(Debug, Clone)]
struct Former {
    key: SigningKey,
    /// `None` if the line was not written by [`KeyFile::rotate`].
    since: Option<OffsetDateTime>,
}

impl KeyFile {
    /// Parses one key per line; text after a `#` is a comment.
    ///
    /// # Errors
    ///
    /// Says what a key looks like and how to make one, without repeating the input.
    pub fn parse(text: &SecretString) -> anyhow::Result<Self> {
        let text = text.expose_secret();
        let mut lines = text.lines().map(|line| line.split_once('#').unwrap_or((line, ""))).filter(is_no_remark);
        let (signing, _) = lines.next().unwrap_or_default();
        let former = lines.map(|(key, remark)| {
            let since = remark.trim().strip_prefix(SINCE).and_then(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
            Ok(Former { key: SigningKey::from_hex(key)?, since })
        });
        Ok(Self { signing: SigningKey::from_hex(signing)?, former: former.collect::<anyhow::Result<_>>()? })
    }

    /// Creates the file of a first key.
    pub fn of(signing: SigningKey) -> Self {
        Self { signing, former: Vec::new() }
    }

    /// Returns the signing key and the former keys.
    pub fn into_keys(self) -> (SigningKey, Vec<SigningKey>) {
        (self.signing, self.former.into_iter().map(|former| former.key).collect())
    }

    /// Makes `new` the signing key; the current one becomes a former key at `now`. Keys whose last token has long
    /// expired are removed.
    #[must_use]
    pub fn rotate(self, new: SigningKey, now: OffsetDateTime) -> Self {
        let replaced = Former { key: self.signing, since: Some(now) };
        let still_of_use = |former: &Former| former.since.is_none_or(|since| now - since < FORMER_FOR);
        let former = std::iter::once(replaced).chain(self.former.into_iter().filter(still_of_use)).collect();
        Self { signing: new, former }
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    ///
    /// If a time cannot be written as RFC 3339.
    pub fn to_text(&self) -> anyhow::Result<SecretString> {
        let mut text = self.signing.to_hex().expose_secret().to_owned() + "\n";
        for former in &self.former {
            text += former.key.to_hex().expose_secret();
            if let Some(since) = former.since {
                let since =
                    since.replace_nanosecond(0)?.format(&Rfc3339).context("cannot format the time of a former key")?;
                text = text + "  # " + SINCE + &since;
            }
            text += "\n";
        }
        Ok(text.into())
    }
}

fn is_no_remark((key, _): &(&str, &str)) -> bool {
    !key.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 15:00:00 UTC);

    fn key(byte: u8) -> SigningKey {
        SigningKey::from([byte; 32])
    }

    fn keys(file: &KeyFile) -> (SigningKey, Vec<SigningKey>) {
        KeyFile::parse(&file.to_text().unwrap()).unwrap().into_keys()
    }

    #[test]
    fn a_new_key_stands_first_and_the_former_follow_for_an_hour() {
        let file = KeyFile::of(key(1)).rotate(key(2), NOW);
        assert_eq!(keys(&file), (key(2), vec![key(1)]));
        let text = file.to_text().unwrap();
        assert!(text.expose_secret().ends_with("01  # former since 2026-11-22T15:00:00Z\n"));

        let soon = KeyFile::parse(&text).unwrap().rotate(key(3), NOW + Duration::from_mins(59));
        assert_eq!(keys(&soon), (key(3), vec![key(2), key(1)]));
        let late = KeyFile::parse(&text).unwrap().rotate(key(3), NOW + FORMER_FOR);
        assert_eq!(keys(&late), (key(3), vec![key(2)]));
    }

    #[test]
    fn a_file_written_by_hand_is_read_with_its_remarks_and_empty_lines() {
        let text = format!("# of the chat\n\n{}\n{} # by hand\r\n", "02".repeat(32), "01".repeat(32));
        let file = KeyFile::parse(&text.into()).unwrap();
        assert_eq!(keys(&file), (key(2), vec![key(1)]));
        let rotated = file.rotate(key(3), NOW);
        assert_eq!(keys(&rotated), (key(3), vec![key(2), key(1)]), "nobody knows how old that line is");
    }

    #[test]
    fn a_line_that_is_no_key_is_refused_and_not_shown() {
        for text in [String::new(), "hush".to_owned(), format!("{}\nhush", "01".repeat(32))] {
            let error = KeyFile::parse(&text.into()).unwrap_err().to_string();
            assert!(error.contains("gapless keys generate") && !error.contains("hush"), "{error}");
        }
    }
}

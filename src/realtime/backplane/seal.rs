//! Authentication of news between instances: each publication is signed, and only signed publications are accepted.
//!
//! Redis carries news and is not trusted. Anyone with write access can publish on the channel, so a publication without
//! a valid signature only causes a check of the log. The signature is an HMAC-SHA-256 over the name of the chat and the
//! bytes of the publication (which include sender and epoch), under a key derived from the signing key of access
//! tokens. Former keys verify as well, so that keys can be rotated without downtime.
//!
//! A publication is JSON whose last member is the signature over all bytes before that member:
//! `{"from":…,"bulletin":…,"sig":"…"}`. The release before parses the same JSON and ignores that member.
//!
//! Replaying a recorded publication is harmless. Events and heads are checked by epoch and position; all other
//! bulletins are valid only within [`FRESH_FOR`] of their time, and presence reports are numbered.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

use super::{Bulletin, Envelope};
use crate::id::{InstanceId, Pos};

/// Maximum length of a publication. A longer batch is announced by its head and read from the log.
pub const MOST_BYTES: usize = 1 << 20;
/// Maximum difference between a bulletin's time and the receiver's. `gapless doctor` accepts two seconds between
/// clocks.
const FRESH_FOR: Duration = Duration::seconds(60);
/// Domain separation: the signing key of tokens signs tokens only.
const PURPOSE: &[u8] = b"gapless: news between instances, version 1";

const BEFORE: &[u8] = b",\"sig\":\"";
const AFTER: &[u8] = b"\"}";
/// 32 bytes in base64 without padding.
const DIGITS: usize = 43;

type Authenticator = Hmac<Sha256>;

/// Signs and checks the news of one chat.
#[derive(Clone)]
pub struct Seal {
    signing: Authenticator,
    /// The signing key first, then former keys.
    verifying: Vec<Authenticator>,
}

/// Result of opening a publication.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// Signed by an instance of this chat.
    Ours(Envelope),
    /// Signed by an instance of this chat, but not readable by this release.
    Unknown,
    /// Signed but expired: recorded and replayed, or from an instance whose clock is wrong.
    Stale,
    /// Not validly signed: from an instance of the previous release, or a stranger.
    Unsigned,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("keys", &self.verifying.len()).finish_non_exhaustive()
    }
}

impl Seal {
    /// `keys`: the signing key first, then the former ones. `chat` identifies the chat.
    ///
    /// # Panics
    /// Panics without a key; the settings always provide one.
    pub fn new(keys: &[&[u8; 32]], chat: &str) -> Self {
        let verifying: Vec<_> = keys.iter().map(|key| authenticator(key, chat)).collect();
        let signing = verifying.first().expect("there is a signing key").clone();
        Self { signing, verifying }
    }

    /// Returns the bytes to publish. A batch that is too long is replaced by an announcement of its head.
    pub fn seal(&self, envelope: Envelope) -> Vec<u8> {
        let mut bytes = encode(&envelope);
        if bytes.len() + BEFORE.len() + DIGITS + AFTER.len() > MOST_BYTES
            && let Bulletin::Committed(events) = &envelope.bulletin
            && let Some(last) = events.last()
        {
            bytes = encode(&Envelope { bulletin: Bulletin::Head(last.pos), ..envelope });
        }
        bytes.pop().expect("an object ends in a brace");
        let signature = self.signing.clone().chain_update(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(BEFORE);
        bytes.extend_from_slice(URL_SAFE_NO_PAD.encode(signature).as_bytes());
        bytes.extend_from_slice(AFTER);
        bytes
    }

    /// Verifies and parses a publication. Nothing is parsed before its signature has been verified.
    pub fn open(&self, payload: &[u8], now: OffsetDateTime) -> Opened {
        let Some((signed, signature)) = split(payload) else { return Opened::Unsigned };
        let is_ours = |by: &Authenticator| by.clone().chain_update(signed).verify_slice(&signature).is_ok();
        if !self.verifying.iter().any(is_ours) {
            return Opened::Unsigned;
        }
        let Some(envelope) = parse(payload) else { return Opened::Unknown };
        let is_positional = matches!(envelope.bulletin, Bulletin::Committed(_) | Bulletin::Head(_));
        if is_positional || is_fresh(envelope.sent_at_ms, now) { Opened::Ours(envelope) } else { Opened::Stale }
    }
}

fn authenticator(key: &[u8; 32], chat: &str) -> Authenticator {
    let keyed = |key: &[u8]| Authenticator::new_from_slice(key).expect("HMAC takes a key of any length");
    let derived = keyed(key).chain_update(PURPOSE).finalize().into_bytes();
    // The length comes first, so that the chat's name cannot run into the bytes that follow.
    let length = u64::try_from(chat.len()).unwrap_or(u64::MAX).to_be_bytes();
    keyed(&derived).chain_update(length).chain_update(chat)
}

fn encode(envelope: &Envelope) -> Vec<u8> {
    serde_json::to_vec(envelope).expect("these types have string keys and write to memory")
}

/// Returns the signed bytes and their signature, if the payload has the form of a signed publication.
fn split(payload: &[u8]) -> Option<(&[u8], [u8; 32])> {
    if payload.len() > MOST_BYTES {
        return None;
    }
    let rest = payload.strip_suffix(AFTER)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let signed = rest.strip_suffix(BEFORE)?;
    let mut signature = [0; 32];
    let length = URL_SAFE_NO_PAD.decode_slice(digits, &mut signature).ok()?;
    (length == signature.len()).then_some((signed, signature))
}

/// Parses a signed publication. If it holds more than this release can read, its events are read from the log.
fn parse(payload: &[u8]) -> Option<Envelope> {
    #[derive(Deserialize)]
    struct Newer {
        from: InstanceId,
        epoch: String,
        bulletin: NewerBulletin,
    }
    #[derive(Deserialize)]
    struct NewerBulletin {
        committed: Vec<NewerEvent>,
    }
    #[derive(Deserialize)]
    struct NewerEvent {
        pos: Pos,
    }
    if let Ok(envelope) = serde_json::from_slice(payload) {
        return Some(envelope);
    }
    let Newer { from, epoch, bulletin } = serde_json::from_slice(payload).ok()?;
    let head = bulletin.committed.iter().map(|event| event.pos).max()?;
    Some(Envelope { from, epoch, bulletin: Bulletin::Head(head), trace: None, sent_at_ms: None })
}

fn is_fresh(sent_at_ms: Option<i64>, now: OffsetDateTime) -> bool {
    let sent_at = sent_at_ms.and_then(|ms| OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok());
    sent_at.is_some_and(|sent_at| (now - sent_at).abs() <= FRESH_FOR)
}

/// Milliseconds since the Unix epoch, as sent between instances.
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Audience, Author, Effect, Event};
    use crate::id::{RoomId, UserId};
    use crate::realtime::presence::Report;
    use crate::realtime::typing::Announcement;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-29 12:00 UTC);

    fn seal(keys: &[u8]) -> Seal {
        let keys: Vec<_> = keys.iter().map(|key| [*key; 32]).collect();
        Seal::new(&keys.iter().collect::<Vec<_>>(), "chat")
    }

    fn envelope(bulletin: Bulletin) -> Envelope {
        let sent_at_ms = Some(milliseconds(NOW));
        Envelope { from: InstanceId::new(), epoch: "e".into(), bulletin, trace: None, sent_at_ms }
    }

    fn event(pos: i64, name: &str) -> Event {
        let author = Author { id: UserId(uuid::Uuid::nil()), username: name.into() };
        let effect = Effect::UserErased { user: author.id };
        Event::silent(Pos(pos), NOW, "user.erased").told_to(Audience::Everyone, &author).with_effect(effect)
    }

    fn announcement() -> Announcement {
        let user = Author { id: UserId(uuid::Uuid::nil()), username: "ali".into() };
        Announcement { room: RoomId(uuid::Uuid::nil()), user }
    }

    /// A publication of a newer release, signed with our key.
    fn newer(seal: &Seal, bulletin: &Value) -> Vec<u8> {
        let said = json!({"from": InstanceId::new(), "epoch": "e", "bulletin": bulletin, "sent_at_ms": 0, "more": 1});
        let mut bytes = said.to_string().into_bytes();
        bytes.pop();
        let signature = seal.signing.clone().chain_update(&bytes).finalize().into_bytes();
        [&bytes, BEFORE, URL_SAFE_NO_PAD.encode(signature).as_bytes(), AFTER].concat()
    }

    #[test]
    fn a_signed_publication_opens_unchanged() {
        let seal = seal(&[1]);
        for bulletin in [
            Bulletin::Committed(vec![event(7, "ali\",\"sig\":\"")]),
            Bulletin::Head(Pos(7)),
            Bulletin::Present(Report::default()),
            Bulletin::AskPresence,
            Bulletin::Typing(vec![announcement()]),
            Bulletin::Gone,
            Bulletin::Probe,
        ] {
            let said = envelope(bulletin);
            assert_eq!(seal.open(&seal.seal(said.clone()), NOW), Opened::Ours(said));
        }
    }

    #[test]
    fn former_keys_verify_and_other_keys_or_chats_do_not() {
        let payload = seal(&[1]).seal(envelope(Bulletin::Probe));
        assert!(matches!(seal(&[2, 1]).open(&payload, NOW), Opened::Ours(_)), "a former key verifies");
        assert_eq!(seal(&[2]).open(&payload, NOW), Opened::Unsigned);
        assert_eq!(Seal::new(&[&[1; 32]], "another").open(&payload, NOW), Opened::Unsigned);
    }

    #[test]
    fn bulletins_without_a_position_expire_after_a_minute() {
        let seal = seal(&[1]);
        let later = NOW + FRESH_FOR + Duration::SECOND;
        for bulletin in [
            Bulletin::Present(Report::default()),
            Bulletin::AskPresence,
            Bulletin::Typing(vec![announcement()]),
            Bulletin::Gone,
            Bulletin::Probe,
        ] {
            let payload = seal.seal(envelope(bulletin.clone()));
            assert!(matches!(seal.open(&payload, NOW + FRESH_FOR), Opened::Ours(_)));
            assert_eq!(seal.open(&payload, later), Opened::Stale, "{bulletin:?}");
            let undated = Envelope { sent_at_ms: None, ..envelope(bulletin) };
            assert_eq!(seal.open(&seal.seal(undated), NOW), Opened::Stale);
        }
        assert!(matches!(seal.open(&seal.seal(envelope(Bulletin::Head(Pos(1)))), later), Opened::Ours(_)));
    }

    #[test]
    fn a_batch_that_is_too_long_is_announced_by_its_head() {
        let seal = seal(&[1]);
        let events = (1..=100).map(|pos| event(pos, &"x".repeat(16_000))).collect();
        let payload = seal.seal(envelope(Bulletin::Committed(events)));
        assert!(payload.len() < 1_000);
        assert!(matches!(seal.open(&payload, NOW), Opened::Ours(Envelope { bulletin: Bulletin::Head(Pos(100)), .. })));
        assert_eq!(seal.open(&vec![b'x'; MOST_BYTES + 1], NOW), Opened::Unsigned);
    }

    #[test]
    fn what_a_newer_release_committed_is_read_from_the_log() {
        let seal = seal(&[1]);
        let at = "2026-11-29T12:00:00Z";
        let sung = json!({"committed": [{"pos": 8, "at": at, "kind": "message.sung", "audience": {"choir": 1}},
            {"pos": 9, "at": at, "kind": "message.sung", "audience": "nobody", "effect": {"louder": true}}]});
        let Opened::Ours(read) = seal.open(&newer(&seal, &sung), NOW) else { panic!("it is ours") };
        assert_eq!(read.bulletin, Bulletin::Head(Pos(9)));
        for unknown in [json!({"sang": 1}), json!({"typing": [{"room": "here", "user": "ali"}]})] {
            assert_eq!(seal.open(&newer(&seal, &unknown), NOW), Opened::Unknown);
        }
    }

    #[test]
    fn the_previous_release_reads_signed_publications() {
        /// The envelope of the previous release: unknown members are ignored.
        #[derive(Deserialize)]
        struct Before {
            epoch: String,
            bulletin: Bulletin,
        }
        let payload = seal(&[1]).seal(envelope(Bulletin::Committed(vec![event(7, "ali")])));
        let read: Before = serde_json::from_slice(&payload).unwrap();
        assert_eq!((read.epoch.as_str(), read.bulletin), ("e", Bulletin::Committed(vec![event(7, "ali")])));
        let unsigned = serde_json::to_vec(&envelope(Bulletin::Committed(vec![event(7, "ali")]))).unwrap();
        assert_eq!(seal(&[1]).open(&unsigned, NOW), Opened::Unsigned, "its own news is a hint here");
    }

    proptest! {
        /// Arbitrary bytes cause no panic and are never accepted.
        #[test]
        fn arbitrary_bytes_are_not_accepted(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert_eq!(seal(&[1]).open(&bytes, NOW), Opened::Unsigned);
            let dressed = [&bytes[..], BEFORE, &[b'A'; DIGITS], AFTER].concat();
            prop_assert_eq!(seal(&[1]).open(&dressed, NOW), Opened::Unsigned);
        }

        /// A valid publication with one byte changed, cut or doubled is not accepted.
        #[test]
        fn a_changed_publication_is_not_accepted(
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            how in 0..3_u8,
            pos in any::<i64>(),
        ) {
            let seal = seal(&[1]);
            let valid = seal.seal(envelope(Bulletin::Committed(vec![event(pos, "ali")])));
            let mut changed = valid.clone();
            let place = place.index(changed.len());
            match how {
                0 => changed[place] = byte,
                1 => { changed.remove(place); }
                _ => changed.insert(place, byte),
            }
            if changed != valid {
                prop_assert_eq!(seal.open(&changed, NOW), Opened::Unsigned);
            }
        }

        /// Arbitrary text signed by a newer release causes no panic.
        #[test]
        fn any_signed_text_is_read_or_skipped(text in "\\PC{0,200}", pos in any::<i64>()) {
            let seal = seal(&[1]);
            for said in [json!(text), json!({"committed": text}), json!({"committed": [{"pos": pos, "kind": text}]})] {
                let opened = seal.open(&newer(&seal, &said), NOW);
                prop_assert!(opened != Opened::Unsigned, "{opened:?}");
            }
        }
    }
}

//! The bytes of an event in the formats that streams ask for. JSON is the original, from which the others are derived.
//!
//! A form is encoded when the first reader needs it, and all readers of that format share its bytes: those who are live,
//! those who read the ring, and those for whom the log was read. A frame whose body is deleted is replaced as a whole,
//! so no form keeps the body.

use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::frame;
use crate::event::compact::LEAST_SAVED;
use crate::store::events::{Compact, Redact, Removed};

/// Form of the events on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As documented for every kind.
    #[default]
    Json,
    /// Short forms of the most frequent kinds, and JSON for the others.
    Compact,
}

impl Format {
    /// Returns the format of this name. Unknown ones are JSON, which every client understands.
    pub fn of_name(name: &str) -> Self {
        if name == "compact" { Self::Compact } else { Self::Json }
    }
}

/// One event, encoded. A clone shares the bytes, and the forms that are made later.
#[derive(Debug, Clone)]
pub struct Frame(Arc<Forms>);

#[derive(Debug)]
struct Forms {
    json: Bytes,
    /// The short form, if its kind has one.
    compact: Option<(&'static Compact, OnceLock<Bytes>)>,
}

impl Frame {
    pub fn new(json: Bytes, compact: Option<&'static Compact>) -> Self {
        Self(Arc::new(Forms { json, compact: compact.map(|compact| (compact, OnceLock::new())) }))
    }

    pub fn bytes(&self, format: Format) -> &Bytes {
        let Forms { json, compact } = &*self.0;
        match (format, compact) {
            (Format::Compact, Some((compact, form))) => {
                form.get_or_init(|| frame::shortened(json, compact).unwrap_or_else(|| json.clone()))
            }
            _ => json,
        }
    }

    /// Returns the same frame without what was removed.
    pub fn without(&self, redact: Redact, removed: Removed) -> Option<Self> {
        let json = frame::without(&self.0.json, redact, removed)?;
        Some(Self::new(json, self.0.compact.as_ref().map(|(compact, _)| *compact)))
    }

    /// Memory cost in bytes, with every form that may be made later.
    pub fn cost(&self) -> usize {
        let json = self.0.json.len();
        let compact = if self.0.compact.is_some() { json.saturating_sub(LEAST_SAVED) } else { 0 };
        size_of::<Forms>() + json + compact
    }
}

/// Consecutive frames for the same readers, joined once for each format.
#[derive(Debug, Default)]
pub struct Joined {
    frames: Vec<Frame>,
    json: OnceCell<Bytes>,
    compact: OnceCell<Bytes>,
}

impl Joined {
    pub fn new(frames: Vec<Frame>) -> Self {
        Self { frames, ..Self::default() }
    }

    pub fn bytes(&self, format: Format) -> &Bytes {
        let joined = match format {
            Format::Json => &self.json,
            Format::Compact => &self.compact,
        };
        joined.get_or_init(|| match &self.frames[..] {
            [frame] => frame.bytes(format).clone(),
            frames => {
                let parts: Vec<&[u8]> = frames.iter().map(|frame| &**frame.bytes(format)).collect();
                parts.concat().into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::event::{Author, Message};
    use crate::id::{ClientId, MessageId, Pos, RoomId, Seq, UserId};
    use crate::realtime::ring::Entry;
    use crate::store::events;

    fn posted(body: &str) -> Frame {
        let message = Message {
            id: MessageId(Uuid::from_u128(1)),
            room_id: RoomId(Uuid::from_u128(2)),
            pos: Pos(7),
            seq: Seq(3),
            client_id: ClientId(Uuid::from_u128(4)),
            author: Author { id: UserId(Uuid::from_u128(5)), username: "ali".into() },
            body: Some(body.into()),
            created_at: OffsetDateTime::UNIX_EPOCH,
            edited_at: None,
            deleted_at: None,
            reactions: Vec::new(),
            reply_to: None,
            mentions: Vec::new(),
        };
        Entry::new("e", &events::messages::posted(&message)).frame.expect("readers receive it")
    }

    fn text(frame: &Frame, format: Format) -> &str {
        std::str::from_utf8(frame.bytes(format)).unwrap()
    }

    #[test]
    fn a_form_is_made_once_for_all_clones() {
        let frame = posted("hi");
        let clone = frame.clone();
        for format in [Format::Json, Format::Compact] {
            assert_eq!(clone.bytes(format).as_ptr(), frame.bytes(format).as_ptr());
        }
        assert!(text(&frame, Format::Compact).starts_with("id:e.7\ndata:[\"AAAA"));
    }

    #[test]
    fn a_frame_without_its_body_has_it_in_no_form() {
        let frame = posted("a secret");
        for format in [Format::Json, Format::Compact] {
            assert!(text(&frame, format).contains("a secret"));
        }
        let redact = events::kind("message.posted").and_then(|kind| kind.redact).unwrap();
        let redacted = frame.without(redact, Removed::Body(OffsetDateTime::UNIX_EPOCH)).unwrap();
        for format in [Format::Json, Format::Compact] {
            let text = text(&redacted, format);
            assert!(!text.contains("a secret") && text.contains("1970-01-01T00:00:00Z"), "{text}");
        }
    }

    #[test]
    fn the_cost_includes_forms_that_are_not_made_yet() {
        for body in ["", "hi", &"long ".repeat(800)] {
            let frame = posted(body);
            let cost = frame.cost();
            let made = frame.bytes(Format::Json).len() + frame.bytes(Format::Compact).len();
            assert!(cost >= made, "{cost} and {made}");
            assert_eq!(frame.cost(), cost);
        }
        let plain = Frame::new(Bytes::from(vec![b'x'; 500]), None);
        assert!(plain.cost() < 600, "without another form, nothing is reserved for it");
        assert_eq!(plain.bytes(Format::Compact).as_ptr(), plain.bytes(Format::Json).as_ptr());
    }

    #[test]
    fn joined_frames_are_one_after_the_other_in_either_format() {
        let frames = vec![posted("one"), posted("two")];
        for format in [Format::Json, Format::Compact] {
            let joined = Joined::new(frames.clone());
            let expected: String = frames.iter().map(|frame| text(frame, format)).collect();
            assert_eq!(joined.bytes(format), expected.as_bytes());
        }
    }

    #[test]
    fn unknown_formats_are_json() {
        assert_eq!(Format::of_name("compact"), Format::Compact);
        for name in ["", "json", "Compact", "zstd"] {
            assert_eq!(Format::of_name(name), Format::Json, "{name}");
        }
    }
}

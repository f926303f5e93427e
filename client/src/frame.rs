//! Event streams (WHATWG HTML, section 9.2), parsed exactly as the chat writes them: lines end with LF, each field occurs
//! once, and each event has a name or is in the [short form](crate::compact).
//!
//! Libraries for event streams behave like a browser: they reuse the last id for events without one, and ignore unknown
//! lines. Tests must detect both, so this parser rejects anything else.

use memchr::{memchr, memmem};

/// One event, borrowed from the bytes that were read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Empty for the short form of a posted message: see [`crate::compact`].
    pub event: &'a [u8],
    /// The id of this event; never that of an earlier one, which a browser would keep.
    pub id: Option<&'a [u8]>,
    pub data: &'a [u8],
    pub retry: Option<&'a [u8]>,
    /// The whole event, without the blank line at its end.
    pub raw: &'a [u8],
}

/// One event with owned text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
    /// Milliseconds to wait before reconnecting.
    pub retry: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed event: {0:?}")]
pub struct Malformed(pub String);

impl Frame<'_> {
    pub fn to_event(self) -> Result<Event, Malformed> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| malformed(self.raw));
        let retry = self.retry.map(|retry| text(retry)?.parse().map_err(|_| malformed(self.raw))).transpose()?;
        Ok(Event { name: text(self.event)?, id: self.id.map(text).transpose()?, data: text(self.data)?, retry })
    }
}

/// Returns the first frame of `data` and its length including the blank line; `None` if it is incomplete.
pub fn parse(data: &[u8]) -> Result<Option<(Frame<'_>, usize)>, Malformed> {
    let mut frame = Frame::default();
    let (mut at, mut is_spaced) = (0, true);
    while let Some(length) = memchr(b'\n', &data[at..]) {
        let line = &data[at..at + length];
        at += length + 1;
        if line.is_empty() {
            // Only short forms may lack a name, and the space after a colon.
            let is_short = frame.data.starts_with(b"[");
            if !is_short && (frame.event.is_empty() || !is_spaced) {
                return Err(malformed(&data[..at]));
            }
            frame.raw = &data[..at - 1];
            return Ok(Some((frame, at)));
        }
        let (field, value) = line.split_at(memchr(b':', line).map_or(line.len(), |colon| colon + 1));
        is_spaced &= value.starts_with(b" ");
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data:" if frame.data.is_empty() => frame.data = value,
            b"id:" if frame.id.is_none() => frame.id = Some(value),
            b"event:" if frame.event.is_empty() => frame.event = value,
            b"retry:" if frame.retry.is_none() => frame.retry = Some(value),
            _ => return Err(malformed(&data[..at])),
        }
    }
    Ok(None)
}

fn malformed(bytes: &[u8]) -> Malformed {
    Malformed(String::from_utf8_lossy(bytes).into_owned())
}

/// Received bytes of a stream, and the complete frames in them.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl Frames {
    /// Returns the buffer to which the caller appends received bytes, before it takes the frames.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.drain(..std::mem::take(&mut self.taken));
        &mut self.bytes
    }

    /// Takes the next frame; `None` until more bytes arrive.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Malformed> {
        let waiting = &self.bytes[self.taken..];
        let length = memmem::find(waiting, b"\n\n").map_or(0, |end| end + 2);
        self.taken += length;
        Ok(parse(&waiting[..length])?.map(|(frame, _)| frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: hello\nid: e.1\nretry: 250\ndata: {\"a\":\"é: b\"}\n\nevent: lobby\ndata: []\n\n";

    fn read(parts: &[&[u8]]) -> Result<Vec<Event>, Malformed> {
        let mut frames = Frames::default();
        let mut events = Vec::new();
        for part in parts {
            frames.buffer().extend_from_slice(part);
            while let Some(frame) = frames.next_frame()? {
                events.push(frame.to_event()?);
            }
        }
        Ok(events)
    }

    #[test]
    fn events_are_the_same_wherever_the_bytes_are_split() {
        let whole = read(&[STREAM.as_bytes()]).unwrap();
        assert_eq!(
            whole[0],
            Event { name: "hello".into(), id: Some("e.1".into()), data: "{\"a\":\"é: b\"}".into(), retry: Some(250) }
        );
        assert_eq!(whole[1], Event { name: "lobby".into(), data: "[]".into(), ..Event::default() });
        for at in 0..STREAM.len() {
            let (before, after) = STREAM.as_bytes().split_at(at);
            assert_eq!(read(&[before, after]).unwrap(), whole, "split at {at}");
        }
        let bytes: Vec<&[u8]> = STREAM.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes).unwrap(), whole);
    }

    #[test]
    fn short_forms_need_neither_a_name_nor_spaces() {
        let events = read(&[b"id:e.7\ndata:[1]\n\nevent:edited\nid:e.8\ndata:[2]\n\n"]).unwrap();
        let names: Vec<_> = events.iter().map(|event| (&*event.name, event.id.as_deref(), &*event.data)).collect();
        assert_eq!(names, [("", Some("e.7"), "[1]"), ("edited", Some("e.8"), "[2]")]);
    }

    #[test]
    fn an_unfinished_event_is_not_an_event() {
        assert_eq!(read(&[b"event: hello\ndata: {}\n"]), Ok(vec![]));
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            ": comment\n\n",
            "event: a\r\ndata: b\r\n\r\n\n\n",
            "data: without a name\n\n",
            "event: a\ndata: one\ndata: two\n\n",
            "event: a\nid: one\nid: two\n\n",
            "event: a\nevent: b\n\n",
            "event: a\ncolour: b\n\n",
            "event:a\n\n",
            "event: a\nretry: soon\n\n",
            "\n\n",
        ] {
            assert!(read(&[text.as_bytes()]).is_err(), "{text:?}");
        }
        assert!(read(&[b"event: a\ndata: \xff\n\n"]).is_err());
    }
}

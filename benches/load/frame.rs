//! The frames that the baseline writes: copies of one that the server wrote, with different numbers.

use memchr::memmem;

use gapless_client::frame::Frame;

/// A frame written by the server, split at the three numbers that differ between messages.
#[derive(Clone)]
pub struct Template {
    /// The parts before `pos` in the id, before `seq`, before the message's number, and after it.
    parts: [Vec<u8>; 4],
}

impl Template {
    /// Returns `None` if `raw` lacks one of the numbers.
    pub fn recorded(raw: &[u8]) -> Option<Self> {
        let mut rest = raw;
        let mut parts = <[Vec<u8>; 4]>::default();
        let mut cut = |part: usize, before: &[u8], rest: &mut &[u8]| -> Option<()> {
            let at = memmem::find(rest, before)? + before.len();
            parts[part] = rest[..at].to_vec();
            *rest = rest[at..].trim_ascii_start();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            *rest = &rest[digits..];
            Some(())
        };
        let line = memmem::find(rest, b"id:")?;
        let dot = line + rest[line..].iter().take_while(|byte| **byte != b'\n').position(|byte| *byte == b'.')?;
        let upto_pos = rest[..=dot].to_vec();
        cut(0, &upto_pos, &mut rest)?;
        cut(1, b"\"seq\":", &mut rest)?;
        cut(2, b"\"body\":\"n=", &mut rest)?;
        parts[3] = rest.to_vec();
        Some(Self { parts })
    }

    /// Frames of `length` bytes with little but the text of a message. `length` holds while the three numbers have four
    /// digits each.
    pub fn plain(length: usize) -> Self {
        let mut parts = [&b"event: message.posted\nid: 0."[..], b"\ndata: {\"seq\":", b",\"body\":\"n=", b" \"}\n"]
            .map(<[u8]>::to_vec);
        let missing = length.saturating_sub(parts.iter().map(Vec::len).sum::<usize>() + 13);
        drop(parts[3].splice(1..1, std::iter::repeat_n(b'x', missing)));
        Self { parts }
    }

    /// Returns the frame of another message, with its blank line.
    pub fn frame(&self, pos: u64, seq: u64, number: u64) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.parts.iter().map(Vec::len).sum::<usize>() + 64);
        for (part, value) in self.parts.iter().zip([Some(pos), Some(seq), Some(number), None]) {
            frame.extend_from_slice(part);
            if let Some(value) = value {
                frame.extend_from_slice(value.to_string().as_bytes());
            }
        }
        frame.push(b'\n');
        frame
    }
}

/// Returns the body of message `number`.
pub fn body(number: u64) -> String {
    format!("n={number} a message of ordinary length, as people write them: a sentence, and one more to think about")
}

/// Returns the number in the body of a message.
pub fn number(frame: &Frame) -> Option<u64> {
    integer_after(frame.data, b"\"n=")
}

pub fn seq(frame: &Frame) -> Option<u64> {
    // In the short form it follows the ids.
    integer_after(frame.data, if frame.data.starts_with(b"[") { b"\"," } else { b"\"seq\":" })
}

/// Returns the position in an event's id. The id is opaque to other clients.
pub fn pos(id: &[u8]) -> Option<u64> {
    let dot = id.iter().rposition(|byte| *byte == b'.')?;
    integer(&id[dot + 1..])
}

fn integer_after(data: &[u8], before: &[u8]) -> Option<u64> {
    let at = memmem::find(data, before)? + before.len();
    integer(&data[at..])
}

fn integer(data: &[u8]) -> Option<u64> {
    let mut value = None;
    for digit in data.iter().take_while(|byte| byte.is_ascii_digit()) {
        value = Some(value.unwrap_or(0) * 10 + u64::from(digit - b'0'));
    }
    value
}

//! Finds the end of a request's head and of its chunked body (RFC 9112, sections 2.1 and 7.1) in bytes that arrive in
//! arbitrary pieces. For every request that hyper accepts, both end at the same byte as in hyper's own parser;
//! malformed input is left for hyper to refuse.

/// Replaces a bare LF. No head or trailer may contain it, so hyper refuses the request.
const REFUSED_BYTE: u8 = 0;

/// State of a head that is being received.
#[derive(Default)]
pub(super) struct Head {
    line: Line,
    /// True once a non-empty line is complete.
    has_lines: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeadPart {
    /// All bytes belong to the head.
    Unfinished,
    /// The head ends after this number of bytes.
    Ended(usize),
    /// A bare LF was found and replaced; this is the number of bytes up to and including it.
    Refused(usize),
}

impl Head {
    /// Returns whether more than empty lines were received.
    pub fn has_begun(&self) -> bool {
        self.has_lines || self.line.length > 1 || (self.line.length == 1 && !self.line.ends_in_cr)
    }

    pub fn pass(&mut self, bytes: &mut [u8]) -> HeadPart {
        for (at, byte) in bytes.iter_mut().enumerate() {
            match self.line.take(*byte) {
                Taken::Part => {}
                Taken::Ended { is_empty: false } => self.has_lines = true,
                // Empty lines before a request are skipped (RFC 9112, section 2.2).
                Taken::Ended { is_empty: true } if !self.has_lines => {}
                Taken::Ended { is_empty: true } => return HeadPart::Ended(at + 1),
                Taken::BareLf => {
                    *byte = REFUSED_BYTE;
                    return HeadPart::Refused(at + 1);
                }
            }
        }
        HeadPart::Unfinished
    }
}

/// State of a chunked body that is being received.
pub(super) enum Chunks {
    /// The line with the size of the next chunk.
    Size { size: u64, is_read: bool },
    /// The rest of a chunk, and the CR LF after it.
    Data(u64),
    /// The lines after the last chunk, up to an empty one.
    Trailer(Line),
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Size { size: 0, is_read: false }
    }
}

impl Chunks {
    /// Returns the number of bytes after which the body ends; `None` if all of them belong to it.
    pub fn pass(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = &mut bytes[at];
            at += 1;
            match self {
                Self::Size { size, .. } if *byte == b'\n' => {
                    *self = match *size {
                        0 => Self::Trailer(Line::default()),
                        size => Self::Data(size.saturating_add(2)),
                    };
                }
                Self::Size { size, is_read: is_read @ false } => match char::from(*byte).to_digit(16) {
                    Some(digit) => *size = size.saturating_mul(16).saturating_add(digit.into()),
                    None => *is_read = true,
                },
                // Chunk extensions; hyper refuses a bare LF in them.
                Self::Size { .. } => {}
                Self::Data(rest) => {
                    let length = usize::try_from(*rest).unwrap_or(usize::MAX).min(bytes.len() + 1 - at);
                    at += length - 1;
                    *rest -= length as u64;
                    if *rest == 0 {
                        *self = Self::default();
                    }
                }
                Self::Trailer(line) => match line.take(*byte) {
                    Taken::Ended { is_empty: true } => return Some(at),
                    Taken::BareLf => {
                        *byte = REFUSED_BYTE;
                        line.take(REFUSED_BYTE);
                    }
                    Taken::Part | Taken::Ended { is_empty: false } => {}
                },
            }
        }
        None
    }
}

/// A line that ends with CR LF.
#[derive(Default)]
pub(super) struct Line {
    length: usize,
    ends_in_cr: bool,
}

enum Taken {
    Part,
    Ended {
        is_empty: bool,
    },
    /// An LF without a CR before it; it is not counted.
    BareLf,
}

impl Line {
    fn take(&mut self, byte: u8) -> Taken {
        match byte {
            b'\n' if self.ends_in_cr => {
                let is_empty = self.length == 1;
                *self = Self::default();
                Taken::Ended { is_empty }
            }
            b'\n' => Taken::BareLf,
            _ => {
                self.length = self.length.saturating_add(1);
                self.ends_in_cr = byte == b'\r';
                Taken::Part
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// Parses `text` in pieces of `size` bytes and returns the outcome.
    fn head_in_pieces(text: &str, size: usize) -> HeadPart {
        let (mut head, mut before) = (Head::default(), 0);
        for piece in text.as_bytes().to_vec().chunks_mut(size) {
            match head.pass(piece) {
                HeadPart::Unfinished => before += piece.len(),
                HeadPart::Ended(length) => return HeadPart::Ended(before + length),
                HeadPart::Refused(length) => {
                    assert_eq!(piece[length - 1], REFUSED_BYTE);
                    return HeadPart::Refused(before + length);
                }
            }
        }
        HeadPart::Unfinished
    }

    fn body_in_pieces(text: &str, size: usize) -> Option<usize> {
        let (mut chunks, mut before) = (Chunks::default(), 0);
        for piece in text.as_bytes().to_vec().chunks_mut(size) {
            match chunks.pass(piece) {
                None => before += piece.len(),
                Some(length) => return Some(before + length),
            }
        }
        None
    }

    #[test]
    fn a_head_ends_at_its_empty_line_and_at_no_other() {
        for size in 1..HEAD.len() + 9 {
            let with_next = format!("{HEAD}GET /next");
            assert_eq!(head_in_pieces(&with_next, size), HeadPart::Ended(HEAD.len()), "in pieces of {size}");
            let late = format!("\r\n\r\n{HEAD}");
            assert_eq!(head_in_pieces(&late, size), HeadPart::Ended(HEAD.len() + 4), "in pieces of {size}");
            assert_eq!(head_in_pieces("GET / HTTP/1.1\r\nHost: a\r\n", size), HeadPart::Unfinished);
        }
    }

    #[test]
    fn a_bare_lf_is_refused_wherever_it_stands() {
        for (at, _) in HEAD.match_indices("\r\n") {
            let bare = format!("{}{}", &HEAD[..at], &HEAD[at + 1..]);
            for size in 1..=bare.len() {
                assert_eq!(head_in_pieces(&bare, size), HeadPart::Refused(at + 1), "{bare:?} in pieces of {size}");
            }
        }
        assert_eq!(head_in_pieces("\nGET / HTTP/1.1\r\n\r\n", 100), HeadPart::Refused(1));
        assert_eq!(head_in_pieces("GET / HTTP/1.1\r\r\n\n", 100), HeadPart::Refused(18));
    }

    #[test]
    fn a_head_has_begun_with_its_first_byte_and_not_with_an_empty_line() {
        for (text, has_begun) in [("", false), ("\r", false), ("\r\n\r\n", false), ("G", true), ("\r\nG", true)] {
            let mut head = Head::default();
            head.pass(&mut text.as_bytes().to_vec());
            assert_eq!(head.has_begun(), has_begun, "{text:?}");
        }
    }

    #[test]
    fn chunks_end_where_their_last_one_and_its_trailers_do() {
        for body in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "a;x=y\r\n0123\r\n6789\r\n0;z\r\n\r\n",
            "1\r\n\n\r\n00\r\nDigest: x\r\nMore: y\r\n\r\n",
            "2 \r\n\r\n\r\n0\r\n\r\n",
        ] {
            for size in 1..=body.len() + 9 {
                let with_next = format!("{body}GET /next");
                assert_eq!(body_in_pieces(&with_next, size), Some(body.len()), "{body:?} in pieces of {size}");
                assert_eq!(body_in_pieces(&body[..body.len() - 1], size), None, "{body:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_bare_lf_in_a_trailer_is_replaced_and_ends_no_line() {
        let mut body = b"0\r\nA: b\n\r\nC: d\r\n\r\n".to_vec();
        assert_eq!(Chunks::default().pass(&mut body), Some(18));
        assert_eq!(body, b"0\r\nA: b\0\r\nC: d\r\n\r\n");
    }

    proptest! {
        #[test]
        fn no_bytes_in_any_pieces_pass_more_than_they_are(bytes: Vec<u8>, size in 1_usize..20) {
            let (mut head, mut chunks) = (Head::default(), Chunks::default());
            for piece in bytes.clone().chunks_mut(size) {
                let length = piece.len();
                match head.pass(piece) {
                    HeadPart::Unfinished => {}
                    HeadPart::Ended(passed) | HeadPart::Refused(passed) => prop_assert!((1..=length).contains(&passed)),
                }
                prop_assert!(chunks.pass(piece).is_none_or(|passed| (1..=length).contains(&passed)));
            }
        }
    }
}

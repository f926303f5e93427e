//! Bytes of one streaming answer to frames: an HTTP/1.1 head, chunks, and server-sent events within them.
//!
//! Nothing is kept but an unfinished tail, so that ten thousand idle streams cost this process little.

use anyhow::{Context, bail};
use memchr::{memchr, memmem};

/// One server-sent event, as far as the benchmark needs it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    pub event: &'a [u8],
    pub id: Option<&'a [u8]>,
    pub data: &'a [u8],
    /// All of it, without the blank line at its end.
    pub raw: &'a [u8],
}

#[derive(Default)]
pub struct Decoder {
    phase: Phase,
    tail: Vec<u8>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Head,
    /// Reading the length of a chunk: the digits so far, and whether they have ended.
    Size {
        length: usize,
        extension: bool,
    },
    Chunk {
        left: usize,
    },
    /// The line break after a chunk.
    ChunkEnd {
        left: usize,
    },
    /// An answer without chunks goes on until the connection ends.
    Plain,
    Ended,
}

impl Decoder {
    /// Takes what was read and gives each complete frame to `follow`.
    ///
    /// # Errors
    ///
    /// When the answer is not a stream, or `follow` objects.
    pub fn absorb(
        &mut self,
        mut input: &[u8],
        follow: &mut impl FnMut(&Frame) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while !input.is_empty() {
            match &mut self.phase {
                Phase::Head => {
                    let before = self.tail.len();
                    self.tail.extend_from_slice(input);
                    let Some(end) = memmem::find(&self.tail, b"\r\n\r\n") else { return Ok(()) };
                    input = &input[end + 4 - before..];
                    self.phase = after_head(&self.tail[..end])?;
                    self.tail = Vec::new();
                }
                Phase::Size { length, extension } => {
                    let byte = input[0];
                    input = &input[1..];
                    match byte {
                        b'\n' if *length == 0 => self.phase = Phase::Ended,
                        b'\n' => self.phase = Phase::Chunk { left: *length },
                        b';' => *extension = true,
                        b'\r' => {}
                        _ if *extension => {}
                        digit => {
                            let digit = (digit as char).to_digit(16).context("a chunk's length is not hexadecimal")?;
                            *length = *length * 16 + digit as usize;
                        }
                    }
                }
                Phase::Chunk { left } => {
                    let (data, rest) = input.split_at(input.len().min(*left));
                    *left -= data.len();
                    input = rest;
                    if *left == 0 {
                        self.phase = Phase::ChunkEnd { left: 2 };
                    }
                    split_frames(&mut self.tail, data, follow)?;
                }
                Phase::ChunkEnd { left } => {
                    let skipped = input.len().min(*left);
                    *left -= skipped;
                    input = &input[skipped..];
                    if *left == 0 {
                        self.phase = Phase::Size { length: 0, extension: false };
                    }
                }
                Phase::Plain => return split_frames(&mut self.tail, input, follow),
                Phase::Ended => bail!("bytes after the end of the answer"),
            }
        }
        Ok(())
    }
}

fn after_head(head: &[u8]) -> anyhow::Result<Phase> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("a stream was answered with {:?}", head.lines().next().unwrap_or_default());
    }
    if head.contains("\r\ntransfer-encoding: chunked") {
        return Ok(Phase::Size { length: 0, extension: false });
    }
    Ok(Phase::Plain)
}

fn split_frames(
    tail: &mut Vec<u8>,
    data: &[u8],
    follow: &mut impl FnMut(&Frame) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if tail.is_empty() {
        let used = frames(data, follow)?;
        tail.extend_from_slice(&data[used..]);
    } else {
        tail.extend_from_slice(data);
        let used = frames(tail, follow)?;
        tail.drain(..used);
    }
    if tail.is_empty() && tail.capacity() > 0 {
        *tail = Vec::new();
    }
    Ok(())
}

/// Gives every complete frame to `follow` and answers how many bytes they took.
fn frames(data: &[u8], follow: &mut impl FnMut(&Frame) -> anyhow::Result<()>) -> anyhow::Result<usize> {
    let mut used = 0;
    loop {
        let (frame, length) = parse_frame(&data[used..]);
        if length == 0 {
            return Ok(used);
        }
        used += length;
        if !frame.event.is_empty() {
            follow(&frame)?;
        }
    }
}

/// The first frame and its length with the blank line; length 0 when it is not complete.
fn parse_frame(data: &[u8]) -> (Frame<'_>, usize) {
    let mut frame = Frame::default();
    let mut at = 0;
    while let Some(length) = memchr(b'\n', &data[at..]) {
        let line = &data[at..at + length];
        at += length + 1;
        if line.is_empty() {
            frame.raw = &data[..at - 1];
            return (frame, at);
        }
        match line {
            [b'd', b'a', b't', b'a', b':', value @ ..] => frame.data = value.trim_ascii_start(),
            [b'i', b'd', b':', value @ ..] => frame.id = Some(value.trim_ascii_start()),
            [b'e', b'v', b'e', b'n', b't', b':', value @ ..] => frame.event = value.trim_ascii_start(),
            _ => {}
        }
    }
    (frame, 0)
}

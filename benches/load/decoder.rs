//! Decodes the bytes of one streaming response into frames: an HTTP/1.1 head, chunks, and the events within them.
//!
//! Frames are parsed by the same code as in the other tests. Head and chunks are parsed here, with mio and without a
//! task or a buffer for each stream, because the readers share the CPU with the server that they measure.
//! Only an incomplete tail is kept, so that ten thousand idle streams use little memory.

use anyhow::{Context, bail};
use gapless_client::frame::{self, Frame};
use memchr::memmem;

#[derive(Default)]
pub struct Decoder {
    phase: Phase,
    tail: Vec<u8>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Head,
    /// Reads the length of a chunk: the digits so far, and whether they have ended.
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
    /// A response without chunks lasts until the connection ends.
    Plain,
    Ended,
}

impl Decoder {
    /// Decodes `input` and passes each complete frame to `follow`.
    ///
    /// # Errors
    ///
    /// When the response is not a stream, or `follow` fails.
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
                Phase::Ended => bail!("bytes after the end of the response"),
            }
        }
        Ok(())
    }
}

fn after_head(head: &[u8]) -> anyhow::Result<Phase> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("a stream request was answered with {:?}", head.lines().next().unwrap_or_default());
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

/// Passes every complete frame to `follow` and returns their total length in bytes.
fn frames(data: &[u8], follow: &mut impl FnMut(&Frame) -> anyhow::Result<()>) -> anyhow::Result<usize> {
    let mut used = 0;
    while let Some((frame, length)) = frame::parse(&data[used..])? {
        used += length;
        follow(&frame)?;
    }
    Ok(used)
}

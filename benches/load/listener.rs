//! A single stream whose bytes and times are of interest.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use gapless_client::frame::Frame;

use crate::decoder::Decoder;

/// Maximum wait for a frame.
const PATIENCE: Duration = Duration::from_mins(1);
/// Precision of [`Listener::listen`].
const PART: Duration = Duration::from_millis(20);

pub struct Listener {
    socket: TcpStream,
    decoder: Decoder,
    opened: Instant,
}

impl Listener {
    /// Opens a stream of a guest.
    pub fn open(address: SocketAddr, query: &str) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let opened = Instant::now();
        socket.write_all(format!("GET /sse?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        Ok(Self { socket, decoder: Decoder::default(), opened })
    }

    /// Reads until `is_last` returns true, and returns the time since the request.
    pub fn until(&mut self, mut is_last: impl FnMut(&Frame) -> bool) -> anyhow::Result<Duration> {
        let mut is_over = false;
        let deadline = Instant::now() + PATIENCE;
        while !is_over {
            ensure!(Instant::now() < deadline, "an expected event did not arrive");
            self.read(PATIENCE, &mut |frame: &Frame| {
                is_over |= is_last(frame);
                Ok(())
            })?;
        }
        Ok(self.opened.elapsed())
    }

    /// Reads for a while, and returns the number of bytes.
    pub fn listen(&mut self, time: Duration) -> anyhow::Result<u64> {
        let (mut bytes, began) = (0, Instant::now());
        while began.elapsed() < time {
            bytes += self.read(PART, &mut |_: &Frame| Ok(()))? as u64;
        }
        Ok(bytes)
    }

    fn read(
        &mut self,
        patience: Duration,
        follow: &mut impl FnMut(&Frame) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut part = [0; 16 << 10];
        match self.socket.read(&mut part) {
            Ok(0) => bail!("the server ended a stream"),
            Ok(length) => {
                self.decoder.absorb(&part[..length], follow)?;
                Ok(length)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
            Err(error) => Err(error).context("reading a stream"),
        }
    }
}

//! The read side of a connection, in front of hyper: detects where requests begin and end, refuses lines that end with
//! a bare LF, and enforces the deadlines of heads and of idle connections.
//!
//! hyper has one timeout for heads, which also runs while a connection is idle, and its parser accepts a bare LF as a
//! line end. A proxy that does not would parse a different request from the same bytes (RFC 9112, section 2.2, allows
//! both). So every byte passes through here first. hyper never receives more than the rest of the head or body that it
//! is reading; later bytes are held until it asks again. hyper decides about the framing: once a head is parsed, the
//! service reports how its body is delimited ([`Progress::begin`]).

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use hyper::body::{Body, Incoming};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::framing::{Chunks, Head, HeadPart};

/// Time during which a connection closed by this side is still read. A socket closed with unread bytes sends a reset,
/// which may destroy the response before the peer has read it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);

/// A connection's socket. See the [module](self).
pub(super) struct Intake {
    socket: TcpStream,
    /// Bytes received but not yet released to hyper.
    held: BytesMut,
    progress: Arc<Progress>,
}

/// Progress of a connection: written by its reader and its service, read by its timer, all in one task.
pub(super) struct Progress {
    timeouts: Timeouts,
    /// Guards plain values; never held across an await.
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Counts from the start of the connection for the first head, and from its first byte for a later one.
    pub head: Duration,
    /// Counts from the last response of an idle connection. If there are too many connections, `head` applies instead.
    pub idle: Duration,
}

struct State {
    part: Part,
    /// Time of the first byte of an unfinished head. Empty lines before a request are not part of its head.
    head_since: Option<Instant>,
    /// True if a request's head has been received and its response is pending.
    is_answering: bool,
    has_answered: bool,
    /// Latest of: start of the connection, newest response ready, last write.
    active_at: Instant,
    /// True if the peer has closed its side.
    is_over: bool,
}

/// Part of a request that the next byte belongs to.
enum Part {
    Head(Head),
    /// The head is complete, and hyper has not yet reported how its body is delimited, or has refused it.
    Unframed,
    /// The rest of a body of known length.
    Length(u64),
    Chunks(Chunks),
}

impl Progress {
    pub fn new(timeouts: Timeouts) -> Arc<Self> {
        let state = State {
            part: Part::Head(Head::default()),
            head_since: None,
            is_answering: false,
            has_answered: false,
            active_at: Instant::now(),
            is_over: false,
        };
        Arc::new(Self { timeouts, state: Mutex::new(state) })
    }

    /// A request's head has been parsed, and this is its body.
    pub fn begin(&self, body: &Incoming) {
        let part = if body.is_end_stream() {
            Part::Head(Head::default())
        } else {
            body.size_hint().exact().map_or_else(|| Part::Chunks(Chunks::default()), Part::Length)
        };
        let mut state = self.state();
        state.part = part;
        state.is_answering = true;
    }

    /// The response to the newest request is ready to be written.
    pub fn answered(&self) {
        let mut state = self.state();
        state.is_answering = false;
        state.has_answered = true;
        state.active_at = Instant::now();
    }

    /// Ready once the connection has been idle, or in the middle of a head, for too long. `alarm` fires when that may
    /// be the case, and is reset only if it would fire too late: most requests do not touch the timer. The caller polls
    /// this in the connection's own task, after the connection.
    pub fn poll_overdue(
        &self,
        context: &mut Context<'_>,
        mut alarm: Pin<&mut Sleep>,
        is_crowded: impl Fn() -> bool,
    ) -> Poll<()> {
        loop {
            // Check before resetting the alarm: it fired for this check.
            if alarm.is_elapsed() && self.deadline(is_crowded()).is_some_and(|deadline| deadline <= Instant::now()) {
                return Poll::Ready(());
            }
            let Some(deadline) = self.deadline(false) else { return Poll::Pending };
            // An idle connection checks periodically whether others need its place.
            let look_at = deadline.min(Instant::now() + self.timeouts.head);
            if look_at < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(look_at);
            }
            ready!(alarm.as_mut().poll(context));
        }
    }

    /// `None` while a request is being answered, which has time limits of its own.
    fn deadline(&self, is_crowded: bool) -> Option<Instant> {
        let state = self.state();
        if state.is_answering {
            return None;
        }
        Some(match state.head_since {
            Some(since) => since.max(state.active_at) + self.timeouts.head,
            None if state.has_answered && !is_crowded => state.active_at + self.timeouts.idle,
            None => state.active_at + self.timeouts.head,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code under this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Scans received bytes and returns how many of them hyper may read now: at least one. A bare LF is replaced with
    /// NUL, which no head or trailer may contain: hyper refuses it and closes the connection.
    fn pass(&mut self, bytes: &mut [u8]) -> usize {
        match &mut self.part {
            Part::Head(head) => match head.pass(bytes) {
                HeadPart::Unfinished => {
                    if head.has_begun() {
                        self.head_since.get_or_insert_with(Instant::now);
                    }
                    bytes.len()
                }
                HeadPart::Ended(length) | HeadPart::Refused(length) => {
                    self.head_since = None;
                    self.part = Part::Unframed;
                    length
                }
            },
            Part::Unframed => bytes.len(),
            Part::Length(rest) => {
                let length = usize::try_from(*rest).unwrap_or(usize::MAX).min(bytes.len());
                *rest -= length as u64;
                if *rest == 0 {
                    self.part = Part::Head(Head::default());
                }
                length
            }
            Part::Chunks(chunks) => match chunks.pass(bytes) {
                Some(length) => {
                    self.part = Part::Head(Head::default());
                    length
                }
                None => bytes.len(),
            },
        }
    }
}

impl Intake {
    pub fn new(socket: TcpStream, progress: Arc<Progress>) -> Self {
        Self { socket, held: BytesMut::new(), progress }
    }

    /// Returns the socket, for a stream: bytes that its client sent meanwhile are discarded.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Closes the connection so that the last response arrives; `at_once` skips waiting for that.
    pub async fn close(mut self, at_once: bool) {
        if self.socket.shutdown().await.is_err() || at_once || self.progress.state().is_over {
            return;
        }
        let mut unread = [0; 4096];
        let to_the_end = async { while self.socket.read(&mut unread).await.is_ok_and(|read| read > 0) {} };
        tokio::time::timeout(LINGER, to_the_end).await.ok();
    }
}

impl AsyncRead for Intake {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if this.held.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
        } else {
            let length = this.held.len().min(buffer.remaining());
            buffer.put_slice(&this.held[..length]);
            this.held.advance(length);
        }
        let fresh = &mut buffer.filled_mut()[before..];
        let mut state = this.progress.state();
        if fresh.is_empty() {
            state.is_over = true;
            return Poll::Ready(Ok(()));
        }
        let passed = state.pass(fresh);
        drop(state);
        if passed < fresh.len() {
            // Put these bytes before the held ones: they arrived earlier.
            let later = std::mem::replace(&mut this.held, BytesMut::from(&fresh[passed..]));
            this.held.extend_from_slice(&later);
            buffer.set_filled(before + passed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Intake {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(context, bytes));
        self.progress.state().active_at = Instant::now();
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(context, slices));
        self.progress.state().active_at = Instant::now();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const TIMEOUTS: Timeouts = Timeouts { head: Duration::from_secs(10), idle: Duration::from_secs(150) };

    /// Returns how long a connection without further bytes stays open.
    async fn lasts(progress: &Progress, is_crowded: impl Fn() -> bool) -> Duration {
        let began = Instant::now();
        let alarm = tokio::time::sleep(TIMEOUTS.head);
        tokio::pin!(alarm);
        poll_fn(|context| progress.poll_overdue(context, alarm.as_mut(), &is_crowded)).await;
        began.elapsed()
    }

    fn answered() -> Arc<Progress> {
        let progress = Progress::new(TIMEOUTS);
        progress.answered();
        progress
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_lasts_longer_than_a_silent_one_and_than_half_a_head() {
        assert_eq!(lasts(&Progress::new(TIMEOUTS), || false).await.as_secs(), 10);
        assert_eq!(lasts(&answered(), || false).await.as_secs(), 150);
        let progress = answered();
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(progress.state().pass(&mut b"GET / HTTP/1.1\r\n".to_vec()), 16);
        assert_eq!(lasts(&progress, || false).await.as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_makes_room_for_others() {
        assert_eq!(lasts(&answered(), || true).await.as_secs(), 10);
        let begin = Instant::now() + Duration::from_secs(65);
        assert_eq!(lasts(&answered(), || Instant::now() >= begin).await.as_secs(), 70);
    }
}

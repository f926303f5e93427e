//! One client's stream: from its subscription to its socket.
//!
//! A stream is a task that owns a socket. What waits goes out as one write, without a copy: the bytes of an
//! event are the same for all its readers. A reader whose socket takes nothing for [`STALL_TIMEOUT`] is cut; it
//! resumes from its own cursor, and nobody else has noticed.

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rand::Rng as _;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::app::App;
use crate::lifecycle::Lifecycle;
use crate::limits::StreamPlace;
use crate::realtime::frame::{self, ByeReason};
use crate::realtime::subscription::{Step, Subscription};

/// A socket that takes nothing for this long has a reader that reads nothing.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Buffers of one `writev`; the system takes 1,024, and beyond 64 nothing is gained.
const MOST_SLICES: usize = 64;
/// How long before its token ends a stream says so.
const EXPIRY_NOTICE: Duration = Duration::from_mins(1);
/// A browser that was cut comes back after a time in this range, of its own.
pub const RETRY_MS: std::ops::Range<u64> = 500..2_500;

/// A stream that was granted.
pub struct Stream {
    app: App,
    greeting: Bytes,
    /// `None` where there is no capacity: the client is told so and comes back.
    subscription: Option<(Subscription, StreamPlace)>,
    expires_at: Option<OffsetDateTime>,
}

/// The way from the handler that granted a stream to the accept loop that holds its socket: an extension of
/// the response, which must be cloneable and is used once.
#[derive(Clone)]
pub struct OpenStream(Arc<Mutex<Option<Stream>>>);

impl OpenStream {
    pub fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// The stream, the first time.
    pub fn take(&self) -> Option<Stream> {
        self.0.lock().expect("nothing panics while it holds this").take()
    }
}

impl Stream {
    pub const fn new(
        app: App,
        greeting: Bytes,
        subscription: Option<(Subscription, StreamPlace)>,
        expires_at: Option<OffsetDateTime>,
    ) -> Self {
        Self { app, greeting, subscription, expires_at }
    }

    /// Writes until the client goes, its right ends, or the instance leaves.
    pub async fn run(self, socket: TcpStream, head: Bytes) {
        let Self { app, greeting, subscription, expires_at } = self;
        let opening = vec![head, greeting];
        let ended = match subscription {
            None => write(&socket, opening).await.map(|()| Some(ByeReason::Busy)),
            Some((subscription, _place)) => {
                let lasts = expires_at.map(|at| Duration::try_from(at - app.clock.now()).unwrap_or_default());
                Live::new(&app, &socket, subscription, expires_at, lasts).run(opening).await
            }
        };
        match ended {
            Ok(Some(reason)) => {
                metrics::counter!("gapless_streams_ended_total", "reason" => reason.as_str()).increment(1);
                write(&socket, vec![frame::bye(reason)]).await.ok();
                tokio::io::AsyncWriteExt::shutdown(&mut { socket }).await.ok();
            }
            Ok(None) => metrics::counter!("gapless_streams_ended_total", "reason" => "gone").increment(1),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                metrics::counter!("gapless_streams_ended_total", "reason" => "slow").increment(1);
            }
            Err(_) => metrics::counter!("gapless_streams_ended_total", "reason" => "gone").increment(1),
        }
    }
}

/// A stream under way.
struct Live<'a> {
    app: &'a App,
    socket: &'a TcpStream,
    subscription: Subscription,
    expires_at: Option<OffsetDateTime>,
    next_beat: Instant,
    notice_at: Option<Instant>,
    ends_at: Option<Instant>,
    /// Set once the instance leaves: this stream's own moment to close.
    leaves_at: Option<Instant>,
}

impl<'a> Live<'a> {
    fn new(
        app: &'a App,
        socket: &'a TcpStream,
        subscription: Subscription,
        expires_at: Option<OffsetDateTime>,
        lasts: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        Self {
            app,
            socket,
            subscription,
            expires_at,
            next_beat: now + app.config.heartbeat,
            notice_at: lasts.map(|lasts| now + lasts.saturating_sub(EXPIRY_NOTICE)),
            ends_at: lasts.map(|lasts| now + lasts),
            leaves_at: None,
        }
    }

    /// `Ok(None)`: the client is gone.
    async fn run(mut self, opening: Vec<Bytes>) -> io::Result<Option<ByeReason>> {
        write(self.socket, opening).await?;
        let socket = self.socket;
        let leaving = self.app.lifecycle.leaving.cancelled();
        let gone = peer_gone(socket);
        let alarm = tokio::time::sleep_until(self.next_alarm());
        // Made once: each of them stands in somebody's list of waiters, and joining and leaving those lists for
        // every message would cost more than the message.
        tokio::pin!(leaving, gone, alarm);
        loop {
            tokio::select! {
                // Time first: a busy room must not keep a stream beyond its token's end.
                biased;
                () = &mut alarm => {
                    if let Some(reason) = self.on_alarm().await? {
                        return Ok(Some(reason));
                    }
                    alarm.as_mut().reset(self.next_alarm());
                }
                () = &mut leaving, if self.leaves_at.is_none() => {
                    let spread = Lifecycle::spread(self.app.config.drain_grace);
                    self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random()));
                    let retry_ms = rand::rng().random_range(RETRY_MS);
                    write(self.socket, vec![frame::drain(retry_ms)]).await?;
                    alarm.as_mut().reset(self.next_alarm());
                }
                step = self.subscription.next() => match step {
                    Step::Send(frames, sample) => {
                        write(self.socket, frames).await?;
                        if let Some(sample) = sample {
                            sample.is_written(self.app.clock.now());
                        }
                    }
                    Step::Bye(reason) => return Ok(Some(reason)),
                },
                gone = &mut gone => return gone.map(|()| None),
            }
        }
    }

    fn next_alarm(&self) -> Instant {
        [self.notice_at, self.ends_at, self.leaves_at].into_iter().flatten().fold(self.next_beat, Instant::min)
    }

    async fn on_alarm(&mut self) -> io::Result<Option<ByeReason>> {
        let now = Instant::now();
        let due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if due(self.ends_at) {
            return Ok(Some(ByeReason::Expired));
        }
        if due(self.leaves_at) {
            return Ok(Some(ByeReason::Shutdown));
        }
        if due(self.notice_at) {
            self.notice_at = None;
            if let Some(expires_at) = self.expires_at {
                write(self.socket, vec![frame::expiring(expires_at)]).await?;
            }
        }
        if self.next_beat <= now {
            self.next_beat = now + self.app.config.heartbeat;
            match self.subscription.behind_heartbeat() {
                Some(heartbeat) => write(self.socket, vec![heartbeat]).await?,
                None => self.app.realtime.beat(&self.subscription),
            }
        }
        Ok(None)
    }
}

/// Returns when the peer has closed its side. What it sends meanwhile means nothing on a stream.
async fn peer_gone(socket: &TcpStream) -> io::Result<()> {
    loop {
        socket.readable().await?;
        match socket.try_read(&mut [0; 256]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes all of it, in as few system calls as the socket allows.
async fn write(socket: &TcpStream, frames: Vec<Bytes>) -> io::Result<()> {
    let mut rest = &frames[..];
    // Bytes of `rest[0]` that are written already.
    let mut offset = 0;
    while let Some(first) = rest.first() {
        let outcome = if rest.len() == 1 {
            socket.try_write(&first[offset..])
        } else {
            let mut slices = [IoSlice::new(&[]); MOST_SLICES];
            slices[0] = IoSlice::new(&first[offset..]);
            for (slice, frame) in slices[1..].iter_mut().zip(&rest[1..]) {
                *slice = IoSlice::new(frame);
            }
            socket.try_write_vectored(&slices[..rest.len().min(MOST_SLICES)])
        };
        match outcome {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written;
                while let Some(first) = rest.first()
                    && offset >= first.len()
                {
                    offset -= first.len();
                    rest = &rest[1..];
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::timeout(STALL_TIMEOUT, socket.writable()).await??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

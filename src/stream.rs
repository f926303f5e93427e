//! One client's stream: from its subscription to its socket.
//!
//! A stream is a task that owns a socket. Queued frames are sent in one write, without copying: the bytes of an event
//! are the same for all its readers. A reader whose socket accepts no data for [`stall_timeout`] is cut; it resumes
//! from its own cursor, without affecting others. Streams opened in the same second, as after a restart, do not stay
//! synchronised: each has its own phase.

use std::convert::Infallible;
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
use crate::limits::StreamPermit;
use crate::liveness::stall_timeout;
use crate::realtime::frame::{self, ByeReason};
use crate::realtime::subscription::{Step, Subscription};

/// Maximum number of buffers per `writev`; the system accepts 1,024, but more than 64 gain nothing.
const MOST_SLICES: usize = 64;
/// Minimum notice before the token of a stream expires; up to `EXPIRY_SPREAD` is added. Tokens issued in the same
/// second expire together, and simultaneous notices would cause all refreshes at the same moment.
const EXPIRY_NOTICE: Duration = Duration::from_mins(1);
const EXPIRY_SPREAD: Duration = Duration::from_secs(30);
/// Part of a token's remaining life in which no notice is given. Where tokens live little longer than the notice, each
/// stream would otherwise have its token refreshed as soon as it opens.
const QUIET_PART: u32 = 10;
/// Delay before a disconnected browser reconnects, chosen at random for each stream.
pub const RETRY_MS: std::ops::Range<u64> = 500..2_500;

/// A stream that was granted.
pub struct Stream {
    app: App,
    greeting: Bytes,
    /// `None` if there is no capacity: the client is told so and reconnects later.
    subscription: Option<(Subscription, StreamPermit)>,
    expires_at: Option<OffsetDateTime>,
}

/// Passes a stream from the handler that granted it to the accept loop that owns its socket: an extension of the
/// response, which must be `Clone` and is used once.
#[derive(Clone)]
pub struct OpenStream(Arc<Mutex<Option<Stream>>>);

impl OpenStream {
    pub fn new(stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(Some(stream))))
    }

    /// Returns the stream on the first call only.
    pub fn take(&self) -> Option<Stream> {
        self.0.lock().expect("nothing panics while it holds this").take()
    }
}

impl Stream {
    pub const fn new(
        app: App,
        greeting: Bytes,
        subscription: Option<(Subscription, StreamPermit)>,
        expires_at: Option<OffsetDateTime>,
    ) -> Self {
        Self { app, greeting, subscription, expires_at }
    }

    /// Runs until the client disconnects, loses its right to the stream, or the instance shuts down.
    pub async fn run(self, socket: TcpStream, head: Bytes) {
        let Self { app, greeting, subscription, expires_at } = self;
        let opening = vec![head, greeting];
        let writer = Writer { socket: &socket, stall_timeout: stall_timeout(app.config.heartbeat) };
        let ended = match subscription {
            None => writer.write(opening).await.map_or_else(|ended| ended, |()| Ended::Bye(ByeReason::Busy)),
            Some((subscription, _permit)) => {
                let lasts = expires_at.map(|at| Duration::try_from(at - app.clock.now()).unwrap_or_default());
                let live = Live::new(&app, writer, expires_at, lasts);
                match live.run(opening, &subscription).await {
                    Ok(never) => match never {},
                    Err(ended) => ended,
                }
            }
        };
        metrics::counter!("gapless_streams_ended_total", "reason" => ended.reason()).increment(1);
        if let Ended::Bye(reason) = ended {
            writer.write(vec![frame::bye(reason)]).await.ok();
            tokio::io::AsyncWriteExt::shutdown(&mut { socket }).await.ok();
        }
    }
}

/// Reason why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Ended by the server, which sends `bye`.
    Bye(ByeReason),
    /// The client closed it, or the kernel found no peer: see [`crate::liveness`].
    Gone,
    /// The client is connected but does not read.
    Slow,
}

impl Ended {
    const fn reason(self) -> &'static str {
        match self {
            Self::Bye(reason) => reason.as_str(),
            Self::Gone => "gone",
            Self::Slow => "slow",
        }
    }
}

/// Whatever error the kernel reports, including its own timeout (`ETIMEDOUT`), the client is gone.
impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// A running stream.
struct Live<'a> {
    app: &'a App,
    writer: Writer<'a>,
    expires_at: Option<OffsetDateTime>,
    next_beat: Instant,
    notice_at: Option<Instant>,
    ends_at: Option<Instant>,
    /// Set once the instance is shutting down: when this stream closes.
    leaves_at: Option<Instant>,
}

impl<'a> Live<'a> {
    fn new(app: &'a App, writer: Writer<'a>, expires_at: Option<OffsetDateTime>, lasts: Option<Duration>) -> Self {
        let now = Instant::now();
        let notice = EXPIRY_NOTICE + EXPIRY_SPREAD.mul_f64(rand::rng().random());
        Self {
            app,
            writer,
            expires_at,
            next_beat: now + app.config.heartbeat.mul_f64(rand::rng().random()),
            notice_at: lasts.map(|lasts| now + lasts.saturating_sub(notice).max(lasts / QUIET_PART)),
            ends_at: lasts.map(|lasts| now + lasts),
            leaves_at: None,
        }
    }

    async fn run(mut self, opening: Vec<Bytes>, subscription: &Subscription) -> Result<Infallible, Ended> {
        self.writer.write(opening).await?;
        let socket = self.writer.socket;
        let leaving = self.app.lifecycle.leaving.cancelled();
        let gone = peer_gone(socket);
        let alarm = tokio::time::sleep_until(self.next_alarm());
        // Created once: each is an entry in a list of waiters, and adding and removing these entries for every message
        // would cost more than the message. A step that waits for its turn to read the log keeps it across heartbeats.
        let step = subscription.next();
        tokio::pin!(leaving, gone, alarm, step);
        loop {
            tokio::select! {
                // Timers first: a busy room must not keep a stream open after its token has expired.
                biased;
                () = &mut alarm => {
                    self.on_alarm(subscription).await?;
                    alarm.as_mut().reset(self.next_alarm());
                }
                () = &mut leaving, if self.leaves_at.is_none() => {
                    let spread = Lifecycle::spread(self.app.config.drain_grace);
                    self.leaves_at = Some(Instant::now() + spread.mul_f64(rand::rng().random()));
                    let retry_ms = rand::rng().random_range(RETRY_MS);
                    self.writer.write(vec![frame::drain(retry_ms)]).await?;
                    alarm.as_mut().reset(self.next_alarm());
                }
                next = &mut step => match next {
                    Step::Send(frames, sample) => {
                        step.set(subscription.next());
                        self.writer.write(frames).await?;
                        if let Some(sample) = sample {
                            sample.is_written(self.app.clock.now());
                        }
                    }
                    Step::Bye(reason) => return Err(Ended::Bye(reason)),
                },
                () = &mut gone => return Err(Ended::Gone),
            }
        }
    }

    fn next_alarm(&self) -> Instant {
        [self.notice_at, self.ends_at, self.leaves_at].into_iter().flatten().fold(self.next_beat, Instant::min)
    }

    async fn on_alarm(&mut self, subscription: &Subscription) -> Result<(), Ended> {
        let now = Instant::now();
        let due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        if due(self.ends_at) {
            return Err(Ended::Bye(ByeReason::Expired));
        }
        if due(self.leaves_at) {
            return Err(Ended::Bye(ByeReason::Shutdown));
        }
        if due(self.notice_at) {
            self.notice_at = None;
            if let Some(expires_at) = self.expires_at {
                self.writer.write(vec![frame::expiring(expires_at)]).await?;
            }
        }
        if self.next_beat <= now {
            self.next_beat = next_in_phase(self.next_beat, self.app.config.heartbeat, now);
            match subscription.behind_heartbeat() {
                Some(heartbeat) => self.writer.write(vec![heartbeat]).await?,
                None => self.app.realtime.beat(subscription),
            }
        }
        Ok(())
    }
}

/// Returns the first moment after `now` that is a whole number of intervals after `due`. Counting from `now` would
/// permanently align all streams of an instance that was paused.
fn next_in_phase(due: Instant, interval: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos() % interval.as_nanos().max(1);
    now + interval - Duration::from_nanos(u64::try_from(late).expect("it is below an interval"))
}

/// Returns when the peer has closed its side or is gone. Bytes that it sends on a stream are discarded.
async fn peer_gone(socket: &TcpStream) {
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut [0; 256]) {
            Ok(read) if read > 0 => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// Writes to a stream's socket.
#[derive(Clone, Copy)]
struct Writer<'a> {
    socket: &'a TcpStream,
    stall_timeout: Duration,
}

impl Writer<'_> {
    /// Writes all frames, in as few system calls as the socket allows.
    async fn write(self, frames: Vec<Bytes>) -> Result<(), Ended> {
        let mut rest = &frames[..];
        // Number of bytes of `rest[0]` that are already written.
        let mut offset = 0;
        while let Some(first) = rest.first() {
            let outcome = if rest.len() == 1 {
                self.socket.try_write(&first[offset..])
            } else {
                let mut slices = [IoSlice::new(&[]); MOST_SLICES];
                slices[0] = IoSlice::new(&first[offset..]);
                for (slice, frame) in slices[1..].iter_mut().zip(&rest[1..]) {
                    *slice = IoSlice::new(frame);
                }
                self.socket.try_write_vectored(&slices[..rest.len().min(MOST_SLICES)])
            };
            match outcome {
                Ok(0) => return Err(Ended::Gone),
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
                    let writable = tokio::time::timeout(self.stall_timeout, self.socket.writable());
                    writable.await.map_err(|_| Ended::Slow)??;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_survives_a_pause() {
        let (due, interval) = (Instant::now(), Duration::from_secs(15));
        for (late, next) in [(0, 15_000), (3, 15_000), (14_999, 15_000), (15_000, 30_000), (40_000, 45_000)] {
            let at = next_in_phase(due, interval, due + Duration::from_millis(late));
            assert_eq!(at - due, Duration::from_millis(next), "{late} ms late");
        }
    }
}

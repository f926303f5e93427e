//! The backplane over Redis: one channel, one subscription per instance, one publication per batch.
//!
//! It manages two connections itself. The subscriber reconnects for ever, and receives its own probes: silence means
//! that the subscription is dead, or that this user may not publish, whatever the connection's state. The publisher
//! drops messages that it cannot send at once. Posts never wait for either. A publication is accepted if it is
//! [signed](super::seal); any other is a hint to check the log.

mod log_throttle;
pub mod rights;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, Value};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::log_throttle::LogThrottle;
use super::seal::{self, Opened, Seal};
use super::{Backplane, Bulletin, Envelope, Heard, Hints, Inbox};
use crate::clock::Clock;
use crate::id::InstanceId;
use crate::telemetry::trace::Trace;

/// Capacity of the queue of bulletins to send. Full means that Redis is down or hangs; the others read the log.
const OUTBOX: usize = 256;
/// Capacity of the queue of received envelopes, and of that of raw messages.
const INBOX: usize = 1024;
/// Maximum number of bytes of queued raw messages. Reached only during a flood; dropped news is recovered by its
/// position.
const INBOX_BYTES: usize = 32 << 20;
/// Timeout for an answer of Redis, after which the connection is replaced.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval of probes, which an instance publishes only to receive them itself.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// Silence after which the subscription counts as dead. With the probes and the time to connect, a dead one is
/// found within 5 s.
const SILENCE: Duration = Duration::from_millis(3500);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends bulletins of this instance.
#[derive(Debug, Clone)]
pub struct Publisher {
    outbox: mpsc::Sender<(Trace, Bulletin)>,
    is_connected: Arc<AtomicBool>,
}

impl Publisher {
    pub(super) fn send(&self, trace: Trace, bulletin: Bulletin) {
        if self.outbox.try_send((trace, bulletin)).is_err() {
            metrics::counter!("gapless_backplane_dropped_total").increment(1);
        }
    }

    pub(super) fn send_if_idle(&self, bulletin: Bulletin) {
        if self.outbox.capacity() > OUTBOX / 2 {
            self.send(Trace::default(), bulletin);
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }
}

/// Parameters of both tasks.
#[derive(Clone)]
struct Link {
    client: Client,
    channel: Arc<str>,
    seal: Seal,
    instance: InstanceId,
    /// Changes when the database's history does.
    epoch: watch::Receiver<Arc<str>>,
    hints: Arc<Hints>,
    /// True while this instance receives its own probes.
    is_connected: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// Parameters with which this instance joins the others.
pub struct Joining {
    /// Signs this instance's news and verifies that of the others.
    pub seal: Seal,
    /// Identifies this chat, so that two chats can share one Redis.
    pub chat: Arc<str>,
    pub instance: InstanceId,
    pub epoch: watch::Receiver<Arc<str>>,
    pub hints: Arc<Hints>,
}

/// Returns the channel name of a chat.
pub fn channel(chat: &str) -> String {
    format!("gapless:{chat}")
}

/// Builds a client that receives pushed publications.
///
/// # Errors
/// When `connection` is not a Redis URL.
pub fn client(connection: &SecretString) -> anyhow::Result<Client> {
    let info = connection.expose_secret().into_connection_info().context(
        "REDIS_CONNECTION is not a Redis URL (redis://[user:password@]host[:port][/database], or rediss:// for TLS)",
    )?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).context("REDIS_CONNECTION")
}

/// Joins the others. If Redis is down, joins as soon as it is available.
///
/// # Errors
/// When `connection` is not a Redis URL.
pub fn join(
    connection: &SecretString,
    Joining { seal, chat, instance, epoch, hints }: Joining,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(Backplane, Inbox)> {
    let client = client(connection)?;
    let is_connected = Arc::new(AtomicBool::new(false));
    metrics::gauge!("gapless_backplane_connected").set(0);
    let (channel, stop) = (channel(&chat).into(), stop.clone());
    let link = Link { client, channel, seal, instance, epoch, hints, is_connected: Arc::clone(&is_connected), stop };
    let (outbox, to_send) = mpsc::channel(OUTBOX);
    let (heard, inbox) = mpsc::channel(INBOX);
    tasks.spawn(publish(link.clone(), to_send));
    tasks.spawn(subscribe(link, heard, outbox.clone()));
    Ok((Backplane::Redis(Publisher { outbox, is_connected }), inbox))
}

impl Link {
    async fn connect(&self, config: AsyncConnectionConfig) -> anyhow::Result<MultiplexedConnection> {
        let config = config.set_connection_timeout(Some(ANSWER_TIMEOUT)).set_response_timeout(Some(ANSWER_TIMEOUT));
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }

    fn seal(&self, trace: Trace, bulletin: Bulletin) -> Vec<u8> {
        let epoch = self.epoch.borrow().to_string();
        let sent_at_ms = Some(seal::milliseconds(Clock::System.now()));
        self.seal.seal(Envelope { from: self.instance, epoch, bulletin, trace: trace.to_news(), sent_at_ms })
    }

    /// Called when this instance receives its own probe: publishing and receiving both work.
    fn hears_itself(&self) {
        if !self.is_connected.swap(true, Ordering::Relaxed) {
            metrics::gauge!("gapless_backplane_connected").set(1);
            tracing::info!("connected to the other instances through Redis");
        }
    }
}

/// Publishes until `stop`, and then the bulletins that are still queued, so that the goodbye is sent.
async fn publish(link: Link, mut to_send: mpsc::Receiver<(Trace, Bulletin)>) {
    let mut connection = None;
    let mut throttle = LogThrottle::default();
    loop {
        let bulletin = tokio::select! {
            biased;
            bulletin = to_send.recv() => bulletin,
            () = link.stop.cancelled() => return,
        };
        let Some((trace, bulletin)) = bulletin else { return };
        if connection.is_none() {
            connection = link.connect(AsyncConnectionConfig::new()).await.ok();
        }
        let Some(open) = &mut connection else {
            // News queued during this attempt is outdated; the others read it from the log.
            while to_send.try_recv().is_ok() {}
            tokio::time::sleep(FIRST_PAUSE).await;
            continue;
        };
        let sent: redis::RedisResult<i64> =
            redis::cmd("PUBLISH").arg(&*link.channel).arg(link.seal(trace, bulletin)).query_async(open).await;
        match sent {
            Ok(_) => {
                metrics::counter!("gapless_backplane_published_total").increment(1);
                throttle.settle();
            }
            Err(error) => {
                metrics::counter!("gapless_backplane_dropped_total").increment(1);
                let refusal = rights::refusal(&error, "PUBLISH", &link.channel);
                if refusal.is_none() {
                    connection = None;
                }
                let reason = refusal.unwrap_or_else(|| error.to_string());
                if throttle.is_new(&reason) {
                    tracing::warn!(
                        reason,
                        "cannot publish events to Redis; the other instances read them from the log"
                    );
                }
            }
        }
    }
}

/// Receives until `stop`, and reconnects whenever the connection is lost.
async fn subscribe(link: Link, heard: mpsc::Sender<Heard>, outbox: mpsc::Sender<(Trace, Bulletin)>) {
    let mut pause = FIRST_PAUSE;
    let mut throttle = LogThrottle::default();
    loop {
        let listening = listen(&link, &heard, &outbox);
        let Some(ended) = link.stop.run_until_cancelled(listening).await else { return };
        if link.is_connected.swap(false, Ordering::Relaxed) {
            pause = FIRST_PAUSE;
            throttle.settle();
        }
        metrics::gauge!("gapless_backplane_connected").set(0);
        if let Err(error) = ended {
            let reason = format!("{error:#}");
            if throttle.is_new(&reason) {
                tracing::warn!(
                    reason,
                    "no connection to the other instances through Redis; reading the log instead and reconnecting"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Runs one subscription until it fails.
async fn listen(
    link: &Link,
    heard: &mpsc::Sender<Heard>,
    outbox: &mpsc::Sender<(Trace, Bulletin)>,
) -> anyhow::Result<()> {
    let (sink, mut pushed) = mpsc::channel::<PushInfo>(INBOX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let mut connection =
        link.connect(push_into(sink, Arc::clone(&waiting), link)).await.context("cannot connect to Redis")?;
    if let Err(error) = connection.subscribe(&*link.channel).await {
        anyhow::bail!(rights::refusal(&error, "SUBSCRIBE", &link.channel).unwrap_or_else(|| error.to_string()));
    }
    heard.send(Heard::Joined).await.ok();

    let mut probe = tokio::time::interval(PROBE_EVERY);
    let mut dead_at = tokio::time::Instant::now() + SILENCE;
    loop {
        tokio::select! {
            _ = probe.tick() => drop(outbox.try_send((Trace::default(), Bulletin::Probe))),
            () = tokio::time::sleep_until(dead_at) => anyhow::bail!("no probe was received in time"),
            push = pushed.recv() => match push {
                Some(push) if push.kind == PushKind::Message => {
                    let Some(payload) = payload(&push) else { continue };
                    waiting.fetch_sub(payload.len(), Ordering::Relaxed);
                    let Some(envelope) = open(link, payload) else { continue };
                    if envelope.from == link.instance {
                        dead_at = tokio::time::Instant::now() + SILENCE;
                        link.hears_itself();
                    } else if heard.try_send(Heard::Envelope(envelope)).is_err() {
                        metrics::counter!("gapless_news_dropped_total").increment(1);
                    }
                }
                Some(push) if push.kind == PushKind::Disconnection => anyhow::bail!("the connection was closed"),
                Some(_) => {}
                None => anyhow::bail!("the connection was closed"),
            },
        }
    }
}

/// Queues pushes in `sink`. A push that does not fit is dropped and recovered by its position; one longer than any of
/// ours is not kept at all.
fn push_into(sink: mpsc::Sender<PushInfo>, waiting: Arc<AtomicUsize>, link: &Link) -> AsyncConnectionConfig {
    let hints = Arc::clone(&link.hints);
    AsyncConnectionConfig::new().set_push_sender(move |push: PushInfo| {
        let length = if push.kind == PushKind::Message { payload(&push).map_or(0, <[u8]>::len) } else { 0 };
        if length > seal::MOST_BYTES {
            hint(&hints);
        } else if waiting.fetch_add(length, Ordering::Relaxed) + length > INBOX_BYTES || sink.try_send(push).is_err() {
            waiting.fetch_sub(length, Ordering::Relaxed);
            metrics::counter!("gapless_news_dropped_total").increment(1);
        }
        // An error would end all pushes of this connection.
        Ok::<(), redis::aio::SendError>(())
    })
}

fn payload(push: &PushInfo) -> Option<&[u8]> {
    match push.data.last() {
        Some(Value::BulkString(payload)) => Some(payload),
        _ => None,
    }
}

/// Returns the envelope if an instance of this chat signed it. Any other publication may come from the previous
/// release, and is a hint to check the log.
fn open(link: &Link, payload: &[u8]) -> Option<Envelope> {
    match link.seal.open(payload, Clock::System.now()) {
        Opened::Ours(envelope) => Some(envelope),
        Opened::Unknown => None,
        Opened::Stale => {
            metrics::counter!("gapless_backplane_garbage_total").increment(1);
            tracing::debug!("ignoring a signed Redis message that is more than a minute old");
            None
        }
        Opened::Unsigned => {
            hint(&link.hints);
            None
        }
    }
}

fn hint(hints: &Hints) {
    metrics::counter!("gapless_backplane_garbage_total").increment(1);
    hints.hear_a_stranger();
}

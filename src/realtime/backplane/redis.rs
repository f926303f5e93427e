//! The backplane over Redis: one channel, one subscription per instance, one publication per batch.
//!
//! Two connections of our own keeping. The subscriber reconnects for ever, and hears its own probes: silence
//! means that the subscription is dead, whatever the connection believes. The publisher drops what it cannot send
//! at once. Neither is ever awaited by a post.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, Value};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Backplane, Bulletin, Envelope, Heard, Inbox, InstanceId};
use crate::telemetry::trace::Trace;

/// Bulletins waiting to be sent. Full means that Redis is away or hangs; the others read the log.
const OUTBOX: usize = 256;
/// Envelopes waiting for the applier, and raw messages waiting to be read.
const INBOX: usize = 1024;
/// An answer of Redis; beyond it the connection is given up and made anew.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an instance says something only to hear itself.
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

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }
}

/// What both tasks need to know.
#[derive(Clone)]
struct Link {
    client: Client,
    channel: Arc<str>,
    instance: InstanceId,
    /// Changes when the database's history does.
    epoch: watch::Receiver<Arc<str>>,
    is_connected: Arc<AtomicBool>,
    stop: CancellationToken,
}

/// Joins the others. `chat` names this chat, so that two may share one Redis; Redis may be away, and is joined
/// when it comes.
///
/// # Errors
/// When `connection` is not a Redis URL.
pub fn join(
    connection: &SecretString,
    chat: &str,
    instance: InstanceId,
    epoch: watch::Receiver<Arc<str>>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(Backplane, Inbox)> {
    let info = connection.expose_secret().into_connection_info().context(
        "REDIS_CONNECTION is not a Redis URL (redis://[user:password@]host[:port][/database], or rediss:// for TLS)",
    )?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(info.set_redis_settings(settings)).context("REDIS_CONNECTION")?;
    let is_connected = Arc::new(AtomicBool::new(false));
    let channel = format!("gapless:{chat}").into();
    let link = Link { client, channel, instance, epoch, is_connected: Arc::clone(&is_connected), stop: stop.clone() };
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
        serde_json::to_vec(&Envelope { from: self.instance, epoch, bulletin, trace: trace.to_news() })
            .expect("these types have string keys and write to memory")
    }
}

/// Sends until told to stop, and then what is still waiting, so that a farewell is heard.
async fn publish(link: Link, mut to_send: mpsc::Receiver<(Trace, Bulletin)>) {
    let mut connection = None;
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
            // What waited for this attempt is old by now; the log has it.
            while to_send.try_recv().is_ok() {}
            tokio::time::sleep(FIRST_PAUSE).await;
            continue;
        };
        let sent: redis::RedisResult<i64> =
            redis::cmd("PUBLISH").arg(&*link.channel).arg(link.seal(trace, bulletin)).query_async(open).await;
        if let Err(error) = sent {
            tracing::warn!(%error, "news could not be sent; others read it from the log");
            metrics::counter!("gapless_backplane_dropped_total").increment(1);
            connection = None;
        } else {
            metrics::counter!("gapless_backplane_published_total").increment(1);
        }
    }
}

/// Listens until told to stop, whatever becomes of the connection.
async fn subscribe(link: Link, heard: mpsc::Sender<Heard>, outbox: mpsc::Sender<(Trace, Bulletin)>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let listening = listen(&link, &heard, &outbox);
        let Some(ended) = link.stop.run_until_cancelled(listening).await else { return };
        let was_connected = link.is_connected.swap(false, Ordering::Relaxed);
        metrics::gauge!("gapless_backplane_connected").set(0);
        if was_connected {
            pause = FIRST_PAUSE;
        }
        if let Err(error) = ended {
            tracing::warn!(error = format!("{error:#}"), "the backplane is away; reading the log instead");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One subscription, from its beginning to its end.
async fn listen(
    link: &Link,
    heard: &mpsc::Sender<Heard>,
    outbox: &mpsc::Sender<(Trace, Bulletin)>,
) -> anyhow::Result<()> {
    let (sink, mut pushed) = mpsc::channel::<PushInfo>(INBOX);
    // A push that does not fit is dropped, and found missing by its position.
    let config = AsyncConnectionConfig::new().set_push_sender(move |push| {
        let is_room = sink.try_send(push).is_ok();
        if is_room { Ok(()) } else { Ok::<(), redis::aio::SendError>(()) }
    });
    let mut connection = link.connect(config).await.context("connecting to Redis")?;
    connection.subscribe(&*link.channel).await.context("subscribing")?;
    link.is_connected.store(true, Ordering::Relaxed);
    metrics::gauge!("gapless_backplane_connected").set(1);
    tracing::info!("the backplane is joined");
    heard.send(Heard::Joined).await.ok();

    let mut probe = tokio::time::interval(PROBE_EVERY);
    let mut dead_at = tokio::time::Instant::now() + SILENCE;
    loop {
        tokio::select! {
            _ = probe.tick() => drop(outbox.try_send((Trace::default(), Bulletin::Probe))),
            () = tokio::time::sleep_until(dead_at) => anyhow::bail!("the subscription is silent"),
            push = pushed.recv() => match push {
                Some(push) if push.kind == PushKind::Message => {
                    let Some(envelope) = open(&push) else { continue };
                    if envelope.from == link.instance {
                        dead_at = tokio::time::Instant::now() + SILENCE;
                    } else if heard.try_send(Heard::Envelope(envelope)).is_err() {
                        metrics::counter!("gapless_news_dropped_total").increment(1);
                    }
                }
                Some(push) if push.kind == PushKind::Disconnection => anyhow::bail!("the connection is gone"),
                Some(_) => {}
                None => anyhow::bail!("the connection is gone"),
            },
        }
    }
}

/// What was published, if it is ours to read: on a shared Redis anybody may write to a channel.
fn open(push: &PushInfo) -> Option<Envelope> {
    let Some(Value::BulkString(payload)) = push.data.last() else { return None };
    serde_json::from_slice(payload)
        .inspect_err(|error| {
            metrics::counter!("gapless_backplane_garbage_total").increment(1);
            tracing::debug!(%error, "a bulletin that is none");
        })
        .ok()
}

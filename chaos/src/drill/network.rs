//! Healthy streams on realistic networks, none of which may be cut, and a laptop whose lid is closed for minutes.
//!
//! Everything runs in a separate network namespace, in which [`wire`]s delay and lose packets: the drill needs root and
//! Linux' TUN device, and is skipped without them.

mod suspended_laptop;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use gapless_client::http::EventStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::wire::{BadWire, Conditions};
use super::load::{create_environment, finish};
use super::post::post_in_room;
use super::result_table::Goal;
use super::{DrillOptions, ResultTable};
use crate::environment::{Environment, Workload};
use crate::schedule::INSTANCES;

const WORKLOAD: Workload = Workload { rooms: 20, rate: 1.0, silence_timeout: Duration::from_secs(20) };
/// Production settings, but reachable from outside the loopback.
const SETTINGS: &[(&str, &str)] = &[
    ("HOST", "0.0.0.0"),
    ("ACCESS_TOKEN_TTL_SECS", "900"),
    ("HEARTBEAT_SECS", "15"),
    ("DB_POOL_SIZE", "20"),
    ("DRAIN_GRACE_SECS", "12"),
    ("REPLAY_RING_BYTES", "67108864"),
];
/// Timeout for opening a stream over the worst of these networks.
const OPEN_TIMEOUT: Duration = Duration::from_mins(1);
/// Timeout for a message over the worst of these networks.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
const LOOPBACK_STREAMS: usize = 5_000;
/// Longer than keepalive timers of 8 s, as an earlier release had them.
const POST_EVERY: Duration = Duration::from_secs(14);

/// Network conditions for healthy streams.
struct Network {
    name: &'static str,
    /// `None`: the loopback itself, whose backlog is 1,000 packets.
    conditions: Option<Conditions>,
    streams: usize,
    lasts: Duration,
    /// Interval and length of periodic pauses without any packets.
    pause: Option<(Duration, Duration)>,
}

const fn conditions(delay_ms: f64, jitter_ms: f64, loss_percent: f64) -> Conditions {
    Conditions { delay_ms, jitter_ms, loss_percent }
}

const fn network(name: &'static str, conditions: Option<Conditions>, streams: usize, secs: u64) -> Network {
    Network { name, conditions, streams, lasts: Duration::from_secs(secs), pause: None }
}

const NETWORKS: [Network; 6] = [
    network("2 % loss, 150 ± 100 ms", Some(conditions(150.0, 100.0, 2.0)), 200, 90),
    network("round trips of 2.4 s", Some(conditions(1_200.0, 0.0, 0.0)), 200, 90),
    network("10 % loss, 50 ms", Some(conditions(50.0, 0.0, 10.0)), 200, 90),
    network("loopback, timers due together", None, LOOPBACK_STREAMS, 90),
    network("0.5 % loss", Some(conditions(20.0, 5.0, 0.5)), 100, 300),
    Network {
        pause: Some((Duration::from_secs(37), Duration::from_secs(2))),
        ..network("a pause of 2 s every 37 s", Some(conditions(20.0, 5.0, 0.0)), 100, 300)
    },
];

/// Results of the streams on one network.
#[derive(Debug, Default)]
struct Outcome {
    opened: u64,
    cut: u64,
    /// Streams that were not cut and received the final message.
    received: u64,
}

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let env = create_environment(options, SETTINGS, WORKLOAD).await?;
    let mut networks = JoinSet::new();
    for (number, network) in (0..).zip(NETWORKS) {
        let streams =
            if network.conditions.is_none() { options.streams.unwrap_or(network.streams) } else { network.streams };
        let network = Network { streams, ..network };
        networks.spawn(run_network(Arc::clone(&env), number, network));
    }
    let laptops = suspended_laptop::suspend_both(&env, options.lid).await?;
    let mut outcomes = Vec::new();
    while let Some(outcome) = networks.join_next().await {
        outcomes.push(outcome.expect("a network does not panic")?);
    }
    outcomes.sort_by_key(|(number, _, _)| *number);

    let mut results = ResultTable::default();
    #[expect(clippy::cast_precision_loss, reason = "there are some thousand streams")]
    for (_, network, outcome) in outcomes {
        let Network { name, streams, lasts, .. } = network;
        let all = Goal::AtLeast(streams as f64);
        results.count(&format!("{name}: streams for {} s", lasts.as_secs()), outcome.opened, all);
        results.count(&format!("{name}: cut"), outcome.cut, Goal::ZERO);
        results.count(&format!("{name}: received the final message"), outcome.received, all);
    }
    for laptop in laptops {
        laptop.report(&mut results, options.lid);
    }
    finish(env, options, &mut results).await?;
    Ok(results)
}

/// Opens idle streams over a network, all at once, watches them, and posts a final message to the remaining ones.
async fn run_network(env: Arc<Environment>, number: u8, network: Network) -> anyhow::Result<(u8, Network, Outcome)> {
    let mut wire = match network.conditions {
        Some(conditions) => Some(BadWire::create(number, conditions).await?),
        None => None,
    };
    let room = env.rooms[usize::from(number)];
    let posted = watch::Sender::new(false);
    let mut streams = JoinSet::new();
    for n in 0..network.streams {
        let at = env.cluster.instances[n % INSTANCES].address;
        let address = wire.as_ref().map_or(at, |wire| wire.to(at.port()));
        let (posted, mut is_due) = (posted.subscribe(), posted.subscribe());
        streams.spawn(async move {
            let query = format!("room={room}");
            let opening = EventStream::open(address, &query, None, None);
            let Ok(Ok(mut stream)) = tokio::time::timeout(OPEN_TIMEOUT, opening).await else { return (false, false) };
            let timeout = async {
                is_due.wait_for(|posted| *posted).await.ok();
                tokio::time::sleep(MESSAGE_TIMEOUT).await;
            };
            tokio::pin!(timeout);
            loop {
                let event = tokio::select! {
                    event = stream.next() => event,
                    () = &mut timeout => return (true, false),
                };
                match event {
                    Ok(event) if event.name == "message.posted" && *posted.borrow() => return (true, true),
                    Ok(_) => {}
                    Err(_) => return (true, false),
                }
            }
        });
    }
    let ends_at = Instant::now() + network.lasts;
    let mut outcome = Outcome::default();
    let mut count = |(opened, received): (bool, bool)| {
        outcome.opened += u64::from(opened);
        outcome.received += u64::from(received);
        outcome.cut += u64::from(opened && !received);
    };
    let pausing = pause_periodically(wire.as_mut(), network.conditions, network.pause);
    let posting = post_periodically(&env, number, network.conditions.is_none());
    tokio::pin!(pausing, posting);
    loop {
        tokio::select! {
            Some(ended) = streams.join_next() => count(ended.expect("a reader does not panic")),
            paused = &mut pausing => paused?,
            posted = &mut posting => posted?,
            () = tokio::time::sleep_until(ends_at) => break,
        }
    }
    posted.send_replace(true);
    post_in_room(&env, usize::from(number)).await?;
    while let Some(ended) = streams.join_next().await {
        count(ended.expect("a reader does not panic"));
    }
    Ok((number, network, outcome))
}

/// Blocks all packets periodically, for as long as it is polled.
async fn pause_periodically(
    wire: Option<&mut BadWire>,
    usual: Option<Conditions>,
    pause: Option<(Duration, Duration)>,
) -> anyhow::Result<()> {
    if let (Some(wire), Some(usual), Some((every, lasts))) = (wire, usual, pause) {
        loop {
            tokio::time::sleep(every.saturating_sub(lasts)).await;
            wire.change(Conditions { loss_percent: 100.0, ..usual }).await?;
            tokio::time::sleep(lasts).await;
            wire.change(usual).await?;
        }
    }
    std::future::pending().await
}

/// Posts a message periodically on networks without a wire. All streams acknowledge it at the same moment, so that their
/// keepalive timers expire together.
async fn post_periodically(env: &Environment, number: u8, is_wanted: bool) -> anyhow::Result<()> {
    if !is_wanted {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(POST_EVERY).await;
        post_in_room(env, usize::from(number)).await?;
    }
}

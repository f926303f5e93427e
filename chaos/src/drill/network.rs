//! Healthy streams on realistic networks: none may be cut. Also a laptop whose lid is closed for minutes.
//!
//! Everything runs in a separate network namespace, in which [`wire`]s delay and lose packets: the drill needs root and
//! Linux' TUN device, and is skipped without them.

mod lid;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gapless_client::http::EventStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::wire::{BadWire, Conditions};
use super::load::set_stage;
use super::post::post;
use super::sheet::Goal;
use super::{Course, Sheet};
use crate::run::close;
use crate::schedule::INSTANCES;
use crate::stage::{Cast, Phase, Stage};

const CAST: Cast = Cast { rooms: 20, rate: 1.0, silence: Duration::from_secs(20) };
/// Production settings, but reachable from outside the loopback.
const SETTINGS: &[(&str, &str)] = &[
    ("HOST", "0.0.0.0"),
    ("ACCESS_TOKEN_TTL_SECS", "900"),
    ("HEARTBEAT_SECS", "15"),
    ("DB_POOL_SIZE", "20"),
    ("DRAIN_GRACE_SECS", "12"),
    ("REPLAY_RING_BYTES", "67108864"),
];
/// Maximum time until the greeting over the worst of these networks.
const GREETED_WITHIN: Duration = Duration::from_mins(1);
/// Maximum time until a message over the worst of these networks.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
const LOOPBACK_STREAMS: usize = 5_000;
/// Longer than keepalive timers of 8 s, as an earlier release had them.
const SPOKEN_EVERY: Duration = Duration::from_secs(14);

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
    greeted: u64,
    cut: u64,
    /// Streams that were not cut and received a message afterwards.
    heard: u64,
}

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let stage = set_stage(course, SETTINGS, CAST).await?;
    let mut networks = JoinSet::new();
    for (number, network) in (0..).zip(NETWORKS) {
        let streams =
            if network.conditions.is_none() { course.streams.unwrap_or(network.streams) } else { network.streams };
        let network = Network { streams, ..network };
        networks.spawn(endure(Arc::clone(&stage), number, network));
    }
    let lids = lid::close_and_open(&stage, course.lid).await?;
    let mut outcomes = Vec::new();
    while let Some(outcome) = networks.join_next().await {
        outcomes.push(outcome.expect("a network does not panic")?);
    }
    outcomes.sort_by_key(|(number, _, _)| *number);

    let mut sheet = Sheet::default();
    #[expect(clippy::cast_precision_loss, reason = "there are some thousand streams")]
    for (_, network, outcome) in outcomes {
        let Network { name, streams, lasts, .. } = network;
        let all = Goal::AtLeast(streams as f64);
        sheet.count(&format!("{name}: streams for {} s", lasts.as_secs()), outcome.greeted, all);
        sheet.count(&format!("{name}: cut"), outcome.cut, Goal::ZERO);
        sheet.count(&format!("{name}: heard a message after"), outcome.heard, all);
    }
    for lid in lids {
        lid.report(&mut sheet, course.lid);
    }
    stage.phase.send_replace(Phase::Over);
    let findings = close(stage, course.dir).await?;
    sheet.judge(&findings);
    Ok(sheet)
}

/// Opens quiet streams over a network, all at once, watches them, and posts one message to the remaining ones.
async fn endure(stage: Arc<Stage>, number: u8, network: Network) -> anyhow::Result<(u8, Network, Outcome)> {
    let mut wire = match network.conditions {
        Some(conditions) => Some(BadWire::lay(number, conditions).await?),
        None => None,
    };
    let room = stage.rooms[usize::from(number)];
    let posted = watch::Sender::new(false);
    let mut streams = JoinSet::new();
    for n in 0..network.streams {
        let at = stage.cluster.instances[n % INSTANCES].address;
        let address = wire.as_ref().map_or(at, |wire| wire.to(at.port()));
        let (posted, mut is_due) = (posted.subscribe(), posted.subscribe());
        streams.spawn(async move {
            let query = format!("room={room}");
            let opening = EventStream::open(address, &query, None, None);
            let Ok(Ok(mut stream)) = tokio::time::timeout(GREETED_WITHIN, opening).await else { return (false, false) };
            let too_late = async {
                is_due.wait_for(|posted| *posted).await.ok();
                tokio::time::sleep(HEARD_WITHIN).await;
            };
            tokio::pin!(too_late);
            loop {
                let event = tokio::select! {
                    event = stream.next() => event,
                    () = &mut too_late => return (true, false),
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
    let mut count = |(greeted, heard): (bool, bool)| {
        outcome.greeted += u64::from(greeted);
        outcome.heard += u64::from(heard);
        outcome.cut += u64::from(greeted && !heard);
    };
    let pausing = pause(wire.as_mut(), network.conditions, network.pause);
    let speaking = speak(&stage, number, network.conditions.is_none());
    tokio::pin!(pausing, speaking);
    loop {
        tokio::select! {
            Some(ended) = streams.join_next() => count(ended.expect("a reader does not panic")),
            paused = &mut pausing => paused?,
            spoken = &mut speaking => spoken?,
            () = tokio::time::sleep_until(ends_at) => break,
        }
    }
    posted.send_replace(true);
    say(&stage, number).await?;
    while let Some(ended) = streams.join_next().await {
        count(ended.expect("a reader does not panic"));
    }
    Ok((number, network, outcome))
}

/// Blocks all packets periodically, for as long as it is polled.
async fn pause(
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

/// Posts a message now and then, if all timers should expire together: a keepalive timer counts from the last
/// acknowledgement, and those of all streams arrive at the same moment.
async fn speak(stage: &Stage, number: u8, is_wanted: bool) -> anyhow::Result<()> {
    if !is_wanted {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(SPOKEN_EVERY).await;
        say(stage, number).await?;
    }
}

/// Posts one message in the room of a network.
async fn say(stage: &Stage, number: u8) -> anyhow::Result<()> {
    let number = usize::from(number);
    let author = &stage.authors[number];
    let token = author.token(stage).await.context("an author cannot sign in")?;
    let (status, _) = post(stage, author, stage.rooms[number], &token.access, 0, &mut None).await;
    ensure!(status == 201, "a post in the room of network {number} was answered with {status}");
    Ok(())
}

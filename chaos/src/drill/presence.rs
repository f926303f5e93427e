//! What it costs that everybody sees who is there: at rest, and for each coming and going; in ten rooms, and in a
//! thousand with as many readers.
//!
//! Coming is opening a stream, which costs something by itself: that is measured with streams that are in no room,
//! and taken off.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gapless_client::http::EventStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::load::{SETTINGS, set_stage};
use super::sheet::Goal;
use super::{Course, Sheet};
use crate::cluster::Instance;
use crate::run::close;
use crate::schedule::INSTANCES;
use crate::stage::{Cast, Phase, Stage};

const STREAMS: usize = 2_000;
const ROOMS: usize = 1_000;
const FEW_ROOMS: usize = 10;
const CAST: Cast = Cast { rooms: ROOMS, rate: 1.0, silence: Duration::from_secs(20) };
/// How long nothing happens, and how long people come and go.
const REST: Duration = Duration::from_secs(10);
const BUSY: Duration = Duration::from_secs(20);
/// Graces, the pace of rooms and the pace of the lobby are over by then.
const SETTLING: Duration = Duration::from_secs(8);
/// Each who comes goes after this, and is a join and a leave.
const STAYS: Duration = Duration::from_secs(2);
const COMING_EVERY: Duration = Duration::from_millis(20);
/// What a change may cost with a hundred times the rooms. In few rooms several changes are told together, in many each
/// alone; a cost that grew with rooms and readers would be a hundred times as high.
const MOST_RATIO: f64 = 3.0;

/// What the three instances and Redis did in a while.
#[derive(Debug, Clone, Copy)]
struct Spent {
    cpu: Duration,
    commands: u64,
    lasted: Duration,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a drill stay far below 2^52")]
impl Spent {
    fn cpu_percent(self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.lasted.as_secs_f64()
    }

    fn commands_per_second(self) -> f64 {
        self.commands as f64 / self.lasted.as_secs_f64()
    }

    /// What it took more than as long a rest, for each of so many changes: microseconds and commands.
    fn per_change(self, rest: Self, changes: usize) -> (f64, f64) {
        let share = self.lasted.as_secs_f64() / rest.lasted.as_secs_f64();
        let cpu = self.cpu.as_secs_f64() - rest.cpu.as_secs_f64() * share;
        let commands = self.commands as f64 - rest.commands as f64 * share;
        (cpu * 1e6 / changes as f64, commands / changes as f64)
    }
}

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let streams = course.streams.unwrap_or(STREAMS);
    let stage = set_stage(course, SETTINGS, CAST).await?;
    let mut sheet = Sheet::default();
    sheet.count("readers", streams as u64, Goal::None);
    let mut costs = Vec::new();
    for rooms in [FEW_ROOMS, ROOMS] {
        let rooms = &stage.rooms[..rooms];
        let told = rooms.len();
        let audience = seat(&stage, rooms, streams).await?;
        tokio::time::sleep(SETTLING).await;
        let rest = spend(&stage, tokio::time::sleep(REST)).await?;
        sheet.number(&format!("{told} rooms: CPU of three instances at rest"), rest.cpu_percent(), "%", Goal::None);
        sheet.number(&format!("{told} rooms: Redis commands at rest"), rest.commands_per_second(), "/s", Goal::None);
        let (mut with_rooms, mut without) = (0, 0);
        let nowhere = spend(&stage, async { without = come_and_go(&stage, &[]).await }).await?;
        let busy = spend(&stage, async { with_rooms = come_and_go(&stage, rooms).await }).await?;
        drop(audience);
        let (opening, _) = nowhere.per_change(rest, without);
        let (cpu, commands) = busy.per_change(rest, with_rooms);
        sheet.count(&format!("{told} rooms: changes"), with_rooms as u64, Goal::AtLeast(1_000.0));
        sheet.number(&format!("{told} rooms: CPU per change, all of it"), cpu, "µs", Goal::None);
        sheet.number(&format!("{told} rooms: CPU per change, of presence"), cpu - opening, "µs", Goal::None);
        sheet.number(&format!("{told} rooms: Redis commands per change"), commands, "", Goal::AtMost(1.0));
        costs.push(cpu);
    }
    sheet.number("a change in 1,000 rooms to one in 10", costs[1] / costs[0], "", Goal::AtMost(MOST_RATIO));
    stage.phase.send_replace(Phase::Over);
    close(stage, course.dir).await?;
    Ok(sheet)
}

/// Streams that stay, spread over rooms and instances.
async fn seat(stage: &Arc<Stage>, rooms: &[Uuid], streams: usize) -> anyhow::Result<JoinSet<()>> {
    let mut seated = JoinSet::new();
    for n in 0..streams {
        let stream = open(stage, n % INSTANCES, rooms.get(n / INSTANCES % rooms.len()), None).await;
        seated.spawn(stream.context("a reader's stream was refused")?.drain());
    }
    Ok(seated)
}

/// Every other is a guest. Answers how many changes that were.
async fn come_and_go(stage: &Arc<Stage>, rooms: &[Uuid]) -> usize {
    let mut visits = JoinSet::new();
    let mut coming = tokio::time::interval(COMING_EVERY);
    let began = Instant::now();
    let mut changes = 0;
    while began.elapsed() < BUSY {
        coming.tick().await;
        let visitor = visits.len();
        let room = (!rooms.is_empty()).then(|| rooms[visitor * 7 % rooms.len()]);
        let stage = Arc::clone(stage);
        changes += 2;
        visits.spawn(async move {
            let person = &stage.tabbed[visitor / 2 % stage.tabbed.len()];
            let token = if visitor.is_multiple_of(2) { None } else { person.token(&stage).await };
            let access = token.as_ref().map(|token| &*token.access);
            if let Some(stream) = open(&stage, visitor % INSTANCES, room.as_ref(), access).await {
                tokio::time::timeout(STAYS, stream.drain()).await.ok();
            }
        });
    }
    visits.join_all().await;
    // The last leave is told after its grace.
    tokio::time::sleep(SETTLING).await;
    changes
}

async fn open(stage: &Stage, on: usize, room: Option<&Uuid>, access: Option<&str>) -> Option<EventStream> {
    let room = room.map(|room| format!("room={room}"));
    let token = access.map(|access| format!("access_token={access}"));
    let query: Vec<String> = room.into_iter().chain(token).collect();
    let address = stage.cluster.instances[on].streams.address;
    EventStream::open(address, &query.join("&"), None, None).await.ok()
}

/// What is spent while this goes on.
async fn spend(stage: &Stage, what: impl Future<Output = ()>) -> anyhow::Result<Spent> {
    let cpu = || stage.cluster.instances.iter().map(Instance::cpu).sum::<Option<Duration>>();
    let (before, commands) = (cpu().context("cannot read the CPU time")?, stage.cluster.redis.commands().await?);
    let began = Instant::now();
    what.await;
    let lasted = began.elapsed();
    let cpu = cpu().context("cannot read the CPU time")?.saturating_sub(before);
    Ok(Spent { cpu, commands: stage.cluster.redis.commands().await? - commands, lasted })
}

//! The cost of presence: at rest, and for each join and leave; with the same readers in ten rooms and in a thousand.
//!
//! A join opens a stream, which has a cost of its own: it is measured with streams without a room, and subtracted.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use gapless_client::http::EventStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::load::{SETTINGS, create_environment};
use super::result_table::Goal;
use super::{DrillOptions, ResultTable};
use crate::cluster::Instance;
use crate::environment::{Environment, Phase, Workload};
use crate::run::stop_and_check;
use crate::schedule::INSTANCES;

const STREAMS: usize = 2_000;
const ROOMS: usize = 1_000;
const FEW_ROOMS: usize = 10;
const WORKLOAD: Workload = Workload { rooms: ROOMS, rate: 1.0, silence_timeout: Duration::from_secs(20) };
/// Time without joins and leaves, and time with them.
const REST: Duration = Duration::from_secs(10);
const BUSY: Duration = Duration::from_secs(20);
/// Longer than the grace after a leave and the intervals of presence and lobby events.
const SETTLING: Duration = Duration::from_secs(8);
/// Time between a visitor's join and leave.
const VISIT: Duration = Duration::from_secs(2);
const JOIN_EVERY: Duration = Duration::from_millis(20);
/// Maximum cost of a change with a hundred times the rooms. With few rooms one event has several changes, with many
/// each has one; a cost that grew with rooms and readers would be a hundred times as high.
const MAX_RATIO: f64 = 3.0;

/// Resource usage of the three instances and Redis in an interval.
#[derive(Debug, Clone, Copy)]
struct Usage {
    cpu: Duration,
    commands: u64,
    lasted: Duration,
}

#[expect(clippy::cast_precision_loss, reason = "counts of a drill stay far below 2^52")]
impl Usage {
    fn cpu_percent(self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.lasted.as_secs_f64()
    }

    fn commands_per_second(self) -> f64 {
        self.commands as f64 / self.lasted.as_secs_f64()
    }

    /// Returns CPU microseconds and Redis commands per change, minus the usage at rest.
    fn per_change(self, rest: Self, changes: usize) -> (f64, f64) {
        let share = self.lasted.as_secs_f64() / rest.lasted.as_secs_f64();
        let cpu = self.cpu.as_secs_f64() - rest.cpu.as_secs_f64() * share;
        let commands = self.commands as f64 - rest.commands as f64 * share;
        (cpu * 1e6 / changes as f64, commands / changes as f64)
    }
}

pub async fn perform(options: &DrillOptions<'_>) -> anyhow::Result<ResultTable> {
    let streams = options.streams.unwrap_or(STREAMS);
    let env = create_environment(options, SETTINGS, WORKLOAD).await?;
    let mut results = ResultTable::default();
    results.count("readers", streams as u64, Goal::None);
    let mut costs = Vec::new();
    for rooms in [FEW_ROOMS, ROOMS] {
        let rooms = &env.rooms[..rooms];
        let count = rooms.len();
        let readers = open_readers(&env, rooms, streams).await?;
        tokio::time::sleep(SETTLING).await;
        let rest = measure_usage(&env, tokio::time::sleep(REST)).await?;
        results.number(&format!("{count} rooms: CPU of three instances at rest"), rest.cpu_percent(), "%", Goal::None);
        results.number(&format!("{count} rooms: Redis commands at rest"), rest.commands_per_second(), "/s", Goal::None);
        let (mut with_rooms, mut without) = (0, 0);
        let nowhere = measure_usage(&env, async { without = join_and_leave(&env, &[]).await }).await?;
        let busy = measure_usage(&env, async { with_rooms = join_and_leave(&env, rooms).await }).await?;
        drop(readers);
        let (opening, _) = nowhere.per_change(rest, without);
        let (cpu, commands) = busy.per_change(rest, with_rooms);
        results.count(&format!("{count} rooms: changes"), with_rooms as u64, Goal::AtLeast(1_000.0));
        results.number(&format!("{count} rooms: CPU per change, all of it"), cpu, "µs", Goal::None);
        results.number(&format!("{count} rooms: CPU per change, of presence"), cpu - opening, "µs", Goal::None);
        results.number(&format!("{count} rooms: Redis commands per change"), commands, "", Goal::AtMost(1.0));
        costs.push(cpu);
    }
    results.number("a change in 1,000 rooms to one in 10", costs[1] / costs[0], "", Goal::AtMost(MAX_RATIO));
    env.phase.send_replace(Phase::Over);
    stop_and_check(env, options.dir).await?;
    Ok(results)
}

/// Opens streams that stay, evenly over rooms and instances.
async fn open_readers(env: &Arc<Environment>, rooms: &[Uuid], streams: usize) -> anyhow::Result<JoinSet<()>> {
    let mut readers = JoinSet::new();
    for n in 0..streams {
        let stream = open(env, n % INSTANCES, rooms.get(n / INSTANCES % rooms.len()), None).await;
        readers.spawn(stream.context("a reader's stream was refused")?.drain());
    }
    Ok(readers)
}

/// Opens and closes streams, every other one as a guest. Returns the number of joins and leaves.
async fn join_and_leave(env: &Arc<Environment>, rooms: &[Uuid]) -> usize {
    let mut visits = JoinSet::new();
    let mut joins = tokio::time::interval(JOIN_EVERY);
    let began = Instant::now();
    let mut changes = 0;
    while began.elapsed() < BUSY {
        joins.tick().await;
        let visitor = visits.len();
        let room = (!rooms.is_empty()).then(|| rooms[visitor * 7 % rooms.len()]);
        let env = Arc::clone(env);
        changes += 2;
        visits.spawn(async move {
            let account = &env.two_tab_users[visitor / 2 % env.two_tab_users.len()];
            let token = if visitor.is_multiple_of(2) { None } else { account.token(&env).await };
            let access = token.as_ref().map(|token| &*token.access);
            if let Some(stream) = open(&env, visitor % INSTANCES, room.as_ref(), access).await {
                tokio::time::timeout(VISIT, stream.drain()).await.ok();
            }
        });
    }
    visits.join_all().await;
    // The last leave is announced after its grace.
    tokio::time::sleep(SETTLING).await;
    changes
}

async fn open(env: &Environment, on: usize, room: Option<&Uuid>, access: Option<&str>) -> Option<EventStream> {
    let room = room.map(|room| format!("room={room}"));
    let token = access.map(|access| format!("access_token={access}"));
    let query: Vec<String> = room.into_iter().chain(token).collect();
    env.open_stream(on, &query.join("&")).await.ok()
}

/// Measures the resource usage while a future runs.
async fn measure_usage(env: &Environment, task: impl Future<Output = ()>) -> anyhow::Result<Usage> {
    let cpu = || env.cluster.instances.iter().map(Instance::cpu).sum::<Option<Duration>>();
    let (before, commands) = (cpu().context("cannot read the CPU time")?, env.cluster.redis.commands().await?);
    let began = Instant::now();
    task.await;
    let lasted = began.elapsed();
    let cpu = cpu().context("cannot read the CPU time")?.saturating_sub(before);
    Ok(Usage { cpu, commands: env.cluster.redis.commands().await? - commands, lasted })
}

//! The schedule of faults: computed from the seed alone, before the run starts.
//!
//! Periods with faults and calm periods alternate. During faults up to [`MOST_AT_ONCE`] overlap, and each is healed
//! before its period ends; in calm periods nothing is broken, so that recoveries finish and revocations can be timed.
//! Kinds are drawn from a shuffled list without replacement: a run that is long enough has each kind.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

pub const INSTANCES: usize = 3;
pub const MOST_AT_ONCE: usize = 3;

/// Time without faults while clients connect.
const WARM_UP: Duration = Duration::from_secs(3);
const FAULT_PERIOD: Duration = Duration::from_secs(9);
const CALM_PERIOD: Duration = Duration::from_secs(4);

macro_rules! fault_kinds {
    ($($kind:ident $name:literal $on:ident $shortest:literal..$longest:literal $what:literal,)*) => {
        /// Kinds of faults.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultKind { $(#[doc = $what] $kind,)* }

        impl FaultKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// Returns the component that the fault breaks: two faults never break the same component at once.
            const fn breaks(self) -> Component {
                match self { $(Self::$kind => Component::$on,)* }
            }

            const fn lasts_millis(self) -> std::ops::Range<u64> {
                match self { $(Self::$kind => $shortest..$longest,)* }
            }
        }
    };
}

fault_kinds! {
    KillInstance "kill-instance" Instance 300..2500 "SIGKILL, then a restart.",
    TermInstance "term-instance" Instance 500..2000 "SIGTERM, a graceful exit, then a restart.",
    StopInstance "stop-instance" Instance 300..4000 "SIGSTOP, then SIGCONT.",
    KillPostgres "kill-postgres" Postgres 500..501 "SIGKILL of all PostgreSQL processes; the server is restarted at once.",
    StopPostgres "stop-postgres" Postgres 300..3500 "SIGSTOP of all PostgreSQL processes, then SIGCONT.",
    FsyncError "fsync-error" Postgres 700..1200 "PostgreSQL's fsync calls fail with EIO.",
    KillRedis "kill-redis" Redis 300..4000 "SIGKILL, then a restart with an empty database.",
    StopRedis "stop-redis" Redis 300..6000 "SIGSTOP, then SIGCONT.",
    KillSubscribers "kill-subscribers" Redis 200..201 "`CLIENT KILL TYPE pubsub`.",
    StarveSubscribers "starve-subscribers" Redis 1000..3000 "Subscribers that lag by more than 600 bytes are disconnected.",
    DelayClients "delay-clients" ClientLinks 1000..4000 "Latency and jitter between clients and an instance.",
    SlowClients "slow-clients" ClientLinks 1000..4000 "A bandwidth of a few kilobytes per second between clients and an instance.",
    BlackHoleClients "black-hole-clients" ClientLinks 500..5000 "Connections between clients and an instance stay open and carry nothing.",
    ResetClients "reset-clients" ClientLinks 200..1500 "Client connections of an instance are reset, new ones too.",
    HalfCloseClients "half-close-clients" ClientLinks 500..2000 "Answers of an instance end early; requests still arrive.",
    CutClients "cut-clients" ClientLinks 500..3000 "Client connections of an instance are reset within an answer.",
    SwallowAnswers "swallow-answers" RequestLink 500..3000 "Posts arrive and are committed; their answers are lost.",
    DelayPostgres "delay-postgres" PostgresLink 1000..4000 "Latency and jitter between an instance and PostgreSQL.",
    BlackHolePostgres "black-hole-postgres" PostgresLink 500..5000 "Connections to PostgreSQL stay open and carry nothing.",
    ResetPostgres "reset-postgres" PostgresLink 200..2000 "Connections to PostgreSQL are reset, new ones too.",
    CutPostgres "cut-postgres" PostgresLink 500..3000 "Connections to PostgreSQL are reset within an answer.",
    SwallowCommits "swallow-commits" PostgresLink 300..1500 "Statements arrive and are committed; their answers are lost.",
    DelayNews "delay-news" RedisLink 1000..5000 "Latency and jitter between an instance and Redis: news is late, and in another order than at other instances.",
    BlackHoleNews "black-hole-news" RedisLink 500..6000 "Connections to Redis stay open and carry nothing.",
    ResetNews "reset-news" RedisLink 200..3000 "Connections to Redis are reset, new ones too.",
    CutNews "cut-news" RedisLink 500..3000 "Connections to Redis are reset within an answer.",
    ReconnectStorm "reconnect-storm" AllStreams 100..101 "All streams are reset at once.",
}

/// A component that a fault breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Component {
    Instance,
    Postgres,
    Redis,
    ClientLinks,
    RequestLink,
    PostgresLink,
    RedisLink,
    AllStreams,
}

impl FaultKind {
    /// Returns whether the fault affects one instance.
    const fn has_instance(self) -> bool {
        !matches!(self.breaks(), Component::Postgres | Component::Redis | Component::AllStreams)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A fault, when it begins and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFault {
    pub number: u32,
    pub kind: FaultKind,
    /// The affected instance, unless the fault affects all.
    pub instance: Option<usize>,
    pub begins: Duration,
    pub lasts: Duration,
}

impl PlannedFault {
    fn ends(&self) -> Duration {
        self.begins + self.lasts
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, instance, begins, lasts } = self;
        let on = instance.map_or(String::new(), |instance| format!(" {instance}"));
        let name = format!("{kind}{on}");
        write!(f, "{number:4}  {name:24} at {:7.2} s for {:5.2} s", begins.as_secs_f64(), lasts.as_secs_f64())
    }
}

/// Returns the faults of a run of this length, in the order in which they begin.
pub fn plan(seed: u64, length: Duration, kinds: &[FaultKind]) -> Vec<PlannedFault> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut remaining: Vec<FaultKind> = Vec::new();
    let mut planned: Vec<PlannedFault> = Vec::new();
    let mut faults_begin = WARM_UP;
    while !kinds.is_empty()
        && faults_begin + FAULT_PERIOD + CALM_PERIOD <= length.max(WARM_UP + FAULT_PERIOD + CALM_PERIOD)
    {
        let faults_end = faults_begin + FAULT_PERIOD;
        let mut now = faults_begin;
        loop {
            now += Duration::from_millis(rng.random_range(100..1200));
            if remaining.is_empty() {
                remaining = kinds.to_vec();
                remaining.shuffle(&mut rng);
            }
            let kind = remaining[remaining.len() - 1];
            let instance = kind.has_instance().then(|| rng.random_range(0..INSTANCES));
            let lasts = Duration::from_millis(rng.random_range(kind.lasts_millis()));
            if now + lasts >= faults_end {
                if now >= faults_end {
                    break;
                }
                continue;
            }
            if fits(&planned, kind, instance, now) {
                remaining.pop();
                let number = u32::try_from(planned.len() + 1).expect("a run has fewer faults than 2^32");
                planned.push(PlannedFault { number, kind, instance, begins: now, lasts });
            }
        }
        faults_begin = faults_end + CALM_PERIOD;
    }
    planned
}

/// Returns whether another fault may begin now: fewer than [`MOST_AT_ONCE`] are active, and none on the same component.
fn fits(planned: &[PlannedFault], kind: FaultKind, instance: Option<usize>, now: Duration) -> bool {
    let mut open = BTreeMap::new();
    for fault in planned.iter().filter(|fault| fault.ends() > now) {
        open.insert((fault.kind.breaks(), fault.instance), fault.number);
    }
    open.len() < MOST_AT_ONCE && !open.contains_key(&(kind.breaks(), instance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_mins(2);

    #[test]
    fn a_seed_gives_the_same_schedule() {
        assert_eq!(plan(7, LENGTH, FaultKind::ALL), plan(7, LENGTH, FaultKind::ALL));
        assert_ne!(plan(7, LENGTH, FaultKind::ALL), plan(8, LENGTH, FaultKind::ALL));
    }

    #[test]
    fn at_most_three_faults_overlap_and_none_break_the_same_component() {
        for seed in 0..50 {
            let planned = plan(seed, LENGTH, FaultKind::ALL);
            for fault in &planned {
                let others = planned.iter().filter(|other| {
                    other.number != fault.number && other.begins <= fault.begins && other.ends() > fault.begins
                });
                let others: Vec<_> = others.collect();
                assert!(others.len() < MOST_AT_ONCE, "{planned:#?}");
                let same = |other: &&PlannedFault| {
                    other.kind.breaks() == fault.kind.breaks() && other.instance == fault.instance
                };
                assert!(!others.iter().any(same), "{planned:#?}");
                assert!(fault.ends() + CALM_PERIOD < LENGTH);
            }
        }
    }

    #[test]
    fn a_long_run_has_every_kind() {
        let planned = plan(1, 3 * LENGTH, FaultKind::ALL);
        let missing: Vec<_> = FaultKind::ALL.iter().filter(|kind| !planned.iter().any(|f| f.kind == **kind)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_minute_has_a_dozen_faults() {
        assert!(plan(1, Duration::from_mins(1), FaultKind::ALL).len() >= 12);
    }
}

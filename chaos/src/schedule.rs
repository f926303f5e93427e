//! What goes wrong when: decided from the seed alone, before anything runs.
//!
//! Storms and calms take turns. In a storm up to [`MOST_AT_ONCE`] faults overlap, each with its healing; in a calm
//! everything is whole, so that recoveries end and rights can be timed. The kinds are dealt from a shuffled deck: a
//! run that is long enough sees each of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

pub const INSTANCES: usize = 3;
pub const MOST_AT_ONCE: usize = 3;

/// Nothing breaks while clients arrive, and none of it is still broken at the end.
const WARM_UP: Duration = Duration::from_secs(3);
const STORM: Duration = Duration::from_secs(9);
const CALM: Duration = Duration::from_secs(4);

macro_rules! fault_kinds {
    ($($kind:ident $name:literal $on:ident $shortest:literal..$longest:literal $what:literal,)*) => {
        /// What can go wrong. The milliseconds say how long it lasts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum FaultKind { $(#[doc = $what] $kind,)* }

        impl FaultKind {
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What it breaks: two faults never break the same thing at once.
            const fn breaks(self) -> Part {
                match self { $(Self::$kind => Part::$on,)* }
            }

            const fn lasts_millis(self) -> std::ops::Range<u64> {
                match self { $(Self::$kind => $shortest..$longest,)* }
            }
        }
    };
}

fault_kinds! {
    KillInstance "kill-instance" Instance 300..2500 "`kill -9`, and a new start.",
    TermInstance "term-instance" Instance 500..2000 "SIGTERM, its end, and a new start.",
    StopInstance "stop-instance" Instance 300..4000 "SIGSTOP, then SIGCONT.",
    KillPostgres "kill-postgres" Postgres 500..501 "`kill -9` of every process of Postgres; it is started again at once.",
    StopPostgres "stop-postgres" Postgres 300..3500 "SIGSTOP of every process of Postgres, then SIGCONT.",
    FsyncError "fsync-error" Postgres 700..1200 "The disk refuses to sync what Postgres wrote.",
    KillRedis "kill-redis" Redis 300..4000 "`kill -9`, and a new, empty start.",
    StopRedis "stop-redis" Redis 300..6000 "SIGSTOP, then SIGCONT.",
    KillSubscribers "kill-subscribers" Redis 200..201 "`CLIENT KILL TYPE pubsub`.",
    StarveSubscribers "starve-subscribers" Redis 1000..3000 "Subscribers that lag by a few hundred bytes are cut off.",
    DelayClients "delay-clients" Clients 1000..4000 "The way between clients and an instance is slow and uneven.",
    SlowClients "slow-clients" Clients 1000..4000 "That way carries a few kilobytes a second.",
    BlackHoleClients "black-hole-clients" Clients 500..5000 "That way carries nothing, and nobody is told.",
    ResetClients "reset-clients" Clients 200..1500 "Its connections are reset, new ones too.",
    HalfCloseClients "half-close-clients" Clients 500..2000 "Its answers end early; requests still arrive.",
    CutClients "cut-clients" Clients 500..3000 "Its connections are reset in the middle of an answer.",
    SwallowAnswers "swallow-answers" Posts 500..3000 "Posts arrive and are committed; their answers do not come back.",
    DelayPostgres "delay-postgres" ToPostgres 1000..4000 "The way between an instance and Postgres is slow and uneven.",
    BlackHolePostgres "black-hole-postgres" ToPostgres 500..5000 "That way carries nothing.",
    ResetPostgres "reset-postgres" ToPostgres 200..2000 "Its connections are reset, new ones too.",
    CutPostgres "cut-postgres" ToPostgres 500..3000 "Its connections are reset in the middle of an answer.",
    SwallowCommits "swallow-commits" ToPostgres 300..1500 "Statements arrive and are committed; their answers do not come back.",
    DelayNews "delay-news" ToRedis 1000..5000 "News comes late, and in another order than that of other instances.",
    BlackHoleNews "black-hole-news" ToRedis 500..6000 "News does not come, and nobody is told.",
    ResetNews "reset-news" ToRedis 200..3000 "Connections to Redis are reset, new ones too.",
    CutNews "cut-news" ToRedis 500..3000 "Connections to Redis are reset in the middle of an answer.",
    ReconnectStorm "reconnect-storm" Crowd 100..101 "Every stream is cut in the same moment.",
}

/// What a fault breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Instance,
    Postgres,
    Redis,
    Clients,
    Posts,
    ToPostgres,
    ToRedis,
    Crowd,
}

impl FaultKind {
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }

    /// Whether it is about one instance.
    const fn has_target(self) -> bool {
        !matches!(self.breaks(), Part::Postgres | Part::Redis | Part::Crowd)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One fault and its healing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub number: u32,
    pub kind: FaultKind,
    /// The instance that it is about, where it is about one.
    pub instance: Option<usize>,
    pub begins: Duration,
    pub lasts: Duration,
}

impl Planned {
    fn ends(&self) -> Duration {
        self.begins + self.lasts
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, kind, instance, begins, lasts } = self;
        let on = instance.map_or(String::new(), |instance| format!(" {instance}"));
        let name = format!("{kind}{on}");
        write!(f, "{number:4}  {name:24} at {:7.2} s for {:5.2} s", begins.as_secs_f64(), lasts.as_secs_f64())
    }
}

/// The faults of a run of this length, by the moment at which they begin.
pub fn plan(seed: u64, length: Duration, kinds: &[FaultKind]) -> Vec<Planned> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut deck: Vec<FaultKind> = Vec::new();
    let mut planned: Vec<Planned> = Vec::new();
    let mut storm_begins = WARM_UP;
    while !kinds.is_empty() && storm_begins + STORM + CALM <= length.max(WARM_UP + STORM + CALM) {
        let storm_ends = storm_begins + STORM;
        let mut now = storm_begins;
        loop {
            now += Duration::from_millis(dice.random_range(100..1200));
            if deck.is_empty() {
                deck = kinds.to_vec();
                deck.shuffle(&mut dice);
            }
            let kind = deck[deck.len() - 1];
            let instance = kind.has_target().then(|| dice.random_range(0..INSTANCES));
            let lasts = Duration::from_millis(dice.random_range(kind.lasts_millis()));
            if now + lasts >= storm_ends {
                if now >= storm_ends {
                    break;
                }
                continue;
            }
            if fits(&planned, kind, instance, now) {
                deck.pop();
                let number = u32::try_from(planned.len() + 1).expect("a run has fewer faults than 2^32");
                planned.push(Planned { number, kind, instance, begins: now, lasts });
            }
        }
        storm_begins = storm_ends + CALM;
    }
    planned
}

/// Room for one more, on something that is whole.
fn fits(planned: &[Planned], kind: FaultKind, instance: Option<usize>, now: Duration) -> bool {
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
    fn a_seed_replays_the_same_schedule() {
        assert_eq!(plan(7, LENGTH, FaultKind::ALL), plan(7, LENGTH, FaultKind::ALL));
        assert_ne!(plan(7, LENGTH, FaultKind::ALL), plan(8, LENGTH, FaultKind::ALL));
    }

    #[test]
    fn at_most_three_at_once_and_never_two_on_the_same_thing() {
        for seed in 0..50 {
            let planned = plan(seed, LENGTH, FaultKind::ALL);
            for fault in &planned {
                let others = planned.iter().filter(|other| {
                    other.number != fault.number && other.begins <= fault.begins && other.ends() > fault.begins
                });
                let others: Vec<_> = others.collect();
                assert!(others.len() < MOST_AT_ONCE, "{planned:#?}");
                let same =
                    |other: &&Planned| other.kind.breaks() == fault.kind.breaks() && other.instance == fault.instance;
                assert!(!others.iter().any(same), "{planned:#?}");
                assert!(fault.ends() + CALM < LENGTH);
            }
        }
    }

    #[test]
    fn a_long_run_sees_every_kind() {
        let planned = plan(1, 3 * LENGTH, FaultKind::ALL);
        let missing: Vec<_> = FaultKind::ALL.iter().filter(|kind| !planned.iter().any(|f| f.kind == **kind)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_minute_has_a_dozen_faults() {
        assert!(plan(1, Duration::from_mins(1), FaultKind::ALL).len() >= 12);
    }
}

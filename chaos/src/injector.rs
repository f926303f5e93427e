//! Injects the scheduled faults and heals them.

use std::sync::Arc;
use std::time::Duration;

use gapless_client::link::{Link, LinkFault};
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::Instance;
use crate::environment::Environment;
use crate::history::Record;
use crate::schedule::{FaultKind, PlannedFault};

/// Injects all faults; returns when the last one is healed.
pub async fn inject_all(env: Arc<Environment>, planned: Vec<PlannedFault>) {
    let began = Instant::now();
    let mut active = JoinSet::new();
    for fault in planned {
        tokio::time::sleep_until(began + fault.begins).await;
        let env = Arc::clone(&env);
        active.spawn(async move { inject_and_heal(&env, &fault).await });
    }
    while active.join_next().await.is_some() {}
}

async fn inject_and_heal(env: &Environment, fault: &PlannedFault) {
    let &PlannedFault { number, kind, instance, lasts, .. } = fault;
    let history = &env.history;
    env.active_faults.begin(history);
    history.record(Record::Fault { at: history.now(), number, kind, instance });
    match instance {
        Some(number) => break_instance(kind, &env.cluster.instances[number], lasts).await,
        None => break_shared(env, kind, lasts).await,
    }
    history.record(Record::Healed { at: history.now(), number });
    env.active_faults.end(history);
}

/// Faults of PostgreSQL, Redis or all clients.
async fn break_shared(env: &Environment, kind: FaultKind, lasts: Duration) {
    let (postgres, redis) = (&env.cluster.postgres, &env.cluster.redis);
    match kind {
        FaultKind::KillPostgres => {
            postgres.kill();
            tokio::time::sleep(lasts).await;
            // Its supervisor restarts it; the fault is healed once it answers queries again.
            postgres.execute("select 1").await.ok();
        }
        FaultKind::StopPostgres => {
            postgres.signal(Signal::STOP);
            tokio::time::sleep(lasts).await;
            postgres.signal(Signal::CONT);
        }
        FaultKind::FsyncError => {
            let refused = postgres.refuse_syncs();
            tokio::time::sleep(lasts).await;
            tokio::task::spawn_blocking(|| drop(refused)).await.ok();
            postgres.execute("select 1").await.ok();
        }
        FaultKind::KillRedis => {
            redis.kill();
            tokio::time::sleep(lasts).await;
            redis.start_process().expect("Redis started before");
        }
        FaultKind::StopRedis => {
            redis.signal(Signal::STOP);
            tokio::time::sleep(lasts).await;
            redis.signal(Signal::CONT);
        }
        FaultKind::StarveSubscribers => {
            redis.command("CONFIG SET client-output-buffer-limit \"pubsub 600 0 0\"").await.ok();
            tokio::time::sleep(lasts).await;
            redis.command("CONFIG SET client-output-buffer-limit \"pubsub 33554432 8388608 60\"").await.ok();
        }
        FaultKind::KillSubscribers => drop(redis.command("CLIENT KILL TYPE pubsub").await),
        FaultKind::ReconnectStorm => {
            env.reconnect_storms.send_modify(|reconnect_storms| *reconnect_storms += 1);
        }
        _ => unreachable!("every other kind affects one instance"),
    }
}

async fn break_instance(kind: FaultKind, instance: &Instance, lasts: Duration) {
    let restart = || instance.start_process().expect("it started before");
    match kind {
        FaultKind::KillInstance => {
            instance.kill();
            tokio::time::sleep(lasts).await;
            restart();
        }
        FaultKind::TermInstance => {
            instance.terminate();
            instance.wait_for_exit().await;
            tokio::time::sleep(lasts).await;
            restart();
        }
        FaultKind::StopInstance => {
            instance.signal(Signal::STOP);
            tokio::time::sleep(lasts).await;
            instance.signal(Signal::CONT);
        }
        _ => {
            let (links, fault) = link_fault(kind, instance);
            for link in &links {
                link.inject(fault);
            }
            tokio::time::sleep(lasts).await;
            for link in &links {
                link.heal();
            }
        }
    }
}

/// Returns the links of an instance that this kind of fault breaks, and how.
fn link_fault(kind: FaultKind, on: &Instance) -> (Vec<&Link>, LinkFault) {
    let delay = LinkFault::Delay { least: Duration::from_millis(5), jitter: Duration::from_millis(120) };
    let both = || vec![&on.requests, &on.streams];
    match kind {
        FaultKind::DelayClients => (both(), delay),
        FaultKind::SlowClients => (both(), LinkFault::Rate(6_000)),
        FaultKind::BlackHoleClients => (both(), LinkFault::BlackHole),
        FaultKind::ResetClients => (both(), LinkFault::Reset),
        FaultKind::HalfCloseClients => (both(), LinkFault::HalfClose),
        FaultKind::CutClients => (both(), LinkFault::CutAfter(4_000)),
        FaultKind::SwallowAnswers => (vec![&on.requests], LinkFault::SwallowAnswers),
        FaultKind::DelayPostgres => (vec![&on.to_postgres], delay),
        FaultKind::BlackHolePostgres => (vec![&on.to_postgres], LinkFault::BlackHole),
        FaultKind::ResetPostgres => (vec![&on.to_postgres], LinkFault::Reset),
        FaultKind::CutPostgres => (vec![&on.to_postgres], LinkFault::CutAfter(6_000)),
        FaultKind::SwallowCommits => (vec![&on.to_postgres], LinkFault::SwallowAnswers),
        FaultKind::DelayNews => (vec![&on.to_redis], delay),
        FaultKind::BlackHoleNews => (vec![&on.to_redis], LinkFault::BlackHole),
        FaultKind::ResetNews => (vec![&on.to_redis], LinkFault::Reset),
        FaultKind::CutNews => (vec![&on.to_redis], LinkFault::CutAfter(3_000)),
        _ => unreachable!("every other kind affects a process"),
    }
}

//! Carries the schedule out.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::Instance;
use crate::history::Record;
use crate::schedule::{FaultKind, Planned};
use crate::stage::Stage;
use gapless_client::link::LinkFault;

/// Returns when the last fault is healed.
pub async fn inject(stage: Arc<Stage>, planned: Vec<Planned>) {
    let began = Instant::now();
    let mut open = JoinSet::new();
    for fault in planned {
        tokio::time::sleep_until(began + fault.begins).await;
        let stage = Arc::clone(&stage);
        open.spawn(async move { suffer(&stage, &fault).await });
    }
    while open.join_next().await.is_some() {}
}

async fn suffer(stage: &Stage, fault: &Planned) {
    let &Planned { number, kind, instance, lasts, .. } = fault;
    let history = &stage.history;
    stage.active_faults.begin(history);
    history.record(Record::Fault { at: history.now(), number, kind, instance });
    match instance {
        Some(on) => of_instance(kind, &stage.cluster.instances[on], lasts).await,
        None => of_all(stage, kind, lasts).await,
    }
    history.record(Record::Healed { at: history.now(), number });
    stage.active_faults.end(history);
}

async fn of_all(stage: &Stage, kind: FaultKind, lasts: Duration) {
    let (postgres, redis) = (&stage.cluster.postgres, &stage.cluster.redis);
    match kind {
        FaultKind::KillPostgres => {
            postgres.kill();
            tokio::time::sleep(lasts).await;
            // Healed when it answers again; what keeps it running starts it.
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
            redis.run().expect("Redis started before");
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
            stage.storms.send_modify(|storms| *storms += 1);
        }
        _ => unreachable!("every other kind is about one instance"),
    }
}

async fn of_instance(kind: FaultKind, on: &Instance, lasts: Duration) {
    let start_again = || on.run().expect("it started before");
    match kind {
        FaultKind::KillInstance => {
            on.kill();
            tokio::time::sleep(lasts).await;
            start_again();
        }
        FaultKind::TermInstance => {
            on.dismiss();
            on.ends().await;
            tokio::time::sleep(lasts).await;
            start_again();
        }
        FaultKind::StopInstance => {
            on.signal(Signal::STOP);
            tokio::time::sleep(lasts).await;
            on.signal(Signal::CONT);
        }
        _ => {
            let (links, fault) = of_links(kind, on);
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

fn of_links(kind: FaultKind, on: &Instance) -> (Vec<&gapless_client::link::Link>, LinkFault) {
    let delay = LinkFault::Delay { least: Duration::from_millis(5), jitter: Duration::from_millis(120) };
    let both = || vec![&on.posts, &on.streams];
    match kind {
        FaultKind::DelayClients => (both(), delay),
        FaultKind::SlowClients => (both(), LinkFault::Rate(6_000)),
        FaultKind::BlackHoleClients => (both(), LinkFault::BlackHole),
        FaultKind::ResetClients => (both(), LinkFault::Reset),
        FaultKind::HalfCloseClients => (both(), LinkFault::HalfClose),
        FaultKind::CutClients => (both(), LinkFault::CutAfter(4_000)),
        FaultKind::SwallowAnswers => (vec![&on.posts], LinkFault::SwallowAnswers),
        FaultKind::DelayPostgres => (vec![&on.to_postgres], delay),
        FaultKind::BlackHolePostgres => (vec![&on.to_postgres], LinkFault::BlackHole),
        FaultKind::ResetPostgres => (vec![&on.to_postgres], LinkFault::Reset),
        FaultKind::CutPostgres => (vec![&on.to_postgres], LinkFault::CutAfter(6_000)),
        FaultKind::SwallowCommits => (vec![&on.to_postgres], LinkFault::SwallowAnswers),
        FaultKind::DelayNews => (vec![&on.to_redis], delay),
        FaultKind::BlackHoleNews => (vec![&on.to_redis], LinkFault::BlackHole),
        FaultKind::ResetNews => (vec![&on.to_redis], LinkFault::Reset),
        FaultKind::CutNews => (vec![&on.to_redis], LinkFault::CutAfter(3_000)),
        _ => unreachable!("every other kind is about a process"),
    }
}

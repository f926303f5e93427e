//! Starting and stopping of instances: no acknowledged message is lost, streams are notified, and simultaneous first
//! starts do not conflict.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{founder, people, rooms};
use crate::actors::{Database, Follower, Launch, Ledger, Load, Temper};

/// Time limit for an instance to shut down, with open streams and posts in flight.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_instance_finishes_its_posts_and_streams() {
    let database = Database::create().await;
    let launch = || Launch::on(&database.url()).with("DRAIN_GRACE_SECS", GRACE.as_secs());
    let (mut leaving, staying) = (launch().start().await, launch().start().await);
    let rooms = rooms(&founder(&staying).await, &["general"]).await;
    let posters = people(&staying, 6).await;
    let both = [leaving.address, staying.address];
    let mut followers = Vec::new();
    for _ in 0..4 {
        followers.push(Follower::start(&staying.guest(), &rooms, &both, Temper::Steady).await);
    }
    leaving.is_ready().await;
    let mut stream = leaving.guest().listen(&rooms[0]).await;
    let mut quiet = leaving.guest().opening().open().await;
    let load = Load::start(&posters, &rooms, &both);
    load.goes_on_by(100).await;

    let told = Instant::now();
    leaving.signal(Signal::TERM);
    let drain = quiet.expect("drain").await;
    assert!(drain.data["retry_ms"].as_u64().is_some_and(|wait| (100..60_000).contains(&wait)), "{drain:?}");
    quiet.expect_bye("shutdown").await;
    let mut heard = Vec::new();
    loop {
        let next = stream.next().await;
        heard.push(next.name.clone());
        if next.name == "bye" {
            assert_eq!(next.data["reason"], "shutdown");
            break;
        }
    }
    assert_eq!(heard.iter().filter(|name| *name == "drain").count(), 1);
    let status = leaving.ends_within(GRACE + Duration::from_secs(1)).await;
    let took = told.elapsed();
    assert!(status.success(), "{status}: {}", leaving.log());

    load.goes_on_by(100).await;
    let acknowledged = load.stop().await;
    let ledger = Ledger::read(&database.pool()).await;
    let count = ledger.holds(&acknowledged);
    for follower in followers {
        let followed = follower.finish_at(ledger.head).await;
        assert_eq!(ledger.is_what_was_heard(&followed, &rooms), count);
    }
    println!(
        "figure: stopped under load within {} ms, acknowledged {count}, lost 0, streams notified",
        took.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_start_at_once_on_an_empty_database() {
    let database = Database::empty().await;
    let began = Instant::now();
    let instances: Vec<_> = (0..3).map(|_| Launch::on(&database.url()).spawn()).collect();
    for instance in &instances {
        instance.is_ready().await;
    }
    let took = began.elapsed();
    for instance in &instances {
        let answer = instance.guest().get("/rooms").await.is(200).json();
        assert_eq!(answer["rooms"], serde_json::json!([]));
    }
    println!("figure: three first starts at once on an empty database: all ready after {} ms", took.as_millis());
}

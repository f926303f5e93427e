//! Many posters and many readers see one order.

use super::{founder, people, rooms};
use crate::actors::{Database, Follower, Launch, Ledger, Load, Temper};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reader_receives_every_message_once_in_one_order() {
    let database = Database::create().await;
    let server = Launch::on(&database.url()).start().await;
    let rooms = rooms(&founder(&server).await, &["red", "green", "blue"]).await;
    let posters = people(&server, 8).await;
    let mut followers = Vec::new();
    for temper in [Temper::Steady, Temper::Restless(2), Temper::Restless(10), Temper::Restless(30)] {
        followers.push(Follower::start(&server.guest(), &rooms, &[server.address], temper).await);
    }
    // Two of them have tokens, and so receive other topics besides the rooms.
    for reader in &posters[..2] {
        followers.push(Follower::start(reader, &rooms, &[server.address], Temper::Restless(100)).await);
    }

    let load = Load::start(&posters, &rooms, &[server.address]);
    load.goes_on_by(2_400).await;
    let acknowledged = load.stop().await;

    let ledger = Ledger::read(&database.pool()).await;
    let count = ledger.holds(&acknowledged);
    let mut streams = 0;
    for follower in followers {
        let followed = follower.finish_at(ledger.head).await;
        assert_eq!(ledger.is_what_was_heard(&followed, &rooms), count);
        let ids: Vec<_> = followed.events.iter().map(|event| event.pos()).collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "positions ascend over every kind of event");
        streams += followed.streams;
    }
    println!(
        "figure: 8 posters, 6 readers, 3 rooms: {count} messages, {} deliveries over {streams} streams, one order, missed 0, repeated 0",
        6 * count
    );
}

//! `kill -9` under load: acknowledged messages are stored once and in order, and readers receive all of them.

use super::{founder, people, rooms};
use crate::actors::{Follower, Launch, Ledger, Load, PrivatePostgres, Program, Temper, User};

/// Acknowledged posts between two kills.
const BETWEEN_KILLS: usize = 80;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let postgres = PrivatePostgres::start().await;
    let mut server = Launch::on(postgres.url()).start().await;
    let crowd = Crowd::gather(&server).await;

    for _ in 0..6 {
        crowd.load.goes_on_by(BETWEEN_KILLS).await;
        server.kill();
        server.start_again();
    }
    crowd.load.goes_on_by(BETWEEN_KILLS).await;
    crowd.settle(&postgres, "kills of the server survived 6").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_database_is_killed() {
    let postgres = PrivatePostgres::start().await;
    let server = Launch::on(postgres.url()).start().await;
    let crowd = Crowd::gather(&server).await;

    for _ in 0..4 {
        crowd.load.goes_on_by(BETWEEN_KILLS).await;
        postgres.kill().await;
    }
    crowd.load.goes_on_by(BETWEEN_KILLS).await;
    crowd.settle(&postgres, "kills of the database survived 4").await;
}

/// Posters and readers of two rooms.
struct Crowd {
    rooms: Vec<gapless::event::Room>,
    load: Load,
    followers: Vec<Follower>,
}

impl Crowd {
    async fn gather(server: &Program) -> Self {
        let rooms = rooms(&founder(server).await, &["one", "other"]).await;
        let posters: Vec<User> = people(server, 6).await;
        let addresses = [server.address];
        let mut followers = Vec::new();
        for temper in [Temper::Steady, Temper::Restless(40)] {
            followers.push(Follower::start(&server.guest(), &rooms, &addresses, temper).await);
        }
        Self { load: Load::start(&posters, &rooms, &addresses), rooms, followers }
    }

    async fn settle(self, postgres: &PrivatePostgres, what: &str) {
        let acknowledged = self.load.stop().await;
        let ledger = Ledger::read(&postgres.pool()).await;
        let count = ledger.holds(&acknowledged);
        let mut streams = 0;
        for follower in self.followers {
            let followed = follower.finish_at(ledger.head).await;
            assert_eq!(ledger.is_what_was_heard(&followed, &self.rooms), count);
            streams += followed.streams;
        }
        println!("figure: {what}, acknowledged {count}, lost 0, doubled 0, out of order 0");
        println!("figure: two readers received {count} each over {streams} streams, missed 0, repeated 0");
    }
}

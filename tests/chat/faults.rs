//! Guarantees under faults: killed processes, hanging databases, failing links, readers that
//! do not read. Each test prints its figures, one per line.

use std::time::{Duration, Instant};

use gapless::event::Room;

use crate::actors::{FOUNDER, PASSWORD, Program, User};

mod alarms;
mod backup;
mod crash;
mod cuts;
mod forged;
mod hanging_commits;
mod instances;
mod leaving;
mod network;
mod newer;
mod order;
mod outage;
mod restored;
mod revocation;
mod slow;
mod sockets;

/// Returns the admin of a chat whose database was created by these tests.
async fn founder(program: &Program) -> User {
    User::sign_in(program.guest(), FOUNDER, PASSWORD).await
}

/// Returns `count` new users, signed in.
async fn people(program: &Program, count: usize) -> Vec<User> {
    let mut people = Vec::new();
    for number in 0..count {
        people.push(User::sign_up(program.guest(), &format!("poster{number}")).await);
    }
    people
}

async fn rooms(founder: &User, names: &[&str]) -> Vec<Room> {
    let mut rooms = Vec::new();
    for name in names {
        rooms.push(founder.create_room(name).await);
    }
    rooms
}

/// Waits until each instance receives messages of the others through Redis.
async fn are_joined(instances: [&Program; 2]) {
    let began = Instant::now();
    for instance in instances {
        while instance.metric("gapless_backplane_connected", "").await < 1.0 {
            assert!(began.elapsed() < Duration::from_secs(10), "the instances do not hear each other through Redis");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

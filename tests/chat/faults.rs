//! What holds when things break: processes that are killed, databases that hang, links that fail, readers that
//! do not read. Each test prints its figures, one to a line.

use gapless::event::Room;

use crate::actors::{FOUNDER, PASSWORD, Program, User};

mod crash;

/// The admin of a chat whose database was filled by these tests.
async fn founder(program: &Program) -> User {
    User::sign_in(program.guest(), FOUNDER, PASSWORD).await
}

/// So many new people, signed in.
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

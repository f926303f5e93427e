//! The actors of these tests: a [`Chat`] with its database, people ([`User`], [`Guest`]) who call it over HTTP, and
//! the [`Stream`]s on which they receive events.
//!
//! A method (`post`, `archive`) performs the action and asserts success; its counterpart with `try_` returns the
//! [`Answer`], successful or not.
//!
//! Fault tests use the [`Program`] as a process, a [`PrivatePostgres`], a [`Redis`] and a [`Link`];
//! a [`Load`] of posts, [`Follower`]s that receive them, and the [`Ledger`] to check both against.

mod answer;
mod chat;
mod database;
mod fault_proxy;
mod follower;
mod guest;
mod ledger;
mod load;
pub mod network;
mod postgres;
mod program;
mod push_service;
mod redis;
mod stream;
mod user;
mod wire;

use std::time::Duration;

pub use self::redis::Redis;
pub use answer::Answer;
pub use chat::{Chat, Instance};
pub use database::{Database, FOUNDER};
pub use fault_proxy::{Link, LinkFault, Upstream, link_to_database};
pub use follower::{Follower, Temper, pos_of};
pub use guest::Guest;
pub use ledger::Ledger;
pub use load::Load;
pub use postgres::PrivatePostgres;
pub use program::{Launch, Program, free_port};
pub use push_service::{Browser, PushService, Pushed, Reply};
pub use stream::{Heard, Opening, Stream};
pub use user::User;
pub use wire::Wire;

/// Time limit for expected events, also on a machine that is busy with other tests.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Token for `/metrics`.
pub const METRICS_TOKEN: &str = "scraper";

/// The password of all users.
pub const PASSWORD: &str = "correct horse battery";

//! Who acts in these tests: a [`Chat`] with its database, people ([`User`], [`Guest`]) who call it over HTTP, and
//! the [`Stream`]s on which they hear it.
//!
//! A verb (`post`, `archive`) does the thing and insists on success; its neighbour with `try_` hands back the
//! [`Answer`], whatever it is.
//!
//! For faults there are the [`Program`] as a process, a [`PrivatePostgres`], a [`Redis`] and a [`Link`];
//! a [`Load`] of posts, [`Follower`]s who hear them, and the [`Ledger`] that both are held against.

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
mod redis;
mod stream;
mod user;
mod wire;

use std::time::Duration;

pub use self::redis::Redis;
pub use answer::Answer;
pub use chat::{Chat, Instance};
pub use database::{Database, FOUNDER};
pub use fault_proxy::{Disturbance, Link, Upstream};
pub use follower::{Follower, Temper, pos_of};
pub use guest::Guest;
pub use ledger::Ledger;
pub use load::Load;
pub use postgres::PrivatePostgres;
pub use program::{Launch, Program, free_port};
pub use stream::{Heard, Stream};
pub use user::User;
pub use wire::Wire;

/// What should happen happens within this, on a machine that is busy with other tests too.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Token for `/metrics`.
pub const METRICS_TOKEN: &str = "scraper";

/// Of everybody here.
pub const PASSWORD: &str = "correct horse battery";

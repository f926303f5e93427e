//! Who acts in these tests: a [`Chat`] with its database, people ([`User`], [`Guest`]) who call it over HTTP, and
//! the [`Stream`]s on which they hear it.
//!
//! A verb (`post`, `archive`) does the thing and insists on success; its neighbour with `try_` hands back the
//! [`Answer`], whatever it is.

mod answer;
mod chat;
mod database;
mod guest;
mod stream;
mod user;

use std::time::Duration;

pub use answer::Answer;
pub use chat::{Chat, Instance};
pub use guest::Guest;
pub use stream::{Heard, Opening, Stream};
pub use user::User;

/// What should happen happens within this, on a machine that is busy with other tests too.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Of everybody here.
pub const PASSWORD: &str = "correct horse battery";

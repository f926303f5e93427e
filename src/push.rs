//! Notifications to browsers that are closed (Web Push): mentions, replies and direct messages that stay unread.
//!
//! Nothing is added to the path of a post. The [sender](sender) of each instance looks at the log every few seconds:
//! it queues the new items of subscribed users in the database, claims those that are due, checks again that they are
//! unread, and sends them to the push service of each browser. A claim is a row that is locked by one statement and
//! due again later, so instances share the work, an item is sent by one of them, and one that was killed loses nothing.
//! No connection to the database is held during a request to a push service.
//!
//! Next: [`encryption`] and [`authorization`] for the two standards, `migrations/0042_push.sql` and
//! `0043_push_items.sql` for the queue.

mod authorization;
mod encryption;
mod payload;
mod sender;
mod service;
mod unreachable;

use std::sync::Arc;

use p256::PublicKey;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Push as Settings;
use crate::store::Db;

use sender::Sender;

/// Keys of a browser's subscription, by which a notification is encrypted for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserKeys {
    /// Public key, `p256dh`: an uncompressed point of 65 bytes.
    pub p256dh: Vec<u8>,
    /// Secret shared with the browser, `auth`: 16 bytes.
    pub auth: Vec<u8>,
}

impl BrowserKeys {
    /// Returns whether `p256dh` is a public key: an uncompressed point of the curve.
    pub fn is_public_key(p256dh: &[u8]) -> bool {
        p256dh.len() == 65 && PublicKey::from_sec1_bytes(p256dh).is_ok()
    }
}

/// See the [module](self). A handle, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Push {
    due: Arc<Notify>,
}

impl Push {
    /// Starts the task that sends notifications, if there is a key for it. It ends when this instance shuts down, after
    /// the requests that it has sent.
    pub fn spawn(settings: &Settings, db: Db, clock: Clock, tasks: &TaskTracker, leaving: CancellationToken) -> Self {
        let this = Self::default();
        if let Some(sender) = Sender::new(settings, db, clock, Arc::clone(&this.due)) {
            tasks.spawn(sender.run(leaving));
        }
        this
    }

    /// Looks for due notifications now.
    pub fn wake(&self) {
        self.due.notify_one();
    }
}

//! What the real-time half needs of the log, without knowing what keeps it.
//!
//! The composition root binds it to [`crate::store::log`]; tests bind it to a list in memory.

use std::pin::Pin;
use std::sync::Arc;

use time::OffsetDateTime;

use super::directory::Directory;
use crate::event::Event;
use crate::id::Pos;

/// A future with its type forgotten, so that a function returning one can be kept in a struct.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The log as one moment shows it.
#[derive(Debug)]
pub struct Snapshot {
    pub epoch: Arc<str>,
    pub head: Pos,
    pub directory: Directory,
    /// Names this chat, whatever becomes of its history.
    pub chat: Arc<str>,
}

/// The name of the history and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub epoch: Arc<str>,
    pub pos: Pos,
    /// The position that was asked about, and when the event there was committed. Two histories may share a name
    /// and positions, when a copy took over that lacked the newest and has grown since; they share no moment.
    pub landmark: Option<(Pos, OffsetDateTime)>,
}

/// An asynchronous query with a time limit.
pub type Call<A, T> = Arc<dyn Fn(A) -> BoxFuture<anyhow::Result<T>> + Send + Sync>;

/// Four queries to the log's storage. An error means "not now": every caller retries.
#[derive(Clone)]
pub struct Log {
    /// The events in `(after, ..=upto]`, in order, without a gap.
    pub read: Call<(Pos, Pos), Vec<Event>>,
    /// Reads for resuming readers: shares no connections with posts or `read`.
    pub replay: Call<(Pos, Pos), Vec<Event>>,
    /// How far the log has come, and when the event at this position was committed.
    pub head: Call<Pos, Head>,
    /// Everything that is known by heart. Given the epoch of a history that was found to have lost
    /// positions, begins another one first.
    pub snapshot: Call<Option<Arc<str>>, Snapshot>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

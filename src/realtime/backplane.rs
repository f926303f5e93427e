//! Carries news between the instances of one chat: committed events, and who is present.
//!
//! Nothing waits for news, and it may be lost: a gap in positions shows it, and the events are read from the log (see
//! [`super::applier`]). So a slow, unavailable or full backplane delays no post and loses no event. Presence is leased:
//! an instance's reports count until it changes them, or has sent nothing for [`LEASE`](super::presence::LEASE).
//!
//! Redis is not trusted: an instance accepts [signed](seal) news only, and treats any other message on the channel as a
//! [hint](Hints) at most.

pub mod redis;
pub mod seal;

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc};

use super::presence::Report;
use super::typing::Announcement;
use crate::event::Event;
use crate::id::{InstanceId, Pos};
use crate::telemetry::trace::Trace;

/// A message between instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bulletin {
    /// These were committed.
    Committed(Vec<Event>),
    /// The log has reached this position; read the events from it.
    Head(Pos),
    /// A presence report of the sending instance.
    Present(Report),
    /// The sender missed reports: every instance must send a full one.
    AskPresence,
    /// These users type. Earlier releases ignore it.
    Typing(Vec<Announcement>),
    /// The sender shuts down, and everyone connected to it leaves.
    Gone,
    /// Carries nothing; tests whether the sender receives its own publications.
    Probe,
}

/// A bulletin with its sender and epoch, as published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    pub from: InstanceId,
    /// History that its positions belong to.
    pub epoch: String,
    pub bulletin: Bulletin,
    /// Trace that it belongs to, if tracing is on. Releases without traces ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Time of sending, in milliseconds since the Unix epoch: bulletins without a position expire after a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at_ms: Option<i64>,
}

/// Effects of unsigned publications: any number of them cause one check of the log and one presence report.
#[derive(Debug, Default)]
pub struct Hints {
    look: Notify,
    is_stranger_heard: AtomicBool,
}

impl Hints {
    /// An unsigned publication arrived: from a stranger, or an instance of the previous release.
    pub fn hear_a_stranger(&self) {
        self.is_stranger_heard.store(true, Ordering::Relaxed);
        self.look_at_log();
    }

    /// The log may have advanced. The task that checks it decides when.
    pub fn look_at_log(&self) {
        self.look.notify_one();
    }

    /// Returns when the log should be checked.
    pub async fn due(&self) {
        self.look.notified().await;
    }

    /// Returns whether an unsigned publication arrived since the last call.
    pub fn take_stranger(&self) -> bool {
        self.is_stranger_heard.swap(false, Ordering::Relaxed)
    }
}

/// Connection to the other instances.
#[derive(Debug, Clone)]
pub enum Backplane {
    /// A single instance.
    Local,
    Redis(redis::Publisher),
}

impl Backplane {
    /// Sends a bulletin, or drops it if the queue is full.
    pub fn send(&self, bulletin: Bulletin) {
        self.send_in(Trace::default(), bulletin);
    }

    /// Sends a bulletin as part of a trace.
    pub fn send_in(&self, trace: Trace, bulletin: Bulletin) {
        match self {
            Self::Local => {}
            Self::Redis(publisher) => publisher.send(trace, bulletin),
        }
    }

    /// Sends a bulletin that nobody misses, unless so many others wait that one of them could be dropped for it.
    pub fn send_if_idle(&self, bulletin: Bulletin) {
        match self {
            Self::Local => {}
            Self::Redis(publisher) => publisher.send_if_idle(bulletin),
        }
    }

    /// Returns whether news can be sent and received. Always true for a single instance.
    pub fn is_connected(&self) -> bool {
        match self {
            Self::Local => true,
            Self::Redis(publisher) => publisher.is_connected(),
        }
    }

    pub const fn has_others(&self) -> bool {
        matches!(self, Self::Redis(_))
    }
}

/// Messages from the other instances. Full means that this instance lags; dropped events are read from the log.
pub type Inbox = mpsc::Receiver<Heard>;

/// See [`Inbox`].
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    Envelope(Envelope),
    /// The subscription began, or began again: anything may have been missed.
    Joined,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_with_and_without_traces_understand_each_other() {
        let from = InstanceId::new();
        let plain =
            Envelope { from, epoch: "e".into(), bulletin: Bulletin::Head(Pos(7)), trace: None, sent_at_ms: None };
        let said = serde_json::to_value(&plain).unwrap();
        assert_eq!(said, serde_json::json!({"from": from.0, "epoch": "e", "bulletin": {"head": 7}}));
        assert_eq!(serde_json::from_value::<Envelope>(said.clone()).unwrap(), plain);
        let mut newer = said;
        newer["trace"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into();
        newer["something"] = "of a later release".into();
        assert_eq!(serde_json::from_value::<Envelope>(newer).unwrap().bulletin, plain.bulletin);
    }
}

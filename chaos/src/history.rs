//! The history of a run: every submit, answer and event, as JSON Lines on disk.
//!
//! The checker knows nothing else of what clients sent and received. Times are microseconds since the run began;
//! positions are those that clients received.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schedule::FaultKind;

/// File name of the history in a run's directory.
pub const FILE_NAME: &str = "history.jsonl";

/// Microseconds since the run began.
pub type Micros = u64;

/// Capacity of the queue of records to be written. If the disk is slower than the chat and the queue is full, clients
/// wait, since an incomplete history would prove nothing.
const QUEUE: usize = 16 * 1024;

/// A change that an author requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Post a message in a room.
    Post,
    /// Send a direct message.
    Direct,
    /// Replace a message's body.
    Edit,
    /// Delete a message.
    Delete,
}

/// A change of a user's rights, or of the right to post in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RightsChange {
    Ban,
    Unban,
    Mute,
    Unmute,
    EndSessions,
    LogOut,
    Demote,
    Promote,
    Archive,
    Restore,
}

/// One line of the history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The run began, at `wall` microseconds since 1970.
    Begin {
        seed: u64,
        seconds: u64,
        wall: u64,
        mutant: Option<String>,
    },
    /// An author began a submit. No other message has this body.
    Submit {
        at: Micros,
        submit: u64,
        action: Action,
        user: Uuid,
        target: Uuid,
        client_id: Uuid,
        body: String,
    },
    /// An attempt of a submit ended. `status` 0: no answer.
    Answer {
        began: Micros,
        at: Micros,
        submit: u64,
        instance: usize,
        status: u16,
        id: Option<Uuid>,
        pos: Option<i64>,
        seq: Option<i64>,
    },
    /// Invalid input was sent.
    InvalidInput {
        at: Micros,
        instance: usize,
        what: String,
        status: u16,
    },
    /// A reader exists, which keeps a stream open and resumes from its cursor.
    Reader {
        reader: u32,
        kind: String,
        user: Option<Uuid>,
        rooms: Vec<Uuid>,
    },
    /// A reader requested a stream, with a token that expires at `expires`.
    Open {
        at: Micros,
        conn: u32,
        reader: u32,
        instance: usize,
        session: Option<Uuid>,
        expires: Option<Micros>,
        cursor: Option<String>,
    },
    Refused {
        at: Micros,
        conn: u32,
        status: u16,
    },
    Hello {
        at: Micros,
        conn: u32,
        cursor: String,
        missing: Vec<Uuid>,
    },
    /// A durable event. `fingerprint`: of the message's body, if it has one.
    Event {
        at: Micros,
        conn: u32,
        name: String,
        cursor: String,
        subject: Uuid,
        room: Option<Uuid>,
        seq: Option<i64>,
        fingerprint: Option<u64>,
    },
    Heartbeat {
        at: Micros,
        conn: u32,
        cursor: String,
    },
    Reset {
        at: Micros,
        conn: u32,
        cursor: String,
        reason: String,
    },
    Bye {
        at: Micros,
        conn: u32,
        reason: String,
    },
    /// The stream ended, on either side.
    Closed {
        at: Micros,
        conn: u32,
    },
    /// The marker of a direct message was received by somebody else.
    Leak {
        at: Micros,
        user: Option<Uuid>,
        path: String,
        sender: Uuid,
        recipient: Uuid,
    },
    /// An attempt to change rights ended.
    RightsChange {
        began: Micros,
        at: Micros,
        change: RightsChange,
        subject: Uuid,
        status: u16,
    },
    /// A request with a revoked token or right ended.
    Probe {
        began: Micros,
        at: Micros,
        instance: usize,
        session: Uuid,
        status: u16,
    },
    Fault {
        at: Micros,
        number: u32,
        kind: FaultKind,
        instance: Option<usize>,
    },
    Healed {
        at: Micros,
        number: u32,
    },
    /// An instance exited by itself and was restarted.
    Restarted {
        at: Micros,
        instance: usize,
    },
    /// A timer of this process was `late`, because the machine was busy: times measured now say little about the chat.
    Stall {
        at: Micros,
        late: Micros,
    },
    /// Resource usage of an instance; `reads` counts its catch-up reads of the log so far.
    Resources {
        at: Micros,
        instance: usize,
        pid: u32,
        rss_kib: u64,
        descriptors: u64,
        threads: u64,
        /// Tokio tasks.
        tasks: u64,
        reads: u64,
        streams: u64,
    },
    /// Final position of a reader.
    Settled {
        at: Micros,
        reader: u32,
        pos: i64,
    },
    /// Time for which another instance counted the guests of a killed one.
    StalePresence {
        millis: u64,
    },
}

/// Writes the history.
#[derive(Debug)]
pub struct History {
    begin: Instant,
    /// Microseconds since 1970 when the run began.
    wall: u64,
    records: Option<SyncSender<Record>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl History {
    /// Creates the file, and starts the run's clock.
    pub fn begin(path: &Path, seed: u64, seconds: u64, mutant: Option<String>) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let (records, written) = sync_channel::<Record>(QUEUE);
        let writer = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            for record in written {
                serde_json::to_writer(&mut file, &record)?;
                file.write_all(b"\n")?;
            }
            file.flush()
        })?;
        let wall = wall_micros();
        let history = Self { begin: Instant::now(), wall, records: Some(records), writer: Some(writer) };
        history.record(Record::Begin { seed, seconds, wall, mutant });
        Ok(history)
    }

    pub fn now(&self) -> Micros {
        u64::try_from(self.begin.elapsed().as_micros()).expect("a run is shorter than half a million years")
    }

    /// Converts microseconds since 1970 to the run's clock.
    pub const fn at_wall(&self, micros: u64) -> Micros {
        micros.saturating_sub(self.wall)
    }

    pub fn record(&self, record: Record) {
        let records = self.records.as_ref().expect("it is taken only in `end`");
        records.send(record).expect("the writer ends before only if it cannot write to the disk");
    }

    /// Writes the remaining records to disk.
    pub fn end(mut self) -> io::Result<()> {
        drop(self.records.take());
        self.writer.take().expect("it ends once").join().expect("the writer does not panic")
    }
}

#[expect(clippy::disallowed_methods, reason = "the database's timestamps are compared with this clock")]
fn wall_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(since.as_micros()).expect("it is earlier than the year 586000")
}

/// Reads a history from its beginning.
pub fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Record>>> {
    let lines = BufReader::with_capacity(1 << 20, File::open(path)?).lines();
    Ok(lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)))
}

/// FNV-1a, 64 bits: distinguishes bodies without recording each of them for each reader.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

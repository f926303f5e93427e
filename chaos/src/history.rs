//! The history of a run: every invocation, answer and event, as JSON Lines on disk.
//!
//! It is all that the checker knows of what clients saw. Times are microseconds since the run began; positions are
//! those that clients were told.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schedule::FaultKind;

/// Microseconds since the run began.
pub type Micros = u64;

/// Records waiting to be written. Full means that the disk is slower than the chat; clients then wait, since a
/// history with a hole would prove nothing.
const QUEUE: usize = 16 * 1024;

/// What a client may ask to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A message for a room.
    Post,
    /// A direct message for a user.
    Direct,
    /// Another body for a message.
    Edit,
    /// The end of a message's body.
    Delete,
}

/// What the law did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Ban,
    Unban,
    EndSessions,
    LogOut,
    Demote,
    Promote,
    Archive,
    Restore,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// `wall`: microseconds since 1970 when the run began.
    Begin {
        seed: u64,
        seconds: u64,
        wall: u64,
        mutant: Option<String>,
    },
    /// A person decided to do something, once. `body` is new to the world.
    Submit {
        at: Micros,
        submit: u64,
        deed: Deed,
        user: Uuid,
        target: Uuid,
        client_id: Uuid,
        body: String,
    },
    /// One attempt at it, over. `status` 0: no answer.
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
    /// Nonsense was sent on purpose.
    Bad {
        at: Micros,
        instance: usize,
        what: String,
        status: u16,
    },
    /// Somebody who keeps a stream open, from cursor to cursor.
    Reader {
        reader: u32,
        kind: String,
        user: Option<Uuid>,
        rooms: Vec<Uuid>,
    },
    /// The reader asked for a stream. `expires`: when its token ends.
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
    /// A durable event. `print`: the body's fingerprint, none where there is no body.
    Event {
        at: Micros,
        conn: u32,
        name: String,
        cursor: String,
        subject: Uuid,
        place: Option<Uuid>,
        seq: Option<i64>,
        print: Option<u64>,
    },
    Beat {
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
    /// The stream is over, whoever ended it.
    Closed {
        at: Micros,
        conn: u32,
    },
    /// A mark that only direct messages carry was seen where none belongs.
    Leak {
        at: Micros,
        user: Option<Uuid>,
        path: String,
        sender: Uuid,
        recipient: Uuid,
    },
    Law {
        began: Micros,
        at: Micros,
        ruling: Ruling,
        subject: Uuid,
        status: u16,
    },
    /// A right that was taken was tried.
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
    /// An instance had ended by itself and was started again.
    Revived {
        at: Micros,
        instance: usize,
    },
    /// This machine was late by so many microseconds: what is timed now says little about the chat.
    Starved {
        at: Micros,
        late: Micros,
    },
    /// What a process takes; `reads` are its catch-up reads of the log so far.
    Vitals {
        at: Micros,
        instance: usize,
        pid: u32,
        rss_kib: u64,
        descriptors: u64,
        threads: u64,
        /// Tasks of its runtime.
        #[serde(default)]
        tasks: u64,
        reads: u64,
        streams: u64,
    },
    /// How far each reader had come in the end.
    Settled {
        at: Micros,
        reader: u32,
        pos: i64,
    },
    Ghost {
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
    /// Begins a run, and its clock.
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

    /// The moment of the run that is so many microseconds after 1970.
    pub const fn at_wall(&self, micros: u64) -> Micros {
        micros.saturating_sub(self.wall)
    }

    pub fn record(&self, record: Record) {
        let records = self.records.as_ref().expect("it is taken only in `end`");
        records.send(record).expect("the history is written as long as the disk takes it");
    }

    /// Everything is on disk when this returns.
    pub fn end(mut self) -> io::Result<()> {
        drop(self.records.take());
        self.writer.take().expect("it ends once").join().expect("the writer does not panic")
    }
}

#[expect(clippy::disallowed_methods, reason = "the database's clock is compared with this machine's own")]
fn wall_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    u64::try_from(since.as_micros()).expect("it is earlier than the year 586000")
}

/// Reads a history from its beginning.
pub fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Record>>> {
    let lines = BufReader::with_capacity(1 << 20, File::open(path)?).lines();
    Ok(lines.map(|line| serde_json::from_str(&line?).map_err(io::Error::other)))
}

/// FNV-1a, 64 bits: tells bodies apart without writing each of them for each of its readers.
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

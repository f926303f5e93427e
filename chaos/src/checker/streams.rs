//! Events of each reader across its streams: complete, without duplicates, in order, and no others.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::Violations;
use super::ledger::Ledger;
use super::truth::{LogEvent, Row, Truth};
use crate::history::Record;

/// A reader, with the state of all its streams.
#[derive(Debug)]
struct Reader {
    kind: String,
    user: Option<Uuid>,
    rooms: HashSet<Uuid>,
    /// Position after which all events are expected. `None`: no stream has begun.
    position: Option<i64>,
    /// One bit for each received position.
    received: Vec<u64>,
    settled: Option<i64>,
}

#[derive(Debug)]
struct Stream {
    reader: u32,
    cursor: Option<String>,
    session: Option<Uuid>,
    /// Rooms that were archived when the stream began; it receives their events again some time after a restoration.
    missing: HashSet<Uuid>,
    has_received_hello: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Streams {
    readers: HashMap<u32, Reader>,
    open: HashMap<u32, Stream>,
    pub opened: u64,
    pub delivered: u64,
    pub resumes: u64,
    pub resets: BTreeMap<String, u64>,
    pub byes: BTreeMap<String, u64>,
}

impl Streams {
    pub fn note(&mut self, record: &Record, truth: &Truth, ledger: &Ledger, violations: &mut Violations) {
        match record {
            Record::Reader { reader, kind, user, rooms } => {
                let rooms = rooms.iter().copied().collect();
                let received = vec![0; truth.log.len() / 64 + 1];
                let reader_now =
                    Reader { kind: kind.clone(), user: *user, rooms, position: None, received, settled: None };
                self.readers.insert(*reader, reader_now);
            }
            Record::Open { conn, reader, session, cursor, .. } => {
                let stream = Stream {
                    reader: *reader,
                    cursor: cursor.clone(),
                    session: *session,
                    missing: HashSet::new(),
                    has_received_hello: false,
                };
                self.open.insert(*conn, stream);
            }
            Record::Hello { conn, cursor, missing, .. } => self.begin(*conn, cursor, missing, truth, violations),
            Record::Reset { conn, cursor, reason, .. } => {
                *self.resets.entry(reason.clone()).or_default() += 1;
                if reason == "epoch" {
                    violations.add("broken histories", || format!("stream {conn} received a reset for a new epoch"));
                }
                if let Some(reader) = self.reader_of(*conn) {
                    reader.position = Some(pos_of(cursor));
                }
            }
            Record::Heartbeat { conn, cursor, .. } => self.advance(*conn, pos_of(cursor), false, truth, violations),
            Record::Event { conn, name, cursor, subject, room, seq, fingerprint, .. } => {
                let pos = pos_of(cursor);
                self.delivered += 1;
                self.check_event(*conn, pos, violations);
                if let Some(row) = truth.row(pos) {
                    let event = Received { name, subject: *subject, room: *room, seq: *seq, fingerprint: *fingerprint };
                    if let Some(why) = event.mismatch(row, truth, ledger) {
                        violations.add("phantoms", || {
                            format!("stream {conn} at {pos}: {why}: received {event:?}, but the log has {row:?}")
                        });
                    }
                } else {
                    violations
                        .add("phantoms", || format!("stream {conn} received {pos}, {name}, which is not in the log"));
                }
                self.advance(*conn, pos, true, truth, violations);
            }
            Record::Bye { reason, .. } => *self.byes.entry(reason.clone()).or_default() += 1,
            Record::Settled { reader, pos, .. } => {
                if let Some(reader) = self.readers.get_mut(reader) {
                    reader.settled = Some(*pos);
                }
            }
            _ => {}
        }
    }

    fn reader_of(&mut self, conn: u32) -> Option<&mut Reader> {
        self.readers.get_mut(&self.open.get(&conn)?.reader)
    }

    fn begin(&mut self, conn: u32, cursor: &str, missing: &[Uuid], truth: &Truth, violations: &mut Violations) {
        let Some(stream) = self.open.get_mut(&conn) else { return };
        stream.missing = missing.iter().copied().collect();
        if std::mem::replace(&mut stream.has_received_hello, true) {
            violations.add("doubled", || format!("stream {conn} received hello twice"));
        }
        self.opened += 1;
        if !cursor.starts_with(&truth.epoch) {
            violations.add("broken histories", || {
                format!("stream {conn} begins at {cursor}, but the log's epoch is {}", truth.epoch)
            });
        }
        let resumes = stream.cursor.as_deref();
        let from = resumes.map_or_else(|| pos_of(cursor), pos_of);
        self.resumes += u64::from(resumes.is_some());
        if let Some(reader) = self.reader_of(conn) {
            // If the stream begins later than requested without a reset, the events between count as gaps.
            reader.position = Some(from);
        }
    }

    fn check_event(&mut self, conn: u32, pos: i64, violations: &mut Violations) {
        let Some(reader) = self.reader_of(conn) else { return };
        let index = usize::try_from(pos).unwrap_or_default();
        let Some(word) = reader.received.get_mut(index / 64) else { return };
        let bit = 1 << (index % 64);
        if reader.position.is_none_or(|position| pos <= position) {
            let name = if *word & bit == 0 { "reordered" } else { "doubled" };
            let position = reader.position;
            violations.add(name, || format!("stream {conn} received {pos} after {position:?}"));
        }
        *word |= bit;
    }

    /// Advances the reader to `pos`; no event that it must receive may be between its last position and this one.
    fn advance(&mut self, conn: u32, pos: i64, is_event: bool, truth: &Truth, violations: &mut Violations) {
        let Some(stream) = self.open.get_mut(&conn) else { return };
        let Some(reader) = self.readers.get_mut(&stream.reader) else { return };
        if reader.kind == "half-open" {
            return;
        }
        let Some(position) = reader.position else { return };
        if pos < position {
            if !is_event {
                violations.add("reordered", || format!("stream {conn} received {pos} after {position}"));
            }
            return;
        }
        // Excludes an event at `pos` itself, which is checked below.
        for missed in position + 1..pos + i64::from(!is_event) {
            let Some(row) = truth.row(missed) else { continue };
            let may_be_missing = row.event.room_of_message().is_some_and(|room| stream.missing.contains(&room));
            if reader.must_receive(row, truth) && !may_be_missing {
                violations.add("gaps", || {
                    format!(
                        "stream {conn} ({}) went from {position} to {pos} without {missed}, {}",
                        reader.kind, row.name
                    )
                });
            }
        }
        let row = truth.row(pos).filter(|_| is_event);
        if let Some(room) = row.and_then(|row| row.event.room_of_message()) {
            // After its first event, all further events of the room are expected.
            stream.missing.remove(&room);
        }
        if let Some(row) = row.filter(|row| !reader.may_receive(row, truth)) {
            let name = if matches!(row.event, LogEvent::Direct { .. }) { "leaked" } else { "phantoms" };
            violations.add(name, || format!("stream {conn} ({}) received {pos}, which it should not", reader.kind));
        }
        if let Some(ended) = stream.session.and_then(|session| truth.ended.get(&session))
            && is_event
            && pos > *ended
        {
            violations.add("late after revocation", || {
                format!("stream {conn} received {pos}, but its session had ended at {ended}")
            });
        }
        reader.position = Some(pos);
    }

    pub fn check(&self, truth: &Truth, violations: &mut Violations) {
        for (number, reader) in &self.readers {
            // Half-open readers have no final position.
            if let Some(settled) = reader.settled
                && settled < truth.head
            {
                violations.add("deaf", || {
                    format!("reader {number} ({}) reached {settled} of {} and stopped", reader.kind, truth.head)
                });
            }
        }
    }
}

impl Reader {
    fn must_receive(&self, row: &Row, truth: &Truth) -> bool {
        // Users receive changes of their own role, mute and ban only while they are not banned.
        !matches!(row.event, LogEvent::UserChanged { .. }) && self.may_receive(row, truth)
    }

    fn may_receive(&self, row: &Row, truth: &Truth) -> bool {
        match row.event {
            LogEvent::Posted { room, .. } | LogEvent::Edited { room, .. } | LogEvent::Deleted { room, .. } => {
                self.rooms.contains(&room)
            }
            LogEvent::Direct { message } => truth
                .messages
                .get(&message)
                .is_some_and(|message| self.user.is_some_and(|user| user == message.author || user == message.target)),
            LogEvent::Room { .. } => true,
            // A revoked ban included: a replayed event has the user's current state.
            LogEvent::UserChanged { user } => self.user == Some(user),
            LogEvent::SessionsEnded => false,
        }
    }
}

/// A received event.
#[derive(Debug)]
struct Received<'a> {
    name: &'a str,
    subject: Uuid,
    room: Option<Uuid>,
    seq: Option<i64>,
    fingerprint: Option<u64>,
}

impl Received<'_> {
    /// Returns how the event differs from the log.
    fn mismatch(&self, row: &Row, truth: &Truth, ledger: &Ledger) -> Option<&'static str> {
        if self.name != row.name {
            return Some("another kind");
        }
        let (subject, room) = match row.event {
            LogEvent::Posted { message, room }
            | LogEvent::Edited { message, room }
            | LogEvent::Deleted { message, room } => (message, Some(room)),
            LogEvent::Direct { message } => (message, None),
            LogEvent::Room { room } => (room, None),
            LogEvent::UserChanged { user } => (user, None),
            LogEvent::SessionsEnded => return Some("an event that no reader receives"),
        };
        if subject != self.subject {
            return Some("another subject");
        }
        if room.is_some() && room != self.room {
            return Some("another room");
        }
        let message = truth.messages.get(&subject)?;
        if room.is_some() && message.seq != self.seq {
            return Some("another seq");
        }
        match (&row.event, self.fingerprint) {
            (LogEvent::Deleted { .. }, None) => None,
            (LogEvent::Deleted { .. }, Some(_)) => Some("a deleted body"),
            // Events have the current state of their message; a deleted one has no body.
            (_, None) if message.fingerprint.is_none() => None,
            (_, None) => Some("no body"),
            (_, Some(fingerprint)) => (!ledger.knows_body(subject, fingerprint)).then_some("a body that nobody wrote"),
        }
    }
}

/// Returns the position of a cursor. Cursors are opaque to clients; only the checker and the drills parse them.
pub fn pos_of(cursor: &str) -> i64 {
    cursor.rsplit_once('.').and_then(|(_, pos)| pos.parse().ok()).unwrap_or_default()
}

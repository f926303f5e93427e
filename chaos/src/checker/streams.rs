//! Whether every stream heard what it should have, once each, in order, from cursor to cursor.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::Faults;
use super::ledger::Ledger;
use super::truth::{Row, Said, Truth};
use crate::history::Record;

/// A reader, across all of its streams.
#[derive(Debug)]
struct Reader {
    kind: String,
    user: Option<Uuid>,
    rooms: HashSet<Uuid>,
    /// Passed; from here on everything is expected. `None`: it begins anew.
    passed: Option<i64>,
    /// One bit for each position that it was given.
    given: Vec<u64>,
    settled: Option<i64>,
}

#[derive(Debug)]
struct Stream {
    reader: u32,
    cursor: Option<String>,
    session: Option<Uuid>,
    /// Rooms that were archived when it came; it hears them again from some restoration on.
    missing: HashSet<Uuid>,
    begun: bool,
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
    pub fn note(&mut self, record: &Record, truth: &Truth, ledger: &Ledger, faults: &mut Faults) {
        match record {
            Record::Reader { reader, kind, user, rooms } => {
                let rooms = rooms.iter().copied().collect();
                let given = vec![0; truth.log.len() / 64 + 1];
                let reader_now = Reader { kind: kind.clone(), user: *user, rooms, passed: None, given, settled: None };
                self.readers.insert(*reader, reader_now);
            }
            Record::Open { conn, reader, session, cursor, .. } => {
                let stream = Stream {
                    reader: *reader,
                    cursor: cursor.clone(),
                    session: *session,
                    missing: HashSet::new(),
                    begun: false,
                };
                self.open.insert(*conn, stream);
            }
            Record::Hello { conn, cursor, missing, .. } => self.begin(*conn, cursor, missing, truth, faults),
            Record::Reset { conn, cursor, reason, .. } => {
                *self.resets.entry(reason.clone()).or_default() += 1;
                if reason == "epoch" {
                    faults.add("broken histories", || format!("stream {conn} was told that the history changed"));
                }
                if let Some(reader) = self.reader_of(*conn) {
                    reader.passed = Some(pos_of(cursor));
                }
            }
            Record::Beat { conn, cursor, .. } => self.pass(*conn, pos_of(cursor), false, truth, faults),
            Record::Event { conn, name, cursor, subject, place, seq, print, .. } => {
                let pos = pos_of(cursor);
                self.delivered += 1;
                self.check_event(*conn, pos, faults);
                if let Some(row) = truth.row(pos) {
                    let told = Told { name, subject: *subject, place: *place, seq: *seq, print: *print };
                    if let Some(why) = told.is_wrong(row, truth, ledger) {
                        faults.add("phantoms", || {
                            format!("stream {conn} at {pos}: {why}: received {told:?}, but the log has {row:?}")
                        });
                    }
                } else {
                    faults.add("phantoms", || format!("stream {conn} received {pos}, {name}, which is not in the log"));
                }
                self.pass(*conn, pos, true, truth, faults);
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

    fn begin(&mut self, conn: u32, cursor: &str, missing: &[Uuid], truth: &Truth, faults: &mut Faults) {
        let Some(stream) = self.open.get_mut(&conn) else { return };
        stream.missing = missing.iter().copied().collect();
        if std::mem::replace(&mut stream.begun, true) {
            faults.add("doubled", || format!("stream {conn} was greeted twice"));
        }
        self.opened += 1;
        if !cursor.starts_with(&truth.epoch) {
            faults.add("broken histories", || {
                format!("stream {conn} begins at {cursor}, but the log's epoch is {}", truth.epoch)
            });
        }
        let resumes = stream.cursor.as_deref();
        let from = resumes.map_or_else(|| pos_of(cursor), pos_of);
        self.resumes += u64::from(resumes.is_some());
        if let Some(reader) = self.reader_of(conn) {
            // Where it begins later than it asked without saying so, what lies between will be missed.
            reader.passed = Some(from);
        }
    }

    fn check_event(&mut self, conn: u32, pos: i64, faults: &mut Faults) {
        let Some(reader) = self.reader_of(conn) else { return };
        let place = usize::try_from(pos).unwrap_or_default();
        let Some(word) = reader.given.get_mut(place / 64) else { return };
        let bit = 1 << (place % 64);
        if reader.passed.is_none_or(|passed| pos <= passed) {
            let name = if *word & bit == 0 { "reordered" } else { "doubled" };
            let passed = reader.passed;
            faults.add(name, || format!("stream {conn} received {pos} after {passed:?}"));
        }
        *word |= bit;
    }

    /// The stream has come to `pos`: nothing that it should have heard lies before.
    fn pass(&mut self, conn: u32, pos: i64, is_event: bool, truth: &Truth, faults: &mut Faults) {
        let Some(stream) = self.open.get_mut(&conn) else { return };
        let Some(reader) = self.readers.get_mut(&stream.reader) else { return };
        if reader.kind == "half-open" {
            return;
        }
        let Some(passed) = reader.passed else { return };
        if pos < passed {
            if !is_event {
                faults.add("reordered", || format!("stream {conn} received {pos} after {passed}"));
            }
            return;
        }
        // An event that the reader may not hear is in no gap; it is checked by itself.
        for missed in passed + 1..pos + i64::from(!is_event) {
            let Some(row) = truth.row(missed) else { continue };
            let may_be_missing = matches!(row.said,
                Said::Posted { room, .. } | Said::Edited { room, .. } | Said::Deleted { room, .. }
                    if stream.missing.contains(&room));
            if reader.must_hear(row, truth) && !may_be_missing {
                faults.add("gaps", || {
                    format!(
                        "stream {conn} ({}) went from {passed} to {pos} without {missed}, {}",
                        reader.kind, row.name
                    )
                });
            }
        }
        if let Some(Row {
            said: Said::Posted { room, .. } | Said::Edited { room, .. } | Said::Deleted { room, .. },
            ..
        }) = truth.row(pos)
            && is_event
        {
            // Heard once, it is heard from here on.
            stream.missing.remove(room);
        }
        if is_event && truth.row(pos).is_some_and(|row| !reader.may_hear(row, truth)) {
            let is_mail = matches!(truth.row(pos), Some(Row { said: Said::Direct { .. }, .. }));
            let name = if is_mail { "leaked" } else { "phantoms" };
            faults.add(name, || format!("stream {conn} ({}) received {pos}, which it should not", reader.kind));
        }
        if let Some(ended) = stream.session.and_then(|session| truth.ended.get(&session))
            && is_event
            && pos > *ended
        {
            faults.add("late after revocation", || {
                format!("stream {conn} received {pos}, but its session had ended at {ended}")
            });
        }
        reader.passed = Some(pos);
    }

    pub fn check(&self, truth: &Truth, faults: &mut Faults) {
        for (number, reader) in &self.readers {
            // A stream that was not said to have settled belongs to somebody who stopped reading.
            if let Some(settled) = reader.settled
                && settled < truth.head
            {
                faults.add("deaf", || {
                    format!("reader {number} ({}) reached {settled} of {} and stopped", reader.kind, truth.head)
                });
            }
        }
    }
}

impl Reader {
    fn must_hear(&self, row: &Row, truth: &Truth) -> bool {
        // Whether a user hears of their own standing depends on whether they are banned by now.
        !matches!(row.said, Said::Standing { .. }) && self.may_hear(row, truth)
    }

    fn may_hear(&self, row: &Row, truth: &Truth) -> bool {
        match row.said {
            Said::Posted { room, .. } | Said::Edited { room, .. } | Said::Deleted { room, .. } => {
                self.rooms.contains(&room)
            }
            Said::Direct { message } => truth
                .messages
                .get(&message)
                .is_some_and(|message| self.user.is_some_and(|user| user == message.author || user == message.target)),
            Said::Room { .. } => true,
            // Of a ban, too, once it was taken back: a replayed event shows its subject as it is now.
            Said::Standing { user } => self.user == Some(user),
            Said::SessionsEnded => false,
        }
    }
}

/// What an event said.
#[derive(Debug)]
struct Told<'a> {
    name: &'a str,
    subject: Uuid,
    place: Option<Uuid>,
    seq: Option<i64>,
    print: Option<u64>,
}

impl Told<'_> {
    fn is_wrong(&self, row: &Row, truth: &Truth, ledger: &Ledger) -> Option<&'static str> {
        if self.name != row.name {
            return Some("another kind");
        }
        let (subject, place) = match row.said {
            Said::Posted { message, room } | Said::Edited { message, room } | Said::Deleted { message, room } => {
                (message, Some(room))
            }
            Said::Direct { message } => (message, None),
            Said::Room { room, .. } => (room, None),
            Said::Standing { user, .. } => (user, None),
            Said::SessionsEnded => return Some("an event that no reader receives"),
        };
        if subject != self.subject {
            return Some("another subject");
        }
        if place.is_some() && place != self.place {
            return Some("another room");
        }
        let message = truth.messages.get(&subject)?;
        if place.is_some() && message.seq != self.seq {
            return Some("another seq");
        }
        match (&row.said, self.print) {
            (Said::Deleted { .. }, None) => None,
            (Said::Deleted { .. }, Some(_)) => Some("a deleted body"),
            // A message may already be in its newest state; then its body is gone.
            (_, None) if message.print.is_none() => None,
            (_, None) => Some("no body"),
            (_, Some(print)) => (!ledger.knows_body(subject, print)).then_some("a body that nobody wrote"),
        }
    }
}

/// The position that a cursor names. Opaque to clients; the checker looks inside, since it must know what is true.
pub fn pos_of(cursor: &str) -> i64 {
    cursor.rsplit_once('.').and_then(|(_, pos)| pos.parse().ok()).unwrap_or_default()
}

//! What clients saw between two moments of a drill, out of its history: how long they were without a stream, and how
//! long a submit took.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hdrhistogram::Histogram;

use crate::checker::histogram;
use crate::history::{self, Deed, Micros, Record};

/// See the [module](self).
#[derive(Debug)]
pub struct Seen {
    /// From the end of a client's stream to its next greeting, for streams that ended between the moments.
    pub away: Histogram<u64>,
    /// The last of those greetings.
    pub last_return: Micros,
    /// From the decision to write to the acknowledgement, whatever lay between, for what was begun between the moments.
    pub submits: Histogram<u64>,
    /// From sending what was accepted to its answer, and to each reader who was listening when it was sent.
    pub attempts: Histogram<u64>,
    pub deliveries: Histogram<u64>,
    /// Attempts that were answered 503 or 429, and that were not answered.
    pub not_now: u64,
    pub unanswered: u64,
}

impl Seen {
    pub fn between(dir: &Path, from: Micros, to: Micros) -> anyhow::Result<Self> {
        let mut seen = Self {
            away: histogram(),
            last_return: from,
            submits: histogram(),
            attempts: histogram(),
            deliveries: histogram(),
            not_now: 0,
            unanswered: 0,
        };
        let mut posts: HashSet<u64> = HashSet::new();
        let mut sent: HashMap<i64, Micros> = HashMap::new();
        let mut listening: HashMap<u32, Micros> = HashMap::new();
        let mut heard: Vec<(i64, u32, Micros)> = Vec::new();
        let mut reader_of: HashMap<u32, u32> = HashMap::new();
        let mut greeted: HashMap<u32, u32> = HashMap::new();
        let mut left: HashMap<u32, Micros> = HashMap::new();
        let mut begun: HashMap<u64, Micros> = HashMap::new();
        for record in history::read(&dir.join(crate::run::HISTORY))? {
            match record? {
                Record::Open { conn, reader, .. } => drop(reader_of.insert(conn, reader)),
                Record::Hello { at, conn, .. } => {
                    let Some(reader) = reader_of.get(&conn) else { continue };
                    greeted.insert(conn, *reader);
                    listening.insert(conn, at);
                    if let Some(since) = left.remove(reader) {
                        seen.away.saturating_record((at - since).max(1));
                        seen.last_return = seen.last_return.max(at);
                    }
                }
                // A stream that was refused is one more moment of the same absence.
                Record::Closed { at, conn } if (from..to).contains(&at) => {
                    if let Some(reader) = greeted.remove(&conn) {
                        left.insert(reader, at);
                    }
                }
                Record::Submit { at, submit, deed, .. } if (from..to).contains(&at) => {
                    begun.insert(submit, at);
                    // An edit is answered with the position at which its message was posted.
                    if matches!(deed, Deed::Post | Deed::Direct) {
                        posts.insert(submit);
                    }
                }
                Record::Event { at, conn, name, cursor, .. } if name.ends_with(".posted") => {
                    let pos = cursor.rsplit_once('.').and_then(|(_, pos)| pos.parse().ok());
                    heard.extend(pos.map(|pos| (pos, conn, at)));
                }
                Record::Answer { began, at, submit, status: 200..=299, pos, .. } => {
                    if (from..to).contains(&began) {
                        seen.attempts.saturating_record((at - began).max(1));
                        if let Some(pos) = pos.filter(|_| posts.contains(&submit)) {
                            // Sent twice, it came by the first of both.
                            sent.entry(pos).and_modify(|first| *first = began.min(*first)).or_insert(began);
                        }
                    }
                    if let Some(began) = begun.remove(&submit) {
                        seen.submits.saturating_record((at - began).max(1));
                    }
                }
                Record::Answer { at, status, .. } if (from..to).contains(&at) => match status {
                    429 | 503 => seen.not_now += 1,
                    0 => seen.unanswered += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        for (pos, conn, at) in heard {
            if let (Some(sent), Some(since)) = (sent.get(&pos), listening.get(&conn))
                && since < sent
            {
                seen.deliveries.saturating_record(at.saturating_sub(*sent).max(1));
            }
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;

    #[test]
    fn an_absence_lasts_from_a_greeted_streams_end_to_the_next_greeting() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::begin(&dir.path().join(crate::run::HISTORY), 1, 0, None).unwrap();
        let open =
            |at, conn| Record::Open { at, conn, reader: 7, instance: 0, session: None, expires: None, cursor: None };
        let hello = |at, conn| Record::Hello { at, conn, cursor: String::new(), missing: vec![] };
        for record in [
            open(10, 1),
            hello(20, 1),
            Record::Closed { at: 100, conn: 1 },
            open(110, 2),
            Record::Closed { at: 120, conn: 2 },
            open(130, 3),
            hello(1100, 3),
            Record::Closed { at: 5000, conn: 3 },
        ] {
            history.record(record);
        }
        history.end().unwrap();
        let seen = Seen::between(dir.path(), 50, 2000).unwrap();
        assert_eq!((seen.away.len(), seen.away.max(), seen.last_return), (1, 1000, 1100));
    }
}

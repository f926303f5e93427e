//! Latencies and reconnect times of clients in an interval of a drill, computed from its history.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hdrhistogram::Histogram;

use crate::checker::{histogram, pos_of};
use crate::history::{self, Action, Micros, Record};

/// See the [module](self).
#[derive(Debug)]
pub struct ClientTimings {
    /// Time from the end of a client's stream to its next `hello`, for streams that ended in the interval.
    pub reconnects: Histogram<u64>,
    /// Time of the last of those `hello` events.
    pub last_reconnect: Micros,
    /// Time from the start of a submit in the interval to its acknowledgement, retries included.
    pub submits: Histogram<u64>,
    /// Time from an accepted attempt in the interval to its answer.
    pub attempts: Histogram<u64>,
    /// Time from an accepted attempt in the interval to each reader whose stream was live.
    pub deliveries: Histogram<u64>,
    /// Attempts that were answered 503 or 429.
    pub refused: u64,
    /// Attempts without an answer.
    pub unanswered: u64,
}

impl ClientTimings {
    pub fn between(dir: &Path, from: Micros, to: Micros) -> anyhow::Result<Self> {
        let mut timings = Self {
            reconnects: histogram(),
            last_reconnect: from,
            submits: histogram(),
            attempts: histogram(),
            deliveries: histogram(),
            refused: 0,
            unanswered: 0,
        };
        let mut posts: HashSet<u64> = HashSet::new();
        let mut sent: HashMap<i64, Micros> = HashMap::new();
        let mut live_since: HashMap<u32, Micros> = HashMap::new();
        let mut delivered: Vec<(i64, u32, Micros)> = Vec::new();
        let mut reader_of: HashMap<u32, u32> = HashMap::new();
        let mut greeted: HashMap<u32, u32> = HashMap::new();
        let mut away_since: HashMap<u32, Micros> = HashMap::new();
        let mut begun: HashMap<u64, Micros> = HashMap::new();
        for record in history::read(&dir.join(history::FILE_NAME))? {
            match record? {
                Record::Open { conn, reader, .. } => drop(reader_of.insert(conn, reader)),
                Record::Hello { at, conn, .. } => {
                    let Some(reader) = reader_of.get(&conn) else { continue };
                    greeted.insert(conn, *reader);
                    live_since.insert(conn, at);
                    if let Some(since) = away_since.remove(reader) {
                        timings.reconnects.saturating_record((at - since).max(1));
                        timings.last_reconnect = timings.last_reconnect.max(at);
                    }
                }
                // A refused stream, which was never greeted, does not end the absence.
                Record::Closed { at, conn } if (from..to).contains(&at) => {
                    if let Some(reader) = greeted.remove(&conn) {
                        away_since.insert(reader, at);
                    }
                }
                Record::Submit { at, submit, action, .. } if (from..to).contains(&at) => {
                    begun.insert(submit, at);
                    // The answer to an edit has the position at which the message was posted.
                    if matches!(action, Action::Post | Action::Direct) {
                        posts.insert(submit);
                    }
                }
                Record::Event { at, conn, name, cursor, .. } if name.ends_with(".posted") => {
                    delivered.push((pos_of(&cursor), conn, at));
                }
                Record::Answer { began, at, submit, status: 200..=299, pos, .. } => {
                    if (from..to).contains(&began) {
                        timings.attempts.saturating_record((at - began).max(1));
                        if let Some(pos) = pos.filter(|_| posts.contains(&submit)) {
                            // A repeated attempt has the same position; readers received the first one.
                            sent.entry(pos).and_modify(|first| *first = began.min(*first)).or_insert(began);
                        }
                    }
                    if let Some(began) = begun.remove(&submit) {
                        timings.submits.saturating_record((at - began).max(1));
                    }
                }
                Record::Answer { at, status, .. } if (from..to).contains(&at) => match status {
                    429 | 503 => timings.refused += 1,
                    0 => timings.unanswered += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        for (pos, conn, at) in delivered {
            if let (Some(sent), Some(since)) = (sent.get(&pos), live_since.get(&conn))
                && since < sent
            {
                timings.deliveries.saturating_record(at.saturating_sub(*sent).max(1));
            }
        }
        Ok(timings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::History;

    #[test]
    fn a_reconnect_takes_from_the_end_of_a_greeted_stream_to_the_next_hello() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::begin(&dir.path().join(history::FILE_NAME), 1, 0, None).unwrap();
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
        let timings = ClientTimings::between(dir.path(), 50, 2000).unwrap();
        assert_eq!((timings.reconnects.len(), timings.reconnects.max(), timings.last_reconnect), (1, 1000, 1100));
    }
}

//! How soon a right ends once it was taken: on open streams and for requests, on every instance.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use uuid::Uuid;

use super::Faults;
use super::timing::{Timing, histogram};
use super::truth::Truth;
use crate::history::{Micros, Record, Ruling};

/// What was promised.
const WITHIN: Micros = 1_000_000;

#[derive(Debug)]
struct Open {
    session: Uuid,
    expires: Option<Micros>,
    at: Micros,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Rights {
    wall: i64,
    open: HashMap<u32, Open>,
    /// The newest answer to a token, by session and instance, that was not a refusal.
    honoured: HashMap<(Uuid, usize), Micros>,
    demoted: HashMap<Uuid, Micros>,
    /// From the commit to the end of a stream, and to the last request that was honoured.
    pub streams: Histogram<u64>,
    pub requests: Histogram<u64>,
    pub expiries: u64,
    pub rulings: u64,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            wall: 0,
            open: HashMap::new(),
            honoured: HashMap::new(),
            demoted: HashMap::new(),
            streams: histogram(),
            requests: histogram(),
            expiries: 0,
            rulings: 0,
        }
    }
}

impl Rights {
    pub fn note(&mut self, record: &Record, truth: &Truth, timing: &Timing, faults: &mut Faults) {
        match record {
            Record::Begin { wall, .. } => self.wall = i64::try_from(*wall).unwrap_or_default(),
            Record::Open { at, conn, session: Some(session), expires, .. } => {
                self.open.insert(*conn, Open { session: *session, expires: *expires, at: *at });
            }
            Record::Closed { at, conn } => {
                if let Some(open) = self.open.remove(conn) {
                    self.close(*conn, &open, *at, truth, timing, faults);
                }
            }
            Record::Law { ruling, status: 200..=299, subject, at, .. } => {
                self.rulings += 1;
                match ruling {
                    Ruling::Demote => drop(self.demoted.insert(*subject, *at)),
                    Ruling::Promote => drop(self.demoted.remove(subject)),
                    _ => {}
                }
            }
            Record::Probe { began, instance, session, status: 200..=299, .. } => {
                self.honoured.insert((*session, *instance), *began);
            }
            Record::Probe { began, at, instance, session, status: 401 | 403 } => {
                // The refusal ends the trial: the last request that was honoured tells how late it was.
                let honoured = self.honoured.remove(&(*session, *instance));
                let Some(ended) = self.ended_at(*session, truth) else { return };
                if *at < ended {
                    // Its token had expired before.
                    return;
                }
                let late = honoured.map_or(0, |last| last.saturating_sub(ended));
                if timing.is_calm(ended, *at) {
                    self.requests.saturating_record(late.max(1));
                    if late > WITHIN {
                        faults.add("late after revocation", || {
                            format!("instance {instance} accepted session {session} {late} us after its end ({began})")
                        });
                    }
                }
            }
            _ => {}
        }
    }

    /// When the session's end was committed, by the run's clock.
    fn ended_at(&self, session: Uuid, truth: &Truth) -> Option<Micros> {
        let row = truth.row(*truth.ended.get(&session)?)?;
        u64::try_from(row.at - self.wall).ok()
    }

    fn close(&mut self, conn: u32, open: &Open, at: Micros, truth: &Truth, timing: &Timing, faults: &mut Faults) {
        if let Some(ended) = self.ended_at(open.session, truth)
            && at > ended
        {
            let late = at - ended.max(open.at);
            if timing.is_calm(ended, ended + WITHIN) {
                self.streams.saturating_record(late.max(1));
                if late > WITHIN {
                    faults.add("late after revocation", || {
                        format!("stream {conn} continued for {late} us after its session had ended")
                    });
                }
            }
        } else if let Some(expires) = open.expires
            && at + 50_000 >= expires
        {
            self.expiries += 1;
            if at > expires + WITHIN && timing.is_calm(expires, expires + WITHIN) {
                let late = at - expires;
                faults.add("late after revocation", || {
                    format!("stream {conn} continued for {late} us after its token had expired")
                });
            }
        }
    }

    /// A stream that was never closed in the history was open in the end, and its session is not to have ended before.
    pub fn check(&self, truth: &Truth, timing: &Timing, faults: &mut Faults) {
        for (conn, open) in &self.open {
            if let Some(ended) = self.ended_at(open.session, truth)
                && timing.is_calm(ended, ended + WITHIN)
            {
                faults.add("late after revocation", || format!("stream {conn} was never closed"));
            }
        }
    }
}

//! Delay between a revocation and its effect on open streams and requests, on every instance.

use std::collections::HashMap;

use hdrhistogram::Histogram;
use uuid::Uuid;

use super::Violations;
use super::timing::{Timing, histogram};
use super::truth::Truth;
use crate::history::{Micros, Record};

/// Maximum delay of a revocation.
const MAX_DELAY: Micros = 1_000_000;

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
    /// Start of the last accepted request, by session and instance.
    accepted: HashMap<(Uuid, usize), Micros>,
    /// Time from the commit to the end of the stream.
    pub streams: Histogram<u64>,
    /// Time from the commit to the start of the last accepted request.
    pub requests: Histogram<u64>,
    pub expiries: u64,
    pub changes: u64,
}

impl Default for Rights {
    fn default() -> Self {
        Self {
            wall: 0,
            open: HashMap::new(),
            accepted: HashMap::new(),
            streams: histogram(),
            requests: histogram(),
            expiries: 0,
            changes: 0,
        }
    }
}

impl Rights {
    pub fn note(&mut self, record: &Record, truth: &Truth, timing: &Timing, violations: &mut Violations) {
        match record {
            Record::Begin { wall, .. } => self.wall = i64::try_from(*wall).unwrap_or_default(),
            Record::Open { at, conn, session: Some(session), expires, .. } => {
                self.open.insert(*conn, Open { session: *session, expires: *expires, at: *at });
            }
            Record::Closed { at, conn } => {
                if let Some(open) = self.open.remove(conn) {
                    self.close(*conn, &open, *at, truth, timing, violations);
                }
            }
            Record::RightsChange { status: 200..=299, .. } => self.changes += 1,
            Record::Probe { began, instance, session, status: 200..=299, .. } => {
                self.accepted.insert((*session, *instance), *began);
            }
            Record::Probe { began, at, instance, session, status: 401 | 403 } => {
                // The first refusal ends the probe; the delay is that of the last accepted request.
                let accepted = self.accepted.remove(&(*session, *instance));
                let Some(ended) = self.ended_at(*session, truth) else { return };
                if *at < ended {
                    // The token had already expired.
                    return;
                }
                let late = accepted.map_or(0, |last| last.saturating_sub(ended));
                if timing.is_calm(ended, *at) {
                    self.requests.saturating_record(late.max(1));
                    if late > MAX_DELAY {
                        violations.add("late after revocation", || {
                            format!("instance {instance} accepted session {session} {late} us after its end ({began})")
                        });
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns when the session's end was committed, by the run's clock.
    fn ended_at(&self, session: Uuid, truth: &Truth) -> Option<Micros> {
        let row = truth.row(*truth.ended.get(&session)?)?;
        u64::try_from(row.at - self.wall).ok()
    }

    fn close(
        &mut self,
        conn: u32,
        open: &Open,
        at: Micros,
        truth: &Truth,
        timing: &Timing,
        violations: &mut Violations,
    ) {
        if let Some(ended) = self.ended_at(open.session, truth)
            && at > ended
        {
            let late = at - ended.max(open.at);
            if timing.is_calm(ended, ended + MAX_DELAY) {
                self.streams.saturating_record(late.max(1));
                if late > MAX_DELAY {
                    violations.add("late after revocation", || {
                        format!("stream {conn} continued for {late} us after its session had ended")
                    });
                }
            }
        } else if let Some(expires) = open.expires
            && at + 50_000 >= expires
        {
            self.expiries += 1;
            if at > expires + MAX_DELAY && timing.is_calm(expires, expires + MAX_DELAY) {
                let late = at - expires;
                violations.add("late after revocation", || {
                    format!("stream {conn} continued for {late} us after its token had expired")
                });
            }
        }
    }

    /// The session of a stream that was never closed must not have ended.
    pub fn check(&self, truth: &Truth, timing: &Timing, violations: &mut Violations) {
        for (conn, open) in &self.open {
            if let Some(ended) = self.ended_at(open.session, truth)
                && timing.is_calm(ended, ended + MAX_DELAY)
            {
                violations.add("late after revocation", || format!("stream {conn} was never closed"));
            }
        }
    }
}

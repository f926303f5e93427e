//! What was asked for, what was answered, and whether the database agrees.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Faults;
use super::truth::Truth;
use crate::history::{Deed, Micros, Record, fingerprint};

/// When, and the id, `pos` and `seq` that were answered.
type Acknowledged = (Micros, Option<Uuid>, Option<i64>, Option<i64>);

#[derive(Debug)]
struct Submitted {
    deed: Deed,
    user: Uuid,
    target: Uuid,
    client_id: Uuid,
    print: u64,
    began: Option<Micros>,
    attempts: u32,
    /// The first acknowledgement, and what it said.
    acknowledged: Option<Acknowledged>,
    /// It was told no.
    refused: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Ledger {
    submits: HashMap<u64, Submitted>,
    /// Bodies that a message may have: what was posted, what it was edited to.
    bodies: HashMap<Uuid, HashSet<u64>>,
    /// By position: when it was acknowledged first, and through which instance.
    pub acknowledged_at: HashMap<i64, Micros>,
    pub acknowledged: u64,
    pub unknown: u64,
    pub refused: u64,
    pub doubled_attempts: u64,
    pub bad: u64,
    wrong_answers: Vec<String>,
    disagreements: Vec<String>,
}

impl Ledger {
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::Submit { submit, deed, user, target, client_id, body, .. } => {
                let submitted = Submitted {
                    deed: *deed,
                    user: *user,
                    target: *target,
                    client_id: *client_id,
                    print: fingerprint(body),
                    began: None,
                    attempts: 0,
                    acknowledged: None,
                    refused: false,
                };
                if *deed == Deed::Edit {
                    self.bodies.entry(*target).or_default().insert(submitted.print);
                }
                self.submits.insert(*submit, submitted);
            }
            Record::Answer { began, at, submit, status, id, pos, seq, .. } => {
                self.judge_status(*status, &format!("submit {submit}"));
                let Some(submitted) = self.submits.get_mut(submit) else { return };
                submitted.attempts += 1;
                submitted.began = Some(submitted.began.map_or(*began, |first| first.min(*began)));
                match status {
                    200..=299 => {
                        let numbers = (*id, *pos, *seq);
                        match submitted.acknowledged {
                            None => submitted.acknowledged = Some((*at, *id, *pos, *seq)),
                            // An edit answers the message, whose numbers stay; a deletion answers nothing.
                            Some((_, id, pos, seq)) if (id, pos, seq) != numbers => {
                                self.disagreements
                                    .push(format!("submit {submit}: {:?}, then {numbers:?}", (id, pos, seq)));
                            }
                            Some(_) => self.doubled_attempts += 1,
                        }
                    }
                    400 | 403 | 404 | 409 | 422 => submitted.refused = true,
                    _ => {}
                }
            }
            Record::Bad { what, status, .. } => {
                self.bad += 1;
                if matches!(status, 200..=299) {
                    self.wrong_answers.push(format!("{what} was answered {status}"));
                }
                self.judge_status(*status, what);
            }
            Record::Law { status, ruling, .. } => self.judge_status(*status, &format!("{ruling:?}")),
            Record::Probe { status, .. } | Record::Refused { status, .. } => self.judge_status(*status, "a token"),
            _ => {}
        }
    }

    /// No input gives a 5xx; 503 says that it is not the input.
    fn judge_status(&mut self, status: u16, what: &str) {
        if status >= 500 && status != 503 {
            self.wrong_answers.push(format!("{what} was answered {status}"));
        }
    }

    /// Whether a message may look like this.
    pub fn knows_body(&self, message: Uuid, print: u64) -> bool {
        self.bodies.get(&message).is_some_and(|bodies| bodies.contains(&print))
    }

    pub fn check(&mut self, truth: &Truth, faults: &mut Faults) {
        for what in &self.wrong_answers {
            faults.add("wrong answers", || what.clone());
        }
        for what in &self.disagreements {
            faults.add("doubled", || what.clone());
        }
        let mut prints: HashMap<u64, u64> = HashMap::new();
        let mut posted: HashSet<(Uuid, Uuid)> = HashSet::new();
        for (number, submitted) in &self.submits {
            prints.insert(submitted.print, *number);
            match submitted.deed {
                Deed::Post | Deed::Direct => {
                    posted.insert((submitted.user, submitted.client_id));
                    let found = truth.by_submit.get(&(submitted.user, submitted.client_id));
                    if let Some(id) = found {
                        self.bodies.entry(*id).or_default().insert(submitted.print);
                    }
                    match (submitted.acknowledged, found) {
                        (Some((at, id, pos, seq)), found) => {
                            self.acknowledged += 1;
                            if let Some(pos) = pos {
                                self.acknowledged_at
                                    .entry(pos)
                                    .and_modify(|first| *first = at.min(*first))
                                    .or_insert(at);
                            }
                            check_kept(*number, submitted, (id, pos, seq), found, truth, faults);
                        }
                        (None, Some(id)) if submitted.refused && submitted.attempts == 1 => {
                            faults.add("phantoms", || format!("submit {number} was refused, but message {id} exists"));
                        }
                        (None, _) if submitted.refused => self.refused += 1,
                        (None, _) => self.unknown += 1,
                    }
                }
                Deed::Edit | Deed::Delete => {
                    let (Some(_), Some(message)) = (submitted.acknowledged, truth.messages.get(&submitted.target))
                    else {
                        continue;
                    };
                    let stands = if submitted.deed == Deed::Delete {
                        message.print.is_none()
                    } else {
                        message.print.is_none() || message.edited
                    };
                    if !stands {
                        faults.add("lost", || format!("submit {number}: {:?} of {}", submitted.deed, submitted.target));
                    }
                }
            }
        }
        check_origins(truth, &prints, &posted, faults);
        self.check_order(faults);
    }

    /// What was acknowledged before another was begun has the smaller position.
    fn check_order(&self, faults: &mut Faults) {
        enum Moment {
            Begun(i64, u64),
            Acknowledged(i64),
        }
        let mut moments = Vec::new();
        for (number, submitted) in &self.submits {
            if let (Deed::Post | Deed::Direct, Some(began), Some((at, _, Some(pos), _))) =
                (submitted.deed, submitted.began, submitted.acknowledged)
            {
                moments.push((began, Moment::Begun(pos, *number)));
                moments.push((at, Moment::Acknowledged(pos)));
            }
        }
        moments.sort_unstable_by_key(|(at, _)| *at);
        let mut newest = 0;
        for (_, moment) in moments {
            match moment {
                Moment::Acknowledged(pos) => newest = newest.max(pos),
                Moment::Begun(pos, number) if pos <= newest => {
                    faults.add("reordered", || {
                        format!("submit {number} is at {pos}, but began after {newest} was acknowledged")
                    });
                }
                Moment::Begun(..) => {}
            }
        }
    }
}

/// Acknowledged means kept, as it was acknowledged.
fn check_kept(
    number: u64,
    submitted: &Submitted,
    (id, pos, seq): (Option<Uuid>, Option<i64>, Option<i64>),
    found: Option<&Uuid>,
    truth: &Truth,
    faults: &mut Faults,
) {
    let Some(message) = found.and_then(|id| truth.messages.get(id)) else {
        faults.add("lost", || format!("submit {number} was acknowledged at {pos:?}, but does not exist"));
        return;
    };
    let same = found == id.as_ref()
        && Some(message.pos) == pos
        && message.seq == seq
        && message.target == submitted.target
        && message.is_direct == (submitted.deed == Deed::Direct)
        && (message.print == Some(submitted.print) || message.edited || message.print.is_none());
    if !same {
        faults.add("lost", || format!("submit {number} was acknowledged as {id:?} at {pos:?}, but is {message:?}"));
    }
}

/// Every message was submitted, and no body twice.
fn check_origins(truth: &Truth, prints: &HashMap<u64, u64>, posted: &HashSet<(Uuid, Uuid)>, faults: &mut Faults) {
    let mut bodies: HashMap<u64, &Uuid> = HashMap::new();
    for (id, message) in &truth.messages {
        if let Some(print) = message.print {
            if !prints.contains_key(&print) {
                faults.add("phantoms", || format!("message {id} has a body that nobody wrote"));
            }
            if let Some(other) = bodies.insert(print, id) {
                faults.add("doubled", || format!("messages {id} and {other} have the body of the same submit"));
            }
        }
        if !posted.contains(&(message.author, message.client_id)) {
            faults.add("phantoms", || format!("message {id} has an unknown client_id"));
        }
    }
}

//! All submits and their answers, compared with the database.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Violations;
use super::truth::Truth;
use crate::history::{Action, Micros, Record, fingerprint};

/// Time of an acknowledgement, and its `id`, `pos` and `seq`.
type Acknowledged = (Micros, Option<Uuid>, Option<i64>, Option<i64>);

#[derive(Debug)]
struct Submitted {
    action: Action,
    user: Uuid,
    target: Uuid,
    client_id: Uuid,
    fingerprint: u64,
    began: Option<Micros>,
    attempts: u32,
    /// The first acknowledgement.
    acknowledged: Option<Acknowledged>,
    /// An attempt was rejected.
    refused: bool,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Ledger {
    submits: HashMap<u64, Submitted>,
    /// Fingerprints of the bodies that were submitted for each message, by its author or as edits.
    bodies: HashMap<Uuid, HashSet<u64>>,
    /// Time of the first acknowledgement, by position.
    pub acknowledged_at: HashMap<i64, Micros>,
    pub acknowledged: u64,
    pub unknown: u64,
    pub refused: u64,
    pub repeated_acknowledgements: u64,
    pub invalid_inputs: u64,
    wrong_answers: Vec<String>,
    disagreements: Vec<String>,
}

impl Ledger {
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::Submit { submit, action, user, target, client_id, body, .. } => {
                let submitted = Submitted {
                    action: *action,
                    user: *user,
                    target: *target,
                    client_id: *client_id,
                    fingerprint: fingerprint(body),
                    began: None,
                    attempts: 0,
                    acknowledged: None,
                    refused: false,
                };
                if *action == Action::Edit {
                    self.bodies.entry(*target).or_default().insert(submitted.fingerprint);
                }
                self.submits.insert(*submit, submitted);
            }
            Record::Answer { began, at, submit, status, id, pos, seq, .. } => {
                self.check_status(*status, &format!("submit {submit}"));
                let Some(submitted) = self.submits.get_mut(submit) else { return };
                submitted.attempts += 1;
                submitted.began = Some(submitted.began.map_or(*began, |first| first.min(*began)));
                match status {
                    200..=299 => {
                        let numbers = (*id, *pos, *seq);
                        match submitted.acknowledged {
                            None => submitted.acknowledged = Some((*at, *id, *pos, *seq)),
                            // An edit's answer has the message's unchanged numbers, a deletion's has none.
                            Some((_, id, pos, seq)) if (id, pos, seq) != numbers => {
                                self.disagreements
                                    .push(format!("submit {submit}: {:?}, then {numbers:?}", (id, pos, seq)));
                            }
                            Some(_) => self.repeated_acknowledgements += 1,
                        }
                    }
                    400 | 403 | 404 | 409 | 422 => submitted.refused = true,
                    _ => {}
                }
            }
            Record::InvalidInput { what, status, .. } => {
                self.invalid_inputs += 1;
                if matches!(status, 200..=299) {
                    self.wrong_answers.push(format!("{what} was answered {status}"));
                }
                self.check_status(*status, what);
            }
            Record::RightsChange { status, change, .. } => self.check_status(*status, &format!("{change:?}")),
            Record::Probe { status, .. } | Record::Refused { status, .. } => self.check_status(*status, "a token"),
            _ => {}
        }
    }

    /// No input may cause a 5xx, except 503, which does not depend on the input.
    fn check_status(&mut self, status: u16, what: &str) {
        if status >= 500 && status != 503 {
            self.wrong_answers.push(format!("{what} was answered {status}"));
        }
    }

    /// Returns whether this body was submitted for the message.
    pub fn knows_body(&self, message: Uuid, fingerprint: u64) -> bool {
        self.bodies.get(&message).is_some_and(|bodies| bodies.contains(&fingerprint))
    }

    pub fn check(&mut self, truth: &Truth, violations: &mut Violations) {
        for what in &self.wrong_answers {
            violations.add("wrong answers", || what.clone());
        }
        for what in &self.disagreements {
            violations.add("doubled", || what.clone());
        }
        let mut fingerprints: HashMap<u64, u64> = HashMap::new();
        let mut posted: HashSet<(Uuid, Uuid)> = HashSet::new();
        for (number, submitted) in &self.submits {
            fingerprints.insert(submitted.fingerprint, *number);
            match submitted.action {
                Action::Post | Action::Direct => {
                    posted.insert((submitted.user, submitted.client_id));
                    let found = truth.by_submit.get(&(submitted.user, submitted.client_id));
                    if let Some(id) = found {
                        self.bodies.entry(*id).or_default().insert(submitted.fingerprint);
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
                            check_stored(*number, submitted, (id, pos, seq), found, truth, violations);
                        }
                        (None, Some(id)) if submitted.refused && submitted.attempts == 1 => {
                            violations
                                .add("phantoms", || format!("submit {number} was refused, but message {id} exists"));
                        }
                        (None, _) if submitted.refused => self.refused += 1,
                        (None, _) => self.unknown += 1,
                    }
                }
                Action::Edit | Action::Delete => {
                    let (Some(_), Some(message)) = (submitted.acknowledged, truth.messages.get(&submitted.target))
                    else {
                        continue;
                    };
                    let is_edited = submitted.action == Action::Edit && message.edited;
                    if !is_edited && message.fingerprint.is_some() {
                        violations
                            .add("lost", || format!("submit {number}: {:?} of {}", submitted.action, submitted.target));
                    }
                }
            }
        }
        check_origins(truth, &fingerprints, &posted, violations);
        self.check_order(violations);
    }

    /// A submit that was acknowledged before another one began must have the smaller position.
    fn check_order(&self, violations: &mut Violations) {
        enum Moment {
            Begun(i64, u64),
            Acknowledged(i64),
        }
        let mut moments = Vec::new();
        for (number, submitted) in &self.submits {
            if let (Action::Post | Action::Direct, Some(began), Some((at, _, Some(pos), _))) =
                (submitted.action, submitted.began, submitted.acknowledged)
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
                    violations.add("reordered", || {
                        format!("submit {number} is at {pos}, but began after {newest} was acknowledged")
                    });
                }
                Moment::Begun(..) => {}
            }
        }
    }
}

/// An acknowledged message must be in the database as it was acknowledged.
fn check_stored(
    number: u64,
    submitted: &Submitted,
    (id, pos, seq): (Option<Uuid>, Option<i64>, Option<i64>),
    found: Option<&Uuid>,
    truth: &Truth,
    violations: &mut Violations,
) {
    let Some(message) = found.and_then(|id| truth.messages.get(id)) else {
        violations.add("lost", || format!("submit {number} was acknowledged at {pos:?}, but does not exist"));
        return;
    };
    let same = found == id.as_ref()
        && Some(message.pos) == pos
        && message.seq == seq
        && message.target == submitted.target
        && message.is_direct == (submitted.action == Action::Direct)
        && (message.fingerprint == Some(submitted.fingerprint) || message.edited || message.fingerprint.is_none());
    if !same {
        violations.add("lost", || format!("submit {number} was acknowledged as {id:?} at {pos:?}, but is {message:?}"));
    }
}

/// Each message must belong to a submit, and no two messages may have the body of the same submit.
fn check_origins(
    truth: &Truth,
    fingerprints: &HashMap<u64, u64>,
    posted: &HashSet<(Uuid, Uuid)>,
    violations: &mut Violations,
) {
    let mut bodies: HashMap<u64, &Uuid> = HashMap::new();
    for (id, message) in &truth.messages {
        if let Some(fingerprint) = message.fingerprint {
            if !fingerprints.contains_key(&fingerprint) {
                violations.add("phantoms", || format!("message {id} has a body that nobody wrote"));
            }
            if let Some(other) = bodies.insert(fingerprint, id) {
                violations.add("doubled", || format!("messages {id} and {other} have the body of the same submit"));
            }
        }
        if !posted.contains(&(message.author, message.client_id)) {
            violations.add("phantoms", || format!("message {id} has an unknown client_id"));
        }
    }
}

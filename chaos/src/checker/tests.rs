//! Violations of each rule: a checker that never reports one proves nothing.

use super::truth::{LogEvent, Message, Row};
use super::*;
use crate::history::{Action, History, fingerprint};
use uuid::Uuid;

const ROOM: Uuid = Uuid::from_u128(1);
const ALI: Uuid = Uuid::from_u128(2);
const BOB: Uuid = Uuid::from_u128(3);
const EVE: Uuid = Uuid::from_u128(4);
const SESSION: Uuid = Uuid::from_u128(5);

/// A history without violations: three messages in a room, a direct message, and the end of a session.
struct Case {
    truth: Truth,
    records: Vec<Record>,
}

fn id(pos: i64) -> Uuid {
    Uuid::from_u128(100 + u128::from(pos.unsigned_abs()))
}

fn body(pos: i64) -> String {
    format!("s{pos}")
}

fn event(pos: i64, conn: u32) -> Record {
    let is_direct = pos == 4;
    Record::Event {
        at: 1000,
        conn,
        name: if is_direct { "direct.posted" } else { "message.posted" }.to_owned(),
        cursor: format!("e.{pos}"),
        subject: id(pos),
        room: (!is_direct).then_some(ROOM),
        seq: (!is_direct).then_some(pos),
        fingerprint: Some(fingerprint(&body(pos))),
    }
}

fn open(conn: u32, cursor: Option<i64>) -> [Record; 2] {
    let from = cursor.unwrap_or_default();
    let cursor = cursor.map(|pos| format!("e.{pos}"));
    [
        Record::Open { at: 10, conn, reader: 0, instance: 0, session: Some(SESSION), expires: None, cursor },
        Record::Hello { at: 11, conn, cursor: format!("e.{from}"), missing: vec![] },
    ]
}

impl Case {
    fn new() -> Self {
        let mut truth = Truth { head: 5, epoch: "e".to_owned(), log: vec![None], ..Truth::default() };
        let mut records =
            vec![Record::Reader { reader: 0, kind: "tab".to_owned(), user: Some(BOB), rooms: vec![ROOM] }];
        for pos in 1..=4 {
            let is_direct = pos == 4;
            let event = if is_direct {
                LogEvent::Direct { message: id(pos) }
            } else {
                LogEvent::Posted { message: id(pos), room: ROOM }
            };
            let name = if is_direct { "direct.posted" } else { "message.posted" }.to_owned();
            truth.log.push(Some(Row { event, name, at: pos * 100 }));
            let target = if is_direct { BOB } else { ROOM };
            let seq = (!is_direct).then_some(pos);
            let fingerprint = Some(fingerprint(&body(pos)));
            let message =
                Message { pos, seq, target, author: ALI, client_id: id(pos), fingerprint, edited: false, is_direct };
            truth.by_submit.insert((ALI, id(pos)), id(pos));
            truth.messages.insert(id(pos), message);
            let submit = pos.unsigned_abs();
            let action = if is_direct { Action::Direct } else { Action::Post };
            let (at, id) = (submit * 10, id(pos));
            records.push(Record::Submit { at, submit, action, user: ALI, target, client_id: id, body: body(pos) });
            let (id, pos) = (Some(id), Some(pos));
            records.push(Record::Answer { began: at, at: at + 5, submit, instance: 0, status: 201, id, pos, seq });
        }
        truth.log.push(Some(Row { event: LogEvent::SessionsEnded, name: "sessions.ended".to_owned(), at: 500 }));
        truth.ended.insert(SESSION, 5);
        truth.room_heads.insert(ROOM, 3);
        Self { truth, records }
    }

    fn with(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        self.records.extend(records);
        self
    }

    /// Returns the names of the violations.
    fn violated(self) -> Vec<&'static str> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("history.jsonl");
        let history = History::begin(&path, 1, 1, None).expect("a history");
        self.records.into_iter().for_each(|record| history.record(record));
        history.end().expect("a disk");
        check(&path, &self.truth).expect("a history").violations.iter().map(|(name, ..)| name).collect()
    }
}

#[test]
fn a_correct_history_has_no_violations() {
    let received = open(1, Some(0)).into_iter().chain((1..=4).map(|pos| event(pos, 1)));
    assert_eq!(Case::new().with(received).violated(), Vec::<&str>::new());
}

#[test]
fn an_acknowledged_message_that_does_not_exist_is_lost() {
    let mut case = Case::new();
    case.truth.messages.remove(&id(3));
    case.truth.by_submit.remove(&(ALI, id(3)));
    assert!(case.violated().contains(&"lost"));
}

#[test]
fn two_messages_of_one_submit_are_doubled() {
    let mut case = Case::new();
    let fingerprint = Some(fingerprint(&body(2)));
    case.truth.messages.get_mut(&id(3)).expect("it is there").fingerprint = fingerprint;
    assert!(case.violated().contains(&"doubled"));
}

#[test]
fn a_missing_position_is_a_gap() {
    let mut case = Case::new();
    case.truth.log[5] = None;
    assert_eq!(case.violated(), ["gaps"]);
}

#[test]
fn an_event_that_a_later_event_or_heartbeat_skips_is_a_gap() {
    let received = open(1, Some(0)).into_iter().chain([event(1, 1), event(3, 1)]);
    assert_eq!(Case::new().with(received).violated(), ["gaps"]);
    let beat = Record::Heartbeat { at: 20, conn: 1, cursor: "e.2".to_owned() };
    assert_eq!(Case::new().with(open(1, Some(0)).into_iter().chain([beat])).violated(), ["gaps"]);
}

#[test]
fn a_resume_that_begins_after_its_cursor_has_a_gap() {
    let [opened, _] = open(1, Some(1));
    let hello = Record::Hello { at: 11, conn: 1, cursor: "e.2".to_owned(), missing: vec![] };
    assert_eq!(Case::new().with([opened, hello, event(3, 1)]).violated(), ["gaps"]);
}

#[test]
fn events_skipped_by_a_reset_are_no_gap() {
    let reset = Record::Reset { at: 12, conn: 1, cursor: "e.2".to_owned(), reason: "replay_limit".to_owned() };
    let received = open(1, Some(0)).into_iter().chain([reset, event(3, 1)]);
    assert_eq!(Case::new().with(received).violated(), Vec::<&str>::new());
}

#[test]
fn a_repeated_event_is_doubled_and_a_late_one_reordered() {
    let twice = open(1, Some(0)).into_iter().chain([event(1, 1), event(1, 1)]);
    assert_eq!(Case::new().with(twice).violated(), ["doubled"]);
    let late = open(1, Some(1)).into_iter().chain([event(2, 1), event(1, 1)]);
    assert_eq!(Case::new().with(late).violated(), ["reordered"]);
}

#[test]
fn an_event_that_differs_from_the_log_is_a_phantom() {
    let mut wrong = event(1, 1);
    if let Record::Event { fingerprint, .. } = &mut wrong {
        *fingerprint = Some(7);
    }
    assert_eq!(Case::new().with(open(1, Some(0)).into_iter().chain([wrong])).violated(), ["phantoms"]);
}

#[test]
fn a_direct_message_between_others_is_a_leak() {
    let mut case = Case::new();
    case.records[0] = Record::Reader { reader: 0, kind: "tab".to_owned(), user: Some(EVE), rooms: vec![ROOM] };
    assert_eq!(case.with(open(1, Some(3)).into_iter().chain([event(4, 1)])).violated(), ["leaked"]);
}

#[test]
fn an_event_after_the_end_of_the_session_is_late() {
    let mut case = Case::new();
    case.truth.ended.insert(SESSION, 2);
    let received = open(1, Some(0)).into_iter().chain((1..=3).map(|pos| event(pos, 1)));
    assert!(case.with(received).violated().contains(&"late after revocation"));
}

#[test]
fn a_message_after_an_archive_is_a_violation() {
    let mut case = Case::new();
    case.truth.archives.push((1, ROOM, true));
    assert_eq!(case.violated(), ["after archive"]);
}

#[test]
fn positions_that_contradict_the_order_of_submits_are_reordered() {
    let mut case = Case::new();
    for record in &mut case.records {
        // The first submit begins after the third was acknowledged.
        if let Record::Answer { began, at, submit: 1, .. } = record {
            (*began, *at) = (500, 505);
        }
    }
    assert_eq!(case.violated(), ["reordered"]);
}

#[test]
fn a_reader_that_does_not_reach_the_head_is_deaf() {
    assert_eq!(Case::new().with([Record::Settled { at: 1, reader: 0, pos: 3 }]).violated(), ["deaf"]);
}

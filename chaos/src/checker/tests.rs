//! Each rule, broken by hand: a checker that cannot fall proves nothing.

use super::truth::{Message, Row, Said};
use super::*;
use crate::history::{Deed, History, fingerprint};
use uuid::Uuid;

const ROOM: Uuid = Uuid::from_u128(1);
const ALI: Uuid = Uuid::from_u128(2);
const BOB: Uuid = Uuid::from_u128(3);
const EVE: Uuid = Uuid::from_u128(4);
const SESSION: Uuid = Uuid::from_u128(5);

/// A small world in which nothing is wrong: three messages in a room, a direct message, and the end of a session.
struct World {
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
        place: (!is_direct).then_some(ROOM),
        seq: (!is_direct).then_some(pos),
        print: Some(fingerprint(&body(pos))),
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

impl World {
    fn new() -> Self {
        let mut truth = Truth { head: 5, epoch: "e".to_owned(), log: vec![None], ..Truth::default() };
        let mut records =
            vec![Record::Reader { reader: 0, kind: "tab".to_owned(), user: Some(BOB), rooms: vec![ROOM] }];
        for pos in 1..=4 {
            let is_direct = pos == 4;
            let said = if is_direct {
                Said::Direct { message: id(pos) }
            } else {
                Said::Posted { message: id(pos), room: ROOM }
            };
            let name = if is_direct { "direct.posted" } else { "message.posted" }.to_owned();
            truth.log.push(Some(Row { said, name, at: pos * 100 }));
            let target = if is_direct { BOB } else { ROOM };
            let seq = (!is_direct).then_some(pos);
            let print = Some(fingerprint(&body(pos)));
            let message =
                Message { pos, seq, target, author: ALI, client_id: id(pos), print, edited: false, is_direct };
            truth.by_submit.insert((ALI, id(pos)), id(pos));
            truth.messages.insert(id(pos), message);
            let submit = pos.unsigned_abs();
            let deed = if is_direct { Deed::Direct } else { Deed::Post };
            let (at, id) = (submit * 10, id(pos));
            records.push(Record::Submit { at, submit, deed, user: ALI, target, client_id: id, body: body(pos) });
            let (id, pos) = (Some(id), Some(pos));
            records.push(Record::Answer { began: at, at: at + 5, submit, instance: 0, status: 201, id, pos, seq });
        }
        truth.log.push(Some(Row { said: Said::SessionsEnded, name: "sessions.ended".to_owned(), at: 500 }));
        truth.ended.insert(SESSION, 5);
        truth.room_heads.insert(ROOM, 3);
        Self { truth, records }
    }

    fn with(mut self, records: impl IntoIterator<Item = Record>) -> Self {
        self.records.extend(records);
        self
    }

    /// What falls.
    fn fell(self) -> Vec<&'static str> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("history.jsonl");
        let history = History::begin(&path, 1, 1, None).expect("a history");
        self.records.into_iter().for_each(|record| history.record(record));
        history.end().expect("a disk");
        check(&path, &self.truth).expect("a history").faults.iter().map(|(name, ..)| name).collect()
    }
}

#[test]
fn nothing_falls_where_nothing_is_wrong() {
    let heard = open(1, Some(0)).into_iter().chain((1..=4).map(|pos| event(pos, 1)));
    assert_eq!(World::new().with(heard).fell(), Vec::<&str>::new());
}

#[test]
fn what_was_acknowledged_and_is_gone_is_lost() {
    let mut world = World::new();
    world.truth.messages.remove(&id(3));
    world.truth.by_submit.remove(&(ALI, id(3)));
    assert!(world.fell().contains(&"lost"));
}

#[test]
fn one_submit_that_became_two_messages_is_doubled() {
    let mut world = World::new();
    let print = Some(fingerprint(&body(2)));
    world.truth.messages.get_mut(&id(3)).expect("it is there").print = print;
    assert!(world.fell().contains(&"doubled"));
}

#[test]
fn a_position_that_is_missing_is_a_gap() {
    let mut world = World::new();
    world.truth.log[5] = None;
    assert_eq!(world.fell(), ["gaps"]);
}

#[test]
fn a_stream_that_passes_an_event_over_has_a_gap_also_by_its_heartbeat() {
    let heard = open(1, Some(0)).into_iter().chain([event(1, 1), event(3, 1)]);
    assert_eq!(World::new().with(heard).fell(), ["gaps"]);
    let beat = Record::Beat { at: 20, conn: 1, cursor: "e.2".to_owned() };
    assert_eq!(World::new().with(open(1, Some(0)).into_iter().chain([beat])).fell(), ["gaps"]);
}

#[test]
fn a_resume_that_begins_later_than_it_asked_has_a_gap() {
    let [opened, _] = open(1, Some(1));
    let hello = Record::Hello { at: 11, conn: 1, cursor: "e.2".to_owned(), missing: vec![] };
    assert_eq!(World::new().with([opened, hello, event(3, 1)]).fell(), ["gaps"]);
}

#[test]
fn what_a_reset_skips_is_no_gap() {
    let reset = Record::Reset { at: 12, conn: 1, cursor: "e.2".to_owned(), reason: "replay_limit".to_owned() };
    let heard = open(1, Some(0)).into_iter().chain([reset, event(3, 1)]);
    assert_eq!(World::new().with(heard).fell(), Vec::<&str>::new());
}

#[test]
fn an_event_given_twice_is_doubled_and_one_given_late_is_reordered() {
    let twice = open(1, Some(0)).into_iter().chain([event(1, 1), event(1, 1)]);
    assert_eq!(World::new().with(twice).fell(), ["doubled"]);
    let late = open(1, Some(1)).into_iter().chain([event(2, 1), event(1, 1)]);
    assert_eq!(World::new().with(late).fell(), ["reordered"]);
}

#[test]
fn an_event_that_says_another_thing_than_the_log_is_a_phantom() {
    let mut wrong = event(1, 1);
    if let Record::Event { print, .. } = &mut wrong {
        *print = Some(7);
    }
    assert_eq!(World::new().with(open(1, Some(0)).into_iter().chain([wrong])).fell(), ["phantoms"]);
}

#[test]
fn somebody_elses_mail_is_a_leak() {
    let mut world = World::new();
    world.records[0] = Record::Reader { reader: 0, kind: "tab".to_owned(), user: Some(EVE), rooms: vec![ROOM] };
    assert_eq!(world.with(open(1, Some(3)).into_iter().chain([event(4, 1)])).fell(), ["leaked"]);
}

#[test]
fn what_a_stream_hears_after_its_session_ended_is_late() {
    let mut world = World::new();
    world.truth.ended.insert(SESSION, 2);
    let heard = open(1, Some(0)).into_iter().chain((1..=3).map(|pos| event(pos, 1)));
    assert!(world.with(heard).fell().contains(&"late after revocation"));
}

#[test]
fn a_message_beyond_an_archive_falls() {
    let mut world = World::new();
    world.truth.archives.push((1, ROOM, true));
    assert_eq!(world.fell(), ["after archive"]);
}

#[test]
fn an_order_that_contradicts_time_is_reordered() {
    let mut world = World::new();
    for record in &mut world.records {
        // The first was begun when the third was acknowledged already.
        if let Record::Answer { began, at, submit: 1, .. } = record {
            (*began, *at) = (500, 505);
        }
    }
    assert_eq!(world.fell(), ["reordered"]);
}

#[test]
fn a_reader_that_never_comes_to_the_end_is_deaf() {
    assert_eq!(World::new().with([Record::Settled { at: 1, reader: 0, pos: 3 }]).fell(), ["deaf"]);
}

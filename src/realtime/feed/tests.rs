//! Presence of pages that move: each reader is counted in one place.

use std::time::{Duration, Instant};

use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::event::Online;
use crate::id::{InstanceId, Seq, UserId};
use crate::realtime::directory::RoomState;
use crate::realtime::format::Format;
use crate::realtime::presence::{LEAVE_GRACE, Report};

const HOME: Share = Share(1);
const AWAY: Share = Share(2);

fn room(n: u128) -> RoomId {
    RoomId(Uuid::from_u128(n))
}

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

struct Instance {
    feed: Feed,
    now: Instant,
}

impl Instance {
    fn new() -> Self {
        let state = RoomState { is_archived: false, head_seq: Seq(0) };
        let directory = Directory { rooms: (0..3).map(|n| (room(n), state)).collect(), ..Directory::default() };
        Self { feed: Feed::new("e".into(), Pos(0), directory, 1_000), now: Instant::now() }
    }

    fn open(&mut self, client: &str, user: Option<UserId>, share: Share, reads: u128) -> SubscriberId {
        let page = Some(Page::new(client, user, share));
        let interest = Interest::new(vec![room(reads)], user);
        self.feed
            .subscribe(Ask { interest, session: None, cursor: None, format: Format::Json, share, follow: None, page })
            .id
    }

    fn close(&mut self, stream: SubscriberId) {
        self.feed.unsubscribe(stream, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.feed.tell(self.now, true).1 {}
    }

    /// Returns users and guests of the rooms 0, 1 and 2.
    fn online(&self) -> [(u32, u32); 3] {
        std::array::from_fn(|n| {
            let Online { users, guests } = self.feed.presence.online(room(n as u128));
            (users, guests)
        })
    }
}

#[test]
fn a_page_that_moves_is_counted_once_in_whatever_order_its_streams_open_and_close() {
    for who in [None, Some(user(1))] {
        let here = |counts: [u32; 3]| counts.map(|count| if who.is_none() { (0, count) } else { (count, 0) });
        let mut instance = Instance::new();
        let first = instance.open("page", who, HOME, 0);
        let second = instance.open("page", who, HOME, 1);
        assert_eq!(instance.online(), here([0, 1, 0]), "the earlier stream is still open");
        instance.close(first);
        assert_eq!(instance.online(), here([0, 1, 0]));
        instance.close(second);
        assert_eq!(instance.online(), here([0, 1, 0]), "it may come back");
        let third = instance.open("page", who, HOME, 2);
        assert_eq!(instance.online(), here([0, 0, 1]), "it came back to another room");
        instance.close(third);
        let again = instance.open("page", who, HOME, 2);
        assert_eq!(instance.online(), here([0, 0, 1]), "a reload changes nothing");
        instance.pass(LEAVE_GRACE);
        assert_eq!(instance.online(), here([0, 0, 1]));
        instance.close(again);
        instance.pass(LEAVE_GRACE);
        assert_eq!(instance.online(), here([0, 0, 0]), "it did not come back");
        assert!(instance.feed.pages.is_empty(), "nothing is kept");
    }
}

#[test]
fn another_window_of_a_user_still_counts() {
    let mut instance = Instance::new();
    instance.open("one", Some(user(1)), HOME, 0);
    instance.open("two", Some(user(1)), HOME, 0);
    instance.open("one", Some(user(1)), HOME, 1);
    assert_eq!(instance.online(), [(1, 0), (1, 0), (0, 0)]);
}

#[test]
fn a_guest_who_signs_in_is_counted_as_a_user_only() {
    for is_closed_first in [false, true] {
        let mut instance = Instance::new();
        let as_guest = instance.open("page", None, HOME, 0);
        if is_closed_first {
            instance.close(as_guest);
        }
        instance.open("page", Some(user(1)), HOME, 0);
        assert_eq!(instance.online(), [(1, 0), (0, 0), (0, 0)]);
        instance.close(as_guest);
        instance.pass(LEAVE_GRACE);
        assert_eq!(instance.online(), [(1, 0), (0, 0), (0, 0)]);
    }
}

#[test]
fn nobody_takes_the_place_of_another_by_the_id_of_its_page() {
    let mut instance = Instance::new();
    instance.open("page", None, HOME, 0);
    instance.open("page", Some(user(1)), HOME, 1);
    instance.open("page", None, HOME, 0);
    let before = instance.online();
    assert_eq!(before, [(0, 1), (1, 0), (0, 0)], "a guest does not take a user's place");
    instance.open("page", None, AWAY, 2);
    instance.open("page", Some(user(2)), AWAY, 2);
    assert_eq!(instance.online(), [before[0], before[1], (1, 0)]);
}

#[test]
fn a_banned_user_is_gone_at_once_and_may_stay_as_a_guest() {
    let mut instance = Instance::new();
    let stream = instance.open("page", Some(user(1)), HOME, 0);
    let effect = Effect::Rights { user: user(1), is_admin: false, is_banned: true };
    instance.feed.apply([Event::silent(Pos(1), OffsetDateTime::UNIX_EPOCH, "user.banned").with_effect(effect)]);
    assert_eq!(instance.online()[0], (0, 0));
    instance.open("page", None, HOME, 0);
    instance.close(stream);
    instance.pass(LEAVE_GRACE);
    assert_eq!(instance.online()[0], (0, 1));
    let late = instance.open("page", Some(user(1)), HOME, 0);
    assert_eq!(instance.online()[0], (0, 1), "its token has not expired, but its right has ended");
    instance.close(late);
}

#[test]
fn a_page_that_moves_to_another_instance_leaves_this_one_with_the_next_report() {
    let (mut here, mut there) = (Instance::new(), Instance::new());
    let from = InstanceId::new();
    let report = |instance: &mut Instance| instance.feed.presence_report(true, instance.now).unwrap();
    let stream = here.open("page", None, HOME, 0);
    here.close(stream);
    there.open("page", None, HOME, 1);
    assert!(here.feed.hear_presence(from, report(&mut there), here.now));
    assert_eq!(here.online(), [(0, 0), (0, 1), (0, 0)]);

    // The stream here is closed only after the report, so it has no grace.
    let stream = here.open("other", Some(user(1)), HOME, 0);
    there.open("other", Some(user(1)), HOME, 1);
    assert!(here.feed.hear_presence(from, report(&mut there), here.now));
    assert_eq!(here.online(), [(1, 0), (1, 1), (0, 0)], "it may be the later one");
    here.close(stream);
    assert_eq!(here.online(), [(0, 0), (1, 1), (0, 0)]);
    let text = serde_json::to_value(report(&mut there)).unwrap();
    assert_eq!(text.get("pages"), None, "each is reported once");
    assert_eq!(serde_json::from_value::<Report>(text).unwrap().pages, []);
}

#[test]
fn streams_without_a_page_are_counted_as_ever() {
    let mut instance = Instance::new();
    let interest = Interest::new(vec![room(0)], None);
    let ask = || Ask {
        interest: interest.clone(),
        session: None,
        cursor: None,
        format: Format::Json,
        share: HOME,
        follow: None,
        page: None,
    };
    let (first, _second) = (instance.feed.subscribe(ask()).id, instance.feed.subscribe(ask()).id);
    assert_eq!(instance.online()[0], (0, 2));
    instance.close(first);
    assert_eq!(instance.online()[0], (0, 2));
    instance.pass(LEAVE_GRACE);
    assert_eq!(instance.online()[0], (0, 1));
}

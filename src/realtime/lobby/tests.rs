//! Heads and counts with a clock of its own: their pace, their bytes, and that the last value always arrives.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::event::{Effect, Event};
use crate::id::Pos;
use crate::realtime::directory::{Directory, RoomState};
use crate::realtime::feed::{Ask, Feed, Pull};
use crate::realtime::format::Format;
use crate::realtime::hub::SubscriberId;
use crate::realtime::mailbox::{Mailbox, Next};
use crate::realtime::replay::{ReplayFilter, Share};
use crate::realtime::topic::Interest;

const BEAT: Duration = Duration::from_secs(15);

fn room(n: usize) -> RoomId {
    RoomId(Uuid::from_u128(n as u128))
}

fn index(room: RoomId) -> usize {
    usize::try_from(room.0.as_u128()).unwrap()
}

struct Instance {
    feed: Feed,
    now: Instant,
}

struct Stream {
    id: SubscriberId,
    mailbox: Arc<Mailbox>,
    followed: Option<Vec<RoomId>>,
}

impl Instance {
    fn with(rooms: usize) -> Self {
        let state = RoomState { is_archived: false, head_seq: Seq(0) };
        let rooms = (0..rooms).map(|n| (room(n), state)).collect();
        let directory = Directory { rooms, ..Directory::default() };
        Self { feed: Feed::new("e".into(), Pos(0), directory, 1_000), now: Instant::now() }
    }

    fn open(&mut self, reads: &[RoomId], follow: Option<&[RoomId]>) -> Stream {
        let interest = Interest::new(reads.to_vec(), None);
        let follow = follow.map(<[RoomId]>::to_vec);
        let ask = Ask {
            interest: interest.clone(),
            session: None,
            cursor: None,
            format: Format::Json,
            share: Share(1),
            follow,
            page: None,
        };
        let start = self.feed.subscribe(ask);
        let filter = ReplayFilter { interest, missing: start.missing.into(), registered_at: start.registered_at };
        assert!(matches!(self.feed.pull(&start.mailbox, &filter, start.registered_at), Pull::Live { .. }));
        let followed = start.followed.map(|heads| heads.into_iter().map(|head| head.id).collect());
        Stream { id: start.id, mailbox: start.mailbox, followed }
    }

    fn apply(&mut self, effect: Effect) -> bool {
        let event = Event::silent(self.feed.applied().next(), OffsetDateTime::UNIX_EPOCH, "x").with_effect(effect);
        self.feed.apply([event]).is_for_lobby
    }

    fn post(&mut self, to: RoomId, seq: i64) -> bool {
        self.apply(Effect::RoomHead { room: to, seq: Seq(seq) })
    }

    fn archive(&mut self, room: RoomId, is_archived: bool) -> bool {
        self.apply(Effect::Room { room, is_archived: Some(is_archived) })
    }

    fn tell_after(&mut self, pause: Duration) {
        self.now += pause;
        while self.feed.tell(self.now, true).1 {}
    }

    fn beat(&mut self, stream: &Stream) {
        self.feed.beat(stream.id, &stream.mailbox);
    }
}

impl Stream {
    /// Returns rooms with heads and counts, as received.
    fn heard(&self) -> Vec<(usize, i64, u64)> {
        let mut heard = Vec::new();
        while let Poll::Ready(Next::Frames(frames, _)) = self.mailbox.poll_next(&Context::from_waker(Waker::noop())) {
            for frame in frames {
                let text = std::str::from_utf8(&frame).unwrap();
                let Some(data) = text.strip_prefix("event: lobby\ndata: ") else { continue };
                assert!(frame.len() <= 3 * 1024, "a frame of {} bytes", frame.len());
                let data: Value = serde_json::from_str(data).unwrap();
                heard.extend(data["rooms"].as_array().unwrap().iter().map(|summary| {
                    let id: Uuid = summary["id"].as_str().unwrap().parse().unwrap();
                    let guests = summary["guests"].as_u64().unwrap();
                    (index(RoomId(id)), summary["head_seq"].as_i64().unwrap(), guests)
                }));
            }
        }
        heard
    }
}

#[test]
fn a_quiet_room_is_heard_of_at_once_and_a_busy_one_once_a_second_to_the_last_message() {
    let mut instance = Instance::with(3);
    let follower = instance.open(&[room(2)], Some(&[room(0), room(1), room(2)]));
    let (nothing, all) = (instance.open(&[], Some(&[])), instance.open(&[room(1)], None));
    let reader = instance.open(&[room(0)], Some(&[room(0)]));
    assert_eq!(follower.followed.as_deref(), Some(&[room(0), room(1)][..]), "a room that it reads is not followed");

    assert!(instance.post(room(0), 1), "told at once");
    instance.tell_after(Duration::ZERO);
    assert_eq!((follower.heard(), all.heard()), (vec![(0, 1, 1)], vec![(0, 1, 1)]));
    let (mut heard, mut last) = (0, 1);
    for seq in 2..=41 {
        assert!(!instance.post(room(0), seq));
        instance.tell_after(Duration::from_millis(100));
        if let Some((_, head, _)) = follower.heard().pop() {
            assert!(head > last);
            (heard, last) = (heard + 1, head);
        }
    }
    assert!((4..=5).contains(&heard), "{heard} heads in 4 seconds");
    instance.tell_after(HEAD_PACE);
    instance.tell_after(HEAD_PACE);
    assert_eq!(follower.heard().last().map_or(last, |(_, head, _)| *head), 41);
    instance.post(room(1), 9);
    instance.tell_after(Duration::ZERO);
    assert_eq!(follower.heard(), [(1, 9, 1)], "another room is quiet");
    assert!(all.heard().iter().all(|(room, ..)| *room == 0), "it reads the other room");
    assert_eq!((nothing.heard(), reader.heard()), (vec![], vec![]));
}

#[test]
fn a_newcomer_never_hears_of_an_older_head_than_its_hello_has() {
    let mut instance = Instance::with(1);
    let _reader = instance.open(&[room(0)], Some(&[]));
    instance.tell_after(Duration::ZERO);
    // The first message is told to nobody, and the second is held back.
    for seq in 1..=2 {
        instance.post(room(0), seq);
        instance.tell_after(Duration::from_millis(100));
    }
    let newcomer = instance.open(&[], Some(&[room(0)]));
    instance.beat(&newcomer);
    assert_eq!(newcomer.heard(), [(0, 2, 1)]);
}

#[test]
fn an_archived_room_is_not_followed_until_it_is_restored() {
    let mut instance = Instance::with(2);
    let follower = instance.open(&[], Some(&[room(0), room(1), room(7)]));
    assert_eq!(follower.followed.as_deref(), Some(&[room(0), room(1)][..]), "an unknown room is not followed");
    instance.archive(room(0), true);
    instance.post(room(0), 1);
    instance.tell_after(HEAD_PACE);
    assert_eq!(instance.open(&[], Some(&[room(0)])).followed, Some(vec![]));
    assert_eq!(follower.heard(), []);
    instance.archive(room(0), false);
    instance.tell_after(HEAD_PACE);
    assert_eq!(follower.heard(), [(0, 1, 0)]);
    instance.post(room(0), 2);
    instance.tell_after(HEAD_PACE);
    assert_eq!(follower.heard(), [(0, 2, 0)]);
}

#[test]
fn counts_come_with_a_heartbeat_and_the_last_one_always() {
    let mut instance = Instance::with(2);
    let (follower, all) = (instance.open(&[], Some(&[room(0)])), instance.open(&[], None));
    let mut readers = Vec::new();
    for _ in 0..40 {
        readers.push(instance.open(&[room(0)], Some(&[])));
        instance.tell_after(Duration::from_millis(250));
    }
    assert_eq!((follower.heard(), all.heard()), (vec![], vec![]), "nothing between heartbeats");
    instance.beat(&follower);
    assert_eq!(follower.heard(), [(0, 0, 1)], "as published first");
    instance.tell_after(COUNT_PACE);
    for stream in [&follower, &all] {
        instance.beat(stream);
        assert_eq!(stream.heard(), [(0, 0, 40)]);
        instance.beat(stream);
        assert_eq!(stream.heard(), [], "told once");
    }
    let newcomer = instance.open(&[], Some(&[room(0)]));
    instance.beat(&newcomer);
    assert_eq!(newcomer.heard(), [(0, 0, 40)], "its list may have been read before the change");
}

#[test]
fn a_round_of_many_readers_takes_steps_and_reaches_everybody() {
    let mut instance = Instance::with(1);
    let streams: Vec<_> = (0..1_500).map(|_| instance.open(&[], Some(&[room(0)]))).collect();
    instance.post(room(0), 1);
    let (mut steps, mut rung) = (0, 0);
    loop {
        let (bells, has_more) = instance.feed.tell(instance.now, false);
        assert!(bells.len() <= 32);
        (steps, rung) = (steps + 1, rung + bells.len());
        if !has_more {
            break;
        }
    }
    assert_eq!((steps, rung), (1_500_usize.div_ceil(32), 1_500));
    assert!(streams.iter().all(|stream| stream.heard() == [(0, 1, 0)]));
}

/// Bytes per second of lobby events for an idle stream while people come and go.
#[test]
fn bytes_stay_within_the_budget_whatever_the_number_of_rooms_and_visitors() {
    const SECS: usize = 600;
    const VISIT_TICKS: usize = 120;
    for rooms in [100, 1_000, 10_000] {
        for churn in [10, 100] {
            let (mut random, mut now) = (StdRng::seed_from_u64(7), Instant::now());
            let (mut lobby, mut counts) = (Lobby::default(), vec![0_u32; rooms]);
            let (mut all, mut some) = (lobby.start(None), lobby.start(Some((0..30).map(room).collect())));
            let (mut of_all, mut of_some) = (0, 0);
            let (mut visitors, mut told) = (VecDeque::new(), HashMap::new());
            // At the end nobody moves, so that the last counts arrive.
            for tick in 0..4 * SECS + 600 {
                now += Duration::from_millis(250);
                let moves = if tick < 4 * SECS { churn * (tick + 1) / 4 - churn * tick / 4 } else { 0 };
                for _ in 0..moves {
                    let visited = random.random_range(0..rooms);
                    counts[visited] += 1;
                    visitors.push_back((tick + VISIT_TICKS, visited));
                    lobby.counts_changed(room(visited));
                }
                while let Some((_, left)) = visitors.pop_front_if(|(until, _)| *until <= tick) {
                    counts[left] -= 1;
                    lobby.counts_changed(room(left));
                }
                let state = |room| Some((Seq(0), Online { users: counts[index(room)], guests: 0 }));
                assert!(lobby.due(now, state, |_| true).is_empty() && lobby.due_to_all(now, true).is_empty());
                if (tick + 1) % 60 == 0 {
                    let size = |items: &[(RoomId, Bytes)]| {
                        let mut frames = Vec::new();
                        frame::push_lobby(&items.iter().map(|(_, item)| item.clone()).collect::<Vec<_>>(), &mut frames);
                        frames.iter().map(Bytes::len).sum::<usize>()
                    };
                    let (for_all, for_some) = (lobby.collect(&mut all), lobby.collect(&mut some));
                    if tick < 4 * SECS {
                        (of_all, of_some) = (of_all + size(&for_all), of_some + size(&for_some));
                    }
                    assert!(size(&for_some) <= COUNT_BYTES);
                    told.extend(for_some);
                }
            }
            let (of_all, of_some) = (of_all / SECS, of_some / SECS);
            println!(
                "figure: lobby {rooms} rooms, {churn} joins/s: {of_all} B/s to all, {of_some} B/s to followers of 30"
            );
            assert!(of_all <= 100 && of_some <= 100);
            for (followed, item) in told {
                let online = Online { users: counts[index(followed)], guests: 0 };
                assert_eq!(item, frame::lobby_item(followed, Seq(0), online), "the last counts have arrived");
            }
        }
    }
    assert_eq!(BEAT, Duration::from_millis(250) * 60);
}

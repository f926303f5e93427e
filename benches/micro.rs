//! Micro-benchmarks of the inner loops of a delivery (encoding a frame, fanning it out, filtering a replay), and of
//! presence.
//!
//! `cargo bench --bench micro`

use std::sync::Arc;
use std::time::Instant;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use gapless::event::{Author, Event, Message};
use gapless::id::{ClientId, InstanceId, MessageId, Pos, RoomId, Seq, UserId};
use gapless::realtime::backplane::seal::Seal;
use gapless::realtime::backplane::{Bulletin, Envelope};
use gapless::realtime::directory::{Directory, RoomState};
use gapless::realtime::feed::{Ask, Feed, Pull};
use gapless::realtime::format::Format;
use gapless::realtime::frame;
use gapless::realtime::mailbox::Mailbox;
use gapless::realtime::presence::{Presence, Who};
use gapless::realtime::replay::{ReplayFilter, Share};
use gapless::realtime::topic::Interest;
use time::OffsetDateTime;
use uuid::Uuid;

fn main() {
    divan::main();
}

fn room(n: usize) -> RoomId {
    RoomId(Uuid::from_u128(n as u128 + 1))
}

fn event(pos: i64, in_room: RoomId) -> Event {
    let at = OffsetDateTime::UNIX_EPOCH;
    let message = Message {
        id: MessageId(Uuid::from_u128(7)),
        room_id: in_room,
        pos: Pos(pos),
        seq: Seq(pos),
        client_id: ClientId(Uuid::from_u128(8)),
        author: Author { id: UserId(Uuid::from_u128(9)), username: "ali".into() },
        body: Some("An ordinary message of some sixty characters, as people write.".into()),
        created_at: at,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
    };
    gapless::store::events::messages::posted(&message)
}

fn feed(rooms: usize) -> Feed {
    let mut directory = Directory::default();
    for n in 0..rooms {
        directory.rooms.insert(room(n), RoomState { is_archived: false, head_seq: Seq(0) });
    }
    Feed::new("b5b7c01d792e".into(), Pos(0), directory, 64 << 20)
}

fn listen(feed: &mut Feed, n: usize) -> (Arc<Mailbox>, ReplayFilter) {
    let (interest, format) = (Interest::new(vec![room(n)], None), Format::Json);
    let (session, cursor, share, follow, page) = (None, None, Share::default(), None, None);
    let start = feed.subscribe(Ask { interest: interest.clone(), session, cursor, format, share, follow, page });
    let filter = ReplayFilter { interest, missing: Arc::new([]), registered_at: start.registered_at };
    (start.mailbox, filter)
}

/// Encodes one message into the bytes that all its readers share.
#[divan::bench]
fn encode_a_frame(bencher: Bencher) {
    let event = event(42, room(0));
    bencher.bench_local(|| frame::of_event("b5b7c01d792e", black_box(&event)));
}

fn publication(messages: i64) -> Envelope {
    let events = (1..=messages).map(|pos| event(pos, room(0))).collect();
    let (from, epoch) = (InstanceId::new(), "b5b7c01d792e".to_owned());
    Envelope { from, epoch, bulletin: Bulletin::Committed(events), trace: None, sent_at_ms: Some(0) }
}

fn a_seal() -> Seal {
    Seal::new(&[&[7; 32]], "01890000-0000-7000-8000-000000000000")
}

/// Encodes and signs a batch for the other instances; compare with the unsigned version.
#[divan::bench(args = [1, 100])]
fn publish_signed(bencher: Bencher, messages: i64) {
    let seal = a_seal();
    bencher.with_inputs(|| publication(messages)).bench_values(|publication| seal.seal(publication));
}

#[divan::bench(args = [1, 100])]
fn publish_unsigned(bencher: Bencher, messages: i64) {
    bencher.with_inputs(|| publication(messages)).bench_values(|publication| serde_json::to_vec(&publication));
}

/// Verifies and parses the same bytes, as another instance does.
#[divan::bench(args = [1, 100])]
fn hear_signed(bencher: Bencher, messages: i64) {
    let seal = a_seal();
    let payload = seal.seal(publication(messages));
    bencher.bench_local(|| seal.open(black_box(&payload), OffsetDateTime::UNIX_EPOCH));
}

#[divan::bench(args = [1, 100])]
fn hear_unsigned(bencher: Bencher, messages: i64) {
    let payload = a_seal().seal(publication(messages));
    bencher.bench_local(|| serde_json::from_slice::<Envelope>(black_box(&payload)));
}

/// Puts one message into the mailboxes of a room's readers, which take it.
#[divan::bench(args = [1, 100, 1_000, 10_000])]
fn fan_out(bencher: Bencher, readers: usize) {
    let mut feed = feed(1);
    let mailboxes: Vec<_> = (0..readers).map(|_| listen(&mut feed, 0)).collect();
    for (mailbox, filter) in &mailboxes {
        assert!(matches!(feed.pull(mailbox, filter, feed.applied()), Pull::Live { .. }));
    }
    let context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut pos = 0;
    bencher.counter(ItemsCount::new(readers)).bench_local(|| {
        pos += 1;
        black_box(feed.apply([event(pos, room(0))]));
        for (mailbox, _) in &mailboxes {
            assert!(mailbox.poll_next(&context).is_ready());
        }
    });
}

/// A reader of one room in a hundred reads the ring from its cursor.
#[divan::bench(args = [100, 10_000])]
fn filter_a_replay(bencher: Bencher, missed: i64) {
    let mut feed = feed(100);
    for pos in 1..=missed {
        feed.apply([event(pos, room(usize::try_from(pos % 100).expect("a remainder of 100")))]);
    }
    let filter = ReplayFilter {
        interest: Interest::new(vec![room(7)], None),
        missing: Arc::new([]),
        registered_at: feed.applied(),
    };
    bencher.counter(ItemsCount::new(usize::try_from(missed).expect("a few thousand"))).bench_local(|| {
        let mailbox = Mailbox::behind(Pos(0));
        while let Some(from) = mailbox.behind_from() {
            black_box(feed.pull(&mailbox, &filter, from));
        }
    });
}

/// Everyone in a room loses their connection, returns within the grace period and asks for the count.
#[divan::bench(args = [120, 1_200, 12_000])]
fn reconnect(bencher: Bencher, people: usize) {
    let who: Vec<_> = (0..people).map(|n| Who::User(UserId(Uuid::from_u128(n as u128)))).collect();
    let now = Instant::now();
    bencher.counter(ItemsCount::new(people)).with_inputs(Presence::default).bench_local_values(|mut presence| {
        for &who in &who {
            presence.join(room(0), who);
        }
        for &who in &who {
            presence.leave(room(0), who, now);
        }
        for &who in who.iter().rev() {
            presence.join(room(0), who);
            black_box(presence.online(room(0)));
        }
        presence
    });
}

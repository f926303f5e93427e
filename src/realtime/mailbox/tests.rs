//! The queue of one reader: order, bounds, and who wakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

fn leave(mailbox: &Mailbox, pos: Option<i64>, frame: &'static str) {
    mailbox.push(pos.map(Pos), Bytes::from_static(frame.as_bytes()), None);
}

/// Waker that counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn next(mailbox: &Mailbox) -> Option<Next> {
    match mailbox.poll_next(&Context::from_waker(Waker::noop())) {
        Poll::Ready(next) => Some(next),
        Poll::Pending => None,
    }
}

fn live() -> Mailbox {
    let mailbox = Mailbox::behind(Pos(0));
    mailbox.go_live();
    mailbox
}

#[test]
fn frames_are_returned_in_order_and_once() {
    let mailbox = live();
    leave(&mailbox, Some(3), "three");
    leave(&mailbox, None, "heartbeat");
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("two frames wait") };
    assert_eq!(frames, ["three", "heartbeat"]);
    assert!(next(&mailbox).is_none());
}

#[test]
fn only_close_and_restart_interrupt_a_read_of_the_log() {
    let (bell, from) = (Arc::<Bell>::default(), Pos(3));
    let waker = Waker::from(Arc::clone(&bell));
    let context = Context::from_waker(&waker);
    let ends: [fn(&Mailbox); 2] =
        [|mailbox| mailbox.close(ByeReason::Revoked), |mailbox| mailbox.restart(Pos(9), Bytes::from_static(b"reset"))];
    for (rung, end) in (1..).zip(ends) {
        let mailbox = Mailbox::behind(from);
        assert!(mailbox.poll_called_off(&context, from).is_pending());
        leave(&mailbox, Some(4), "event");
        assert!(mailbox.poll_called_off(&context, from).is_pending(), "the log has what comes");
        end(&mailbox);
        assert_eq!(bell.0.load(Ordering::Relaxed), rung, "it is woken");
        assert!(mailbox.poll_called_off(&context, from).is_ready());
    }
}

#[test]
fn a_full_mailbox_drops_its_queue_and_keeps_the_position() {
    let mailbox = live();
    leave(&mailbox, None, "heartbeat");
    for pos in 10..=10 + i64::try_from(MOST_FRAMES).unwrap() {
        leave(&mailbox, Some(pos), "event");
    }
    assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))));
    leave(&mailbox, Some(5000), "event");
    assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(9)))), "it finds the rest in the log");
}

#[test]
fn heartbeats_alone_never_put_a_reader_behind() {
    let mailbox = live();
    for _ in 0..=MOST_FRAMES {
        leave(&mailbox, None, "heartbeat");
    }
    assert_eq!(mailbox.behind_from(), None);
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("the newest waits") };
    assert_eq!(frames, ["heartbeat"]);
}

const ROOMS: [RoomId; 2] = [RoomId(uuid::Uuid::from_u128(1)), RoomId(uuid::Uuid::from_u128(2))];

fn aside(mailbox: &Mailbox, aside: Aside, bytes: &'static str) -> bool {
    mailbox.lay_aside(aside, Bytes::from_static(bytes.as_bytes()), true)
}

#[test]
fn asides_follow_events_wake_nobody_and_only_the_newest_of_a_room_is_sent() {
    let (bell, mailbox) = (Arc::<Bell>::default(), live());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(mailbox.poll_next(&Context::from_waker(&waker)).is_pending());
    let [first, second] = ROOMS;
    assert!(aside(&mailbox, Aside::Lobby(first), "1"));
    assert!(!aside(&mailbox, Aside::Lobby(second), "2"), "somebody is going to ring");
    assert!(!aside(&mailbox, Aside::Presence(first), "presence"));
    assert!(!aside(&mailbox, Aside::Lobby(first), "3"));
    assert_eq!(bell.0.load(Ordering::Relaxed), 0);
    leave(&mailbox, Some(7), "seven");
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("they wait") };
    assert_eq!(frames, ["seven", "presence", "event: lobby\ndata: {\"rooms\":[3,2]}\n\n"]);
    mailbox.ring();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1, "nothing is left to ring for");

    assert!(mailbox.poll_next(&Context::from_waker(&waker)).is_pending());
    assert!(aside(&mailbox, Aside::Lobby(first), "4"), "it is rung for again");
    mailbox.ring();
    assert_eq!(bell.0.load(Ordering::Relaxed), 2);
    assert!(matches!(next(&mailbox), Some(Next::Frames(..))));
}

#[test]
fn a_reader_who_is_behind_keeps_summaries_and_receives_them_when_it_is_live() {
    let mailbox = Mailbox::behind(Pos(3));
    let [first, second] = ROOMS;
    assert!(!aside(&mailbox, Aside::Presence(first), "presence"));
    assert!(aside(&mailbox, Aside::Lobby(second), "2"));
    mailbox.ring();
    assert!(matches!(next(&mailbox), Some(Next::Behind(Pos(3)))));
    mailbox.go_live();
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("a summary waits") };
    assert_eq!(frames, ["event: lobby\ndata: {\"rooms\":[2]}\n\n"]);
}

#[test]
fn bye_follows_queued_frames_and_stops_later_ones() {
    let mailbox = live();
    leave(&mailbox, Some(1), "one");
    mailbox.close(ByeReason::Revoked);
    leave(&mailbox, Some(2), "two");
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("one frame waits") };
    assert_eq!(frames, ["one"]);
    assert!(matches!(next(&mailbox), Some(Next::Bye(ByeReason::Revoked))));
}

#[test]
fn typing_is_dropped_for_a_reader_who_is_slow() {
    let (mailbox, room) = (live(), RoomId(uuid::Uuid::from_u128(1)));
    let typing = |user: usize| Aside::Typing(room, UserId(uuid::Uuid::from_u128(user as u128)));
    assert!(aside(&mailbox, typing(0), "first"));
    for user in 0..100 {
        assert!(!aside(&mailbox, typing(user), "typing"), "somebody is going to ring");
    }
    let Some(Next::Frames(frames, _)) = next(&mailbox) else { panic!("they wait") };
    assert_eq!(frames.len(), MOST_TYPISTS);

    mailbox.ring();
    let behind = Mailbox::behind(Pos(0));
    assert!(!aside(&behind, typing(0), "typing"), "it would be old news");
    behind.go_live();
    assert!(next(&behind).is_none());
}

//! Presence counts in fixed scenarios, and compared with a plain list under random steps.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn room(n: u128) -> RoomId {
    RoomId(Uuid::from_u128(n))
}

fn user(n: u128) -> Who {
    Who::User(UserId(Uuid::from_u128(n)))
}

const fn online(users: u32, guests: u32) -> Online {
    Online { users, guests }
}

#[test]
fn a_user_with_two_streams_counts_once() {
    let mut presence = Presence::default();
    presence.join(room(1), user(1));
    presence.join(room(1), user(1));
    presence.join(room(1), Who::Guest);
    presence.join(room(1), Who::Guest);
    assert_eq!(presence.online(room(1)), online(1, 2));
}

#[test]
fn leaving_takes_effect_after_the_grace() {
    let now = Instant::now();
    let mut presence = Presence::default();
    presence.join(room(1), user(1));
    assert_eq!(presence.due_to_readers(now), [(room(1), online(1, 0))]);
    presence.leave(room(1), user(1), now);
    assert_eq!(presence.due_to_readers(now + ROOM_PACE), [], "still here");
    assert_eq!(presence.due_to_readers(now + LEAVE_GRACE), [(room(1), online(0, 0))]);
    presence.due_to_others(now);
    assert!(presence.rooms.is_empty(), "an empty room costs nothing");
}

#[test]
fn a_replayed_report_is_ignored() {
    let now = Instant::now();
    let (mut here, mut there) = (Presence::default(), Presence::default());
    let instance = InstanceId(Uuid::from_u128(2));
    there.join(room(1), Who::Guest);
    let recorded = there.full_report(now);
    assert!(here.hear(instance, recorded.clone(), now));
    assert_eq!(here.online(room(1)), online(0, 1));
    here.say_farewell(instance, now);
    assert!(here.hear(instance, recorded.clone(), now), "known, and old");
    assert_eq!(here.online(room(1)), online(0, 0));

    // After its lease expired, the instance returns with a higher number.
    assert!(here.hear(instance, there.full_report(now), now));
    here.lapse(now + LEASE);
    assert!(here.hear(instance, recorded, now + LEASE));
    assert_eq!(here.online(room(1)), online(0, 0));
    here.lapse(now + LEASE + REMEMBER);
    assert!(here.departed.is_empty(), "nothing is kept for ever");
}

#[test]
fn a_reload_does_not_change_the_count() {
    let now = Instant::now();
    let mut presence = Presence::default();
    for who in [user(1), Who::Guest] {
        presence.join(room(1), who);
        presence.due_to_readers(now);
        presence.leave(room(1), who, now);
        presence.join(room(1), who);
    }
    assert_eq!(presence.due_to_readers(now + ROOM_PACE), [(room(1), online(1, 1))]);
    assert_eq!(presence.due_to_readers(now + LEAVE_GRACE * 2), []);
}

#[test]
fn room_readers_are_updated_once_a_second() {
    let now = Instant::now();
    let mut presence = Presence::default();
    let mut to_readers = 0;
    for tick in 0..100_u32 {
        presence.join(room(1), user(tick.into()));
        let now = now + Duration::from_millis(100) * tick;
        to_readers += presence.due_to_readers(now).len();
    }
    assert_eq!(to_readers, 10);
}

fn instance(n: u128) -> InstanceId {
    InstanceId(Uuid::from_u128(n))
}

#[test]
fn a_user_on_two_instances_counts_once_and_a_killed_instance_lapses() {
    let now = Instant::now();
    let (mut here, mut there) = (Presence::default(), Presence::default());
    here.join(room(1), user(1));
    there.join(room(1), user(1));
    there.join(room(1), user(2));
    there.join(room(1), Who::Guest);
    assert!(here.hear(instance(2), there.full_report(now), now));
    assert_eq!(here.online(room(1)), online(2, 1));
    here.lapse(now + RENEW_EVERY * 2);
    assert_eq!(here.online(room(1)), online(2, 1));
    here.lapse(now + LEASE);
    assert_eq!(here.online(room(1)), online(1, 0));
}

#[test]
fn a_missed_report_is_detected_and_repaired_by_a_full_one() {
    let now = Instant::now();
    let (mut here, mut there) = (Presence::default(), Presence::default());
    assert!(here.hear(instance(2), there.full_report(now), now));
    there.join(room(1), user(1));
    let _lost = there.due_to_others(now);
    there.join(room(1), user(2));
    assert!(!here.hear(instance(2), there.due_to_others(now).unwrap(), now));
    assert!(here.hear(instance(2), there.full_report(now), now));
    assert_eq!(here.online(room(1)), online(2, 0));
}

#[test]
fn an_idle_instance_renews_its_lease_by_empty_reports() {
    let now = Instant::now();
    let mut presence = Presence::default();
    for n in 0..1_000 {
        presence.join(room(n), Who::Guest);
    }
    assert_eq!(presence.due_to_others(now).unwrap().rooms.len(), 1_000);
    assert_eq!(presence.due_to_others(now + RENEW_EVERY / 2), None);
    assert_eq!(presence.due_to_others(now + RENEW_EVERY).unwrap().rooms.len(), 0);
}

proptest! {
    /// With lost reports, another instance that requests full ones arrives at the same counts.
    #[test]
    fn another_instance_counts_the_same(
        steps in prop::collection::vec((0_u128..3, 0_u128..4, any::<bool>(), any::<bool>()), 0..100)
    ) {
        let mut now = Instant::now();
        let (mut here, mut there) = (Presence::default(), Presence::default());
        let mut list: Vec<(RoomId, Who)> = Vec::new();
        for (at, who, joins, is_lost) in steps {
            let (at, who) = (room(at), if who == 0 { Who::Guest } else { user(who) });
            if joins {
                there.join(at, who);
                list.push((at, who));
            } else if let Some(place) = list.iter().position(|entry| *entry == (at, who)) {
                there.leave(at, who, now);
                list.swap_remove(place);
            }
            now += Duration::from_millis(700);
            there.due_to_readers(now);
            here.due_to_readers(now);
            if let Some(report) = there.due_to_others(now)
                && !is_lost
                && !here.hear(instance(2), report, now)
            {
                let full = there.full_report(now);
                prop_assert!(here.hear(instance(2), full, now));
            }
        }
        now += LEAVE_GRACE;
        there.due_to_readers(now);
        prop_assert!(here.hear(instance(2), there.full_report(now), now));
        for at in (0..3).map(room) {
            prop_assert_eq!(here.online(at), there.online(at));
        }
        here.say_farewell(instance(2), now);
        here.due_to_readers(now + ROOM_PACE);
        prop_assert!(here.rooms.is_empty());
    }

    /// Counts equal those of a plain list of streams, once all grace periods are over.
    #[test]
    fn agrees_with_a_plain_list(steps in prop::collection::vec((0_u128..3, 0_u128..4, any::<bool>()), 0..200)) {
        let mut now = Instant::now();
        let mut presence = Presence::default();
        let mut list: Vec<(RoomId, Who)> = Vec::new();
        for (at, who, joins) in steps {
            let (at, who) = (room(at), if who == 0 { Who::Guest } else { user(who) });
            if joins {
                presence.join(at, who);
                list.push((at, who));
            } else if let Some(place) = list.iter().position(|entry| *entry == (at, who)) {
                presence.leave(at, who, now);
                list.swap_remove(place);
            }
            now += Duration::from_millis(300);
            presence.due_to_readers(now);
        }
        presence.due_to_readers(now + LEAVE_GRACE);
        for at in (0..3).map(room) {
            let here: Vec<_> = list.iter().filter(|(room, _)| *room == at).map(|(_, who)| *who).collect();
            let guests = here.iter().filter(|who| **who == Who::Guest).count();
            let users = here.iter().filter(|who| **who != Who::Guest).collect::<HashSet<_>>().len();
            let expected = Online { users: u32::try_from(users).unwrap(), guests: u32::try_from(guests).unwrap() };
            prop_assert_eq!(presence.online(at), expected);
        }
    }
}

//! Who is here: distinct users, and guests counted by connection, for each room.
//!
//! Pure: the time is an argument. Counts are told when they changed, at most once in [`ROOM_PACE`] to a
//! room's readers and once in [`LOBBY_PACE`] to everybody else, so the cost does not grow with rooms x readers.
//! Presence never decides a right.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::event::Online;
use crate::id::{RoomId, UserId};

/// A room's readers hear of its count at most this often.
pub const ROOM_PACE: Duration = Duration::from_secs(1);
/// The lobby's summary of the other rooms.
pub const LOBBY_PACE: Duration = Duration::from_secs(5);
/// Somebody who leaves still counts this long: a reload or a change of instance does not flicker.
pub const LEAVE_GRACE: Duration = Duration::from_secs(3);

/// One attendee of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    User(UserId),
    Guest,
}

#[derive(Debug, Default)]
struct Attendance {
    /// Streams of each user, those within their grace included.
    users: HashMap<UserId, u32>,
    guests: u32,
    /// Left, but within the grace; in the order of their moments.
    leaving: VecDeque<(Instant, Who)>,
    told_readers: Online,
    told_readers_at: Option<Instant>,
}

impl Attendance {
    fn online(&self) -> Online {
        Online { users: u32::try_from(self.users.len()).unwrap_or(u32::MAX), guests: self.guests }
    }

    fn remove(&mut self, who: Who) {
        match who {
            Who::Guest => self.guests -= 1,
            Who::User(user) => {
                let streams = self.users.get_mut(&user).expect("who leaves was counted in");
                *streams -= 1;
                if *streams == 0 {
                    self.users.remove(&user);
                }
            }
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Presence {
    rooms: HashMap<RoomId, Attendance>,
    /// Rooms whose readers may have to be told, or that have somebody leaving.
    unsettled: HashSet<RoomId>,
    /// Rooms that changed since the last summary.
    for_lobby: HashSet<RoomId>,
    lobby_at: Option<Instant>,
}

impl Presence {
    pub fn online(&self, room: RoomId) -> Online {
        self.rooms.get(&room).map(Attendance::online).unwrap_or_default()
    }

    pub fn join(&mut self, room: RoomId, who: Who) {
        let attendance = self.rooms.entry(room).or_default();
        // Whoever returns within the grace takes their own place back; a guest, any guest's.
        if let Some(place) = attendance.leaving.iter().position(|(_, leaving)| *leaving == who) {
            attendance.leaving.remove(place);
            return;
        }
        match who {
            Who::Guest => attendance.guests += 1,
            Who::User(user) => *attendance.users.entry(user).or_default() += 1,
        }
        self.touch(room);
        self.check();
    }

    /// Counts until [`LEAVE_GRACE`] after `now`.
    pub fn leave(&mut self, room: RoomId, who: Who, now: Instant) {
        let attendance = self.rooms.get_mut(&room).expect("who leaves a room has joined it");
        attendance.leaving.push_back((now + LEAVE_GRACE, who));
        self.unsettled.insert(room);
        self.check();
    }

    /// The counts to tell each room's readers now.
    pub fn due_to_readers(&mut self, now: Instant) -> Vec<(RoomId, Online)> {
        let mut due = Vec::new();
        let mut settled = Vec::new();
        let mut left = Vec::new();
        for &room in &self.unsettled {
            let attendance = self.rooms.get_mut(&room).expect("an unsettled room is known");
            let before = attendance.online();
            while let Some(&(until, who)) = attendance.leaving.front()
                && until <= now
            {
                attendance.leaving.pop_front();
                attendance.remove(who);
            }
            let online = attendance.online();
            if online != before {
                left.push(room);
            }
            let paced = attendance.told_readers_at.is_none_or(|at| now >= at + ROOM_PACE);
            if online != attendance.told_readers && paced {
                attendance.told_readers = online;
                attendance.told_readers_at = Some(now);
                due.push((room, online));
            }
            if online == attendance.told_readers && attendance.leaving.is_empty() {
                settled.push(room);
            }
        }
        self.for_lobby.extend(left);
        for room in settled {
            self.unsettled.remove(&room);
            if self.rooms.get(&room).is_some_and(|attendance| attendance.online() == Online::default()) {
                self.rooms.remove(&room);
            }
        }
        self.check();
        due
    }

    /// The counts for the lobby's summary, when one is due; sorted by room.
    pub fn due_to_lobby(&mut self, now: Instant) -> Vec<(RoomId, Online)> {
        if self.for_lobby.is_empty() || self.lobby_at.is_some_and(|at| now < at + LOBBY_PACE) {
            return Vec::new();
        }
        self.lobby_at = Some(now);
        let mut changed: Vec<_> = self.for_lobby.drain().collect();
        changed.sort_unstable();
        changed.into_iter().map(|room| (room, self.online(room))).collect()
    }

    fn touch(&mut self, room: RoomId) {
        self.unsettled.insert(room);
        self.for_lobby.insert(room);
    }

    /// What must hold after every mutation; free in a release.
    fn check(&self) {
        #[cfg(debug_assertions)]
        for (room, attendance) in &self.rooms {
            let leaving_guests = attendance.leaving.iter().filter(|(_, who)| *who == Who::Guest).count();
            assert!(leaving_guests <= attendance.guests as usize, "a guest who leaves is still counted");
            assert!(attendance.users.values().all(|streams| *streams > 0), "a user without streams is not here");
            assert!(attendance.leaving.iter().is_sorted_by_key(|(until, _)| until), "leavers go in order");
            assert!(
                attendance.leaving.is_empty() || self.unsettled.contains(room),
                "a room that somebody leaves is looked at again"
            );
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert!(presence.rooms.is_empty(), "an empty room costs nothing");
    }

    #[test]
    fn a_reload_does_not_flicker() {
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
    fn a_busy_room_is_told_once_a_second_and_the_lobby_once_in_five() {
        let now = Instant::now();
        let mut presence = Presence::default();
        let (mut to_readers, mut to_lobby) = (0, 0);
        for tick in 0..100_u32 {
            presence.join(room(1), user(tick.into()));
            let now = now + Duration::from_millis(100) * tick;
            to_readers += presence.due_to_readers(now).len();
            to_lobby += presence.due_to_lobby(now).len();
        }
        assert_eq!((to_readers, to_lobby), (10, 2));
    }

    proptest! {
        /// Counts are those of a plain list of streams, once every grace is over.
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
                presence.due_to_lobby(now);
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
}

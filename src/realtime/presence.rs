//! Counts who is present in each room: distinct users, and guests by connection.
//!
//! Streams on this instance join and leave rooms; the other instances report theirs. A report is a lease: it counts for
//! as long as its instance keeps sending, so the readers of a killed instance are removed when the lease expires.
//!
//! Pure: the time is an argument. Changed counts are sent at most once in [`ROOM_PACE`] to a room's readers; the
//! [`lobby`](super::lobby) tells everybody else. Presence never decides a right.

mod attendance;
mod pages;
mod report;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use self::attendance::Attendance;
pub use self::attendance::Who;
pub use self::pages::{Page, PageKey, Pages, Place};
pub use self::report::{Report, RoomReport};
use crate::event::Online;
use crate::id::{InstanceId, RoomId, UserId};

/// Minimum interval between updates of a room's count to its readers.
pub const ROOM_PACE: Duration = Duration::from_secs(1);
/// Time for which a leaver still counts, so that a reload or a change of instance does not change the count.
pub const LEAVE_GRACE: Duration = Duration::from_secs(3);

/// Maximum interval between an instance's reports, even if nothing changed.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Time for which an instance's reports count after its last one.
pub const LEASE: Duration = Duration::from_secs(25);
/// Time for which the last report number of a departed instance is kept: longer than a replayed report of it would be
/// accepted as fresh.
const REMEMBER: Duration = Duration::from_secs(150);

/// Another instance, as it reported itself.
#[derive(Debug)]
struct RemoteInstance {
    heard_at: Instant,
    last_number: u64,
    rooms: HashMap<RoomId, RemoteRoom>,
}

#[derive(Debug, Default)]
struct RemoteRoom {
    users: HashSet<UserId>,
    guests: u32,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Presence {
    rooms: HashMap<RoomId, Attendance>,
    /// Rooms whose readers may need an update, or with leavers in their grace period.
    unsettled: HashSet<RoomId>,
    /// Rooms whose counts changed since the lobby asked for them.
    changed: HashSet<RoomId>,
    /// Rooms that changed on this instance since the last report.
    to_report: HashSet<RoomId>,
    reports: u64,
    reported_at: Option<Instant>,
    elsewhere: HashMap<InstanceId, RemoteInstance>,
    /// Departed instances: the number of their last report, and their time of departure.
    departed: HashMap<InstanceId, (u64, Instant)>,
}

impl Presence {
    pub fn online(&self, room: RoomId) -> Online {
        self.rooms.get(&room).map(Attendance::online).unwrap_or_default()
    }

    /// Returns the users in a room, each once and in any order, and the number of guests.
    pub fn present(&self, room: RoomId) -> (Vec<UserId>, u32) {
        let Some(attendance) = self.rooms.get(&room) else { return (Vec::new(), 0) };
        let elsewhere = attendance.users_elsewhere.keys().filter(|user| !attendance.users.contains_key(user));
        (attendance.users.keys().chain(elsewhere).copied().collect(), attendance.online().guests)
    }

    pub fn is_present(&self, room: RoomId, user: UserId) -> bool {
        let Some(attendance) = self.rooms.get(&room) else { return false };
        attendance.users.contains_key(&user) || attendance.users_elsewhere.contains_key(&user)
    }

    pub fn join(&mut self, room: RoomId, who: Who) {
        let attendance = self.rooms.entry(room).or_default();
        // A user who returns within the grace period cancels their own leaving; a guest cancels any guest's.
        if attendance.take_back(who) {
            return;
        }
        attendance.add(who);
        self.to_report.insert(room);
        self.touch(room);
        self.check();
    }

    /// Returns the number of rooms with somebody present.
    pub fn rooms_with_readers(&self) -> usize {
        self.rooms.values().filter(|attendance| attendance.online() != Online::default()).count()
    }

    /// Returns the number of other instances with a current lease.
    pub fn instances_heard(&self) -> usize {
        self.elsewhere.len()
    }

    /// Leaves a room: `who` still counts until [`LEAVE_GRACE`] after `now`.
    pub fn leave(&mut self, room: RoomId, who: Who, now: Instant) {
        let attendance = self.rooms.get_mut(&room).expect("who leaves a room has joined it");
        attendance.leave(who, now + LEAVE_GRACE);
        self.unsettled.insert(room);
        self.check();
    }

    /// Leaves a room at once.
    pub fn depart(&mut self, room: RoomId, who: Who) {
        self.rooms.get_mut(&room).expect("who leaves a room has joined it").remove(who);
        self.to_report.insert(room);
        self.touch(room);
        self.check();
    }

    /// Ends the grace period of one who left the room. Does nothing if it is over, or if another took the place.
    pub fn end_grace(&mut self, room: RoomId, who: Who) {
        let Some(attendance) = self.rooms.get_mut(&room) else { return };
        if attendance.take_back(who) {
            self.depart(room, who);
        }
    }

    /// Returns the counts to send to each room's readers now.
    pub fn due_to_readers(&mut self, now: Instant) -> Vec<(RoomId, Online)> {
        let mut due = Vec::new();
        let mut settled = Vec::new();
        let mut changed = Vec::new();
        for &room in &self.unsettled {
            let attendance = self.rooms.get_mut(&room).expect("an unsettled room is known");
            if attendance.end_graces(now) {
                changed.push(room);
            }
            let online = attendance.online();
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
        self.changed.extend(&changed);
        self.to_report.extend(&changed);
        for room in settled {
            self.unsettled.remove(&room);
            self.forget_if_empty(room);
        }
        self.check();
        due
    }

    /// Frees an empty room's memory, once the last leaving has been reported.
    fn forget_if_empty(&mut self, room: RoomId) {
        let is_empty = self.rooms.get(&room).is_some_and(|attendance| attendance.online() == Online::default());
        if is_empty && !self.unsettled.contains(&room) && !self.to_report.contains(&room) {
            self.rooms.remove(&room);
        }
    }

    /// Returns the report to send to the other instances now: the changes, or an empty one to renew the lease.
    pub fn due_to_others(&mut self, now: Instant) -> Option<Report> {
        let is_due = self.reported_at.is_none_or(|at| now >= at + RENEW_EVERY);
        (is_due || !self.to_report.is_empty()).then(|| self.report(false, now))
    }

    /// Returns a report of everyone present on this instance.
    pub fn full_report(&mut self, now: Instant) -> Report {
        self.report(true, now)
    }

    fn report(&mut self, is_full: bool, now: Instant) -> Report {
        let changed: Vec<_> = self.to_report.drain().collect();
        let of_room = |(&room, attendance): (&RoomId, &mut Attendance)| {
            let joined: Vec<_> = attendance.joined.drain().collect();
            let left: Vec<_> = attendance.left.drain().collect();
            let joined = if is_full { attendance.users.keys().copied().collect() } else { joined };
            RoomReport { room, joined, left: if is_full { Vec::new() } else { left }, guests: attendance.guests }
        };
        let rooms = if is_full {
            self.rooms.iter_mut().map(of_room).collect()
        } else {
            changed
                .iter()
                .filter_map(|room| self.rooms.get_mut(room).map(|attendance| of_room((room, attendance))))
                .collect()
        };
        for room in changed {
            self.forget_if_empty(room);
        }
        self.reports += 1;
        self.reported_at = Some(now);
        Report { number: self.reports, is_full, rooms, pages: Vec::new() }
    }

    /// Applies another instance's report. Returns false if an earlier one was missed: a full report must be requested.
    #[must_use]
    pub fn hear(&mut self, from: InstanceId, report: Report, now: Instant) -> bool {
        let known = self.elsewhere.get(&from).map(|elsewhere| elsewhere.last_number);
        let last = known.or_else(|| self.departed.get(&from).map(|(last, _)| *last));
        if last.is_some_and(|last| report.number <= last) {
            return true;
        }
        if !report.is_full && known.is_none_or(|last| last + 1 != report.number) {
            return false;
        }
        if report.is_full {
            self.forget(from);
        }
        self.departed.remove(&from);
        let elsewhere = self.elsewhere.entry(from).or_insert_with(|| RemoteInstance {
            heard_at: now,
            last_number: 0,
            rooms: HashMap::new(),
        });
        elsewhere.heard_at = now;
        elsewhere.last_number = report.number;
        for RoomReport { room, joined, left, guests } in report.rooms {
            let there = elsewhere.rooms.entry(room).or_default();
            let attendance = self.rooms.entry(room).or_default();
            for user in left {
                if there.users.remove(&user) {
                    attendance.remove_elsewhere(user);
                }
            }
            for user in joined {
                if there.users.insert(user) {
                    attendance.add_elsewhere(user);
                }
            }
            attendance.guests_elsewhere = attendance.guests_elsewhere - there.guests + guests;
            there.guests = guests;
            if there.users.is_empty() && there.guests == 0 {
                elsewhere.rooms.remove(&room);
            }
            self.unsettled.insert(room);
            self.changed.insert(room);
        }
        self.check();
        true
    }

    /// Removes a departed instance, and everyone present through it.
    pub fn say_farewell(&mut self, instance: InstanceId, now: Instant) {
        if let Some(there) = self.elsewhere.get(&instance) {
            self.departed.insert(instance, (there.last_number, now));
        }
        self.forget(instance);
    }

    fn forget(&mut self, instance: InstanceId) {
        let Some(elsewhere) = self.elsewhere.remove(&instance) else { return };
        for (room, there) in elsewhere.rooms {
            let attendance = self.rooms.get_mut(&room).expect("a room with somebody elsewhere is known");
            for user in there.users {
                attendance.remove_elsewhere(user);
            }
            attendance.guests_elsewhere -= there.guests;
            self.touch(room);
        }
        self.check();
    }

    /// Removes instances whose lease has expired.
    pub fn lapse(&mut self, now: Instant) {
        let is_over = |elsewhere: &RemoteInstance| now >= elsewhere.heard_at + LEASE;
        let lapsed: Vec<_> =
            self.elsewhere.iter().filter(|(_, elsewhere)| is_over(elsewhere)).map(|(id, _)| *id).collect();
        for instance in lapsed {
            tracing::warn!(instance = %instance.0, "an instance stopped reporting its presence; removing its readers");
            self.say_farewell(instance, now);
        }
        self.departed.retain(|_, (_, left_at)| now < *left_at + REMEMBER);
    }

    /// Returns the rooms whose counts may have changed since the last call.
    pub fn take_changed(&mut self) -> Vec<RoomId> {
        self.changed.drain().collect()
    }

    fn touch(&mut self, room: RoomId) {
        self.unsettled.insert(room);
        self.changed.insert(room);
    }

    /// Checks invariants after every mutation; only in debug builds.
    fn check(&self) {
        #[cfg(debug_assertions)]
        for (room, attendance) in &self.rooms {
            let leaving_guests = attendance.leavers.get(&Who::Guest).map_or(0, |leaver| leaver.leaving);
            assert!(leaving_guests <= attendance.guests, "a guest who leaves is still counted");
            let counted: u32 = attendance.leavers.values().map(|leaver| leaver.leaving + leaver.returned).sum();
            assert_eq!(counted as usize, attendance.leaving.len(), "each entry of a leaver is counted");
            let only_elsewhere =
                attendance.users_elsewhere.keys().filter(|user| !attendance.users.contains_key(user)).count();
            assert_eq!(attendance.only_elsewhere as usize, only_elsewhere, "users elsewhere only are counted");
            assert!(attendance.users.values().all(|streams| *streams > 0), "a user without streams is not here");
            let guests_elsewhere: u32 =
                self.elsewhere.values().filter_map(|there| there.rooms.get(room)).map(|there| there.guests).sum();
            assert_eq!(attendance.guests_elsewhere, guests_elsewhere, "guests elsewhere are the sum of the reports");
            let named = self.elsewhere.values().filter_map(|there| there.rooms.get(room));
            let named: usize = named.map(|there| there.users.len()).sum();
            let counted: u32 = attendance.users_elsewhere.values().sum();
            assert_eq!(named, counted as usize, "each instance counts each of its users once");
            assert!(attendance.joined.is_disjoint(&attendance.left), "a user came or went, not both");
            assert!(attendance.leaving.iter().is_sorted_by_key(|(until, _)| until), "leavers go in order");
            assert!(
                attendance.leaving.is_empty() || self.unsettled.contains(room),
                "a room that somebody leaves is looked at again"
            );
        }
    }
}

#[cfg(test)]
mod tests;

//! Counts who is present in one room, on this instance and on others.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use crate::event::Online;
use crate::id::UserId;

/// One attendee of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    User(UserId),
    Guest,
}

/// A stream without a user is a guest's.
impl From<Option<UserId>> for Who {
    fn from(user: Option<UserId>) -> Self {
        user.map_or(Self::Guest, Self::User)
    }
}

/// Users and guests present in one room.
#[derive(Debug, Default)]
pub(super) struct Attendance {
    /// Number of streams of each user on this instance, including those in their grace period.
    pub(super) users: HashMap<UserId, u32>,
    pub(super) guests: u32,
    /// Number of other instances on which each user is present.
    pub(super) users_elsewhere: HashMap<UserId, u32>,
    /// Number of those who are not present on this instance.
    pub(super) only_elsewhere: u32,
    pub(super) guests_elsewhere: u32,
    /// Users who joined or left on this instance since the last report.
    pub(super) joined: HashSet<UserId>,
    pub(super) left: HashSet<UserId>,
    /// Leavers and the end of their grace period, earliest first. Includes those who have returned since.
    pub(super) leaving: VecDeque<(Instant, Who)>,
    /// Number of entries of `leaving` for each leaver: still leaving, and returned. Thus a return costs the same however
    /// many are leaving.
    pub(super) leavers: HashMap<Who, Leaver>,
    pub(super) told_readers: Online,
    pub(super) told_readers_at: Option<Instant>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leaver {
    pub(super) leaving: u32,
    pub(super) returned: u32,
}

impl Attendance {
    pub(super) fn online(&self) -> Online {
        let users = u32::try_from(self.users.len()).unwrap_or(u32::MAX).saturating_add(self.only_elsewhere);
        Online { users, guests: self.guests.saturating_add(self.guests_elsewhere) }
    }

    pub(super) fn leave(&mut self, who: Who, until: Instant) {
        self.leaving.push_back((until, who));
        self.leavers.entry(who).or_default().leaving += 1;
    }

    /// Cancels the earliest leaving of `who`. Returns false if there is none.
    pub(super) fn take_back(&mut self, who: Who) -> bool {
        let Some(leaver) = self.leavers.get_mut(&who).filter(|leaver| leaver.leaving > 0) else { return false };
        leaver.leaving -= 1;
        leaver.returned += 1;
        true
    }

    /// Removes those whose grace period has ended. Returns whether there were any.
    pub(super) fn end_graces(&mut self, now: Instant) -> bool {
        let mut has_left = false;
        while let Some((_, who)) = self.leaving.pop_front_if(|(until, _)| *until <= now) {
            let Entry::Occupied(mut leaver) = self.leavers.entry(who) else { unreachable!("each entry was counted") };
            let has_returned = leaver.get().returned > 0;
            if has_returned {
                leaver.get_mut().returned -= 1;
            } else {
                leaver.get_mut().leaving -= 1;
            }
            if *leaver.get() == Leaver::default() {
                leaver.remove();
            }
            if !has_returned {
                self.remove(who);
                has_left = true;
            }
        }
        has_left
    }

    pub(super) fn add(&mut self, who: Who) {
        match who {
            Who::Guest => self.guests += 1,
            Who::User(user) => {
                let streams = self.users.entry(user).or_default();
                *streams += 1;
                if *streams == 1 {
                    self.only_elsewhere -= u32::from(self.users_elsewhere.contains_key(&user));
                    if !self.left.remove(&user) {
                        self.joined.insert(user);
                    }
                }
            }
        }
    }

    pub(super) fn remove(&mut self, who: Who) {
        match who {
            Who::Guest => self.guests -= 1,
            Who::User(user) => {
                let streams = self.users.get_mut(&user).expect("who leaves was counted in");
                *streams -= 1;
                if *streams == 0 {
                    self.users.remove(&user);
                    self.only_elsewhere += u32::from(self.users_elsewhere.contains_key(&user));
                    if !self.joined.remove(&user) {
                        self.left.insert(user);
                    }
                }
            }
        }
    }

    pub(super) fn add_elsewhere(&mut self, user: UserId) {
        let instances = self.users_elsewhere.entry(user).or_default();
        *instances += 1;
        if *instances == 1 {
            self.only_elsewhere += u32::from(!self.users.contains_key(&user));
        }
    }

    pub(super) fn remove_elsewhere(&mut self, user: UserId) {
        if let Some(instances) = self.users_elsewhere.get_mut(&user) {
            *instances -= 1;
            if *instances == 0 {
                self.users_elsewhere.remove(&user);
                self.only_elsewhere -= u32::from(!self.users.contains_key(&user));
            }
        }
    }
}

//! Presence of streams: a stream joins its rooms, and leaves them when it is closed, replaced or revoked.

use std::time::Instant;

use super::Feed;
use crate::id::{InstanceId, RoomId, SessionClaim, UserId};
use crate::realtime::hub::{Subscriber, SubscriberId};
use crate::realtime::presence::{Page, Place, Report, Who};
use crate::realtime::topic::Interest;

impl Feed {
    /// Adds a stream to the hub and counts its reader as present. A reader whose page had a stream before is no longer
    /// counted through that one.
    pub(super) fn enter(&mut self, subscriber: Subscriber, page: Option<Page>) -> SubscriberId {
        let page = page.filter(|_| subscriber.is_counted);
        for key in page.iter().flat_map(Page::keys) {
            match self.pages.take(key) {
                Some(Place::Open { stream, .. }) => self.depart(stream),
                Some(Place::Left { rooms, who, .. }) => {
                    for room in rooms {
                        self.presence.end_grace(room, who);
                    }
                }
                None => {}
            }
        }
        let who = who(&subscriber);
        for room in subscriber.present_in() {
            self.presence.join(room, who);
        }
        let id = self.hub.add(subscriber);
        if let Some(page) = page {
            self.pages.open(page, id);
        }
        id
    }

    /// Removes a reader. Unless another stream took its place before, it is counted for a short time yet.
    pub fn unsubscribe(&mut self, id: SubscriberId, now: Instant) {
        let Some(subscriber) = self.hub.remove(id) else { return };
        let (who, rooms) = (who(&subscriber), subscriber.present_in());
        let is_elsewhere = subscriber.page.is_some_and(|key| self.pages.is_elsewhere(key, id));
        for &room in &rooms {
            if is_elsewhere {
                self.presence.depart(room, who);
            } else {
                self.presence.leave(room, who, now);
            }
        }
        if let Some(key) = subscriber.page {
            self.pages.close(key, id, rooms, who, now);
        }
    }

    /// Ends streams of a user whose right has ended. They are not counted any more, not even for a short time.
    pub(super) fn revoke(&mut self, user: UserId, is_meant: impl Fn(Option<SessionClaim>) -> bool) {
        for stream in self.hub.revoke(user, is_meant) {
            self.depart(stream);
        }
    }

    /// Stops counting a stream's reader.
    fn depart(&mut self, stream: SubscriberId) {
        let Some(subscriber) = self.hub.get_mut(stream) else { return };
        let (who, rooms) = (who(subscriber), subscriber.present_in());
        subscriber.is_counted = false;
        for room in rooms {
            self.presence.depart(room, who);
        }
    }

    /// Applies another instance's presence report. Returns false if an earlier one was missed: a full report must be
    /// requested.
    #[must_use]
    pub fn hear_presence(&mut self, from: InstanceId, report: Report, now: Instant) -> bool {
        for key in &report.pages {
            let (rooms, who) = self.pages.moved_away(*key).unwrap_or((Vec::new(), Who::Guest));
            for room in rooms {
                self.presence.end_grace(room, who);
            }
        }
        self.presence.hear(from, report, now)
    }

    /// Returns the presence report to send to the other instances now, if one is due.
    pub fn presence_report(&mut self, is_full: bool, now: Instant) -> Option<Report> {
        let report = if is_full { Some(self.presence.full_report(now)) } else { self.presence.due_to_others(now) };
        report.map(|report| Report { pages: self.pages.take_opened(), ..report })
    }

    /// Returns those of the requested rooms that a stream follows: active ones that it does not read.
    pub(super) fn followable(&self, interest: &Interest, mut rooms: Vec<RoomId>) -> Vec<RoomId> {
        rooms.sort_unstable();
        rooms.dedup();
        rooms.retain(|room| !interest.has_room(*room) && self.directory.active_room(*room).is_some());
        rooms
    }
}

fn who(subscriber: &Subscriber) -> Who {
    subscriber.interest.user().into()
}

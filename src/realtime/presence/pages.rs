//! Pages: browser windows that identify themselves, so that whoever moves from one room to the next is counted in one.
//!
//! A page has one stream at a time. Its next one takes the place of the earlier one at once, whether that is still open
//! or has just been closed; only a page that does not come back has a grace period. On several instances this is the
//! best effort: an instance reports the pages that opened a stream there, and the others stop counting those that they
//! saw leave. If one has not noticed yet that the earlier stream was closed, it grants no grace when it does.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{LEAVE_GRACE, Who};
use crate::id::{RoomId, UserId};
use crate::realtime::hub::SubscriberId;
use crate::realtime::replay::Share;

/// A page of one reader: a digest, the same on every instance. It contains the user, or the address of a guest, so that
/// nobody else takes a reader's place by using its page's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageKey(u64);

/// The page that opens a stream.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub key: PageKey,
    /// The key that the page of a user had before they signed in.
    as_guest: Option<PageKey>,
}

impl Page {
    /// `client`: the id that the page chose. `share`: its address.
    pub fn new(client: &str, user: Option<UserId>, share: Share) -> Self {
        let key = |scope: &[u8], of: &[u8]| {
            let digest = Sha256::new().chain_update(scope).chain_update(of).chain_update(client).finalize();
            PageKey(u64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes")))
        };
        let as_guest = key(b"guest", &share.0.to_be_bytes());
        match user {
            None => Self { key: as_guest, as_guest: None },
            Some(user) => Self { key: key(b"user.", user.0.as_bytes()), as_guest: Some(as_guest) },
        }
    }

    pub(in crate::realtime) fn keys(&self) -> impl Iterator<Item = PageKey> + use<> {
        [Some(self.key), self.as_guest].into_iter().flatten()
    }
}

/// A page's latest stream on this instance.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// `is_elsewhere`: the page has opened another one on another instance since.
    Open { stream: SubscriberId, is_elsewhere: bool },
    /// Closed: the reader still counts for the grace period.
    Left { rooms: Vec<RoomId>, who: Who, until: Instant },
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pages {
    places: HashMap<PageKey, Place>,
    /// Pages that left, and the end of their grace periods.
    left: VecDeque<(Instant, PageKey)>,
    /// Pages to report.
    opened: Vec<PageKey>,
}

impl Pages {
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.left.is_empty()
    }

    /// Removes and returns a page's place.
    pub fn take(&mut self, key: PageKey) -> Option<Place> {
        self.places.remove(&key)
    }

    pub fn open(&mut self, page: Page, stream: SubscriberId) {
        self.places.insert(page.key, Place::Open { stream, is_elsewhere: false });
        self.opened.extend(page.keys());
    }

    /// Returns whether the page of this stream has moved to another instance.
    pub fn is_elsewhere(&self, key: PageKey, stream: SubscriberId) -> bool {
        self.places.get(&key) == Some(&Place::Open { stream, is_elsewhere: true })
    }

    /// Records that a stream was closed. Does nothing if the page has a later one.
    pub fn close(&mut self, key: PageKey, stream: SubscriberId, rooms: Vec<RoomId>, who: Who, now: Instant) {
        match self.places.get(&key) {
            Some(Place::Open { stream: latest, is_elsewhere }) if *latest == stream => {
                if *is_elsewhere || rooms.is_empty() {
                    self.places.remove(&key);
                } else {
                    let until = now + LEAVE_GRACE;
                    self.places.insert(key, Place::Left { rooms, who, until });
                    self.left.push_back((until, key));
                }
            }
            _ => {}
        }
    }

    /// Records that the page opened a stream on another instance. Returns the rooms that it left here within the grace
    /// period. A stream that is open here may be the later one, so it stays counted.
    pub fn moved_away(&mut self, key: PageKey) -> Option<(Vec<RoomId>, Who)> {
        match self.places.remove(&key)? {
            Place::Left { rooms, who, .. } => Some((rooms, who)),
            Place::Open { stream, .. } => {
                self.places.insert(key, Place::Open { stream, is_elsewhere: true });
                None
            }
        }
    }

    /// Forgets pages whose grace period is over.
    pub fn forget_left(&mut self, now: Instant) {
        while let Some((_, key)) = self.left.pop_front_if(|(until, _)| *until <= now) {
            // A page that returned and left again has a later entry.
            if matches!(self.places.get(&key), Some(Place::Left { until, .. }) if *until <= now) {
                self.places.remove(&key);
            }
        }
    }

    /// Returns the pages that opened streams since the last call.
    pub fn take_opened(&mut self) -> Vec<PageKey> {
        std::mem::take(&mut self.opened)
    }
}

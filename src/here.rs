//! Lists of the people in a room. Presence has their ids, the database their names.
//!
//! Readers of a large room ask often, and looking up ten thousand names takes tens of milliseconds: such a list is kept
//! for a moment and read once at a time, however many ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::OnceCell;
use utoipa::ToSchema;

use crate::event::User;
use crate::id::RoomId;
use crate::realtime::Realtime;
use crate::store::{self, Db};

/// Maximum number of users in a list. Rooms with more are large.
const MOST_LISTED: u32 = 200;
/// Time for which the list of a large room is kept.
const KEEP: Duration = Duration::from_secs(2);
/// Number of kept lists above which expired ones are removed.
const MOST_KEPT: usize = 64;

/// The people in a room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Here {
    /// Admins first, then by name.
    #[schema(max_items = 200)]
    users: Vec<User>,
    /// Number of users, also of those who are not listed.
    users_total: usize,
    /// Number of guests, counted by connection.
    guests: u32,
}

/// A list that may still be read.
type Kept = Arc<OnceCell<Arc<Here>>>;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct PeopleHere {
    /// Lists of large rooms, and when they were requested. Held for a look only.
    kept: Mutex<HashMap<RoomId, (Instant, Kept)>>,
}

impl PeopleHere {
    pub async fn in_room(&self, db: &Db, realtime: &Realtime, room: RoomId) -> sqlx::Result<Arc<Here>> {
        if realtime.online(room).users <= MOST_LISTED {
            return read(db, realtime, room).await;
        }
        let kept = self.kept(room, Instant::now());
        kept.get_or_try_init(|| read(db, realtime, room)).await.cloned()
    }

    fn kept(&self, room: RoomId, now: Instant) -> Kept {
        let mut kept = self.kept.lock().expect("nothing panics while it holds the lists");
        if kept.len() > MOST_KEPT {
            kept.retain(|_, (at, _)| now < *at + KEEP);
        }
        let (at, list) = kept.entry(room).or_insert_with(|| (now, Arc::default()));
        if now >= *at + KEEP {
            (*at, *list) = (now, Arc::default());
        }
        Arc::clone(list)
    }
}

async fn read(db: &Db, realtime: &Realtime, room: RoomId) -> sqlx::Result<Arc<Here>> {
    let (present, guests) = realtime.present(room);
    let users = store::people::named(db, &present, i64::from(MOST_LISTED)).await?;
    Ok(Arc::new(Here { users, users_total: present.len(), guests }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn lists_of_large_rooms_are_kept_for_a_moment() {
        let (people, now) = (PeopleHere::default(), Instant::now());
        let room = |n: u128| RoomId(Uuid::from_u128(n));
        let first = people.kept(room(1), now);
        assert!(Arc::ptr_eq(&first, &people.kept(room(1), now + KEEP / 2)));
        assert!(!Arc::ptr_eq(&first, &people.kept(room(1), now + KEEP)));
        for n in 0..1_000 {
            people.kept(room(n), now + KEEP * u32::try_from(n).unwrap());
        }
        assert!(people.kept.lock().unwrap().len() <= MOST_KEPT + 1);
    }
}

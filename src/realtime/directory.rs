//! In-memory cache of rooms, admins, bans and recently ended sessions.
//!
//! Loaded from Postgres as of a position, and from there on changed only by events, in order. So every instance has the
//! same state at the same position, and checking a right needs no query.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::event::{Effect, Event, GenerationEnd};
use crate::id::{RoomId, Seq, SessionClaim, SessionId, UserId};
use crate::store::log::Snapshot;

/// State of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomState {
    pub is_archived: bool,
    pub head_seq: Seq,
}

/// See the [module](self).
#[derive(Debug, Default, Clone)]
pub struct Directory {
    pub rooms: HashMap<RoomId, RoomState>,
    pub admins: HashSet<UserId>,
    pub banned: HashSet<UserId>,
    /// Sessions that ended within the lifetime of an access token, and when: tokens of older ones have expired.
    pub ended_sessions: HashMap<SessionId, OffsetDateTime>,
    /// Users whose sessions were all ended within that time, however many there were.
    pub ended_generations: HashMap<UserId, (GenerationEnd, OffsetDateTime)>,
}

impl From<Snapshot> for Directory {
    fn from(snapshot: Snapshot) -> Self {
        let rooms = snapshot.rooms.into_iter();
        let generations = snapshot.ended_generations.into_iter();
        Self {
            rooms: rooms.map(|(id, is_archived, head_seq)| (id, RoomState { is_archived, head_seq })).collect(),
            admins: snapshot.admins.into_iter().collect(),
            banned: snapshot.banned.into_iter().collect(),
            ended_sessions: snapshot.ended_sessions.into_iter().collect(),
            ended_generations: generations.map(|(user, end, at)| (user, (end, at))).collect(),
        }
    }
}

impl Directory {
    pub fn apply(&mut self, event: &Event) {
        match &event.effect {
            Effect::RoomHead { room, seq } => {
                if let Some(room) = self.rooms.get_mut(room) {
                    room.head_seq = room.head_seq.max(*seq);
                }
            }
            Effect::Room { room, is_archived } => {
                let known =
                    self.rooms.entry(*room).or_insert(RoomState { is_archived: false, head_seq: Seq::default() });
                known.is_archived = is_archived.unwrap_or(known.is_archived);
            }
            Effect::Rights { user, is_admin, is_banned } => {
                set(&mut self.admins, *user, *is_admin);
                set(&mut self.banned, *user, *is_banned);
            }
            Effect::SessionsEnded { user, sessions, all } => {
                self.ended_sessions.extend(sessions.iter().map(|session| (*session, event.at)));
                if let Some(all) = all {
                    self.ended_generations.insert(*user, (*all, event.at));
                }
            }
            // Excluded permanently, like a banned user.
            Effect::UserErased { user } => {
                self.admins.remove(user);
                self.banned.insert(*user);
            }
            Effect::BodyDeleted { .. } | Effect::Trimmed { .. } | Effect::None => {}
        }
    }

    /// Forgets sessions that ended before `cutoff`: their tokens must have expired.
    pub fn forget_sessions_before(&mut self, cutoff: OffsetDateTime) {
        self.ended_sessions.retain(|_, ended_at| *ended_at >= cutoff);
        self.ended_generations.retain(|_, (_, ended_at)| *ended_at >= cutoff);
    }

    /// Returns whether the session of an otherwise valid token has ended.
    pub fn is_ended(&self, user: UserId, session: SessionClaim) -> bool {
        self.ended_sessions.contains_key(&session.id)
            || self.ended_generations.get(&user).is_some_and(|(end, _)| end.ends(session))
    }

    /// Returns whether a stream of this user, opened by this session, must end.
    pub fn is_revoked(&self, user: Option<UserId>, session: Option<SessionClaim>) -> bool {
        user.is_some_and(|user| {
            self.banned.contains(&user) || session.is_some_and(|session| self.is_ended(user, session))
        })
    }

    /// Returns the room, unless it is unknown or archived.
    pub fn active_room(&self, room: RoomId) -> Option<RoomState> {
        self.rooms.get(&room).copied().filter(|room| !room.is_archived)
    }
}

fn set(members: &mut HashSet<UserId>, user: UserId, is_member: bool) {
    if is_member {
        members.insert(user);
    } else {
        members.remove(&user);
    }
}

//! What an instance knows by heart: the rooms, who is an admin, who is banned, which sessions have ended.
//!
//! Read once from Postgres at a position, and from there on changed only by events, in order: so every
//! instance knows the same at the same position, and no request needs a query to learn who may.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::event::{Effect, Event, GenerationEnd};
use crate::id::{RoomId, Seq, SessionClaim, SessionId, UserId};
use crate::store::log::Snapshot;

/// What is known of a room.
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
    /// Only those that ended within the life of an access token: an older session's tokens are expired.
    pub ended_sessions: HashMap<SessionId, OffsetDateTime>,
    /// Users all of whose sessions ended within that time, regardless of their number.
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
            // Out for good, like a banned user.
            Effect::UserErased { user } => {
                self.admins.remove(user);
                self.banned.insert(*user);
            }
            Effect::BodyDeleted { .. } | Effect::None => {}
        }
    }

    /// Forgets sessions that ended before `cutoff`, when no token of theirs can be alive.
    pub fn forget_sessions_before(&mut self, cutoff: OffsetDateTime) {
        self.ended_sessions.retain(|_, ended_at| *ended_at >= cutoff);
        self.ended_generations.retain(|_, (_, ended_at)| *ended_at >= cutoff);
    }

    /// Returns whether the session of an otherwise valid token has ended.
    pub fn is_ended(&self, user: UserId, session: SessionClaim) -> bool {
        self.ended_sessions.contains_key(&session.id)
            || self.ended_generations.get(&user).is_some_and(|(end, _)| end.ends(session))
    }

    /// Whether a stream of this user, opened by this session, must end.
    pub fn is_revoked(&self, user: Option<UserId>, session: Option<SessionClaim>) -> bool {
        user.is_some_and(|user| {
            self.banned.contains(&user) || session.is_some_and(|session| self.is_ended(user, session))
        })
    }

    /// The room, unless it is unknown or archived.
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

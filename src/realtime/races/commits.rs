//! The changes that the simulation commits.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Kind, Simulation, message_id, room, session, user};
use crate::event::{Audience, Author, DirectMessage, Effect, Event, Message};
use crate::id::{ClientId, Pos, Seq};
use crate::store::events;

impl Simulation {
    pub(super) fn commit(&mut self, kind: Kind) {
        let pos = Pos(i64::try_from(self.log.len()).unwrap() + 1);
        let at = OffsetDateTime::UNIX_EPOCH;
        let event = match kind {
            Kind::Message(in_room) => events::messages::posted(&Message {
                id: message_id(pos.0),
                room_id: room(in_room),
                pos,
                seq: Seq(pos.0),
                client_id: ClientId(Uuid::nil()),
                author: Author { id: user(9), username: "ali".into() },
                body: Some(format!("body {}", pos.0).into()),
                created_at: OffsetDateTime::UNIX_EPOCH,
                edited_at: None,
                deleted_at: None,
                reactions: Vec::new(),
                reply_to: None,
                mentions: Vec::new(),
            }),
            Kind::Direct { to } => events::direct_messages::posted(&DirectMessage {
                id: message_id(pos.0),
                pos,
                client_id: ClientId(Uuid::nil()),
                sender: Author { id: user(9), username: "admin".into() },
                recipient: Author { id: user(to), username: "reader".into() },
                body: "psst".into(),
                created_at: OffsetDateTime::UNIX_EPOCH,
            }),
            Kind::Delete(nth) => {
                let alive = |event: &&Event| event.message.is_some() && message_of(event).body.is_some();
                let candidates: Vec<_> = self.log.iter().filter(alive).map(|event| event.pos).collect();
                let Some(nth) = nth.checked_rem(candidates.len()) else { return };
                let place = usize::try_from(candidates[nth].0 - 1).unwrap();
                let mut message = message_of(&self.log[place]);
                (message.body, message.deleted_at) = (None, Some(at));
                self.log[place] = events::messages::posted(&message);
                let gone =
                    Event::silent(pos, at, "message.deleted").told_to(Audience::Room(message.room_id), &message.seq);
                gone.with_effect(Effect::BodyDeleted { message: message.id })
            }
            Kind::Revoke(reader) => {
                if self.readers[reader].revoked_at.is_some() {
                    return;
                }
                self.readers[reader].revoked_at = Some(pos.0);
                let effect = Effect::SessionsEnded { user: user(reader), sessions: vec![session(reader)], all: None };
                Event::silent(pos, at, "sessions.ended").with_effect(effect)
            }
        };
        self.log.push(event.clone());
        self.news.push(event);
    }
}

fn message_of(event: &Event) -> Message {
    serde_json::from_str(event.told.as_ref().expect("a post is told").data.get()).expect("a message")
}

//! The kinds of events: each is defined once, in the file of its subject.
//!
//! A kind's definition includes its name, whether the audit trail shows it, its audience, the data that clients
//! receive, the rows from which that is read, and its effect on memory. The same function builds an event after its
//! commit and when it is read from the log, so live delivery and replay send the same bytes. All other code (log, news,
//! gate, feed, ring, replay, hub) passes events on without knowing their kinds. `docs/ARCHITECTURE.md` lists the files
//! that a new kind touches.

pub mod direct_messages;
mod inbox;
pub mod messages;
pub mod reactions;
pub mod reads;
pub mod rooms;
mod trims;
pub mod users;

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;
use sqlx::FromRow;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::Db;
use crate::event::{Audience, Event, Message, Quote};
use crate::id::{MessageId, Pos, RoomId, Seq, UserId};

/// Properties shared by all events of a kind.
#[derive(Debug)]
pub struct Kind {
    /// A value of the database type `log_kind`.
    pub name: &'static str,
    pub audit: Audit,
    /// `None` if clients never receive it.
    pub told: Option<Description>,
    /// Removes the body of a deleted message, or the excerpt of one, from the data. `None` for kinds whose data contains
    /// no body.
    pub redact: Option<Redact>,
    /// Its form on streams that ask for `format=compact`. `None` if there it is JSON too.
    pub compact: Option<&'static Compact>,
    /// The audience is [`Audience::Everyone`]: replay reads these kinds as the lobby's. The index that it uses leaves
    /// out kinds of messages (`migrations/0015_replay.sql`).
    pub is_for_everyone: bool,
}

/// Description of a kind in the API document.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// `event:` on the stream.
    pub name: &'static str,
    /// One sentence about the event.
    pub about: &'static str,
    /// The schema of `data:`, and the schemas that it refers to.
    pub data: fn() -> Vec<(String, RefOr<Schema>)>,
}

/// Treatment of a kind in the audit trail: hidden or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    No,
    Yes,
    /// Only if the message belongs to another author than the actor.
    ToOthers,
}

/// Returns `data` without what was removed.
pub type Redact = fn(data: &str, removed: Removed) -> Option<Box<RawValue>>;

/// The part of a message that is removed from cached events.
#[derive(Debug, Clone, Copy)]
pub enum Removed {
    /// The message was deleted at this time.
    Body(OffsetDateTime),
    /// The message that it quotes was deleted.
    Excerpt,
    /// Messages of its room before this `seq` were deleted because of their age.
    QuotesBefore(Seq),
}

impl Removed {
    fn from(self, message: Message) -> Message {
        match self {
            Self::Body(at) => Message {
                body: None,
                deleted_at: Some(at),
                reply_to: None,
                mentions: Vec::new(),
                reactions: Vec::new(),
                ..message
            },
            Self::Excerpt => {
                Message { reply_to: message.reply_to.map(|quote| Quote { excerpt: None, ..quote }), ..message }
            }
            Self::QuotesBefore(first_seq) => {
                let trimmed = |quote: Quote| if quote.seq < first_seq { Quote::trimmed(quote.seq) } else { quote };
                Message { reply_to: message.reply_to.map(trimmed), ..message }
            }
        }
    }
}

/// The short form of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Compact {
    /// `event:` on the stream; empty for none.
    pub name: &'static str,
    /// Returns `data:` of the event at this position, made of that of the JSON form. `None` if it stays JSON.
    pub data: fn(&str, Pos) -> Option<String>,
}

impl Kind {
    const fn new(name: &'static str, audit: Audit) -> Self {
        Self { name, audit, told: None, redact: None, compact: None, is_for_everyone: false }
    }

    const fn for_everyone(self) -> Self {
        Self { is_for_everyone: true, ..self }
    }

    const fn telling<T: ToSchema>(self, about: &'static str) -> Self {
        let name = self.name;
        self.telling_as::<T>(name, about)
    }

    const fn telling_as<T: ToSchema>(self, name: &'static str, about: &'static str) -> Self {
        Self { told: Some(Description { name, about, data: schemas::<T> }), ..self }
    }

    const fn redacted_by(self, redact: Redact) -> Self {
        Self { redact: Some(redact), ..self }
    }

    const fn shortened_by(self, compact: &'static Compact) -> Self {
        Self { compact: Some(compact), ..self }
    }
}

fn schemas<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

/// All kinds that this release knows.
const KINDS: [&[Kind]; 8] = [
    inbox::KINDS,
    messages::KINDS,
    reactions::KINDS,
    direct_messages::KINDS,
    rooms::KINDS,
    trims::KINDS,
    users::KINDS,
    reads::KINDS,
];

/// Returns the descriptions of events that clients receive, each name once.
pub fn descriptions() -> Vec<Description> {
    let mut described: Vec<Description> = Vec::new();
    for told in kinds().filter_map(|kind| kind.told) {
        if described.iter().all(|other| other.name != told.name) {
            described.push(told);
        }
    }
    described
}

fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.into_iter().flatten()
}

/// Returns the kind of this name. `None` if this release does not know it: a newer release may share the database.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|kind| kind.name == name)
}

/// Returns the names of the kinds with this treatment in the audit trail.
pub fn audited(audit: Audit) -> Vec<&'static str> {
    kinds().filter(|kind| kind.audit == audit).map(|kind| kind.name).collect()
}

/// Returns the names of the kinds that everyone receives.
pub fn for_everyone() -> Vec<&'static str> {
    kinds().filter(|kind| kind.is_for_everyone).map(|kind| kind.name).collect()
}

/// Replaces an event of a kind that this release does not know, or whose subject or detail it cannot read: no client
/// receives it, and readers advance past its position. Its room is kept.
pub fn unreadable(event: Event) -> Event {
    let room = match event.audience {
        Audience::Room(room) => Audience::Room(room),
        _ => Audience::Nobody,
    };
    Event { audience: room, ..Event::silent(event.pos, event.at, event.kind) }
}

/// A row of the log. It refers to its subject by id and does not copy it.
#[derive(Debug, FromRow)]
pub struct Row {
    pub pos: Pos,
    pub kind: String,
    pub at: OffsetDateTime,
    pub room_id: Option<RoomId>,
    pub message_id: Option<MessageId>,
    pub user_id: Option<UserId>,
    pub detail: Option<serde_json::Value>,
}

impl Row {
    /// Makes the event of this row, without audience, data or effect.
    fn event(&self, kind: &Kind) -> Event {
        Event::silent(self.pos, self.at, kind.name)
    }

    fn into_unreadable(self) -> Event {
        let audience = self.room_id.map_or(Audience::Nobody, Audience::Room);
        unreadable(Event { audience, ..Event::silent(self.pos, self.at, Cow::Owned(self.kind)) })
    }
}

/// Rows whose kinds are defined in one file, each with its kind.
type Of<'a> = Vec<(&'a Row, &'static Kind)>;

fn of<'a>(rows: &'a [Row], kinds: &'static [Kind]) -> Of<'a> {
    let known = |row: &'a Row| Some((row, kinds.iter().find(|kind| kind.name == row.kind)?));
    rows.iter().filter_map(known).collect()
}

/// Returns the ids of the subjects, each once.
fn ids<T: Copy + Ord>(subjects: impl Iterator<Item = Option<T>>) -> Vec<T> {
    let mut ids: Vec<T> = subjects.flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Returns the events of these rows of the log, in the same order.
///
/// Events show the current state of their subject: the event of a message that was edited later has its new body, and
/// that of a deleted message has none.
pub async fn read(db: &Db, rows: Vec<Row>) -> sqlx::Result<Vec<Event>> {
    let mut events = HashMap::with_capacity(rows.len());
    let mut add = |read: Vec<Event>| events.extend(read.into_iter().map(|event| (event.pos, event)));
    add(messages::read(db, &of(&rows, messages::KINDS)).await?);
    add(reactions::read(db, &of(&rows, reactions::KINDS)).await?);
    add(inbox::read(db, &of(&rows, inbox::KINDS)).await?);
    add(direct_messages::read(db, &of(&rows, direct_messages::KINDS)).await?);
    add(rooms::read(db, &of(&rows, rooms::KINDS)).await?);
    add(trims::read(&of(&rows, trims::KINDS)));
    add(users::read(db, &of(&rows, users::KINDS)).await?);
    add(reads::read(&of(&rows, reads::KINDS)));
    Ok(rows.into_iter().map(|row| events.remove(&row.pos).unwrap_or_else(|| row.into_unreadable())).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::event::{Author, Effect};
    use crate::id::ClientId;
    use crate::outcome::Posted;
    use crate::post::NewMessage;
    use crate::store::direct_messages::{NewDirectMessage, append};
    use crate::store::{log, rooms};

    async fn person(db: &Db, username: &str, role: &str) -> Author {
        let id = UserId::new();
        let insert = "insert into users (id, username, password_hash, role) values ($1, $2, '', $3)";
        sqlx::query(insert).bind(id).bind(username).bind(role).execute(db).await.expect("a user");
        Author { id, username: username.into() }
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn the_kinds_match_the_schema(pool: sqlx::PgPool) {
        let names: Vec<String> =
            sqlx::query_scalar("select unnest(enum_range(null::log_kind))::text").fetch_all(&pool).await.unwrap();
        let known: BTreeSet<_> = kinds().map(|kind| kind.name).collect();
        assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
        assert_eq!(kinds().count(), known.len(), "no kind is listed twice");
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn live_and_replayed_events_are_equal(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let (admin, ali) = (person(&db, "admin", "admin").await, person(&db, "ali", "user").await);
        let room_id = RoomId::new();
        rooms::create(&db, room_id, admin.id, "general").await.unwrap().unwrap();
        let (id, client_id) = (MessageId::new(), ClientId::new());
        let batch = [NewMessage {
            id,
            room_id,
            author: ali.clone(),
            client_id,
            body: Arc::from("a\u{2028}\"b\""),
            reply_to: None,
            mentions: Vec::new(),
            audience: None,
        }];
        let outcomes = log::append_messages(&db, &batch).await.unwrap();
        let Ok(Posted::Accepted(message)) = &outcomes[0] else { panic!("{outcomes:?}") };
        let (id, client_id) = (MessageId::new(), ClientId::new());
        let (author, reply_to, mentions) = (ali.clone(), Some(Seq(1)), vec![ali.id, admin.id]);
        let body = "yes".into();
        let batch = [NewMessage { id, room_id, author, client_id, body, reply_to, mentions, audience: None }];
        let outcomes = log::append_messages(&db, &batch).await.unwrap();
        let Ok(Posted::Accepted(reply)) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(reply.mentions.len(), 2);
        let (id, client_id) = (MessageId::new(), ClientId::new());
        let admin_id = admin.id;
        let direct = NewDirectMessage { id, sender: admin, recipient: ali.id, client_id, body: "psst", replies: false };
        let Ok(Posted::Accepted(direct)) = append(&db, direct).await.unwrap() else { panic!("refused") };

        let mut read = log::read(&db, Pos(1), Pos(5)).await.unwrap();
        // The item of the admin, which the writer does not publish itself.
        assert_eq!((read.remove(2).audience, direct.pos), (Audience::User(admin_id), Pos(5)));
        assert_eq!(read, [messages::posted(message), messages::posted(reply), direct_messages::posted(&direct)]);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn an_unreadable_entry_keeps_its_position_and_room(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let room = RoomId::new();
        sqlx::query("alter type log_kind add value 'message.sung'").execute(&db).await.unwrap();
        for kind in ["message.sung", "message.posted", "room.renamed"] {
            let append = "select append_log($1::log_kind, now(), null, p_room => $2)";
            sqlx::query(append).bind(kind).bind(room).execute(&db).await.unwrap();
        }
        let read = log::read(&db, Pos(0), Pos(3)).await.unwrap();
        assert_eq!(read.iter().map(|event| event.pos.0).collect::<Vec<_>>(), [1, 2, 3]);
        for event in read {
            assert_eq!((event.audience, event.told, event.effect), (Audience::Room(room), None, Effect::None));
        }
    }
}

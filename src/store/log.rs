//! The log itself: batches of posts going in, events coming out.

use std::sync::Arc;

use sqlx::{FromRow, PgExecutor};
use time::OffsetDateTime;

use super::Db;
use crate::event::{
    Author, Change, DirectMessage, Event, GenerationEnd, Message, Online, Role, Room, RoomChange, Standing,
};
use crate::id::{ClientId, Fingerprint, Generation, MessageId, Pos, RoomId, Seq, SessionId, UserId};
use crate::realtime::directory::{Directory, RoomState};
use crate::realtime::log::{Head, Snapshot};
use crate::realtime::writer::{NewMessage, Outcome};

#[derive(FromRow)]
struct Appended {
    outcome: String,
    id: Option<MessageId>,
    pos: Option<Pos>,
    seq: Option<Seq>,
    body: Option<String>,
    created_at: Option<OffsetDateTime>,
    edited_at: Option<OffsetDateTime>,
    deleted_at: Option<OffsetDateTime>,
}

/// Commits a batch of posts: an outcome for each, in order.
///
/// # Errors
/// When the database is away, or refuses the batch as a whole; then nothing of it is known to be committed.
pub async fn append_messages(db: impl PgExecutor<'_>, batch: &[NewMessage]) -> sqlx::Result<Vec<Outcome>> {
    let mut columns = Columns::default();
    for message in batch {
        columns.push(message);
    }
    let rows: Vec<Appended> = sqlx::query_as(
        "select outcome, id, pos, seq, body, created_at, edited_at, deleted_at
         from append_messages($1, $2, $3, $4, $5, $6) order by ord",
    )
    .bind(columns.ids)
    .bind(columns.rooms)
    .bind(columns.authors)
    .bind(columns.clients)
    .bind(columns.fingerprints)
    .bind(columns.bodies)
    .fetch_all(db)
    .await?;
    if rows.len() != batch.len() {
        return Err(sqlx::Error::Protocol(format!("{} posts got {} outcomes", batch.len(), rows.len())));
    }
    batch.iter().zip(rows).map(|(sent, row)| row.outcome_of(sent)).collect()
}

#[derive(Default)]
struct Columns<'a> {
    ids: Vec<MessageId>,
    rooms: Vec<RoomId>,
    authors: Vec<UserId>,
    clients: Vec<ClientId>,
    fingerprints: Vec<Vec<u8>>,
    bodies: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, message: &'a NewMessage) {
        self.ids.push(message.id);
        self.rooms.push(message.room_id);
        self.authors.push(message.author.id);
        self.clients.push(message.client_id);
        self.fingerprints.push(Fingerprint::of(message.room_id.0, &message.body).as_bytes().to_vec());
        self.bodies.push(&message.body);
    }
}

impl Appended {
    fn outcome_of(self, sent: &NewMessage) -> sqlx::Result<Outcome> {
        Ok(match self.outcome.as_str() {
            "accepted" => Outcome::Accepted(self.message(sent, Some(Arc::clone(&sent.body)))?),
            "duplicate" => {
                // An attempt of the same batch knows its body from itself; an older one brings it along.
                let is_alive = self.deleted_at.is_none();
                let body = self.body.as_deref().map(Arc::from).or_else(|| is_alive.then(|| Arc::clone(&sent.body)));
                Outcome::Duplicate(self.message(sent, body)?)
            }
            "conflict" => Outcome::Conflict,
            "unknown_room" => Outcome::UnknownRoom,
            "archived" => Outcome::Archived,
            "banned" => Outcome::Banned,
            "muted" => Outcome::Muted,
            "unknown_user" => Outcome::UnknownUser,
            other => return Err(unknown_outcome(other)),
        })
    }

    fn message(&self, sent: &NewMessage, body: Option<Arc<str>>) -> sqlx::Result<Message> {
        let missing = |column: &str| sqlx::Error::ColumnNotFound(column.to_owned());
        Ok(Message {
            id: self.id.ok_or_else(|| missing("id"))?,
            room_id: sent.room_id,
            pos: self.pos.ok_or_else(|| missing("pos"))?,
            seq: self.seq.ok_or_else(|| missing("seq"))?,
            client_id: sent.client_id,
            author: sent.author.clone(),
            body,
            created_at: self.created_at.ok_or_else(|| missing("created_at"))?,
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
        })
    }
}

fn unknown_outcome(word: &str) -> sqlx::Error {
    sqlx::Error::Protocol(format!("the database returned outcome {word:?}, which this release does not know"))
}

/// How far the log has come.
pub async fn head(db: &Db) -> sqlx::Result<Head> {
    let (epoch, pos): (String, Pos) = sqlx::query_as("select epoch, pos from log_head").fetch_one(db).await?;
    Ok(Head { epoch: epoch.into(), pos, landmark: None })
}

/// How far the log has come, and when the event at `passed` was committed, as one moment shows both.
pub async fn head_and_landmark(db: &Db, passed: Pos) -> sqlx::Result<Head> {
    let (epoch, pos, at): (String, Pos, Option<OffsetDateTime>) =
        sqlx::query_as("select h.epoch, h.pos, l.at from log_head h left join log l on l.pos = $1")
            .bind(passed)
            .fetch_one(db)
            .await?;
    Ok(Head { epoch: epoch.into(), pos, landmark: at.map(|at| (passed, at)) })
}

/// What an instance knows by heart, as one moment shows it. `ended_since`: sessions that ended before have
/// no living token. `abandon`: the epoch of a history found to have lost positions; another one is begun
/// unless somebody else has done so.
pub async fn snapshot(db: &Db, ended_since: OffsetDateTime, abandon: Option<&str>) -> sqlx::Result<Snapshot> {
    const SNAPSHOT: &str = "begin isolation level repeatable read read only; set local statement_timeout = '2500ms'";
    if let Some(epoch) = abandon {
        sqlx::query(
            "update log_head set epoch = substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) where epoch = $1",
        )
        .bind(epoch)
        .execute(db)
        .await?;
    }
    let mut transaction = db.begin_with(SNAPSHOT).await?;
    let (epoch, head, chat): (String, Pos, String) = sqlx::query_as("select epoch, pos, chat::text from log_head")
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await?;
    let rooms: Vec<(RoomId, bool, Seq)> = sqlx::query_as("select id, is_archived, head_seq from rooms")
        .persistent(false)
        .fetch_all(&mut *transaction)
        .await?;
    let users: Vec<(UserId, bool, bool)> = sqlx::query_as(
        "select id, role = 'admin', banned_at is not null from users where role = 'admin' or banned_at is not null",
    )
    .persistent(false)
    .fetch_all(&mut *transaction)
    .await?;
    let ended: Vec<(SessionId, OffsetDateTime)> =
        sqlx::query_as("select id, ended_at from sessions where ended_at >= $1")
            .bind(ended_since)
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await?;
    let generations: Vec<(UserId, Generation, Option<SessionId>, OffsetDateTime)> =
        sqlx::query_as("select user_id, generation, spared, ended_at from session_endings where ended_at >= $1")
            .bind(ended_since)
            .persistent(false)
            .fetch_all(&mut *transaction)
            .await?;
    transaction.commit().await?;
    let directory = Directory {
        rooms: rooms.into_iter().map(|(id, is_archived, head_seq)| (id, RoomState { is_archived, head_seq })).collect(),
        admins: users.iter().filter(|(_, is_admin, _)| *is_admin).map(|(id, ..)| *id).collect(),
        banned: users.iter().filter(|(.., is_banned)| *is_banned).map(|(id, ..)| *id).collect(),
        ended_sessions: ended.into_iter().collect(),
        ended_generations: generations
            .into_iter()
            .map(|(user, generation, except, at)| (user, (GenerationEnd { generation, except }, at)))
            .collect(),
    };
    Ok(Snapshot { epoch: epoch.into(), head, directory, chat: chat.into() })
}

/// The events in `(after, ..=upto]`, in order.
///
/// A row of the log names its subject, which is shown as it is now: an event replayed late may carry its
/// message edited since, and a deleted one never carries its body. A row that this release cannot read becomes
/// [`Change::Unknown`]: a newer release may share the database, and readers must not wait for its entries.
pub async fn read(db: &Db, after: Pos, upto: Pos) -> sqlx::Result<Vec<Event>> {
    let rows: Vec<LogRow> = sqlx::query_as(
        "select l.pos, l.kind::text as kind, l.at, l.detail, l.room_id as log_room_id,
                m.id as message_id, m.pos as message_pos, m.seq, m.client_id, m.body,
                m.created_at, m.edited_at, m.deleted_at, m.author_id, author.username as author,
                d.id as direct_id, d.client_id as direct_client_id, d.body as direct_body, d.created_at as direct_created_at,
                d.sender_id, sender.username as sender, d.recipient_id, recipient.username as recipient,
                coalesce(sender.erased_at, recipient.erased_at) is not null as is_direct_forgotten,
                r.id as room_id, r.name as room_name, r.is_archived, r.created_at as room_created_at, r.head_seq, r.retention_days,
                u.id as user_id, u.username, u.role, u.muted_until, u.mute_reason, u.banned_at is not null as banned
         from log l
         left join rooms r on r.id = l.room_id
         left join messages m on m.id = l.message_id and l.kind <> 'direct.posted'
         left join users author on author.id = m.author_id
         left join direct_messages d on d.id = l.message_id and l.kind = 'direct.posted'
         left join users sender on sender.id = d.sender_id
         left join users recipient on recipient.id = d.recipient_id
         left join users u on u.id = l.user_id
         where l.pos > $1 and l.pos <= $2
         order by l.pos",
    )
    .bind(after)
    .bind(upto)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(LogRow::into_event).collect())
}

#[derive(FromRow)]
struct LogRow {
    pos: Pos,
    kind: String,
    at: OffsetDateTime,
    detail: Option<serde_json::Value>,
    log_room_id: Option<RoomId>,

    message_id: Option<MessageId>,
    message_pos: Option<Pos>,
    seq: Option<Seq>,
    client_id: Option<ClientId>,
    body: Option<String>,
    created_at: Option<OffsetDateTime>,
    edited_at: Option<OffsetDateTime>,
    deleted_at: Option<OffsetDateTime>,
    author_id: Option<UserId>,
    author: Option<String>,

    direct_id: Option<MessageId>,
    direct_client_id: Option<ClientId>,
    direct_body: Option<String>,
    direct_created_at: Option<OffsetDateTime>,
    sender_id: Option<UserId>,
    sender: Option<String>,
    recipient_id: Option<UserId>,
    recipient: Option<String>,
    is_direct_forgotten: bool,

    room_id: Option<RoomId>,
    room_name: Option<String>,
    is_archived: Option<bool>,
    room_created_at: Option<OffsetDateTime>,
    head_seq: Option<Seq>,
    retention_days: Option<i32>,

    user_id: Option<UserId>,
    username: Option<String>,
    role: Option<String>,
    muted_until: Option<OffsetDateTime>,
    mute_reason: Option<String>,
    banned: Option<bool>,
}

impl LogRow {
    fn into_event(self) -> Event {
        let (pos, at, room_id) = (self.pos, self.at, self.log_room_id);
        let kind: Arc<str> = self.kind.as_str().into();
        let change = self.change().unwrap_or(Change::Unknown { kind, room_id });
        Event { pos, at, change }
    }

    /// `None` for an unknown kind, or if this release cannot read the subject or the detail.
    fn change(self) -> Option<Change> {
        Some(match self.kind.as_str() {
            "message.posted" => Change::MessagePosted(self.message()?),
            "message.edited" => Change::MessageEdited(self.message()?),
            "message.deleted" if self.was_archived() => Change::Forgotten { id: self.message_id? },
            "message.deleted" => {
                Change::MessageDeleted { id: self.message_id?, room_id: self.room_id?, seq: self.seq? }
            }
            "direct.posted" if self.is_direct_forgotten => Change::Forgotten { id: self.direct_id? },
            "direct.posted" => Change::DirectPosted(self.direct_message()?),
            "room.created" => self.room(RoomChange::Created)?,
            "room.renamed" => self.room(RoomChange::Renamed)?,
            "room.archived" => self.room(RoomChange::Archived)?,
            "room.restored" => self.room(RoomChange::Restored)?,
            "room.retention_set" => self.room(RoomChange::RetentionSet)?,
            "user.role_set" | "user.muted" | "user.unmuted" | "user.banned" | "user.unbanned" => {
                Change::Standing(self.standing()?)
            }
            "sessions.ended" => self.sessions_ended()?,
            "user.erased" => Change::UserErased(Author { id: self.user_id?, username: self.username?.into() }),
            _ => return None,
        })
    }

    fn message(self) -> Option<Message> {
        Some(Message {
            id: self.message_id?,
            room_id: self.room_id?,
            pos: self.message_pos?,
            seq: self.seq?,
            client_id: self.client_id?,
            author: Author { id: self.author_id?, username: self.author?.into() },
            body: self.body.map(Into::into),
            created_at: self.created_at?,
            edited_at: self.edited_at,
            deleted_at: self.deleted_at,
        })
    }

    fn direct_message(self) -> Option<DirectMessage> {
        Some(DirectMessage {
            id: self.direct_id?,
            pos: self.pos,
            client_id: self.direct_client_id?,
            sender: Author { id: self.sender_id?, username: self.sender?.into() },
            recipient: Author { id: self.recipient_id?, username: self.recipient?.into() },
            body: self.direct_body?.into(),
            created_at: self.direct_created_at?,
        })
    }

    fn room(self, what: RoomChange) -> Option<Change> {
        let room = Room {
            id: self.room_id?,
            name: self.room_name?,
            is_archived: match what {
                RoomChange::Archived => true,
                RoomChange::Restored | RoomChange::Created => false,
                RoomChange::Renamed | RoomChange::RetentionSet => self.is_archived?,
            },
            created_at: self.room_created_at?,
            head_seq: self.head_seq?,
            retention_days: self.retention_days,
            online: Online::default(),
        };
        Some(Change::Room { what, room })
    }

    fn standing(self) -> Option<Standing> {
        Some(Standing {
            id: self.user_id?,
            username: self.username?.into(),
            role: if self.role? == Role::Admin.as_str() { Role::Admin } else { Role::User },
            muted_until: self.muted_until,
            mute_reason: self.mute_reason,
            banned: self.banned?,
        })
    }

    /// Whether a message was deleted while its room was archived, where nothing is said.
    fn was_archived(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail["archived"] == true)
    }

    fn sessions_ended(self) -> Option<Change> {
        let detail = self.detail?;
        let sessions = serde_json::from_value(detail.get("sessions")?.clone()).ok()?;
        // Absent if single sessions ended, or if the previous release ended them.
        let all = serde_json::from_value::<GenerationEnd>(detail).ok();
        Some(Change::SessionsEnded { user_id: self.user_id?, sessions, all })
    }
}

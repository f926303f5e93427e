//! The log: appends batches of posts and reads events.

pub mod replay;

use std::sync::Arc;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, PgExecutor, Postgres};
use time::OffsetDateTime;

use super::references::References;
use super::{Db, events};
use crate::event::{Event, GenerationEnd, Message};
use crate::id::{ClientId, Fingerprint, Generation, MessageId, Pos, RoomId, Seq, SessionId, UserId};
use crate::outcome::{Outcome, Posted};
use crate::post::NewMessage;

/// The state that an instance keeps in memory, at one position.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub epoch: Arc<str>,
    pub head: Pos,
    /// Identifies this chat; unlike the epoch, it never changes.
    pub chat: Arc<str>,
    /// For each room: whether it is archived, and the `seq` of its newest message.
    pub rooms: Vec<(RoomId, bool, Seq)>,
    pub admins: Vec<UserId>,
    pub banned: Vec<UserId>,
    pub ended_sessions: Vec<(SessionId, OffsetDateTime)>,
    pub ended_generations: Vec<(UserId, GenerationEnd, OffsetDateTime)>,
}

/// The log's epoch and newest position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub epoch: Arc<str>,
    pub pos: Pos,
    /// The requested position, and the commit time of the event there. It distinguishes histories that have the same
    /// epoch and positions, which happens if a copy without the newest events took over and has grown since.
    pub landmark: Option<(Pos, OffsetDateTime)>,
}

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
    #[sqlx(skip)]
    references: References,
    #[sqlx(skip)]
    log_pos: Option<Pos>,
}

/// An outcome with the references of its message.
#[derive(FromRow)]
struct AppendedReply {
    #[sqlx(flatten)]
    appended: Appended,
    #[sqlx(flatten)]
    references: References,
    log_pos: Pos,
}

/// A committed batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// One for each post, in the same order.
    pub outcomes: Vec<Outcome<Posted<Message>>>,
    /// Position of the log after the batch, if the batch may have added items to inboxes.
    pub upto: Option<Pos>,
}

/// Commits a batch of posts and returns an outcome for each, in order.
///
/// # Errors
/// When the database is unavailable, or refuses the batch as a whole; then no post is known to be committed.
pub async fn append_messages(
    db: impl PgExecutor<'_>,
    batch: &[NewMessage],
) -> sqlx::Result<Vec<Outcome<Posted<Message>>>> {
    append_batch(db, batch).await.map(|batch| batch.outcomes)
}

/// Like [`append_messages`], and tells how far the log has grown.
///
/// # Errors
/// As above.
pub async fn append_batch(db: impl PgExecutor<'_>, batch: &[NewMessage]) -> sqlx::Result<Batch> {
    let mut columns = Columns::default();
    for message in batch {
        columns.push(message);
    }
    let rows =
        if columns.have_references() { columns.append_with_references(db).await? } else { columns.append(db).await? };
    if rows.len() != batch.len() {
        return Err(sqlx::Error::Protocol(format!("{} posts got {} outcomes", batch.len(), rows.len())));
    }
    let upto = rows.iter().filter_map(|row| row.log_pos).max();
    let outcomes: sqlx::Result<_> = batch.iter().zip(rows).map(|(sent, row)| row.outcome_of(sent)).collect();
    Ok(Batch { outcomes: outcomes?, upto })
}

#[derive(Default)]
struct Columns<'a> {
    ids: Vec<MessageId>,
    rooms: Vec<RoomId>,
    authors: Vec<UserId>,
    clients: Vec<ClientId>,
    fingerprints: Vec<Vec<u8>>,
    bodies: Vec<&'a str>,
    replies: Vec<Option<Seq>>,
    mentions: Vec<&'a [UserId]>,
    audiences: Vec<Option<&'a [UserId]>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, message: &'a NewMessage) {
        self.ids.push(message.id);
        self.rooms.push(message.room_id);
        self.authors.push(message.author.id);
        self.clients.push(message.client_id);
        let NewMessage { room_id, body, reply_to, mentions, audience, .. } = message;
        let fingerprint = Fingerprint::of_message(room_id.0, body, *reply_to, mentions, audience.is_some());
        self.fingerprints.push(fingerprint.as_bytes().to_vec());
        self.bodies.push(body);
        self.replies.push(*reply_to);
        self.mentions.push(mentions);
        self.audiences.push(audience.as_deref());
    }

    fn have_references(&self) -> bool {
        self.replies.iter().any(Option::is_some)
            || self.mentions.iter().any(|ids| !ids.is_empty())
            || self.audiences.iter().any(Option::is_some)
    }

    async fn append(self, db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Appended>> {
        let query = "select outcome, id, pos, seq, body, created_at, edited_at, deleted_at
             from append_messages($1, $2, $3, $4, $5, $6) order by ord";
        self.bound(query).fetch_all(db).await
    }

    async fn append_with_references(mut self, db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Appended>> {
        let replies = std::mem::take(&mut self.replies);
        let mentions: Vec<String> = self.mentions.iter().map(|ids| array_literal(ids)).collect();
        let audiences: Vec<Option<String>> = self.audiences.iter().map(|ids| ids.map(array_literal)).collect();
        let query = "select outcome, id, pos, seq, body, created_at, edited_at, deleted_at, reply_to, quoted_id,
                    quoted_author, quoted_name, excerpt, mentions, names, log_pos
             from append_messages($1, $2, $3, $4, $5, $6, $7, $8, $9) order by ord";
        let query = self.bound(query).bind(replies).bind(mentions).bind(audiences);
        let rows: Vec<AppendedReply> = query.fetch_all(db).await?;
        let appended = |row: AppendedReply| {
            let (references, log_pos) = (row.references, Some(row.log_pos));
            Appended { references, log_pos, ..row.appended }
        };
        Ok(rows.into_iter().map(appended).collect())
    }

    /// Binds the columns that both functions take.
    fn bound<T>(self, query: &'static str) -> QueryAs<'a, Postgres, T, PgArguments>
    where
        T: for<'r> FromRow<'r, PgRow>,
    {
        sqlx::query_as(query)
            .bind(self.ids)
            .bind(self.rooms)
            .bind(self.authors)
            .bind(self.clients)
            .bind(self.fingerprints)
            .bind(self.bodies)
    }
}

/// PostgreSQL has no arrays of arrays of different lengths, so each is passed as a text.
fn array_literal(ids: &[UserId]) -> String {
    let ids: Vec<String> = ids.iter().map(UserId::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

impl Appended {
    fn outcome_of(self, sent: &NewMessage) -> sqlx::Result<Outcome<Posted<Message>>> {
        Ok(match self.outcome.as_str() {
            "accepted" => Ok(Posted::Accepted(self.message(sent, Some(Arc::clone(&sent.body)))?)),
            "duplicate" => {
                // The database returns the body of an older message only; a duplicate within the batch has the same.
                let is_alive = self.deleted_at.is_none();
                let body = self.body.as_deref().map(Arc::from).or_else(|| is_alive.then(|| Arc::clone(&sent.body)));
                Ok(Posted::Duplicate(self.message(sent, body)?))
            }
            word => Err(super::refusal(word, "message")?),
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
            // A duplicate may have some: its caller reads them.
            reactions: Vec::new(),
            reply_to: self.references.quote(),
            mentions: self.references.mentions(),
        })
    }
}

/// Returns the log's head, without a landmark.
pub async fn head(db: &Db) -> sqlx::Result<Head> {
    let (epoch, pos): (String, Pos) = sqlx::query_as("select epoch, pos from log_head").fetch_one(db).await?;
    Ok(Head { epoch: epoch.into(), pos, landmark: None })
}

/// Returns the log's head and the commit time of the event at `passed`, read by one statement.
pub async fn head_and_landmark(db: &Db, passed: Pos) -> sqlx::Result<Head> {
    let (epoch, pos, at): (String, Pos, Option<OffsetDateTime>) =
        sqlx::query_as("select h.epoch, h.pos, l.at from log_head h left join log l on l.pos = $1")
            .bind(passed)
            .fetch_one(db)
            .await?;
    Ok(Head { epoch: epoch.into(), pos, landmark: at.map(|at| (passed, at)) })
}

/// Returns the state that an instance keeps in memory, from one snapshot. `ended_since`: sessions that ended earlier
/// are left out, since their tokens have expired. `abandon`: the epoch of a history that has lost positions; a new one
/// is begun first, unless another instance has done so.
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
    Ok(Snapshot {
        epoch: epoch.into(),
        head,
        chat: chat.into(),
        rooms,
        admins: users.iter().filter(|(_, is_admin, _)| *is_admin).map(|(id, ..)| *id).collect(),
        banned: users.iter().filter(|(.., is_banned)| *is_banned).map(|(id, ..)| *id).collect(),
        ended_sessions: ended,
        ended_generations: generations
            .into_iter()
            .map(|(user, generation, except, at)| (user, GenerationEnd { generation, except }, at))
            .collect(),
    })
}

/// Returns the events in `(after, ..=upto]`, in order, without a gap up to the end of the log. See [`events::read`].
pub async fn read(db: &Db, after: Pos, upto: Pos) -> sqlx::Result<Vec<Event>> {
    let events = read_rows(db, after, upto).await?;
    if usize::try_from(upto.0 - after.0).is_ok_and(|expected| events.len() == expected) {
        return Ok(events);
    }
    // Either the log ends earlier, or rows were deleted. Everything up to this head is visible to the next statement.
    let upto = upto.min(head(db).await?.pos);
    Ok(with_holes(read_rows(db, after, upto).await?, after, upto))
}

async fn read_rows(db: &Db, after: Pos, upto: Pos) -> sqlx::Result<Vec<Event>> {
    let rows: Vec<events::Row> = sqlx::query_as(
        "select pos, kind::text as kind, at, room_id, message_id, user_id, detail
         from log where pos > $1 and pos <= $2 order by pos",
    )
    .bind(after)
    .bind(upto)
    .fetch_all(db)
    .await?;
    events::read(db, rows).await
}

/// Adds silent events in place of rows that were deleted with trimmed messages.
fn with_holes(events: Vec<Event>, after: Pos, upto: Pos) -> Vec<Event> {
    let last_at = events.last().map_or(OffsetDateTime::UNIX_EPOCH, |event| event.at);
    let mut events = events.into_iter().peekable();
    let mut whole = Vec::new();
    for pos in (after.0 + 1..=upto.0).map(Pos) {
        whole.push(events.next_if(|event| event.pos == pos).unwrap_or_else(|| {
            let at = events.peek().map_or(last_at, |next| next.at);
            Event::silent(pos, at, "room.trimmed")
        }));
    }
    whole
}

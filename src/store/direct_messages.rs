//! Direct messages. Every query here names the one whose eyes it is for, and finds nothing else.

use sqlx::{FromRow, Row};
use time::OffsetDateTime;

use super::Db;
use crate::event::{Author, DirectMessage, Role, User};
use crate::id::{ClientId, Fingerprint, MessageId, Pos, UserId};

/// Most conversations that are listed: the newest.
const MOST_CONVERSATIONS: i64 = 500;

/// A direct message to be sent.
pub struct NewDirectMessage<'a> {
    pub id: MessageId,
    pub sender: Author,
    pub recipient: UserId,
    pub client_id: ClientId,
    pub body: &'a str,
    /// Whether a recipient may answer an admin who wrote first.
    pub replies: bool,
}

/// What became of it.
#[derive(Debug)]
pub enum Appended {
    Accepted(DirectMessage),
    /// Sent before, under this `client_id`, with these words.
    Duplicate(DirectMessage),
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The `client_id` was used for something else.
    Conflict,
    UnknownSender,
    UnknownRecipient,
    ToSelf,
    NotAllowed,
    Banned,
    Muted,
}

/// Somebody's direct messages, as of a position: one statement, one snapshot.
pub struct Page {
    pub pos: Pos,
    /// Ascending `pos`.
    pub messages: Vec<DirectMessage>,
}

/// Everything between two people, by its newest message.
pub struct Conversation {
    /// The other one.
    pub user: User,
    pub last_message: DirectMessage,
}

/// Appends to the log, unless it is there already or may not be.
pub async fn append(db: &Db, new: NewDirectMessage<'_>) -> sqlx::Result<Appended> {
    let row = sqlx::query_as::<_, AppendedRow>(
        "select outcome, id, pos, body, created_at, recipient from append_direct_message($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id)
    .bind(new.sender.id)
    .bind(new.recipient)
    .bind(new.client_id)
    .bind(Fingerprint::of(new.recipient.0, new.body).as_bytes())
    .bind(new.body)
    .bind(new.replies)
    .fetch_one(db)
    .await?;

    let refusal = match row.outcome {
        Outcome::Accepted => return row.message(new).map(Appended::Accepted),
        Outcome::Duplicate => return row.message(new).map(Appended::Duplicate),
        Outcome::Conflict => Refusal::Conflict,
        Outcome::UnknownUser => Refusal::UnknownSender,
        Outcome::UnknownRecipient => Refusal::UnknownRecipient,
        Outcome::ToSelf => Refusal::ToSelf,
        Outcome::NotAllowed => Refusal::NotAllowed,
        Outcome::Banned => Refusal::Banned,
        Outcome::Muted => Refusal::Muted,
    };
    Ok(Appended::Refused(refusal))
}

/// The newest of `me`'s direct messages before a position, with everybody or with one.
pub async fn page(
    db: &Db,
    me: UserId,
    with: Option<UserId>,
    before: Option<Pos>,
    limit: i64,
) -> sqlx::Result<Page> {
    let with_one = "
        select h.pos as head_pos, d.*, s.username as sender, r.username as recipient
        from log_head h
        left join (
            select * from direct_messages
            where least(sender_id, recipient_id) = least($1, $4)
              and greatest(sender_id, recipient_id) = greatest($1, $4)
              and pos < $2
            order by pos desc limit $3
        ) d on true
        left join users s on s.id = d.sender_id
        left join users r on r.id = d.recipient_id
        order by d.pos";
    // Two short index scans and a merge, where `or` would read all of the shorter side.
    let with_all = "
        select h.pos as head_pos, d.*, s.username as sender, r.username as recipient
        from log_head h
        left join (
            select * from (
                (select * from direct_messages where sender_id = $1 and pos < $2 order by pos desc limit $3)
                union all
                (select * from direct_messages where recipient_id = $1 and pos < $2 order by pos desc limit $3)
            ) mine
            order by pos desc limit $3
        ) d on true
        left join users s on s.id = d.sender_id
        left join users r on r.id = d.recipient_id
        order by d.pos";
    let query = sqlx::query(if with.is_some() { with_one } else { with_all })
        .bind(me)
        .bind(before.unwrap_or(Pos(i64::MAX)))
        .bind(limit);
    let query = if let Some(other) = with { query.bind(other) } else { query };
    let rows = query.fetch_all(db).await?;

    let pos = rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("head_pos")?;
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        // Without any message the join still answers one row, for the position.
        if row.try_get::<Option<MessageId>, _>("id")?.is_some() {
            messages.push(DirectMessageRow::from_row(&row)?.into());
        }
    }
    Ok(Page { pos, messages })
}

/// With whom `me` wrote, newest first.
pub async fn conversations(db: &Db, me: UserId) -> sqlx::Result<Vec<Conversation>> {
    let rows = sqlx::query(
        "with mine as (
            select recipient_id as other, pos from direct_messages where sender_id = $1
            union all
            select sender_id, pos from direct_messages where recipient_id = $1
         ), newest as (
            select other, max(pos) as pos from mine group by other order by max(pos) desc limit $2
         )
         select d.*, s.username as sender, r.username as recipient,
                o.id as other_id, o.username as other, o.role = 'admin' as other_is_admin
         from newest n
         join direct_messages d on d.pos = n.pos
         join users s on s.id = d.sender_id
         join users r on r.id = d.recipient_id
         join users o on o.id = n.other
         order by n.pos desc",
    )
    .bind(me)
    .bind(MOST_CONVERSATIONS)
    .fetch_all(db)
    .await?;

    rows.iter()
        .map(|row| {
            let role = if row.try_get("other_is_admin")? { Role::Admin } else { Role::User };
            let username = row.try_get::<String, _>("other")?.into();
            Ok(Conversation {
                user: User { id: row.try_get("other_id")?, username, role },
                last_message: DirectMessageRow::from_row(row)?.into(),
            })
        })
        .collect()
}

#[derive(Debug, Clone, Copy, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
enum Outcome {
    Accepted,
    Duplicate,
    Conflict,
    UnknownUser,
    UnknownRecipient,
    ToSelf,
    NotAllowed,
    Banned,
    Muted,
}

#[derive(FromRow)]
struct AppendedRow {
    outcome: Outcome,
    id: Option<MessageId>,
    pos: Option<Pos>,
    body: Option<String>,
    created_at: Option<OffsetDateTime>,
    recipient: Option<String>,
}

impl AppendedRow {
    fn message(self, asked: NewDirectMessage<'_>) -> sqlx::Result<DirectMessage> {
        let missing = || sqlx::Error::Protocol("append_direct_message left out a column".to_owned());
        Ok(DirectMessage {
            id: self.id.ok_or_else(missing)?,
            pos: self.pos.ok_or_else(missing)?,
            client_id: asked.client_id,
            sender: asked.sender,
            recipient: Author { id: asked.recipient, username: self.recipient.ok_or_else(missing)?.into() },
            body: self.body.ok_or_else(missing)?.into(),
            created_at: self.created_at.ok_or_else(missing)?,
        })
    }
}

/// A row of `direct_messages` with both names.
#[derive(FromRow)]
struct DirectMessageRow {
    id: MessageId,
    pos: Pos,
    client_id: ClientId,
    sender_id: UserId,
    sender: String,
    recipient_id: UserId,
    recipient: String,
    body: String,
    created_at: OffsetDateTime,
}

impl From<DirectMessageRow> for DirectMessage {
    fn from(row: DirectMessageRow) -> Self {
        Self {
            id: row.id,
            pos: row.pos,
            client_id: row.client_id,
            sender: Author { id: row.sender_id, username: row.sender.into() },
            recipient: Author { id: row.recipient_id, username: row.recipient.into() },
            body: row.body.into(),
            created_at: row.created_at,
        }
    }
}

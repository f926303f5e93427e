//! Exports a whole chat, page by page, from one snapshot: changes made during the export are not in it.

use anyhow::Context as _;
use sqlx::types::Json;
use sqlx::{Connection as _, FromRow, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DirectMessage, End, FORMAT, Header, Line, Message, Pin, Reactions, ReadMark, Room, User};
use crate::id::{ClientId, MessageId, Pos, RoomId, Seq, UserId};
use crate::store::read_marks::parse;

/// Number of rows read at once. No more than these are in memory.
const PAGE: i64 = 1000;

/// Begins a snapshot without timeouts, whatever the role's defaults are.
const BEGIN: &str = "begin isolation level repeatable read read only; set local statement_timeout = 0; \
                     set local idle_in_transaction_session_timeout = 0";

/// Confidential data to include.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub password_hashes: bool,
    pub direct_messages: bool,
}

/// Writes all lines. Statements are prepared for this transaction only: a pooler may send the next one to another
/// server.
///
/// # Errors
/// When the database is unavailable, or a line cannot be written.
pub async fn export(
    connection: &mut PgConnection,
    options: Options,
    mut write: impl FnMut(&Line) -> std::io::Result<()>,
) -> anyhow::Result<End> {
    let mut snapshot = connection.begin_with(BEGIN).await?;
    // Forces index scans. A database that was just filled has no statistics yet, and the planner would read all
    // messages for each page: measured, a minute a page.
    for scan in
        ["set local enable_seqscan = off", "set local enable_hashjoin = off", "set local enable_mergejoin = off"]
    {
        sqlx::raw_sql(scan).execute(&mut *snapshot).await?;
    }
    let at: OffsetDateTime = sqlx::query_scalar("select now()").persistent(false).fetch_one(&mut *snapshot).await?;
    let mut end = End::default();
    write(&Line::Export(Header { format: FORMAT, at }))?;

    let mut after = Uuid::nil();
    loop {
        let page = users(&mut snapshot, after, options.password_hashes).await?;
        let Some(last) = page.last() else { break };
        after = last.id.0;
        for user in page {
            write(&Line::User(user))?;
            end.users += 1;
        }
    }
    for room in rooms(&mut snapshot).await? {
        write(&Line::Room(room))?;
        end.rooms += 1;
    }
    let mut after = Pos(0);
    loop {
        let page = said(&mut snapshot, after, options.direct_messages).await?;
        let Some(last) = page.last() else { break };
        after = last.pos;
        for row in page {
            let line = row.line().context("a row of the log refers to a missing message")?;
            let count = if matches!(line, Line::Message(_)) { &mut end.messages } else { &mut end.direct_messages };
            *count += 1;
            write(&line)?;
        }
    }
    let mut after = Uuid::nil();
    loop {
        let page = reactions(&mut snapshot, after).await?;
        let Some(last) = page.last() else { break };
        after = last.message_id.0;
        for of_message in page.into_iter().filter(|of_message| !of_message.reactions.is_empty()) {
            write(&Line::Reactions(of_message))?;
            end.reactions += 1;
        }
    }
    for pin in pins(&mut snapshot).await? {
        write(&Line::Pin(pin))?;
        end.pins += 1;
    }
    let mut after = (Uuid::nil(), Uuid::nil());
    loop {
        let page = read_marks(&mut snapshot, after).await?;
        let Some(last) = page.last() else { break };
        after = (last.user_id.0, last.room_id.0);
        for mark in page {
            write(&Line::ReadMark(mark))?;
            end.read_marks += 1;
        }
    }
    write(&Line::End(end))?;
    snapshot.commit().await?;
    Ok(end)
}

/// `read_until` is the time of the newest message that counts as read, since positions are left out.
async fn users(snapshot: &mut PgConnection, after: Uuid, password_hashes: bool) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(
        "select u.id, u.username, u.role, case when $2 then nullif(u.password_hash, '') end as password_hash,
                u.created_at, u.muted_until, u.mute_reason, u.banned_at, u.ban_reason, u.erased_at,
                case when u.erased_at is null and exists (
                    select from log l where l.pos > u.joined_pos and l.kind = 'message.posted'
                ) then coalesce((
                    select l.at from log l where l.pos <= u.joined_pos and l.kind = 'message.posted'
                    order by l.pos desc limit 1
                ), u.created_at) end as read_until
         from users u where u.id > $1 order by u.id limit $3",
    )
    .bind(after)
    .bind(password_hashes)
    .bind(PAGE)
    .persistent(false)
    .fetch_all(snapshot)
    .await
}

async fn rooms(snapshot: &mut PgConnection) -> sqlx::Result<Vec<Room>> {
    sqlx::query_as(
        "select id, name, topic, is_archived, retention_days, landing, indexable, first_seq, created_at
         from rooms order by id",
    )
    .persistent(false)
    .fetch_all(snapshot)
    .await
}

/// Returns messages after a position: public ones and, if requested, direct ones. Direct messages from and to erased
/// users are left out, even if they have not been deleted yet.
async fn said(snapshot: &mut PgConnection, after: Pos, direct_messages: bool) -> sqlx::Result<Vec<ExportedMessage>> {
    sqlx::query_as(
        "select l.pos, m.id as message_id, m.room_id, m.seq, m.author_id, m.client_id,
                encode(m.fingerprint, 'hex') as fingerprint, m.body, m.created_at, m.edited_at, m.deleted_at,
                m.reply_to, m.mentions, d.id as direct_id, d.sender_id, d.recipient_id, d.client_id as direct_client_id,
                encode(d.fingerprint, 'hex') as direct_fingerprint, d.body as direct_body,
                d.created_at as direct_created_at
         from log l
         left join messages m on m.id = l.message_id and l.kind = 'message.posted'
         left join direct_messages d on d.id = l.message_id and l.kind = 'direct.posted'
         where l.pos > $1
           and (l.kind = 'message.posted'
                or $2 and l.kind = 'direct.posted'
                   and not exists (select from users u
                                   where u.id in (d.sender_id, d.recipient_id) and u.erased_at is not null))
         order by l.pos limit $3",
    )
    .bind(after)
    .bind(direct_messages)
    .bind(PAGE)
    .persistent(false)
    .fetch_all(snapshot)
    .await
}

/// Returns the reactions to messages after one, in the order of their ids; those of erased users are left out.
async fn reactions(snapshot: &mut PgConnection, after: Uuid) -> sqlx::Result<Vec<Reactions>> {
    let rows: Vec<(MessageId, Json<Vec<super::Reaction>>)> = sqlx::query_as(
        "select c.message_id, coalesce((
                select jsonb_agg(jsonb_build_object('emoji', e.emoji, 'users', e.users) order by e.ord)
                from (
                    select k.item ->> 'emoji' as emoji, k.ord, jsonb_agg(x.user_id order by x.user_id) as users
                    from jsonb_array_elements(c.counts) with ordinality as k (item, ord)
                    join reactions x on x.message_id = c.message_id and x.emoji = k.item ->> 'emoji'
                    join users u on u.id = x.user_id and u.erased_at is null
                    group by k.item, k.ord
                ) e), '[]')
         from reaction_counts c where c.message_id > $1 order by c.message_id limit $2",
    )
    .bind(after)
    .bind(PAGE)
    .persistent(false)
    .fetch_all(snapshot)
    .await?;
    Ok(rows.into_iter().map(|(message_id, Json(reactions))| Reactions { message_id, reactions }).collect())
}

/// Returns all pins, oldest first. A room has 50 at most.
async fn pins(snapshot: &mut PgConnection) -> sqlx::Result<Vec<Pin>> {
    let rows: Vec<MessageId> = sqlx::query_scalar(
        "select p.message_id
         from pins p
         join messages m on m.id = p.message_id and m.deleted_at is null
         join users u on u.id = m.author_id and u.erased_at is null
         join rooms r on r.id = m.room_id and r.first_seq <= m.seq
         order by p.pos",
    )
    .persistent(false)
    .fetch_all(snapshot)
    .await?;
    Ok(rows.into_iter().map(|message_id| Pin { message_id }).collect())
}

/// Returns marks after one, in the order of users and rooms; those of erased users are left out.
async fn read_marks(snapshot: &mut PgConnection, after: (Uuid, Uuid)) -> sqlx::Result<Vec<ReadMark>> {
    let rows: Vec<(UserId, RoomId, Seq, String)> = sqlx::query_as(
        "select m.user_id, m.room_id, least(m.read_seq, r.head_seq), m.level
         from read_marks m join rooms r on r.id = m.room_id join users u on u.id = m.user_id
         where (m.user_id, m.room_id) > ($1, $2) and u.erased_at is null
         order by m.user_id, m.room_id limit $3",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(PAGE)
    .persistent(false)
    .fetch_all(snapshot)
    .await?;
    let mark = |(user_id, room_id, read_seq, level): (_, _, _, String)| {
        Ok(ReadMark { user_id, room_id, read_seq, level: parse(level)? })
    };
    rows.into_iter().map(mark).collect()
}

/// A public or direct message.
#[derive(FromRow)]
struct ExportedMessage {
    pos: Pos,
    message_id: Option<MessageId>,
    room_id: Option<RoomId>,
    seq: Option<Seq>,
    author_id: Option<UserId>,
    client_id: Option<ClientId>,
    fingerprint: Option<String>,
    body: Option<String>,
    created_at: Option<OffsetDateTime>,
    edited_at: Option<OffsetDateTime>,
    deleted_at: Option<OffsetDateTime>,
    reply_to: Option<Seq>,
    mentions: Option<Vec<UserId>>,
    direct_id: Option<MessageId>,
    sender_id: Option<UserId>,
    recipient_id: Option<UserId>,
    direct_client_id: Option<ClientId>,
    direct_fingerprint: Option<String>,
    direct_body: Option<String>,
    direct_created_at: Option<OffsetDateTime>,
}

impl ExportedMessage {
    /// Returns the message as a line; `None` if the row is of neither kind, which should not occur.
    fn line(self) -> Option<Line> {
        Some(match self.message_id {
            Some(id) => Line::Message(Message {
                id,
                room_id: self.room_id?,
                seq: self.seq?,
                author_id: self.author_id?,
                client_id: self.client_id?,
                fingerprint: self.fingerprint?,
                body: self.body,
                created_at: self.created_at?,
                edited_at: self.edited_at,
                deleted_at: self.deleted_at,
                reply_to: self.reply_to,
                mentions: self.mentions.unwrap_or_default(),
            }),
            None => Line::DirectMessage(DirectMessage {
                id: self.direct_id?,
                sender_id: self.sender_id?,
                recipient_id: self.recipient_id?,
                client_id: self.direct_client_id?,
                fingerprint: self.direct_fingerprint?,
                body: self.direct_body?,
                created_at: self.direct_created_at?,
            }),
        })
    }
}

//! Imports a whole chat into an empty database, in one transaction: either all of it, or nothing and an error with the
//! number of the invalid line.
//!
//! Every line gets a new position, in the order of the lines, under the log's lock: rooms and rights first, then
//! messages. So the imported chat has a new history that begins with the import.

mod insert;

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use anyhow::{Context as _, anyhow, bail, ensure};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;

use self::insert::insert;
use super::numbers::Numbers;
use super::{DirectMessage, End, FORMAT, Line, Message, Reactions, ReadMark, Room, User};
use crate::event::Role;
use crate::id::{Pos, RoomId, Seq, UserId};
use crate::input::{Emoji, MessageBody, RoomName, Username, name_key};

/// Begins without timeouts, whatever the role's defaults are: importing a large chat takes a while.
const BEGIN: &str = "begin; set local statement_timeout = 0; set local lock_timeout = 0; \
                     set local idle_in_transaction_session_timeout = 0";

/// Number of lines written at once. No more than these are in memory.
const BATCH: usize = 1000;

/// Imports all lines. Statements are prepared for this transaction only: a pooler may send the next one to another
/// server.
///
/// # Errors
/// A sentence for the operator. Nothing has been imported then.
pub async fn import(connection: &mut PgConnection, lines: impl BufRead) -> anyhow::Result<End> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::raw_sql("select lock_log()").execute(&mut *transaction).await?;
    assert_empty(&mut transaction).await?;

    let mut state = ImportState::default();
    for (number, line) in (1_u64..).zip(lines.lines()) {
        let line = line.with_context(|| format!("cannot read line {number}"))?;
        let line = serde_json::from_str(&line).map_err(anyhow::Error::from);
        let taken = line.and_then(|line| state.take(number, line));
        taken.with_context(|| format!("line {number}"))?;
        if state.batch.len() >= BATCH || state.has_ended {
            state.write(&mut transaction).await?;
        }
    }
    ensure!(state.has_begun, "this is not an export: it is empty");
    ensure!(state.has_ended, "the export is cut off: its last line is missing");
    state.finish(&mut transaction).await?;
    transaction.commit().await?;
    Ok(state.count)
}

async fn assert_empty(transaction: &mut PgConnection) -> anyhow::Result<()> {
    let (users, rooms, pos): (i64, i64, Pos) =
        sqlx::query_as("select (select count(*) from users), (select count(*) from rooms), (select pos from log_head)")
            .persistent(false)
            .fetch_one(transaction)
            .await?;
    ensure!(
        (users, rooms, pos) == (0, 0, Pos(0)),
        "this chat is not empty: it has {users} users and {rooms} rooms, and its log is at position {pos}. \
         Import into a new database; demo mode creates accounts and rooms at its first start"
    );
    Ok(())
}

/// State of the import so far: ids of users and rooms, but no messages other than the current batch.
#[derive(Default)]
struct ImportState {
    has_begun: bool,
    has_ended: bool,
    count: End,
    users: HashSet<UserId>,
    rooms: HashMap<RoomId, Numbers>,
    /// See [`User::read_until`].
    read_until: Vec<(UserId, OffsetDateTime)>,
    archived: Vec<RoomId>,
    has_landing: bool,
    /// Keys of the active rooms' names.
    active_names: HashSet<String>,
    pos: Pos,
    batch: Vec<(u64, Placed)>,
}

/// A line and the computed values to store with it.
#[derive(Serialize)]
struct Placed {
    /// Position in the log; not used for accounts other than admins'.
    pos: Pos,
    /// Key of a room's name: see [`name_key`].
    name_key: Option<String>,
    #[serde(flatten)]
    line: Line,
}

impl ImportState {
    fn take(&mut self, number: u64, line: Line) -> anyhow::Result<()> {
        ensure!(!self.has_ended, "no line may follow the last line, of kind `end`");
        ensure!(self.has_begun || matches!(line, Line::Export(_)), "an export begins with a line of kind `export`");
        match &line {
            Line::Export(beginning) => {
                ensure!(!self.has_begun, "there is a second line of kind `export`");
                ensure!(beginning.format == FORMAT, "format {} is not supported by this program", beginning.format);
                self.has_begun = true;
                return Ok(());
            }
            Line::End(end) => {
                ensure!(*end == self.count, "the last line counts {end}, but the export contains {}", self.count);
                self.has_ended = true;
                return Ok(());
            }
            Line::User(user) => self.check_user(user)?,
            Line::Room(room) => self.check_room(room)?,
            Line::Message(message) => self.check_message(message)?,
            Line::DirectMessage(message) => self.check_direct_message(message)?,
            Line::Reactions(of_message) => self.check_reactions(of_message)?,
            Line::Pin(_) => self.count.pins += 1,
            Line::ReadMark(mark) => self.check_read_mark(mark)?,
        }
        // Of accounts, only admins' have a log entry, since only they grant a right. Reactions and read marks begin
        // without one: nobody follows the new history yet.
        let has_entry = match &line {
            Line::User(user) => user.role != Role::User,
            Line::Reactions(_) | Line::ReadMark(_) => false,
            _ => true,
        };
        if has_entry {
            self.pos = self.pos.next();
        }
        let name_key = if let Line::Room(room) = &line { Some(self.key_of(room)) } else { None };
        self.batch.push((number, Placed { pos: self.pos, name_key, line }));
        Ok(())
    }

    fn check_user(&mut self, user: &User) -> anyhow::Result<()> {
        let name = Username::parse_existing(&user.username).map_err(|refusal| anyhow!("the username {refusal}"))?;
        ensure!(name.as_ref() == user.username, "the username must be in lower case");
        ensure!(
            user.password_hash
                .as_deref()
                .is_none_or(|hash| argon2::password_hash::phc::PasswordHash::new(hash).is_ok()),
            "the password_hash is not in a format that this program can verify"
        );
        ensure!(self.users.insert(user.id), "user {} appears twice", user.id);
        self.read_until.extend(user.read_until.map(|until| (user.id, until)));
        self.count.users += 1;
        Ok(())
    }

    fn check_room(&mut self, room: &Room) -> anyhow::Result<()> {
        let name = RoomName::parse_existing(&room.name).map_err(|refusal| anyhow!("the name {refusal}"))?;
        ensure!(name.as_ref() == room.name, "the name must be trimmed");
        ensure!(room.first_seq >= Seq(1), "first_seq must be at least 1");
        let numbers = Numbers { first: room.first_seq, newest: None };
        ensure!(self.rooms.insert(room.id, numbers).is_none(), "room {} appears twice", room.id);
        ensure!(!(room.landing && self.has_landing), "there is a second landing room");
        self.has_landing |= room.landing;
        if room.is_archived {
            self.archived.push(room.id);
        }
        self.count.rooms += 1;
        Ok(())
    }

    /// Returns the room's key. Two active rooms of an earlier release may have names that are indistinguishable today:
    /// the second keeps its previous key.
    fn key_of(&mut self, room: &Room) -> String {
        let key = name_key(&room.name);
        if room.is_archived || self.active_names.insert(key.clone()) { key } else { room.name.to_lowercase() }
    }

    fn check_message(&mut self, message: &Message) -> anyhow::Result<()> {
        ensure!(self.users.contains(&message.author_id), "user {} is not in an earlier line", message.author_id);
        let numbers = self.rooms.get_mut(&message.room_id);
        numbers.with_context(|| format!("room {} is not in an earlier line", message.room_id))?.take(message.seq)?;
        ensure!(
            message.body.is_none() == message.deleted_at.is_some(),
            "a message must have a body until it is deleted"
        );
        message.body.as_deref().map_or(Ok(()), check_body)?;
        ensure!(
            message.reply_to.is_none_or(|original| (1..message.seq.0).contains(&original.0)),
            "reply_to must be the seq of an earlier message"
        );
        for user in &message.mentions {
            ensure!(self.users.contains(user), "user {user} is not in an earlier line");
        }
        self.count.messages += 1;
        Ok(())
    }

    fn check_direct_message(&mut self, message: &DirectMessage) -> anyhow::Result<()> {
        for user in [message.sender_id, message.recipient_id] {
            ensure!(self.users.contains(&user), "user {user} is not in an earlier line");
        }
        check_body(&message.body)?;
        self.count.direct_messages += 1;
        Ok(())
    }

    fn check_reactions(&mut self, of_message: &Reactions) -> anyhow::Result<()> {
        for reaction in &of_message.reactions {
            let emoji = Emoji::parse(&reaction.emoji).map_err(|refusal| anyhow!("the emoji {refusal}"))?;
            ensure!(emoji.as_str() == reaction.emoji, "the emoji must be in its fully qualified form");
            ensure!(!reaction.users.is_empty(), "an emoji must have users");
            for user in &reaction.users {
                ensure!(self.users.contains(user), "user {user} is not in an earlier line");
            }
        }
        self.count.reactions += 1;
        Ok(())
    }

    fn check_read_mark(&mut self, mark: &ReadMark) -> anyhow::Result<()> {
        ensure!(self.users.contains(&mark.user_id), "user {} is not in an earlier line", mark.user_id);
        let numbers = self.rooms.get(&mark.room_id);
        let newest = numbers.map(|numbers| numbers.head());
        let newest = newest.with_context(|| format!("room {} is not in an earlier line", mark.room_id))?;
        ensure!(
            (0..=newest.0).contains(&mark.read_seq.0),
            "read_seq is {}, but the room has {} messages",
            mark.read_seq.0,
            newest.0
        );
        self.count.read_marks += 1;
        Ok(())
    }

    /// Writes the batch. If the database refuses it, writes it line by line, to find the invalid one.
    async fn write(&mut self, transaction: &mut PgConnection) -> anyhow::Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let mut attempt = transaction.begin().await?;
        let Err(refused) = insert(&mut attempt, batch.iter().map(|(_, placed)| placed)).await else {
            return Ok(attempt.commit().await?);
        };
        attempt.rollback().await?;
        if refused.as_database_error().is_none() {
            return Err(refused.into());
        }
        for (number, placed) in &batch {
            let written = insert(transaction, [placed]).await;
            written.with_context(|| format!("the database refused line {number}"))?;
        }
        bail!("the database refused lines that it accepted one by one: {refused}")
    }

    /// Writes what depends on all lines.
    async fn finish(&mut self, transaction: &mut PgConnection) -> anyhow::Result<()> {
        let is_of_none = "select exists (select from reaction_counts c where not exists (
                              select from messages m where m.id = c.message_id and m.reacted and m.deleted_at is null))";
        let is_of_none: bool = sqlx::query_scalar(is_of_none).persistent(false).fetch_one(&mut *transaction).await?;
        ensure!(!is_of_none, "there are reactions to a message that is missing or deleted");
        let pins: i64 =
            sqlx::query_scalar("select count(*) from pins").persistent(false).fetch_one(&mut *transaction).await?;
        ensure!(u64::try_from(pins) == Ok(self.count.pins), "there is a pin of a message that is missing or deleted");
        // In the log, the archiving of a room comes after its messages.
        sqlx::query(
            "insert into log (pos, kind, at, room_id)
             select $1 + a.ord, 'room.archived', clock_timestamp(), a.id
             from unnest($2::uuid[]) with ordinality as a (id, ord)",
        )
        .bind(self.pos)
        .bind(&self.archived)
        .persistent(false)
        .execute(&mut *transaction)
        .await?;
        let archived = i64::try_from(self.archived.len()).expect("memory holds fewer rooms than 2^63");
        // Inboxes follow from the messages.
        sqlx::query(
            "insert into inbox_items (user_id, pos, kind, message_id, room_id, seq, at)
             select distinct on (t.user_id, m.pos) t.user_id, m.pos, t.kind, m.id, m.room_id, m.seq, m.created_at
             from messages m
             left join messages q on q.room_id = m.room_id and q.seq = m.reply_to
             cross join lateral (
                select q.author_id as user_id, 'reply' as kind
                union all
                select k.id, 'mention' from unnest(m.mentions) as k (id)
             ) t
             join users u on u.id = t.user_id and u.banned_at is null and u.erased_at is null
             where m.deleted_at is null and (m.reply_to is not null or m.mentions <> '{}') and t.user_id <> m.author_id
             order by t.user_id, m.pos, t.kind desc",
        )
        .persistent(false)
        .execute(&mut *transaction)
        .await?;
        // Positions up to which messages count as read: that of the newest message of that time, or the end.
        let (users, until): (Vec<UserId>, Vec<OffsetDateTime>) = self.read_until.iter().copied().unzip();
        sqlx::query(
            "with read_until as (
                select u.id, u.at from unnest($1::uuid[], $2::timestamptz[]) as u (id, at)
             ), newest as (
                select e.id, max(e.pos) over (order by e.at, e.pos nulls last rows unbounded preceding) as pos
                from (select null::uuid as id, m.created_at as at, m.pos from messages m
                      union all
                      select u.id, u.at, null from read_until u) e
             )
             update users u set joined_pos = coalesce(n.pos, case when r.id is null then $3 else 0 end)
             from users o
             left join read_until r on r.id = o.id
             left join newest n on n.id = o.id
             where u.id = o.id",
        )
        .bind(users)
        .bind(until)
        .bind(self.pos.0 + archived)
        .persistent(false)
        .execute(transaction)
        .await?;
        Ok(())
    }
}

fn check_body(body: &str) -> anyhow::Result<()> {
    let kept = MessageBody::parse_existing(body).map_err(|refusal| anyhow!("the body {refusal}"))?;
    ensure!(kept.as_ref() == body, "the body must be trimmed and use LF line endings");
    Ok(())
}

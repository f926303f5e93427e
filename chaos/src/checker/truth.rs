//! The ground truth: the final database, read by plain SQL.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::Violations;
use crate::history::fingerprint;

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogEvent {
    Posted {
        message: Uuid,
        room: Uuid,
    },
    Edited {
        message: Uuid,
        room: Uuid,
    },
    Deleted {
        message: Uuid,
        room: Uuid,
    },
    Direct {
        message: Uuid,
    },
    Room {
        room: Uuid,
    },
    /// A change of a user's role, mute or ban.
    UserChanged {
        user: Uuid,
    },
    SessionsEnded,
}

impl LogEvent {
    /// Returns the room of an event that concerns one of its messages.
    pub const fn room_of_message(&self) -> Option<Uuid> {
        match self {
            Self::Posted { room, .. } | Self::Edited { room, .. } | Self::Deleted { room, .. } => Some(*room),
            Self::Direct { .. } | Self::Room { .. } | Self::UserChanged { .. } | Self::SessionsEnded => None,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub event: LogEvent,
    /// Name of the event on streams.
    pub name: String,
    /// Microseconds since 1970.
    pub at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    pub pos: i64,
    pub seq: Option<i64>,
    /// The room, or the recipient of a direct message.
    pub target: Uuid,
    pub author: Uuid,
    pub client_id: Uuid,
    /// Fingerprint of the body; `None` if the message was deleted.
    pub fingerprint: Option<u64>,
    pub edited: bool,
    pub is_direct: bool,
}

/// See the [module](self).
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Truth {
    pub head: i64,
    pub epoch: String,
    /// Rows by position, of which 0 has none.
    pub log: Vec<Option<Row>>,
    pub messages: HashMap<Uuid, Message>,
    /// Messages by author and `client_id`.
    #[serde(skip)]
    pub by_submit: HashMap<(Uuid, Uuid), Uuid>,
    /// Position at which each session ended.
    pub ended: HashMap<Uuid, i64>,
    /// Position and room of each archive (`true`) and restoration (`false`).
    pub archives: Vec<(i64, Uuid, bool)>,
    /// `head_seq` of each room.
    pub room_heads: HashMap<Uuid, i64>,
}

type LogRow = (i64, String, i64, Option<Uuid>, Option<Uuid>, Option<Uuid>, Option<serde_json::Value>);
type MessageRow = (Uuid, i64, i64, Uuid, Uuid, Uuid, Option<String>, bool);

impl Truth {
    pub async fn read(db: &mut PgConnection) -> anyhow::Result<Self> {
        let mut truth = Self::default();
        (truth.epoch, truth.head) = sqlx::query_as("select epoch, pos from log_head").fetch_one(&mut *db).await?;
        let rows: Vec<LogRow> = sqlx::query_as(
            "select pos, kind::text, (extract(epoch from at) * 1000000)::bigint, room_id, message_id, user_id,
                    case when kind = 'sessions.ended' then detail end
             from log order by pos",
        )
        .fetch_all(&mut *db)
        .await
        .context("cannot read the log")?;
        let last = rows.last().map_or(0, |row| row.0).max(truth.head);
        truth.log.resize_with(usize::try_from(last)? + 1, || None);
        for row in rows {
            truth.take(row)?;
        }
        let messages: Vec<MessageRow> = sqlx::query_as(
            "select id, pos, seq, room_id, author_id, client_id, body, edited_at is not null from messages",
        )
        .fetch_all(&mut *db)
        .await
        .context("cannot read the messages")?;
        for (id, pos, seq, target, author, client_id, body, edited) in messages {
            let fingerprint = body.as_deref().map(fingerprint);
            let seq = Some(seq);
            truth.keep(id, Message { pos, seq, target, author, client_id, fingerprint, edited, is_direct: false });
        }
        let directs: Vec<(Uuid, i64, Uuid, Uuid, Uuid, String)> =
            sqlx::query_as("select id, pos, recipient_id, sender_id, client_id, body from direct_messages")
                .fetch_all(&mut *db)
                .await
                .context("cannot read the direct messages")?;
        for (id, pos, target, author, client_id, body) in directs {
            let fingerprint = Some(fingerprint(&body));
            truth.keep(
                id,
                Message { pos, seq: None, target, author, client_id, fingerprint, edited: false, is_direct: true },
            );
        }
        let heads: Vec<(Uuid, i64)> = sqlx::query_as("select id, head_seq from rooms").fetch_all(db).await?;
        truth.room_heads = heads.into_iter().collect();
        Ok(truth)
    }

    /// Writes the state to a file, so that the history can be checked again without the database.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        serde_json::to_writer(BufWriter::new(File::create(path)?), self).context("cannot write the database as JSON")
    }

    /// Reads a file that [`write`](Self::write) created.
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        let mut truth: Self =
            serde_json::from_reader(BufReader::new(File::open(path)?)).context("cannot parse the recorded database")?;
        let submits = truth.messages.iter().map(|(id, message)| ((message.author, message.client_id), *id));
        truth.by_submit = submits.collect();
        Ok(truth)
    }

    fn keep(&mut self, id: Uuid, message: Message) {
        self.by_submit.insert((message.author, message.client_id), id);
        self.messages.insert(id, message);
    }

    fn take(&mut self, row: LogRow) -> anyhow::Result<()> {
        let (pos, kind, at, room, message, user, detail) = row;
        let of_room = || room.context("the log row of a room has no room id");
        let of_message = || message.context("the log row of a message has no message id");
        let mut name = kind.clone();
        let event = match kind.as_str() {
            "message.posted" => LogEvent::Posted { message: of_message()?, room: of_room()? },
            "message.edited" => LogEvent::Edited { message: of_message()?, room: of_room()? },
            "message.deleted" => LogEvent::Deleted { message: of_message()?, room: of_room()? },
            "direct.posted" => LogEvent::Direct { message: of_message()? },
            "sessions.ended" => {
                let sessions = detail.and_then(|detail| detail.get("sessions").cloned()).unwrap_or_default();
                let sessions: Vec<Uuid> = serde_json::from_value(sessions).unwrap_or_default();
                self.ended.extend(sessions.into_iter().map(|session| (session, pos)));
                LogEvent::SessionsEnded
            }
            _ if kind.starts_with("room.") => {
                let archived = match kind.as_str() {
                    "room.archived" => Some(true),
                    "room.restored" => Some(false),
                    _ => None,
                };
                self.archives.extend(archived.map(|archived| (pos, room.unwrap_or_default(), archived)));
                LogEvent::Room { room: of_room()? }
            }
            _ => {
                "user.changed".clone_into(&mut name);
                LogEvent::UserChanged { user: user.context("the log row of a user has no user id")? }
            }
        };
        let index = usize::try_from(pos)?;
        self.log[index] = Some(Row { event, name, at });
        Ok(())
    }

    pub fn row(&self, pos: i64) -> Option<&Row> {
        self.log.get(usize::try_from(pos).ok()?)?.as_ref()
    }

    /// Checks the rules that concern only the database.
    pub fn check(&self, violations: &mut Violations) {
        for (pos, row) in self.log.iter().enumerate().skip(1) {
            if row.is_none() {
                violations.add("gaps", || format!("position {pos} is missing in the log, whose head is {}", self.head));
            }
        }
        let mut by_pos: Vec<(&Uuid, &Message)> = self.messages.iter().collect();
        by_pos.sort_unstable_by_key(|(_, message)| message.pos);
        let mut seqs: HashMap<Uuid, i64> = HashMap::new();
        for (id, message) in &by_pos {
            let event = self.row(message.pos).map(|row| &row.event);
            let is_logged = match event {
                Some(LogEvent::Posted { message, .. } | LogEvent::Direct { message }) => message == *id,
                _ => false,
            };
            if !is_logged {
                violations.add("phantoms", || {
                    format!("message {id} has position {}, but the log has {event:?} there", message.pos)
                });
            }
            if let Some(seq) = message.seq {
                let head = seqs.entry(message.target).or_default();
                if seq != *head + 1 {
                    violations.add("gaps", || format!("room {}: seq {seq} follows {head}", message.target));
                }
                *head = seq;
            }
        }
        for (room, head) in &self.room_heads {
            let found = seqs.get(room).copied().unwrap_or_default();
            if found != *head {
                violations
                    .add("gaps", || format!("room {room} has head seq {head}, but its newest message has {found}"));
            }
        }
        self.check_archives(&by_pos, violations);
    }

    /// After a room's archive at *p* none of its messages may have a greater position until it is restored.
    fn check_archives(&self, by_pos: &[(&Uuid, &Message)], violations: &mut Violations) {
        let mut archived: HashMap<Uuid, i64> = HashMap::new();
        let mut changes = self.archives.iter().peekable();
        for (id, message) in by_pos {
            while let Some((pos, room, is_archived)) = changes.next_if(|(pos, ..)| *pos < message.pos) {
                if *is_archived {
                    archived.insert(*room, *pos);
                } else {
                    archived.remove(room);
                }
            }
            if let Some(since) = archived.get(&message.target) {
                violations.add("after archive", || {
                    format!("message {id} at {} in room {}, archived at {since}", message.pos, message.target)
                });
            }
        }
    }
}

//! Reads missed events by topic, for readers that resume. The query is in `migrations/0015_replay.sql`.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{FromRow as _, Row as _};

use crate::event::{Event, Topic};
use crate::id::{Pos, RoomId, UserId};
use crate::store::{Db, events};

/// Number of rows after which no more topics are read, except for the caller's own. Limits the memory of one read.
const ENOUGH: i64 = 1024;

/// Events of a topic to read: the first `most` after a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub topic: Topic,
    pub after: Pos,
    pub most: i32,
}

/// Result of a read: the events of several topics, each once, and their division into topics.
#[derive(Debug, Default)]
pub struct Found {
    pub events: Vec<Event>,
    /// One for each request; `None` if its topic was not read.
    pub parts: Vec<Option<Part>>,
}

/// The events of one topic after the requested position, up to `upto`, without a gap.
#[derive(Debug)]
pub struct Part {
    /// Ascending.
    pub positions: Vec<Pos>,
    pub upto: Pos,
}

impl Part {
    /// `upto`: the position up to which events were requested.
    pub fn new(positions: Vec<Pos>, most: i32, upto: Pos) -> Self {
        let is_cut = usize::try_from(most).is_ok_and(|most| positions.len() >= most);
        let upto = positions.last().copied().filter(|_| is_cut).unwrap_or(upto);
        Self { positions, upto }
    }
}

/// Reads the events of these topics up to `upto`. The first `own` topics are always read, the others until there are
/// enough rows. Returns `None` if the log is not that of `epoch`, or ends before `upto`.
pub async fn read(db: &Db, epoch: &str, requests: &[Request], own: usize, upto: Pos) -> sqlx::Result<Option<Found>> {
    let mut columns = Columns::default();
    for request in requests {
        columns.push(request);
    }
    let rows = sqlx::query(
        "select h.epoch, h.pos as head, t.topic, t.pos, t.kind::text as kind, t.at, t.room_id, t.message_id, t.user_id,
                t.detail
         from log_head h
         left join read_topics($1, $2, $3, $4, $5::text[]::log_kind[], $6, $7, $8) t on true",
    )
    .bind(columns.rooms)
    .bind(columns.users)
    .bind(columns.after)
    .bind(columns.most)
    .bind(events::for_everyone())
    .bind(upto)
    .bind(i32::try_from(own).unwrap_or(i32::MAX))
    .bind(ENOUGH)
    .fetch_all(db)
    .await?;

    let Some(first) = rows.first() else { return Ok(None) };
    if first.try_get::<&str, _>("epoch")? != epoch || first.try_get::<Pos, _>("head")? < upto {
        return Ok(None);
    }
    // An event may belong to two topics: a room's new name is also told to the lobby.
    let mut found = BTreeMap::new();
    let mut positions = vec![Vec::new(); requests.len()];
    let mut is_read = vec![false; requests.len()];
    for row in rows {
        let Some(topic) = topic_of(&row)? else { continue };
        match row.try_get("pos")? {
            Some(pos) => {
                positions[topic].push(pos);
                found.insert(pos, events::Row::from_row(&row)?);
            }
            None => is_read[topic] = true,
        }
    }
    let parts = requests.iter().zip(positions).zip(is_read);
    let parts = parts.map(|((request, positions), is_read)| is_read.then(|| Part::new(positions, request.most, upto)));
    let parts = parts.collect();
    Ok(Some(Found { events: events::read(db, found.into_values().collect()).await?, parts }))
}

/// Returns the index of the request that a row answers; none if there were no requests.
fn topic_of(row: &PgRow) -> sqlx::Result<Option<usize>> {
    let topic: Option<i32> = row.try_get("topic")?;
    Ok(topic.and_then(|topic| usize::try_from(topic - 1).ok()))
}

#[derive(Default)]
struct Columns {
    rooms: Vec<Option<RoomId>>,
    users: Vec<Option<UserId>>,
    after: Vec<Pos>,
    most: Vec<i32>,
}

impl Columns {
    fn push(&mut self, request: &Request) {
        let (room, user) = match request.topic {
            Topic::Room(room) => (Some(room), None),
            Topic::User(user) => (None, Some(user)),
            Topic::Lobby => (None, None),
        };
        self.rooms.push(room);
        self.users.push(user);
        self.after.push(request.after);
        self.most.push(request.most);
    }
}

//! The messages that notifications are about, as they are when they are sent.

use std::collections::HashMap;

use sqlx::FromRow;
use uuid::Uuid;

use super::super::Db;
use super::{Claimed, Content, Kind};
use crate::event::Author;
use crate::id::{Pos, RoomId, Seq, UserId};

/// Beginning of a message that is read, in characters: an excerpt is shorter, and tokens of mentions are longer than
/// names.
const READ: i32 = 1_000;

#[derive(FromRow)]
struct MessageRow {
    place: i64,
    kind: String,
    room_id: RoomId,
    room: String,
    seq: Seq,
    author: String,
    body: String,
    mentions: Vec<UserId>,
    names: Vec<String>,
}

#[derive(FromRow)]
struct DirectRow {
    place: i64,
    sender_id: UserId,
    sender: String,
    body: String,
}

/// Returns the content of each notification that is still wanted, by its place in `claimed`: not read meanwhile, not
/// deleted, and neither is the user banned nor the room muted by its level.
pub async fn read_contents(db: &Db, claimed: &[Claimed]) -> sqlx::Result<HashMap<usize, Content>> {
    let mut contents = HashMap::new();
    let mut items = Items::default();
    let mut has = [false; 2];
    for (place, claimed) in claimed.iter().enumerate() {
        match claimed.kind {
            Kind::Test => drop(contents.insert(place, Content::Test)),
            kind => {
                has[usize::from(kind == Kind::Direct)] = true;
                items.push(place, claimed);
            }
        }
    }
    if has[0] {
        for row in items.messages(db).await? {
            let ids = row.mentions.into_iter().zip(row.names);
            let content = Content::Message {
                kind: Kind::parse(&row.kind)?,
                room: row.room_id,
                name: row.room,
                seq: row.seq,
                author: row.author,
                body: row.body,
                mentions: ids.map(|(id, name)| Author { id, username: name.into() }).collect(),
            };
            contents.insert(usize::try_from(row.place).unwrap_or_default(), content);
        }
    }
    if has[1] {
        for row in items.direct_messages(db).await? {
            let sender = Author { id: row.sender_id, username: row.sender.into() };
            contents.insert(usize::try_from(row.place).unwrap_or_default(), Content::Direct { sender, body: row.body });
        }
    }
    Ok(contents)
}

/// Columns of the notifications, as arguments of a query.
#[derive(Default)]
struct Items {
    places: Vec<i64>,
    users: Vec<UserId>,
    positions: Vec<Pos>,
    kinds: Vec<&'static str>,
    messages: Vec<Option<Uuid>>,
}

impl Items {
    fn push(&mut self, place: usize, claimed: &Claimed) {
        self.places.push(i64::try_from(place).unwrap_or(i64::MAX));
        self.users.push(claimed.user);
        self.positions.push(claimed.pos);
        self.kinds.push(claimed.kind.as_str());
        self.messages.push(claimed.message.map(|message| message.0));
    }

    async fn messages(&self, db: &Db) -> sqlx::Result<Vec<MessageRow>> {
        sqlx::query_as(
            "select a.place, i.kind, r.id as room_id, r.name as room, m.seq, w.username as author,
                    left(m.body, $6) as body, m.mentions,
                    array(select n.username from unnest(m.mentions) with ordinality as k (id, ord)
                          join users n on n.id = k.id order by k.ord) as names
             from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[])
                 as a (place, user_id, pos, kind, message_id)
             join users u on u.id = a.user_id and u.banned_at is null and u.erased_at is null
             join inbox_items i on i.user_id = a.user_id and i.pos = a.pos
             join messages m on m.id = a.message_id and m.deleted_at is null
             join rooms r on r.id = m.room_id and r.first_seq <= m.seq and not r.is_archived
             join users w on w.id = m.author_id and w.erased_at is null
             left join read_marks k on k.user_id = u.id and k.room_id = r.id
             left join inbox_marks b on b.user_id = u.id
             where a.kind <> 'direct' and coalesce(k.level, 'mentions') <> 'none' and a.pos > coalesce(b.pos, 0)
               and m.seq > coalesce(k.read_seq, read_at_joining(r.id, u.joined_pos, r.head_seq))",
        )
        .bind(&self.places)
        .bind(&self.users)
        .bind(&self.positions)
        .bind(&self.kinds)
        .bind(&self.messages)
        .bind(READ)
        .fetch_all(db)
        .await
    }

    async fn direct_messages(&self, db: &Db) -> sqlx::Result<Vec<DirectRow>> {
        sqlx::query_as(
            "select a.place, w.id as sender_id, w.username as sender, left(d.body, $6) as body
             from unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[])
                 as a (place, user_id, pos, kind, message_id)
             join users u on u.id = a.user_id and u.banned_at is null and u.erased_at is null
             join direct_messages d on d.id = a.message_id and d.recipient_id = u.id and d.body is not null
             join users w on w.id = d.sender_id and w.erased_at is null
             left join inbox_marks b on b.user_id = u.id
             where a.kind = 'direct' and a.pos > coalesce(b.pos, 0)",
        )
        .bind(&self.places)
        .bind(&self.users)
        .bind(&self.positions)
        .bind(&self.kinds)
        .bind(&self.messages)
        .bind(READ)
        .fetch_all(db)
        .await
    }
}

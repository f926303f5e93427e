//! The list of rooms, a page at a time.
//!
//! Pages are found by key (the key of the name, then the id), so a page costs the same wherever it begins, and a room
//! that is not renamed is on exactly one page. A room renamed while somebody turns the pages may be on two of them or on
//! none; its event, after the cursor of the first page, tells its new name.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::{FromRow as _, Row as _};
use uuid::Uuid;

use super::Db;
use super::rooms::RoomRow;
use crate::event::Room;
use crate::id::{Pos, RoomId};
use crate::input::name_key;

/// Selection of the rooms of a page.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The archived rooms instead of the active ones.
    pub archived: bool,
    /// A part of the name, compared as names are (see [`name_key`]); empty for all rooms.
    pub part: &'a str,
    /// End of the page before.
    pub after: Option<&'a Place>,
    pub limit: i64,
}

/// One page, as of a position.
#[derive(Debug)]
pub struct Page {
    pub pos: Pos,
    /// Sorted by the key of the name. `online` is zero: the database does not know it.
    pub rooms: Vec<Room>,
    /// Start of the next page; `None` at the end of the list.
    pub next: Option<Place>,
    /// The landing room, if it is active; otherwise the active room with the newest message. Only on the first page of
    /// all active rooms.
    pub landing: Option<RoomId>,
}

/// The place after a room in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    name_key: String,
    id: RoomId,
}

/// Each list in a statement of its own, so that it can use the index of active names. Rooms that only the filter has to
/// look at are read in order until the page is full: 10,000 names take a few milliseconds.
macro_rules! statement {
    ($which:literal, $landing:literal) => {
        concat!(
            "select h.pos, ",
            $landing,
            " as landing_room, r.id, r.name, r.name_key, r.topic, r.is_archived, r.created_at, r.head_seq, r.retention_days,
                    r.landing, r.indexable
             from log_head h left join (
                 select id, name, name_key, topic, is_archived, created_at, head_seq, retention_days, landing, indexable
                 from rooms where ",
            $which,
            " and (name_key, id) > ($1, $2) and strpos(name_key, $3) > 0
                 order by name_key, id limit $4
             ) r on true
             order by r.name_key, r.id"
        )
    };
}

/// The newest messages may be in rooms that were archived since; then a few of them are passed over.
const ACTIVE: &str = statement!(
    "not is_archived",
    "coalesce((select id from rooms where landing and not is_archived),
              (select r.id from (select room_id, pos from messages where body is not null order by pos desc limit 200) m
               join rooms r on r.id = m.room_id and not r.is_archived order by m.pos desc limit 1))"
);
const ARCHIVED: &str = statement!("is_archived", "null::uuid");

/// Returns a page and its position, read by one statement and so from one snapshot.
pub async fn page(db: &Db, selection: Selection<'_>) -> sqlx::Result<Page> {
    let Selection { archived, part, after, limit } = selection;
    let (after_key, after_id) = after.map_or(("", Uuid::nil()), |place| (&*place.name_key, place.id.0));
    let rows = sqlx::query(if archived { ARCHIVED } else { ACTIVE })
        .bind(after_key)
        .bind(after_id)
        .bind(name_key(part))
        .bind(limit + 1)
        .fetch_all(db)
        .await?;

    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let pos = first.try_get("pos")?;
    let landing = if after.is_none() && part.is_empty() { first.try_get("landing_room")? } else { None };
    let mut rooms = Vec::with_capacity(rows.len());
    let (mut last, mut next) = (None, None);
    for row in rows {
        // Without any room the join still returns one row, with the position.
        let Some(id) = row.try_get::<Option<RoomId>, _>("id")? else { break };
        if i64::try_from(rooms.len()) == Ok(limit) {
            next = last;
            break;
        }
        last = Some(Place { name_key: row.try_get("name_key")?, id });
        rooms.push(RoomRow::from_row(&row)?.into());
    }
    Ok(Page { pos, rooms, next, landing })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.0.as_bytes(), self.name_key.as_bytes()].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The text is not a place.
#[derive(Debug, thiserror::Error)]
#[error("`next` of the page before was expected")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoPlace)?;
        let (id, name_key) = bytes.split_first_chunk().ok_or(NoPlace)?;
        let name_key = String::from_utf8(name_key.to_vec()).map_err(|_| NoPlace)?;
        // No key has control characters, and the database would refuse NUL.
        if name_key.chars().any(char::is_control) {
            return Err(NoPlace);
        }
        Ok(Self { name_key, id: RoomId(Uuid::from_bytes(*id)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserId;
    use crate::store::rooms;

    async fn founder(db: &Db) -> UserId {
        let id = UserId::new();
        sqlx::query("insert into users (id, username, password_hash, role) values ($1, 'ada', '', 'admin')")
            .bind(id)
            .execute(db)
            .await
            .unwrap();
        id
    }

    async fn read(db: &Db, archived: bool, part: &str, after: Option<&Place>, limit: i64) -> Page {
        page(db, Selection { archived, part, after, limit }).await.unwrap()
    }

    async fn names(db: &Db, archived: bool, part: &str) -> Vec<String> {
        read(db, archived, part, None, 500).await.rooms.into_iter().map(|room| room.name).collect()
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_part_of_a_name_is_found_whatever_its_case_or_letters(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let ada = founder(&db).await;
        for name in ["Straße", "Café bar", "100 % real", "100 x real", "barrel"] {
            rooms::create(&db, RoomId::new(), ada, name).await.unwrap().unwrap();
        }
        for (part, found) in [
            ("BAR", vec!["barrel", "Café bar"]),
            ("asse", vec!["Straße"]),
            ("é  B", vec!["Café bar"]),
            ("0 %", vec!["100 % real"]),
            ("nothing", vec![]),
        ] {
            assert_eq!(names(&db, false, part).await, found, "{part:?}");
        }
    }

    /// Turns all pages of 1,000 rooms while rooms move within the list.
    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn every_room_that_keeps_its_name_is_on_one_page_while_others_are_renamed(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let ada = founder(&db).await;
        sqlx::raw_sql(
            "insert into rooms (id, name, name_key, created_at)
             select gen_random_uuid(), 'Room ' || n, 'room ' || n, now() from generate_series(1, 1000) n",
        )
        .execute(&db)
        .await
        .unwrap();
        let first = read(&db, false, "", None, 90).await;
        let (mut seen, mut next) = (first.rooms, first.next);
        let (mut renamed, mut pages) = (Vec::new(), 1);
        while let Some(place) = next {
            // One that was listed moves to the end, and one from the end moves to the beginning.
            let last = read(&db, false, "room 9", None, 500).await.rooms.pop().unwrap();
            for (moved, to) in [(seen[pages].id, "zz"), (last.id, "aa")] {
                let name = format!("{to} {pages}");
                rooms::rename(&db, moved, ada, &name).await.unwrap().unwrap();
                renamed.push(moved);
            }
            let page = read(&db, false, "", Some(&place.to_string().parse().unwrap()), 90).await;
            assert!(page.rooms.len() == 90 || page.next.is_none(), "only the last page is short");
            seen.extend(page.rooms);
            (next, pages) = (page.next, pages + 1);
        }
        let mut kept: Vec<_> = seen.iter().map(|room| room.id).filter(|id| !renamed.contains(id)).collect();
        kept.sort_unstable();
        renamed.sort_unstable();
        renamed.dedup();
        assert!(kept.windows(2).all(|pair| pair[0] < pair[1]), "no room is listed twice");
        assert_eq!(kept.len() + renamed.len(), 1_000, "no room is left out");
        assert!(pages > 10);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn archived_rooms_of_one_name_are_all_listed(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let ada = founder(&db).await;
        for _ in 0..5 {
            let id = RoomId::new();
            rooms::create(&db, id, ada, "old").await.unwrap().unwrap();
            rooms::set_archived(&db, id, ada, true).await.unwrap().unwrap();
        }
        let (mut seen, mut next) = (Vec::new(), None);
        loop {
            let page = read(&db, true, "", next.as_ref(), 2).await;
            seen.extend(page.rooms.into_iter().map(|room| room.id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert!(seen.is_sorted() && seen.len() == 5, "{seen:?}");
        assert_eq!(names(&db, false, "").await, [""; 0]);
    }

    #[test]
    fn only_a_place_is_a_cursor() {
        let with_nul = URL_SAFE_NO_PAD.encode([&[7; 16][..], b"a\0"].concat());
        for text in ["", "b.ali", "AAAA", "é", &URL_SAFE_NO_PAD.encode([0xff; 17]), &with_nul] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
        let place = Place { name_key: "café".into(), id: RoomId(Uuid::from_u128(7)) };
        assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
    }
}

//! Search of messages, newest first, a page at a time.
//!
//! The newest thousand messages are read first, which finds frequent words whatever the number of messages. Rarer ones
//! are found by an index, in ranges of positions that grow: a range without a full page says that its terms are rare, so
//! the next one may be larger. A search that would take long stops with the results so far, and its next page continues
//! there. See `migrations/0036_search.sql` and `docs/adr/0013-search.md`.

pub mod query;

use std::time::{Duration, Instant};

use sqlx::Row as _;
use time::OffsetDateTime;

use self::query::{Filter, Query};
use super::Db;
use crate::id::{MessageId, Pos, RoomId, UserId};
use crate::input::{name_key, slug};

/// Messages read before the index is used, and by each step of a search that cannot use it: about 10 ms.
const READ: i32 = 1_000;
/// Positions of the first range that is searched by the index.
const FIRST_RANGE: i64 = 1 << 15;
/// Greatest growth of a range over the one before.
const GROWTH: i64 = 8;
/// Positions of the largest range.
const LARGEST_RANGE: i64 = 1 << 19;
/// A search ends after the step in which it has taken so long.
const PATIENCE: Duration = Duration::from_millis(300);

/// Part of the results of a search.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    pub query: &'a Query,
    /// Only messages in this room.
    pub room: Option<RoomId>,
    /// Allows `room` and `in:` to be archived rooms.
    pub reads_archived: bool,
    /// Only messages before this position.
    pub before: Option<Pos>,
    pub limit: i64,
}

/// A page of results.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first; may be fewer than `limit`, or none, although others follow.
    pub messages: Vec<MessageId>,
    /// `before` of the next page; `None` at the end.
    pub next: Option<Pos>,
}

/// Returns a page of the messages that match.
pub async fn search(db: &Db, selection: Selection<'_>) -> sqlx::Result<Found> {
    let began = Instant::now();
    let Some(criteria) = Criteria::resolve(db, &selection).await? else { return Ok(Found::default()) };
    let (from, mut to) = criteria.range(db, selection.before).await?;
    let (mut ids, mut positions) = (Vec::new(), Vec::new());
    let limit = usize::try_from(selection.limit).unwrap_or_default();
    let mut range = None;
    while from < to {
        let most = selection.limit + 1 - i64::try_from(ids.len()).unwrap_or_default();
        let step = match range {
            Some(range) if criteria.is_indexed => criteria.find(db, from.max(to - range), to, most).await?,
            _ => criteria.walk(db, from, to, most).await?,
        };
        let found = i64::try_from(step.ids.len()).unwrap_or_default();
        ids.extend(step.ids);
        positions.extend(step.positions);
        if ids.len() > limit {
            ids.truncate(limit);
            let next = limit.checked_sub(1).and_then(|last| positions.get(last).copied());
            return Ok(Found { messages: ids, next });
        }
        to = step.reached;
        // A range with some results says how many times as large the next one should be to have the rest.
        let growth = (2 * most).checked_div(found).map_or(GROWTH, |growth| growth.clamp(1, GROWTH));
        range = Some(range.map_or(FIRST_RANGE, |range: i64| (range * growth).min(LARGEST_RANGE)));
        if began.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(Found { messages: ids, next: (from < to).then_some(Pos(to)) })
}

/// Moves new messages from the pending list of the index into the index. A post would do that for some eight thousand
/// others, while it holds the log's lock. Databases in which the program does not own the index do it in a vacuum.
pub async fn merge_pending(db: &Db) -> sqlx::Result<()> {
    sqlx::query("select gin_clean_pending_list('messages_by_terms')").execute(db).await?;
    Ok(())
}

/// A query in terms of the database.
struct Criteria {
    words: String,
    /// Terms that are not words, in the syntax of `tsquery`.
    terms: String,
    parts: Vec<String>,
    unwanted_parts: Vec<String>,
    since: OffsetDateTime,
    until: OffsetDateTime,
    is_dated: bool,
    /// Archived rooms in which messages are found.
    archived: Vec<RoomId>,
    /// The index finds messages that match, not only those that do not.
    is_indexed: bool,
}

/// Result of one step.
struct Step {
    ids: Vec<MessageId>,
    positions: Vec<Pos>,
    /// All messages from here on were looked at.
    reached: i64,
}

impl Criteria {
    /// Looks up the names in the query. Returns `None` if nothing can match.
    async fn resolve(db: &Db, selection: &Selection<'_>) -> sqlx::Result<Option<Self>> {
        let query = selection.query;
        let (mut terms, mut archived) = (Vec::new(), Vec::new());
        if let Some(room) = selection.room {
            terms.push(term("room", room));
            archived.extend(selection.reads_archived.then_some(room));
        }
        for (filters, is_wanted) in [(&query.filters, true), (&query.unwanted_filters, false)] {
            let not = if is_wanted { "" } else { "!" };
            let mut rooms = Vec::new();
            for name in filters.iter().filter_map(Filter::room) {
                for (id, is_archived) in rooms_named(db, name).await? {
                    if !is_archived || selection.reads_archived {
                        rooms.push(term("room", id));
                        archived.extend(is_archived.then_some(id));
                    }
                }
            }
            let names: Vec<&str> = filters.iter().filter_map(Filter::author).collect();
            let authors = users_named(db, &names).await?.into_iter().map(|id| term("from", id)).collect();
            for (named, found) in
                [(filters.iter().any(|filter| filter.room().is_some()), rooms), (!names.is_empty(), authors)]
            {
                if named && is_wanted && found.is_empty() {
                    return Ok(None);
                }
                if !found.is_empty() {
                    terms.push(format!("{not}({})", found.join(" | ")));
                }
            }
            let has = filters.iter().filter_map(Filter::contents).map(|has| format!("{not}{}", term("has", has)));
            terms.extend(has);
        }
        let is_indexed = query.wanted.iter().any(|text| text.words().next().is_some())
            || terms.iter().any(|term| !term.starts_with('!'));
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let (parts, unwanted_parts) = query.parts();
        Ok(Some(Self {
            words: query.words(),
            terms: terms.join(" & "),
            parts: owned(parts),
            unwanted_parts: owned(unwanted_parts),
            since: query.since,
            until: query.until,
            is_dated: query.is_dated(),
            archived,
            is_indexed,
        }))
    }

    /// Returns the positions to search: from the first to before the second.
    async fn range(&self, db: &Db, before: Option<Pos>) -> sqlx::Result<(i64, i64)> {
        // A day of margin on both sides.
        let query = "select coalesce(first_pos_at($1), 1), coalesce(first_pos_at($2 + interval '2 days'), h.pos + 1)
             from log_head h";
        let dates = self.is_dated.then_some((self.since, self.until)).unzip();
        let (from, to): (i64, i64) = sqlx::query_as(query).bind(dates.0).bind(dates.1).fetch_one(db).await?;
        Ok((from, before.map_or(to, |before| to.min(before.0))))
    }

    /// Reads the newest messages of a range.
    async fn walk(&self, db: &Db, from: i64, to: i64, most: i64) -> sqlx::Result<Step> {
        let query = "select ids, positions, reached
             from walk_messages(search_query($1, $2), $3, $4, $5, $6, $7, $8, $9, $10::integer, $11)";
        self.step(db, query, from, to, most).await
    }

    /// Searches a range by the index.
    async fn find(&self, db: &Db, from: i64, to: i64, most: i64) -> sqlx::Result<Step> {
        let query = "select ids, positions, $8 as reached
             from find_messages(search_query($1, $2), $3, $4, $5, $6, $7, $8, $9, $10::integer)
             where $11 is not null";
        self.step(db, query, from, to, most).await
    }

    async fn step(&self, db: &Db, query: &'static str, from: i64, to: i64, most: i64) -> sqlx::Result<Step> {
        let query = sqlx::query(query)
            .bind(&self.words)
            .bind(&self.terms)
            .bind(&self.parts)
            .bind(&self.unwanted_parts)
            .bind(self.since)
            .bind(self.until)
            .bind(&self.archived)
            .bind(from)
            .bind(to)
            .bind(i32::try_from(most).unwrap_or(i32::MAX))
            .bind(READ);
        let row = query.fetch_one(db).await?;
        Ok(Step { ids: row.try_get("ids")?, positions: row.try_get("positions")?, reached: row.try_get("reached")? })
    }
}

/// Returns a term of `message_terms` as a literal of `tsquery`.
fn term(key: &str, value: impl std::fmt::Display) -> String {
    format!("'@{key}:{value}'")
}

/// Returns the rooms with this name or, if there are none, with this slug, and whether each is archived.
async fn rooms_named(db: &Db, name: &str) -> sqlx::Result<Vec<(RoomId, bool)>> {
    let named: Vec<(RoomId, bool)> = sqlx::query_as("select id, is_archived from rooms where name_key = $1")
        .bind(name_key(name))
        .fetch_all(db)
        .await?;
    if !named.is_empty() {
        return Ok(named);
    }
    let all: Vec<(RoomId, bool, String)> =
        sqlx::query_as("select id, is_archived, name from rooms").fetch_all(db).await?;
    let wanted = slug(name);
    Ok(all
        .into_iter()
        .filter(|(.., name)| slug(name) == wanted)
        .map(|(id, is_archived, _)| (id, is_archived))
        .collect())
}

async fn users_named(db: &Db, names: &[&str]) -> sqlx::Result<Vec<UserId>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_scalar("select id from users where username = any($1) and erased_at is null");
    query.bind(names).fetch_all(db).await
}

//! Search of accounts by a part of their names, a page at a time, at the same cost whatever the number of accounts.
//!
//! Names that begin with the part are found by an index. Names that contain it elsewhere are found by reading names in
//! order, a bounded number for each page: PostgreSQL has an index for them only in an extension that hosted databases
//! may lack.

use std::fmt;
use std::str::FromStr;

use super::Db;
use super::users::{Account, AccountRow};

/// Maximum number of names that a page reads in search of those that contain the part: about a millisecond.
const NAMES_READ: i64 = 2_000;

/// Position in the results, after this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Among names that begin with the part, which come first.
    Beginning(String),
    /// Among names that contain it elsewhere.
    Containing(String),
}

/// A page of results, and where the next one begins; `None` at the end.
#[derive(Debug)]
pub struct Found {
    pub accounts: Vec<Account>,
    pub next: Option<Place>,
}

/// Returns the accounts whose name contains `part` (lower case): those that begin with it first, each group sorted by
/// name. A page may have fewer than `limit`, or none, although others follow.
pub async fn search(db: &Db, part: &str, after: Option<&Place>, limit: i64) -> sqlx::Result<Found> {
    let mut accounts = Vec::new();
    let containing_after = match after {
        Some(Place::Containing(name)) => name,
        Some(Place::Beginning(_)) | None => {
            let after = if let Some(Place::Beginning(name)) = after { name } else { "" };
            let found = beginning_with(db, part, after, limit + 1).await?;
            accounts = found;
            if let Some(next) = cut(&mut accounts, limit) {
                return Ok(Found { accounts, next: Some(Place::Beginning(next)) });
            }
            // Every name begins with the empty part.
            if part.is_empty() {
                return Ok(Found { accounts, next: None });
            }
            ""
        }
    };
    let left = limit - i64::try_from(accounts.len()).unwrap_or(limit);
    let (mut found, unread_after) = containing(db, part, containing_after, left + 1).await?;
    let next = if i64::try_from(found.len()).is_ok_and(|count| count > left) {
        let shown = cut(&mut found, left);
        Some(Place::Containing(shown.unwrap_or_else(|| containing_after.to_owned())))
    } else {
        unread_after.map(Place::Containing)
    };
    accounts.append(&mut found);
    Ok(Found { accounts, next })
}

/// Drops the accounts beyond `limit`. Returns the last name that is left if there were any.
fn cut(accounts: &mut Vec<Account>, limit: i64) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or_default();
    if accounts.len() <= limit {
        return None;
    }
    accounts.truncate(limit);
    accounts.last().map(|account| account.user.username.to_string())
}

/// Returns accounts whose name begins with `part`, in the order of their names, after one.
pub(super) async fn beginning_with(db: &Db, part: &str, after: &str, limit: i64) -> sqlx::Result<Vec<Account>> {
    let rows: Vec<AccountRow> = sqlx::query_as(
        "select id, username, is_admin, muted_until, mute_reason, banned_at, ban_reason
         from accounts
         -- Not `like`, where an underscore has a meaning. A tilde comes after every character of a name.
         where username collate \"C\" >= $1 and username collate \"C\" < $1 || '~' and username collate \"C\" > $2
         order by username collate \"C\" limit $3",
    )
    .bind(part)
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// Returns accounts, and the last name read if there are more to read.
async fn containing(db: &Db, part: &str, after: &str, limit: i64) -> sqlx::Result<(Vec<Account>, Option<String>)> {
    let read: (i64, Option<String>, Vec<String>) = sqlx::query_as(
        "with names as materialized (
            select username from users
            where erased_at is null and username collate \"C\" > $2
            order by username collate \"C\" limit $4
         )
         select (select count(*) from names),
                (select max(username collate \"C\") from names),
                array(select username from names where strpos(username, $1) > 1
                      order by username collate \"C\" limit $3)",
    )
    .bind(part)
    .bind(after)
    .bind(limit)
    .bind(NAMES_READ)
    .fetch_one(db)
    .await?;
    let (count, last, names) = read;
    let rows: Vec<AccountRow> = sqlx::query_as(
        "select id, username, is_admin, muted_until, mute_reason, banned_at, ban_reason
         from accounts where username = any($1) order by username collate \"C\"",
    )
    .bind(names)
    .fetch_all(db)
    .await?;
    Ok((rows.into_iter().map(Account::from).collect(), last.filter(|_| count == NAMES_READ)))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning(name) => write!(f, "b.{name}"),
            Self::Containing(name) => write!(f, "c.{name}"),
        }
    }
}

/// The text is not a place.
#[derive(Debug, thiserror::Error)]
#[error("a cursor of this list was expected")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let is_name = |name: &str| name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_graphic());
        match text.split_once('.') {
            Some(("b", name)) if is_name(name) => Ok(Self::Beginning(name.to_owned())),
            Some(("c", name)) if is_name(name) => Ok(Self::Containing(name.to_owned())),
            _ => Err(NoPlace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Role;
    use crate::id::UserId;
    use crate::store::users;

    async fn with_accounts(pool: sqlx::PgPool, names: &[&str]) -> Db {
        let db = Db::from(pool);
        for name in names {
            users::create(&db, UserId::new(), name, "hash", Role::User).await.unwrap();
        }
        db
    }

    /// Returns the names on each page.
    async fn pages(db: &Db, part: &str, limit: i64) -> Vec<Vec<String>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let found = search(db, part, after.as_ref(), limit).await.unwrap();
            pages.push(found.accounts.into_iter().map(|account| account.user.username.to_string()).collect());
            let Some(next) = found.next else { return pages };
            assert_eq!(next.to_string().parse::<Place>().unwrap(), next);
            after = Some(next);
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_search_finds_any_part_of_a_name_and_lists_prefixes_first(pool: sqlx::PgPool) {
        let db = with_accounts(pool, &["carla", "la_la", "lala", "zoe"]).await;
        assert_eq!(pages(&db, "la", 50).await, [["la_la", "lala", "carla"]]);
        assert_eq!(pages(&db, "a_l", 50).await, [["la_la"]], "an underscore means itself");
        assert_eq!(pages(&db, "%", 50).await, [[""; 0]]);
        assert_eq!(pages(&db, "", 2).await, [["carla", "la_la"], ["lala", "zoe"]]);
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn pages_join_without_gap_or_repeat_whatever_their_size(pool: sqlx::PgPool) {
        let db = with_accounts(pool, &["ab", "aab", "ab-", "ab9", "abab", "ba", "bab", "b.ab", "cab", "zz"]).await;
        let expected = ["ab", "ab-", "ab9", "abab", "aab", "b.ab", "bab", "cab"];
        for limit in 1..=9 {
            let pages = pages(&db, "ab", limit).await;
            assert!(pages.iter().rev().skip(1).all(|page| i64::try_from(page.len()) == Ok(limit)), "{pages:?}");
            assert_eq!(pages.concat(), expected, "{limit}");
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_name_among_many_is_found_within_some_pages_and_an_erased_account_never(pool: sqlx::PgPool) {
        let db = with_accounts(pool, &["zz-needle", "needle-1"]).await;
        sqlx::raw_sql(
            "insert into users (id, username, password_hash)
             select gen_random_uuid(), 'hay-' || n, '' from generate_series(1, 5000) n;
             insert into users (id, username, password_hash, erased_at)
             values (gen_random_uuid(), 'erased-needle', '', now())",
        )
        .execute(&db)
        .await
        .unwrap();
        let pages = pages(&db, "needle", 5).await;
        assert_eq!(pages, [vec!["needle-1"], vec![], vec!["zz-needle"]], "2,000 names are read for each");
    }

    #[test]
    fn only_a_place_is_a_cursor() {
        for text in ["", "b", "x.ali", "b.ali\n", "c.é", &format!("b.{}", "a".repeat(33))] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
        assert_eq!("c.a.b".parse::<Place>().unwrap(), Place::Containing("a.b".to_owned()));
    }
}

//! Compatibility with the schema of the next release, which expands it while this one is running.

use sqlx::AssertSqlSafe;

use crate::actors::{Chat, PushService};
use crate::rights::ask_everything;

/// All changes that an additive migration may make: a column for each table and view, a value for each enum, and every
/// function replaced with a new body (identical here).
const EXPANSION: &str = "
    select format('alter table %I add column next_release text default ''new''', relname)
    from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
    union all
    select format('create or replace view %I as %s', relname,
                  regexp_replace(pg_get_viewdef(oid), '\n   FROM ', ', 1 as next_release FROM '))
    from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
    union all
    select format('alter type %I add value ''next.release''', typname)
    from pg_type where typtype = 'e' and typnamespace = 'public'::regnamespace
    union all
    select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace and prokind = 'f'";

/// The callers with the most rights, and one who is refused.
const ASKING: fn(&str) -> bool = |kind| ["nobody", "user", "admin"].contains(&kind);

#[tokio::test]
async fn all_responses_are_the_same_on_the_next_releases_schema() {
    let chat = Chat::start_with(|config| PushService::set_up(&[], config)).await;
    let admin = chat.admin("ada").await;
    let (asked, faults) = ask_everything(&chat, &admin, ASKING).await;
    assert!(faults.is_empty(), "before: \n{}", faults.join("\n"));

    let db = chat.db();
    let statements: Vec<String> = sqlx::query_scalar(EXPANSION).fetch_all(&db).await.expect("the catalogue");
    for (kind, least) in [("alter table", 10), ("create or replace view", 1), ("alter type", 1), ("CREATE OR", 20)] {
        let count = statements.iter().filter(|statement| statement.starts_with(kind)).count();
        assert!(count >= least, "{count} statements begin with {kind}");
    }
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.clone()))
            .execute(&db)
            .await
            .unwrap_or_else(|e| panic!("{statement}: {e}"));
    }

    // Twice: in the first round, connections may have to prepare statements again; in the second, none is stale.
    for round in ["at once", "later"] {
        let (again, faults) = ask_everything(&chat, &admin, ASKING).await;
        assert!(faults.is_empty(), "{round}: \n{}", faults.join("\n"));
        assert_eq!(again, asked);
    }
}

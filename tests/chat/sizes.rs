//! Cost follows what one reads: what is read often reads no table of accounts or conversations from end to end.

use gapless::event::Role;
use gapless::id::UserId;
use gapless::store::user_search::{Place, search};
use gapless::store::{Db, direct_messages, log, users};
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;

use crate::actors::Database;

/// Returns the number of sequential scans of each table so far, by the pool's only connection.
async fn scans(db: &Db) -> Vec<(String, i64)> {
    sqlx::raw_sql("select pg_stat_force_next_flush()").execute(db).await.expect("statistics are written");
    sqlx::query_as(
        "select relname::text, seq_scan from pg_stat_user_tables
         where relname in ('users', 'direct_messages', 'conversations') order by relname",
    )
    .fetch_all(db)
    .await
    .expect("counts")
}

#[tokio::test]
async fn many_accounts_and_conversations_are_not_read_to_start_search_or_list() {
    let database = Database::create().await;
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(database.options.clone());
    let db = Db::from(pool);
    let admin = UserId::new();
    users::create(&db, admin, "admin", "hash", Role::Admin).await.expect("an admin");
    sqlx::raw_sql(
        "insert into users (id, username, password_hash) select gen_random_uuid(), 'user-' || n, ''
         from generate_series(1, 40000) n;
         insert into direct_messages (id, pos, sender_id, recipient_id, client_id, fingerprint, body, created_at)
         select gen_random_uuid(), row_number() over (), a.id, u.id, gen_random_uuid(), '', 'hello', now()
         from users a, users u where a.username = 'admin' and u.username like 'user-____';
         analyze",
    )
    .execute(&db)
    .await
    .expect("rows");

    let before = scans(&db).await;
    let snapshot = log::snapshot(&db, OffsetDateTime::UNIX_EPOCH, None).await.expect("a snapshot");
    assert!(snapshot.admins.contains(&admin));
    let found = search(&db, "user-1", None, 10).await.expect("a page");
    assert_eq!(found.accounts.len(), 10);
    let elsewhere = search(&db, "er-4999", Some(&Place::Containing("user-499".to_owned())), 10).await.expect("a page");
    assert_eq!(elsewhere.accounts[0].user.username.as_ref(), "user-4999");
    let listed = direct_messages::conversations(&db, admin, None, 50).await.expect("a page");
    assert_eq!(listed.len(), 50);
    assert_eq!(scans(&db).await, before, "no table is read from end to end");

    let _: i64 = sqlx::query_scalar("select count(*) from users where password_hash = ''")
        .fetch_one(&db)
        .await
        .expect("a count");
    assert_ne!(scans(&db).await, before, "a scan is noticed");
}

//! A database that `cargo xtask seed` has filled.

#[path = "../../examples/seed/fill.rs"]
mod fill;

use gapless::auth::password::Passwords;
use serde_json::Value;

use crate::actors::{Database, Launch, PASSWORD, User};
use fill::{Size, fill};

const SIZE: Size = Size { accounts: 50, rooms: 8, messages: 1_200 };

async fn positions_without_a_gap(database: &Database) -> bool {
    sqlx::query_scalar(
        "select (select count(*) from log) = (select pos from log_head)
            and (select max(pos) from log) = (select pos from log_head)
            and (select count(*) from messages) = (select sum(head_seq) from rooms)
            and not exists (select from rooms r where r.head_seq <>
                            (select coalesce(max(m.seq), 0) from messages m where m.room_id = r.id))",
    )
    .fetch_one(&database.pool())
    .await
    .expect("an answer")
}

#[tokio::test]
async fn a_server_pages_posts_and_resumes_on_a_seeded_database() {
    let database = Database::create().await;
    let password_hash = Passwords::new().hash(PASSWORD.into()).await.expect("a hash");
    let mut reports = Vec::new();
    let names = fill(&database.pool(), SIZE, &password_hash, |what, done, total| {
        reports.push(format!("{done} of {total} {what}"));
    })
    .await
    .expect("rows");
    assert_eq!(
        reports,
        ["50 of 50 accounts", "8 of 8 rooms", "500 of 1200 messages", "1000 of 1200 messages", "1200 of 1200 messages"]
    );
    assert!(positions_without_a_gap(&database).await);

    let server = Launch::on(&database.url()).start().await;
    let guest = server.guest();
    let rooms = guest.rooms().await;
    assert_eq!(rooms.len(), SIZE.rooms);
    let busiest = rooms.iter().max_by_key(|room| room.head_seq).expect("a room");
    let first = guest.get(&format!("/messages?room_id={}&after=0&limit=200", busiest.id)).await.is(200).json();
    assert_eq!(first["messages"].as_array().map(Vec::len), Some(200));
    assert_eq!(first["head_seq"], busiest.head_seq.0);
    let newest = guest.messages(busiest).await;
    assert_eq!(newest.last().map(|message| message.seq), Some(busiest.head_seq));

    let epoch = guest.listen(busiest).await.cursor.split_once('.').expect("a cursor").0.to_owned();
    let second_newest = &newest[newest.len() - 2];
    let mut stream = guest.opening().room(busiest).from(&format!("{epoch}.{}", second_newest.pos)).open().await;
    stream.expect_message(newest[newest.len() - 1].body.as_deref().expect("a body")).await;
    let writer = User::sign_in(server.guest(), &names.account(7), PASSWORD).await;
    let posted = writer.post(busiest, "the first after seeding").await;
    assert_eq!(posted.seq.0, busiest.head_seq.0 + 1);
    stream.expect_message("the first after seeding").await;

    let admin = User::sign_in(server.guest(), &names.admin(), PASSWORD).await;
    let conversations = admin.get("/direct-messages/conversations").await.is(200).json();
    assert_eq!(conversations["conversations"].as_array().map(Vec::len), Some(5));
    let recipient = User::sign_in(server.guest(), &names.account(10), PASSWORD).await;
    let received: Value = recipient.get("/direct-messages").await.is(200).json();
    assert_eq!(received["messages"][0]["sender"]["username"], names.admin());
    assert!(positions_without_a_gap(&database).await);
}

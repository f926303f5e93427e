//! Read marks: the same on every device and instance of a user, and nobody else's business.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gapless::event::Room;
use serde_json::{Value, json};

use crate::actors::{Answer, Chat, Guest, Ledger, Stream};

/// Time for which the server collects marks between two commits.
const PAUSE: Duration = Duration::from_millis(50);

async fn mark(user: &Guest, room: &Room, seq: i64) -> Answer {
    user.put(&format!("/rooms/{}/read", room.id), json!({"seq": seq})).await
}

async fn mark_back(user: &Guest, room: &Room, seq: i64) -> Answer {
    user.put(&format!("/rooms/{}/read", room.id), json!({"seq": seq, "force": true})).await
}

/// Returns `read_seq` and `unread` in the list of rooms, after checking that the room itself says the same.
async fn membership(user: &Guest, room: &Room) -> (i64, i64) {
    let list = user.get("/rooms").await.is(200).json();
    let is_it = |listed: &&Value| listed["id"] == json!(room.id);
    let listed = list["rooms"].as_array().and_then(|rooms| rooms.iter().find(is_it)).expect("the room is listed");
    let alone = user.get(&format!("/rooms/{}", room.id)).await.is(200).json();
    assert_eq!(alone["membership"], listed["membership"]);
    let number = |field: &str| listed["membership"][field].as_i64().expect("a number");
    assert_eq!(number("mentions"), 0);
    (number("read_seq"), number("unread"))
}

/// Asserts that the next durable event tells of this mark.
async fn expect_read(stream: &mut Stream, room: &Room, read_seq: i64, unread: i64) {
    let data = stream.expect("room.read").await.data;
    let expected =
        json!({"room_id": room.id, "read_seq": read_seq, "unread": unread, "mentions": 0, "level": "mentions"});
    assert_eq!(data, expected);
}

#[tokio::test]
async fn a_mark_reaches_all_streams_of_its_user_and_no_other() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (laptop, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    for n in 0..3 {
        bob.post(&room, &format!("words {n}")).await;
    }
    second.catch_up().await;
    let phone = laptop.another_session().await.at(&second);
    let mut here = laptop.listen(&room).await;
    let mut there = phone.opening().open().await;
    let mut away = phone.opening().open().await;
    let cursor = away.cursor.clone();
    drop(away);
    let mut of_bob = bob.listen(&room).await;
    let mut of_guest = chat.guest().listen(&room).await;

    mark(&laptop, &room, 2).await.is(204);
    mark(&phone, &room, 1).await.is(204);
    mark_back(&phone, &room, 1).await.is(204);
    for stream in [&mut here, &mut there] {
        expect_read(stream, &room, 2, 1).await;
        expect_read(stream, &room, 1, 2).await;
    }
    away = phone.opening().after_event(&cursor).open().await;
    expect_read(&mut away, &room, 2, 1).await;
    expect_read(&mut away, &room, 1, 2).await;
    for device in [&laptop, &phone] {
        assert_eq!(membership(device, &room).await, (1, 2));
    }

    bob.post(&room, "the end").await;
    of_bob.expect_message("the end").await;
    of_guest.expect_message("the end").await;
    assert_eq!(membership(&bob, &room).await, (0, 0), "own messages never count");
    let list = chat.guest().get("/rooms").await.is(200).json();
    assert_eq!(list["rooms"][0]["membership"], Value::Null);
}

#[tokio::test]
async fn only_messages_of_others_that_still_exist_are_unread() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let mut posted = Vec::new();
    for n in 0..4 {
        posted.push(bob.post(&room, &format!("words {n}")).await);
        alice.post(&room, "mine").await;
    }
    let newcomer = chat.user("newcomer").await;
    assert_eq!(membership(&alice, &room).await, (0, 4));
    bob.delete_message(posted[1].id).await;
    assert_eq!(membership(&alice, &room).await, (0, 3));
    mark(&alice, &room, 5).await.is(204);
    assert_eq!(membership(&alice, &room).await, (5, 1));
    bob.delete_message(posted[3].id).await;
    assert_eq!(membership(&alice, &room).await, (5, 0));

    // Everything before joining counts as read, on a new device too.
    assert_eq!(membership(&newcomer, &room).await, (8, 0));
    bob.post(&room, "welcome").await;
    let other_device = newcomer.another_session().await;
    assert_eq!(membership(&other_device, &room).await, (8, 1));

    // A mark beyond the newest message: of a client that knew a later history, or of a backup restored in part.
    mark(&alice, &room, 1 << 52).await.is(204);
    assert_eq!(membership(&alice, &room).await, (9, 0));
    sqlx::query("update read_marks set read_seq = 1000").execute(&chat.db()).await.expect("a mark in the future");
    assert_eq!(membership(&alice, &room).await, (9, 0));
    bob.post(&room, "and on").await;
    mark(&alice, &room, 10).await.is(204);
    mark_back(&alice, &room, 9).await.is(204);
    assert_eq!(membership(&alice, &room).await, (9, 1));
}

#[tokio::test]
async fn callers_and_values_that_are_refused() {
    let chat = Chat::start().await;
    let (founder, alice, muted) = (chat.founder().await, chat.user("alice").await, chat.user("muted").await);
    let (room, attic) = (chat.room("general").await, chat.room("attic").await);
    founder.post(&room, "hello").await;
    founder.post(&attic, "hello").await;
    founder.archive(&attic).await;
    founder.mute(&muted, 600).await;
    mark(&muted, &room, 1).await.is(204);
    mark(&chat.guest(), &room, 1).await.refused(401, "unauthenticated");
    mark(&alice, &attic, 1).await.refused(404, "not_found");
    mark(&founder, &attic, 1).await.is(204);
    let nowhere = Room { id: gapless::id::RoomId::new(), ..room.clone() };
    mark(&alice, &nowhere, 1).await.refused(404, "not_found");

    let (read, level) = (format!("/rooms/{}/read", room.id), format!("/rooms/{}/level", room.id));
    for seq in [json!(-1), json!(0.5), json!("1"), json!(null), json!((1_i64 << 53) + 2), json!(1e300)] {
        alice.put(&read, json!({"seq": seq})).await.refused_field("seq");
    }
    alice.put(&read, json!({"seq": 1, "force": "yes"})).await.refused_field("force");
    alice.put(&read, json!({})).await.refused(422, "invalid");
    for word in [json!("loud"), json!(1), json!(null), json!({"all": null})] {
        alice.put(&level, json!({"level": word})).await.refused_field("level");
    }
    alice.put(&read, json!({"seq": 1.0})).await.is(204);
    founder.ban(&alice).await;
    mark(&alice, &room, 1).await.refused(401, "invalid_token");
    chat.guest().put(&level, json!({"level": "all"})).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_level_is_kept_beside_the_mark() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    bob.post(&room, "one").await;
    bob.post(&room, "two").await;
    let mut stream = alice.opening().open().await;
    let path = format!("/rooms/{}/level", room.id);
    for _ in 0..2 {
        alice.put(&path, json!({"level": "none"})).await.is(204);
    }
    mark(&alice, &room, 1).await.is(204);
    alice.put(&path, json!({"level": "all"})).await.is(204);
    for (read_seq, unread, level) in [(0, 2, "none"), (1, 1, "none"), (1, 1, "all")] {
        let data = stream.expect("room.read").await.data;
        assert_eq!(
            (&data["read_seq"], &data["unread"], &data["level"]),
            (&json!(read_seq), &json!(unread), &json!(level))
        );
    }
}

#[tokio::test]
async fn retries_change_nothing_and_a_crowd_shares_commits() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let room = chat.room("general").await;
    chat.fill(&room, &bob, 100).await;
    second.catch_up().await;
    let mut stream = alice.opening().open().await;
    for answer in join_all((0..10).map(|_| mark(&alice, &room, 7))).await {
        answer.is(204);
    }
    let there = alice.at(&second);
    let began = Instant::now();
    let marks = (0..=100).map(|seq| async move { (seq, seq % 2) });
    let marks = marks.map(|mark_at| async {
        let (seq, instance) = mark_at.await;
        mark(if instance == 0 { &alice } else { &there }, &room, seq).await.is(204)
    });
    join_all(marks).await;
    let took = began.elapsed();
    assert_eq!(membership(&alice, &room).await, (100, 0));

    let mut heard = vec![stream.expect("room.read").await.data["read_seq"].as_i64().expect("a number")];
    while *heard.last().expect("there is one") < 100 {
        heard.push(stream.expect("room.read").await.data["read_seq"].as_i64().expect("a number"));
    }
    assert_eq!(heard[0], 7, "the retries made one event");
    assert!(heard.is_sorted_by(|one, next| one < next), "marks move forward only: {heard:?}");

    let commits: i64 = sqlx::query_scalar("select count(distinct at) from log where kind = 'room.read'")
        .fetch_one(&chat.db())
        .await
        .expect("a count");
    let allowed = 2 * (took.as_millis() / PAUSE.as_millis() + 2);
    assert!(u128::try_from(commits).is_ok_and(|commits| commits <= allowed), "{commits} commits in {took:?}");
    Ledger::read(&chat.db()).await;
}

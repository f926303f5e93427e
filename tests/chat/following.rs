//! Rooms that a stream does not read: their newest messages, and who is where.

use std::time::Duration;

use gapless::event::Room;
use serde_json::{Value, json};

use crate::actors::{Chat, Guest, Stream};

/// Returns the next summary of rooms.
async fn lobby(stream: &mut Stream) -> Value {
    stream.expect("lobby").await.data["rooms"].take()
}

async fn guests_of(reader: &Guest, room: &Room) -> u32 {
    reader.read_room(room.id).await.online.guests
}

#[tokio::test]
async fn the_lobby_summarises_counts_of_other_rooms() {
    let chat = Chat::start_with(|config| config.heartbeat = Duration::from_millis(100)).await;
    let (near, far) = (chat.room("near").await, chat.room("far").await);
    let mut stream = chat.guest().listen(&near).await;
    let mut follower = chat.guest().opening().room(&near).with("follow", far.id).with("follow", "").open().await;
    let _there = chat.user("bob").await.listen(&far).await;
    for stream in [&mut stream, &mut follower] {
        assert_eq!(lobby(stream).await, json!([{"id": far.id, "head_seq": 0, "users": 1, "guests": 0}]));
    }
}

#[tokio::test]
async fn a_followed_room_tells_its_newest_message_at_once() {
    let chat = Chat::start().await;
    let (near, far, other) = (chat.room("near").await, chat.room("far").await, chat.room("other").await);
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    ada.archive(&other).await;
    bob.post(&far, "before").await;
    let follow = [&far, &near, &other].map(|room| room.id);
    let opening = bob.opening().room(&near);
    let mut stream = follow.iter().fold(opening, |opening, room| opening.with("follow", room)).open().await;
    assert_eq!(stream.hello["followed"], json!([{"id": far.id, "head_seq": 1}]));
    bob.post(&far, "after").await;
    assert_eq!(lobby(&mut stream).await, json!([{"id": far.id, "head_seq": 2, "users": 0, "guests": 0}]));
    bob.post(&far, "busy").await;
    assert_eq!(lobby(&mut stream).await[0]["head_seq"], 3, "once a second, and the last one");

    let none = bob.opening().with("follow", "").open().await;
    assert_eq!(none.hello["followed"], json!([]));
    assert_eq!(bob.opening().open().await.hello.get("followed"), None);
}

#[tokio::test]
async fn only_rooms_are_followed_and_only_so_many() {
    let chat = Chat::start().await;
    let guest = chat.guest();
    for query in ["follow=x", "client=a%20b", &format!("client={}", "x".repeat(65)), &"follow=&".repeat(201)] {
        guest.get(&format!("/sse?{query}")).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn a_reader_who_moves_is_counted_in_one_room() {
    let chat = Chat::start().await;
    let (here, there) = (chat.room("here").await, chat.room("there").await);
    let mut watcher = chat.user("bob").await.listen(&here).await;
    let guest = chat.guest();
    let first = guest.opening().room(&here).with("client", "window-1").open().await;
    watcher.expect_online(here.id, 1, 1).await;
    let second = guest.opening().room(&there).with("client", "window-1").open().await;
    assert_eq!((guests_of(&guest, &here).await, guests_of(&guest, &there).await), (0, 1));
    watcher.expect_online(here.id, 1, 0).await;
    drop(first);
    drop(second);
    let _third = guest.opening().room(&here).with("client", "window-1").open().await;
    assert_eq!((guests_of(&guest, &here).await, guests_of(&guest, &there).await), (1, 0));
}

#[tokio::test]
async fn a_banned_user_leaves_no_ghost() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let _stream = bob.opening().room(&room).with("client", "window-1").open().await;
    assert_eq!(chat.guest().read_room(room.id).await.online.users, 1);
    ada.ban(&bob).await;
    assert_eq!(chat.guest().read_room(room.id).await.online.users, 0);
}

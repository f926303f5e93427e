//! Typing indicators: told to the room on every instance, rarely, and to few.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gapless::event::Room;
use gapless::realtime::typing::PACE;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::actors::{Answer, Chat, DEADLINE, Guest, Redis, Stream};

async fn type_in(user: &Guest, room: &Room) -> Answer {
    user.put(&format!("/rooms/{}/typing", room.id), Value::Null).await
}

/// Returns the names of those who typed before this message was posted.
async fn typists_until(stream: &mut Stream, body: &str) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let heard = stream.next().await;
        match &*heard.name {
            "typing" => {
                assert_eq!(heard.id, None, "it is not in the log");
                names.push(heard.data["user"]["username"].as_str().expect("a name").to_owned());
            }
            "message.posted" if heard.data["body"] == body => return names,
            _ => {}
        }
    }
}

#[tokio::test]
async fn readers_of_the_room_are_told_once_in_three_seconds() {
    let chat = Chat::start().await;
    let (ali, mia) = (chat.user("ali").await, chat.user("mia").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let mut guest = chat.guest().listen(&room).await;
    let mut elsewhere = mia.listen(&other).await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(type_in(&ali, &room).await.is(204).text, "");
    }
    let is_once = began.elapsed() < PACE;
    type_in(&mia, &room).await.is(204);
    let told = guest.expect("typing").await;
    assert_eq!(told.data, json!({"room_id": room.id, "user": {"id": ali.id, "username": "ali"}}));
    ali.post(&room, "hello").await;
    let names = typists_until(&mut guest, "hello").await;
    // On a machine that is slower than the pace, nothing can be said about it.
    assert!(names == ["mia"] || !is_once, "{names:?}");
    mia.post(&other, "quiet here").await;
    assert_eq!(typists_until(&mut elsewhere, "quiet here").await, Vec::<String>::new());
}

#[tokio::test]
async fn callers_and_rooms_that_are_refused() {
    let chat = Chat::start().await;
    let (ada, ali, room) = (chat.admin("ada").await, chat.user("ali").await, chat.room("general").await);
    let mut guest = chat.guest().listen(&room).await;
    type_in(&chat.guest(), &room).await.refused(401, "unauthenticated");
    ada.mute(&ali, 60).await;
    type_in(&ali, &room).await.refused(403, "muted");
    ada.unmute(&ali).await;
    type_in(&ali, &Room { id: gapless::id::RoomId::new(), ..room.clone() }).await.refused(404, "not_found");
    ada.ban(&ali).await;
    type_in(&ali, &room).await.refused(401, "invalid_token");
    ada.post(&room, "calm").await;
    assert_eq!(typists_until(&mut guest, "calm").await, Vec::<String>::new());
    ada.archive(&room).await;
    type_in(&ada, &room).await.refused(409, "room_archived");
}

#[tokio::test]
async fn nothing_is_told_in_a_room_with_more_than_fifty_people() {
    let chat = Chat::start().await;
    let (ali, room) = (chat.user("ali").await, chat.room("general").await);
    let (guests, mut reader) = (chat.guest(), chat.guest().listen(&room).await);
    let mut crowd = join_all((0..49).map(|_| guests.listen(&room))).await;
    reader.expect_online(room.id, 0, 50).await;
    type_in(&ali, &room).await.is(204);
    reader.expect("typing").await;
    crowd.push(guests.listen(&room).await);
    reader.expect_online(room.id, 0, 51).await;
    let mia = chat.user("mia").await;
    type_in(&mia, &room).await.is(204);
    ali.post(&room, "hello").await;
    assert_eq!(typists_until(&mut reader, "hello").await, Vec::<String>::new());
}

#[tokio::test]
async fn other_instances_are_told_by_redis() {
    let Some(redis) = Redis::start().await else { return };
    let chat = Chat::start_with(|config| config.redis_connection = Some(redis.url().into())).await;
    let second = chat.second_instance().await;
    let (ali, room) = (chat.user("ali").await, chat.room("general").await);
    second.catch_up().await;
    let mut there = second.guest().listen(&room).await;
    // The second instance may not have joined yet when the first announcement is sent.
    let told = timeout(3 * DEADLINE, async {
        loop {
            type_in(&ali, &room).await.is(204);
            if let Ok(told) = timeout(Duration::from_millis(500), there.expect("typing")).await {
                return told;
            }
        }
    });
    let told = told.await.expect("the other instance hears of it");
    assert_eq!(told.data["user"], json!({"id": ali.id, "username": "ali"}));
}

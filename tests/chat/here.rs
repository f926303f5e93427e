//! The people in a room, by name.

use futures_util::future::join_all;
use gapless::event::Room;
use reqwest::Method;
use reqwest::header::{ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Answer, Chat, DEADLINE, Guest, Redis};

async fn here(reader: &Guest, room: &Room) -> Value {
    reader.get(&format!("/rooms/{}/here", room.id)).await.is(200).json()
}

fn names(here: &Value) -> Vec<&str> {
    here["users"].as_array().expect("a list").iter().map(|user| user["username"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn people_are_listed_by_name_after_the_admins() {
    let chat = Chat::start().await;
    let (zoe, ali, bob) = (chat.admin("zoe").await, chat.user("ali").await, chat.user("bob").await);
    let (room, other) = (chat.room("general").await, chat.room("other").await);
    let guest = chat.guest();
    assert_eq!(here(&guest, &room).await, json!({"users": [], "users_total": 0, "guests": 0}));
    let _streams = (
        join_all([&*bob, &zoe, &ali, &guest, &ali].map(|reader| reader.listen(&room))).await,
        bob.listen(&other).await,
    );
    let user = |user: &crate::actors::User, role: &str| json!({"id": user.id, "username": user.name, "role": role});
    let expected = [user(&zoe, "admin"), user(&ali, "user"), user(&bob, "user")];
    for reader in [&guest, &*bob] {
        assert_eq!(here(reader, &room).await, json!({"users": expected, "users_total": 3, "guests": 1}));
    }
    assert_eq!(names(&here(&guest, &other).await), ["bob"]);

    // A ban ends the streams at once.
    zoe.ban(&bob).await;
    assert_eq!(names(&here(&guest, &room).await), ["zoe", "ali"]);
    zoe.set_role(&ali, "admin").await;
    assert_eq!(names(&here(&guest, &room).await), ["ali", "zoe"]);

    guest.get(&format!("/rooms/{}/here", Uuid::now_v7())).await.refused(404, "not_found");
    zoe.archive(&room).await;
    ali.get(&format!("/rooms/{}/here", room.id)).await.is(200);
    guest.get(&format!("/rooms/{}/here", room.id)).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_list_is_sent_again_only_after_a_change() {
    let chat = Chat::start().await;
    let (ali, room) = (chat.user("ali").await, chat.room("general").await);
    let path = format!("/rooms/{}/here", room.id);
    let known = async |tag: &str| {
        let request = chat.guest().request(Method::GET, &path).header(IF_NONE_MATCH, tag);
        Answer::of(path.clone(), request.send().await.expect("an answer")).await
    };
    let tag = chat.guest().get(&path).await.is(200).header(ETAG).to_owned();
    assert_eq!(known(&tag).await.is(304).text, "");
    let _stream = ali.listen(&room).await;
    assert_ne!(known(&tag).await.is(200).header(ETAG), tag);
}

#[tokio::test]
async fn people_on_other_instances_are_listed() {
    let Some(redis) = Redis::start().await else { return };
    let chat = Chat::start_with(|config| config.redis_connection = Some(redis.url().into())).await;
    let second = chat.second_instance().await;
    let (ali, mia, room) = (chat.user("ali").await, chat.user("mia").await, chat.room("general").await);
    second.catch_up().await;
    let (mut ours, _theirs) = (ali.listen(&room).await, mia.at(&second).listen(&room).await);
    let _guest = second.guest().listen(&room).await;
    // Somebody with a page on each instance is one.
    let _twice = ali.at(&second).listen(&room).await;
    tokio::time::timeout(DEADLINE, ours.expect_online(room.id, 2, 1)).await.expect("reports arrive");
    let list = here(&chat.guest(), &room).await;
    assert_eq!((names(&list), &list["users_total"], &list["guests"]), (vec!["ali", "mia"], &json!(2), &json!(1)));
}

#[tokio::test]
async fn a_page_of_messages_names_the_admins_that_its_readers_see() {
    let chat = Chat::start().await;
    let (ada, eve, zoe) = (chat.admin("ada").await, chat.admin("eve").await, chat.admin("zoe").await);
    let (bob, room) = (chat.user("bob").await, chat.room("general").await);
    let admins = async || {
        let page = chat.guest().get(&format!("/messages?room_id={}", room.id)).await.is(200).json();
        page["admins"].as_array().expect("a list").clone()
    };
    assert_eq!(admins().await, Vec::<Value>::new(), "nobody is told of admins who are not seen in the room");
    ada.post(&room, "welcome").await;
    bob.post(&room, "thanks").await;
    assert_eq!(admins().await, [json!(ada.id)]);
    let _stream = eve.listen(&room).await;
    assert_eq!(admins().await.len(), 2);
    zoe.set_role(&ada, "user").await;
    assert_eq!(admins().await, [json!(eve.id)]);
}

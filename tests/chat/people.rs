//! Suggestions of people to mention.

use serde_json::{Value, json};

use crate::actors::{Chat, Guest};

async fn names(caller: &Guest, path: &str) -> Vec<String> {
    let list = caller.get(path).await.is(200).json();
    let people = list["people"].as_array().expect("a list").iter();
    people.map(|person| person["username"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn authors_of_the_room_come_first_and_others_follow_by_name() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (ann, anna, bob) = (chat.user("ann_lee").await, chat.user("anna").await, chat.user("bob").await);
    let (other, banned) = (chat.user("annxlee").await, chat.user("anne").await);
    let room = chat.room("general").await;
    let path = |query: &str| format!("/rooms/{}/people{query}", room.id);
    assert_eq!(names(&bob, &path("")).await, Vec::<String>::new(), "nobody wrote yet");
    for author in [&bob, &anna, &banned, &bob] {
        author.post(&room, "hello").await;
    }
    founder.ban(&banned).await;
    assert_eq!(names(&ann, &path("")).await, ["bob", "anna"], "latest first");
    assert_eq!(names(&ann, &path("?query=AN")).await, ["anna", "ann_lee", "annxlee"]);
    assert_eq!(names(&ann, &path("?query=ann_")).await, ["ann_lee"], "an underscore is a character");
    assert_eq!(names(&ann, &path("?query=an&limit=2")).await, ["anna", "ann_lee"]);
    assert_eq!(names(&ann, &path("?query=nobody")).await, Vec::<String>::new());
    let answer = ann.get(&path("?query=bob")).await.is(200).json();
    assert_eq!(answer, json!({"people": [{"id": bob.id, "username": "bob", "role": "user"}]}));

    founder.delete(&format!("/users/{}", other.id)).await.is(204);
    assert_eq!(names(&ann, &path("?query=ann")).await, ["anna", "ann_lee"]);
    assert_eq!(names(&ann, &path("?query=erased")).await, Vec::<String>::new());
}

#[tokio::test]
async fn callers_and_queries_that_are_refused() {
    let chat = Chat::start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let (room, attic) = (chat.room("general").await, chat.room("attic").await);
    founder.post(&attic, "up here").await;
    founder.archive(&attic).await;
    let path = format!("/rooms/{}/people", room.id);
    chat.guest().get(&path).await.refused(401, "unauthenticated");
    for query in ["limit=0", "limit=x", "page=1"] {
        alice.get(&format!("{path}?{query}")).await.refused(400, "malformed");
    }
    let attic = format!("/rooms/{}/people", attic.id);
    alice.get(&attic).await.refused(404, "not_found");
    assert_eq!(names(&founder, &attic).await.len(), 1);
    alice.get(&format!("/rooms/{}/people", uuid::Uuid::now_v7())).await.refused(404, "not_found");
    assert_ne!(founder.get(&path).await.is(200).json(), Value::Null);
}

//! Query parameters that links, polyfills and scripts add to a URL. They must never break the stream or the page.

use crate::actors::Chat;

#[tokio::test]
async fn unknown_query_parameters_of_a_stream_are_ignored() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let long = "x".repeat(100);
    for extra in [
        "utm_source=mail&utm_medium=link",
        "_=1732900000000",
        "colour=red&colour=blue",
        "lastEventId=",
        "lastEventId=undefined",
        "lastEventId=not+a+cursor!",
        "lastEventId=a&lastEventId=b",
        &format!("lastEventId={long}"),
        "%ff=%ff&=&x&&",
    ] {
        chat.guest().get(&format!("/sse?room={}&{extra}", room.id)).await.is(200);
        // Known parameters are still validated strictly.
        chat.guest().get(&format!("/sse?room=general&{extra}")).await.refused(400, "malformed");
        chat.guest().get(&format!("/sse?cursor=+&{extra}")).await.refused(400, "malformed_cursor");
        chat.guest().get(&format!("/sse?access_token=x&{extra}")).await.refused(401, "invalid_token");
    }
}

/// A polyfill reuses the URL of its first connection, including `cursor`, and adds the last id that it received.
#[tokio::test]
async fn a_polyfill_resumes_by_query_parameters() {
    let chat = Chat::start().await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    let mut stream = chat.guest().listen(&room).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        alice.post(&room, body).await;
        ids.push(stream.expect("message.posted").await.id.expect("a durable event has an id"));
    }
    let opening = || chat.guest().opening().room(&room);
    for (opening, expected) in [
        (opening().with("lastEventId", &ids[0]), &["two", "three"][..]),
        (opening().with("lastEventId", &ids[1]).from(&ids[0]), &["three"]),
        (opening().with("lastEventId", "garbage").from(&ids[0]), &["two", "three"]),
        (opening().with("lastEventId", &ids[0]).after_event(&ids[1]), &["three"]),
    ] {
        let mut resumed = opening.open().await;
        for body in expected {
            assert_eq!(resumed.next_durable().await.data["body"], *body, "{opening:?}");
        }
    }
}

#[tokio::test]
async fn unknown_query_parameters_of_pages_and_health_checks_are_ignored() {
    let app = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(app.path().join("index.html"), "<title>app</title>").expect("a file");
    std::fs::write(app.path().join("config.js"), "").expect("a file");
    let dir = app.path().to_owned();
    let chat = Chat::start_with(|config| config.spa_dir = Some(dir)).await;
    let addresses = ["/", "/r/01", "/config.js", "/livez", "/readyz", "/openapi.json", "/swagger/", "/swagger"];
    for address in addresses {
        for query in ["?utm_source=mail&utm_medium=link", "?v=2", "?_=1&_=2", "?%ff", "?"] {
            let request = chat.guest().request(reqwest::Method::GET, &format!("{address}{query}"));
            let answer = request.header("accept", "text/html,*/*").send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{address}{query}");
        }
    }
}

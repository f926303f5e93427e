//! Every documented refusal; no request may cause an internal error.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER};
use serde_json::json;
use uuid::Uuid;

use crate::actors::{Answer, Chat, Guest, PASSWORD};

async fn raw(by: &Guest, method: Method, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = by.request(method.clone(), path).header(CONTENT_TYPE, content_type).body(body);
    Answer::of(format!("{method} {path}"), request.send().await.expect("an answer")).await
}

#[tokio::test]
async fn malformed_json_queries_and_cursors_are_400() {
    let chat = Chat::start().await;
    let (guest, alice) = (chat.guest(), chat.user("alice").await);
    for body in ["", "{", "{\"username\":", "nonsense", "{} {}", "{'a':1}", "{\"a\":1,}", "[1"] {
        raw(&guest, Method::POST, "/auth/login", "application/json", body).await.refused(400, "malformed");
    }
    let not_utf8 = vec![b'"', 0xff, 0xfe, b'"'];
    raw(&guest, Method::POST, "/auth/login", "application/json", not_utf8).await.refused(400, "malformed");
    let room = chat.room("general").await;
    for path in [
        "/messages".to_owned(),
        "/messages?room_id=general".to_owned(),
        format!("/messages?room_id={}&colour=red", room.id),
        format!("/messages?room_id={}&limit=0", room.id),
        format!("/messages?room_id={}&limit=-1", room.id),
        format!("/messages?room_id={}&limit=many", room.id),
        format!("/messages?room_id={}&before=one", room.id),
        format!("/messages?room_id={}&after=1e3", room.id),
        format!("/messages?room_id={0}&room_id={0}", room.id),
        "/rooms?archived=perhaps".to_owned(),
        "/rooms?archived".to_owned(),
        "/sse?room=general".to_owned(),
        "/sse?cursor=a.1&cursor=a.1".to_owned(),
        "/sse?replay_limit=-1".to_owned(),
        format!("/sse?room={}", vec![room.id.to_string(); 101].join("&room=")),
    ] {
        guest.get(&path).await.refused(400, "malformed");
    }
    for path in ["/direct-messages?with=ali", "/direct-messages?before=x", "/direct-messages?colour=red"] {
        alice.get(path).await.refused(400, "malformed");
    }
    for path in ["/users?limit=0", "/users?limit=x", "/users?name=x", "/audit?before=x"] {
        chat.founder().await.get(path).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn an_invalid_token_is_401_and_never_treated_as_a_guest() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let token = alice.access_token();
    let (head, rest) = token.split_once('.').expect("a token has parts");
    let (claims, signature) = rest.split_once('.').expect("a token has three parts");
    let flipped = if signature.starts_with('A') { 'B' } else { 'A' };
    let unsigned = "eyJhbGciOiJub25lIn0";
    for bad in [
        String::new(),
        "garbage".to_owned(),
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{flipped}{}", &signature[1..]),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{token}.{token}"),
        token.repeat(20),
    ] {
        for path in ["/rooms", "/users/me", "/sse"] {
            chat.guest().with_token(&bad).get(path).await.refused(401, "invalid_token");
        }
        chat.guest().opening().with("access_token", &bad).answer(Method::GET).await.refused(401, "invalid_token");
    }
    for credentials in ["Basic YWxpOnRlc3Q=", "Bearer", token] {
        let request = chat.guest().request(Method::GET, "/rooms").header("authorization", credentials);
        let answer = Answer::of(credentials.to_owned(), request.send().await.expect("an answer")).await;
        answer.refused(401, "invalid_token");
    }
    chat.guest().send("/users/me", json!({})).await.refused(405, "method_not_allowed");
    let wrong = json!({"username": "alice", "password": "wrong password"});
    let known = chat.guest().send("/auth/login", wrong).await.refused(401, "wrong_credentials");
    let wrong = json!({"username": "nobody", "password": "wrong password"});
    let unknown = chat.guest().send("/auth/login", wrong).await.refused(401, "wrong_credentials");
    assert_eq!(known.text, unknown.text, "the response does not reveal existing names");
    chat.guest().send("/auth/refresh", json!({"refresh_token": "x"})).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_token_expires_at_its_second() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    chat.clock.advance(Duration::from_secs(899));
    alice.get("/users/me").await.is(200);
    chat.clock.advance(Duration::from_secs(1));
    alice.get("/users/me").await.refused(401, "invalid_token");
    alice.get("/rooms").await.refused(401, "invalid_token");
    alice.refreshed().await.get("/users/me").await.is(200);
}

#[tokio::test]
async fn access_tokens_in_the_query_are_accepted_for_streams_only() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let query = format!("access_token={}", alice.access_token());
    chat.guest().get(&format!("/messages?room_id={}&{query}", room.id)).await.refused(400, "malformed");
    chat.guest().get(&format!("/users/me?{query}")).await.refused(401, "unauthenticated");
    chat.guest().get(&format!("/direct-messages?{query}")).await.refused(401, "unauthenticated");
    let message = json!({"room_id": room.id, "body": "hi"});
    chat.guest().send(&format!("/messages?{query}"), message).await.refused(401, "unauthenticated");
    let stream = alice.opening().token_in_query().open().await;
    assert_eq!(stream.hello["user"]["username"], "alice");
}

#[tokio::test]
async fn a_known_caller_without_the_right_is_403() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let message = ada.post(&room, "hi").await;
    bob.try_edit(message.id, "ho").await.refused(403, "not_author");
    bob.try_delete(message.id).await.refused(403, "not_author");
    bob.send("/rooms", json!({"name": "Garden"})).await.refused(403, "not_admin");
    bob.try_write_to(ada.id, "may I?").await.refused(403, "not_admin");
    for what in ["mute", "ban"] {
        let body = if what == "mute" { json!({"seconds": 1}) } else { json!({}) };
        ada.send(&format!("/users/{}/{what}", ada.id), body).await.refused(403, "not_allowed");
    }
    ada.mute(&bob, 60).await;
    bob.try_post(&room, "hi").await.refused(403, "muted");
    ada.unmute(&bob).await;
    bob.post(&room, "hi").await;
    ada.ban(&bob).await;
    bob.try_post(&room, "hi").await.refused(401, "invalid_token");
    let credentials = json!({"username": "bob", "password": PASSWORD});
    chat.guest().send("/auth/login", credentials).await.refused(403, "banned");
}

#[tokio::test]
async fn unknown_paths_and_ids_are_404() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let unknown = Uuid::new_v4();
    for id in [unknown.to_string(), "general".to_owned(), "%00".to_owned(), "%ff".to_owned(), "1".to_owned()] {
        ada.get(&format!("/rooms/{id}")).await.refused(404, "not_found");
        ada.patch(&format!("/rooms/{id}"), json!({"name": "Garden"})).await.refused(404, "not_found");
        ada.tell(&format!("/rooms/{id}/archive")).await.refused(404, "not_found");
        ada.tell(&format!("/rooms/{id}/restore")).await.refused(404, "not_found");
        ada.patch(&format!("/messages/{id}"), json!({"body": "hi"})).await.refused(404, "not_found");
        ada.delete(&format!("/messages/{id}")).await.refused(404, "not_found");
        ada.patch(&format!("/users/{id}"), json!({"role": "user"})).await.refused(404, "not_found");
        ada.send(&format!("/users/{id}/mute"), json!({"seconds": 1})).await.refused(404, "not_found");
        ada.tell(&format!("/users/{id}/unmute")).await.refused(404, "not_found");
        ada.send(&format!("/users/{id}/ban"), json!({})).await.refused(404, "not_found");
        ada.tell(&format!("/users/{id}/unban")).await.refused(404, "not_found");
        ada.tell(&format!("/users/{id}/end-sessions")).await.refused(404, "not_found");
    }
    ada.get(&format!("/messages?room_id={unknown}")).await.refused(404, "not_found");
    ada.send("/messages", json!({"room_id": unknown, "body": "hi"})).await.refused(404, "not_found");
    ada.send("/direct-messages", json!({"recipient_id": unknown, "body": "hi"})).await.refused(404, "not_found");
    let request = chat.guest().request(Method::GET, "/nothing/here").header(ACCEPT, "application/json");
    Answer::of("GET /nothing/here".to_owned(), request.send().await.expect("an answer"))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn an_unsupported_method_is_405_with_allow() {
    let chat = Chat::start().await;
    for (method, path, allowed) in [
        (Method::DELETE, "/rooms", "GET,HEAD,POST"),
        (Method::PUT, "/messages", "GET,HEAD,POST"),
        (Method::POST, "/messages/x", "PATCH,DELETE"),
        (Method::GET, "/auth/login", "POST"),
        (Method::POST, "/auth/password", "PUT"),
        (Method::POST, "/users", "GET,HEAD"),
        (Method::POST, "/sse", "GET,HEAD"),
        (Method::POST, "/livez", "GET,HEAD"),
        (Method::DELETE, "/metrics", "GET,HEAD"),
    ] {
        let answer = chat.guest().call(method, path, None).await.refused(405, "method_not_allowed");
        let sorted = |list: &str| {
            let mut methods: Vec<String> = list.split(',').map(|method| method.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(answer.header(ALLOW)), sorted(allowed), "{}", answer.request);
    }
}

#[tokio::test]
async fn a_conflict_with_the_state_is_409() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let garden = founder.create_room("Äpfel").await;
    let orchard = founder.create_room("Orchard").await;
    founder.send("/rooms", json!({"name": "äPFEL"})).await.refused(409, "name_in_use");
    founder.patch(&format!("/rooms/{}", orchard.id), json!({"name": "ÄPFEL"})).await.refused(409, "name_in_use");
    founder.archive(&garden).await;
    let heir = founder.create_room("äpfel").await;
    founder.tell(&format!("/rooms/{}/restore", garden.id)).await.refused(409, "name_in_use");
    founder.rename(&heir, "Pears").await;
    founder.restore(&garden).await;
    // A room may change the case of its own name.
    founder.rename(&garden, "ÄPFEL").await;

    chat.user("alice").await;
    let taken = json!({"username": "ALICE", "password": PASSWORD});
    chat.guest().send("/auth/register", taken).await.refused(409, "username_taken");
    let message = founder.post(&garden, "hi").await;
    founder.delete_message(message.id).await;
    founder.try_edit(message.id, "ho").await.refused(409, "message_deleted");
    founder.delete_message(message.id).await;
    founder.patch(&format!("/users/{}", founder.id), json!({"role": "user"})).await.refused(409, "last_admin");
}

#[tokio::test]
async fn bodies_are_bounded_and_json() {
    let chat = Chat::start().await;
    let (guest, json) = (chat.guest(), "application/json");
    let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
    raw(&guest, Method::POST, "/auth/login", json, padded(65_536)).await.refused(422, "invalid");
    raw(&guest, Method::POST, "/auth/login", json, padded(65_537)).await.refused(413, "too_large");
    // The limit applies to the received bytes, so also without a length.
    let pieces = futures_util::stream::iter((0..9).map(|_| Ok::<_, std::io::Error>(vec![b' '; 8_192])));
    let endless = reqwest::Body::wrap_stream(pieces);
    raw(&guest, Method::POST, "/auth/login", json, endless).await.refused(413, "too_large");
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]
    {
        raw(&guest, Method::POST, "/auth/login", content_type, "{}").await.refused(415, "unsupported_media_type");
    }
    let typeless = guest.request(Method::POST, "/auth/login").body("{}");
    let answer = Answer::of("without a type".to_owned(), typeless.send().await.expect("an answer")).await;
    answer.refused(415, "unsupported_media_type");
    raw(&guest, Method::POST, "/auth/login", "Application/JSON; charset=utf-8", "{}").await.refused(422, "invalid");
}

#[tokio::test]
async fn unknown_fields_are_refused_by_name() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let room = chat.room("general").await;
    let message = ada.post(&room, "hi").await;
    let of_user = |what: &str| format!("/users/{}{what}", ada.id);
    for (method, path, mut body) in [
        (Method::POST, "/auth/register".to_owned(), json!({"username": "bob", "password": PASSWORD})),
        (Method::POST, "/auth/login".to_owned(), json!({"username": "bob", "password": PASSWORD})),
        (Method::POST, "/auth/refresh".to_owned(), json!({"refresh_token": "x"})),
        (Method::POST, "/auth/logout".to_owned(), json!({"refresh_token": "x"})),
        (Method::PUT, "/auth/password".to_owned(), json!({"current_password": PASSWORD, "new_password": PASSWORD})),
        (Method::POST, "/rooms".to_owned(), json!({"name": "Garden"})),
        (Method::PATCH, format!("/rooms/{}", room.id), json!({"name": "Garden"})),
        (Method::POST, "/messages".to_owned(), json!({"room_id": room.id, "body": "hi"})),
        (Method::PATCH, format!("/messages/{}", message.id), json!({"body": "ho"})),
        (Method::POST, "/direct-messages".to_owned(), json!({"recipient_id": ada.id, "body": "hi"})),
        (Method::PATCH, of_user(""), json!({"role": "user"})),
        (Method::POST, of_user("/mute"), json!({"seconds": 1, "reason": "x"})),
        (Method::POST, of_user("/ban"), json!({"reason": "x"})),
    ] {
        body["colour"] = json!("red");
        ada.call(method, &path, Some(body)).await.refused_field("colour");
    }
    assert_eq!(chat.guest().bodies(&room).await, ["hi"], "refused requests had no effect");
}

#[tokio::test]
async fn a_request_beyond_a_limit_is_429_with_the_time_to_wait() {
    let chat = Chat::start_with(|config| config.rate_limits = true).await;
    chat.user("alice").await;
    let wrong = || json!({"username": "alice", "password": "wrong password"});
    for _ in 0..10 {
        chat.guest().send("/auth/login", wrong()).await.refused(401, "wrong_credentials");
    }
    let refused = chat.guest().send("/auth/login", wrong()).await.refused(429, "too_many_requests");
    let seconds: u64 = refused.header(RETRY_AFTER).parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    // The correct password is refused, too: any other response would confirm it to an attacker.
    let right = json!({"username": "alice", "password": PASSWORD});
    chat.guest().send("/auth/login", right).await.refused(429, "too_many_requests");
}

#[tokio::test]
async fn an_unavailable_database_is_503_within_three_seconds_and_service_resumes() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut guest = chat.guest().listen(&room).await;
    let client_id = Uuid::new_v4().to_string();

    chat.take_database_away().await;
    for request in [
        alice.try_post_as(room.id, "kept", &client_id).await,
        alice.get("/rooms").await,
        alice.get("/users/me").await,
        chat.guest().get("/readyz").await,
    ] {
        request.refused(503, "unavailable");
    }
    let asked = Instant::now();
    let refused = alice.try_post_as(room.id, "kept", &client_id).await.refused(503, "unavailable");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let seconds: u64 = refused.header(RETRY_AFTER).parse().expect("whole seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
    chat.guest().get("/livez").await.is(200);

    chat.bring_database_back().await;
    let posted = alice.try_post_as(room.id, "kept", &client_id).await;
    assert!([200, 201].contains(&posted.status), "{posted:?}");
    // The stream stayed open meanwhile.
    guest.expect_message("kept").await;
    assert_eq!(chat.guest().bodies(&room).await, ["kept"]);
}

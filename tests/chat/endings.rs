//! The end of a stream: announced with a reason where possible, and never a silent change to a guest's stream.

use std::time::Duration;

use gapless::stream::RETRY_MS;
use serde_json::json;

use crate::actors::{Answer, Chat, PASSWORD, Stream, User};

#[tokio::test]
async fn a_stream_announces_its_tokens_end_and_ends_with_it() {
    let chat = Chat::start_with(|config| config.access_token_ttl = Duration::from_secs(1)).await;
    let alice = chat.user("alice").await;
    let mut stream = alice.opening().open().await;
    let expiring = stream.expect("expiring").await;
    assert_eq!((expiring.id, &expiring.data), (None, &json!({"expires_at": stream.hello["expires_at"]})));
    stream.expect_bye("expired").await;
}

/// Ends alice's session in this way, and returns whether that also ends her other one.
async fn end_by(what: &str, alice: &User, other: &User, ada: &User) -> bool {
    match what {
        "sign-out" => alice.sign_out().await,
        "sign-out everywhere" => drop(other.tell("/auth/logout-all").await.is(204)),
        "another password" => {
            let change = json!({"current_password": PASSWORD, "new_password": "another one"});
            other.put("/auth/password", change).await.is(204);
        }
        "a spent refresh token" => {
            alice.refreshed().await.refreshed().await;
            let spent = json!({"refresh_token": alice.refresh_token});
            alice.send("/auth/refresh", spent).await.refused(401, "invalid_refresh_token");
        }
        "a ban" => ada.ban(alice).await,
        "an admin's action" => ada.end_sessions_of(alice).await,
        _ => unreachable!("{what} is in the list below"),
    }
    !["sign-out", "another password", "a spent refresh token"].contains(&what)
}

#[tokio::test]
async fn a_revoked_session_ends_its_streams_at_once_on_every_instance() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let ada = chat.admin("ada").await;
    let room = chat.room("general").await;
    let ways =
        ["sign-out", "sign-out everywhere", "another password", "a spent refresh token", "a ban", "an admin's action"];
    for (n, what) in ways.into_iter().enumerate() {
        let alice = chat.user(&format!("alice-{n}")).await;
        let other = alice.another_session().await;
        second.catch_up().await;
        let mut here = alice.listen(&room).await;
        let mut there = alice.at(&second).listen(&room).await;
        let mut of_other = other.listen(&room).await;

        let all_end = end_by(what, &alice, &other, &ada).await;
        ada.post(&room, &format!("after {what}")).await;
        expect_revoked(&mut here, what).await;
        expect_revoked(&mut there, what).await;
        alice.get("/users/me").await.refused(401, "invalid_token");
        alice.at(&second).get("/rooms").await.refused(401, "invalid_token");
        let refreshed = alice.send("/auth/refresh", json!({"refresh_token": alice.refresh_token})).await;
        let refused = if what == "a ban" { (403, "banned") } else { (401, "invalid_refresh_token") };
        refreshed.refused(refused.0, refused.1);
        if all_end {
            expect_revoked(&mut of_other, what).await;
        } else {
            of_other.expect_message(&format!("after {what}")).await;
            other.get("/users/me").await.is(200);
        }
    }
}

async fn expect_revoked(stream: &mut Stream, what: &str) {
    stream.expect_bye("revoked").await;
    assert!(!stream.transcript.contains("after "), "an event after {what} was received: {}", stream.transcript);
}

#[tokio::test]
async fn a_banned_user_cannot_return_until_the_ban_is_lifted() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    ada.ban(&bob).await;
    bob.opening().answer(reqwest::Method::GET).await.refused(401, "invalid_token");
    let credentials = json!({"username": "bob", "password": PASSWORD});
    let refresh = json!({"refresh_token": bob.refresh_token});
    let detail = |answer: Answer| answer.json()["detail"].clone();
    for (path, body) in [("/auth/login", &credentials), ("/auth/refresh", &refresh)] {
        let refused = chat.guest().send(path, body.clone()).await.refused(403, "banned");
        assert_ne!(detail(refused), "You were banned.", "the reason is named");
    }
    // Nobody else learns of the ban.
    let wrong = json!({"username": "bob", "password": "another one"});
    chat.guest().send("/auth/login", wrong).await.refused(401, "wrong_credentials");
    let unknown = json!({"refresh_token": "a".repeat(43)});
    chat.guest().send("/auth/refresh", unknown).await.refused(401, "invalid_refresh_token");
    ada.unban(&bob).await;
    ada.send(&format!("/users/{}/ban", bob.id), json!({"reason": "Spam"})).await.is(200);
    for (path, body) in [("/auth/login", &credentials), ("/auth/refresh", &refresh)] {
        let refused = chat.guest().send(path, body.clone()).await.refused(403, "banned");
        assert_eq!(detail(refused), "You were banned: Spam.");
    }
    ada.unban(&bob).await;
    ada.send(&format!("/users/{}/ban", bob.id), json!({})).await.is(200);
    assert_eq!(detail(chat.guest().send("/auth/refresh", refresh.clone()).await.is(403)), "You were banned.");
    ada.unban(&bob).await;
    chat.guest().send("/auth/refresh", refresh).await.refused(401, "invalid_refresh_token");
    bob.get("/users/me").await.refused(401, "invalid_token");
    bob.another_session().await.opening().open().await;
}

#[tokio::test]
async fn a_demotion_takes_effect_at_once_on_every_instance() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let (ada, bob) = (chat.admin("ada").await, chat.admin("bob").await);
    second.catch_up().await;
    let mut there = bob.at(&second).opening().open().await;
    ada.set_role(&bob, "user").await;
    bob.get("/users").await.refused(403, "not_admin");
    assert_eq!(there.expect("user.changed").await.data["role"], "user");
    bob.at(&second).get("/users").await.refused(403, "not_admin");
    ada.set_role(&bob, "admin").await;
    bob.get("/users").await.is(200);
    there.expect("user.changed").await;
    bob.at(&second).get("/users").await.is(200);
}

#[tokio::test]
async fn a_stream_beyond_the_limit_is_told_to_retry() {
    let chat = Chat::start_with(|config| config.max_streams = 1).await;
    let first = chat.guest().opening().open().await;
    let mut second = chat.guest().opening().connect().await;
    let bye = second.next().await;
    assert_eq!((&*bye.name, &bye.data), ("bye", &json!({"reason": "busy"})));
    assert!(bye.retry.is_some_and(|retry| retry > RETRY_MS.end), "later than those within the limit: {bye:?}");
    assert_eq!(second.next_or_end().await, None);
    drop(first);
    // The slot is free once the server has noticed that the other stream was closed.
    while chat.guest().opening().connect().await.next().await.name != "hello" {}
}

#[tokio::test]
async fn readers_of_an_instance_that_shuts_down_resume_elsewhere() {
    let chat = Chat::start_with(|config| config.drain_grace = Duration::from_secs(5)).await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(chat.guest().listen(&room).await);
    }
    let leaving = chat.first.app.clone();
    let left = tokio::spawn(async move { leaving.leave().await });
    for stream in &mut streams {
        let drain = stream.expect("drain").await;
        assert_eq!(drain.id, None);
        assert_eq!(drain.data, json!({"retry_ms": drain.retry.expect("drain sets how long to wait")}));
    }
    let alice = alice.at(&second);
    alice.post(&room, "meanwhile").await;
    for mut stream in streams {
        let mut ended = stream.next_durable_or_bye().await;
        if ended.name != "bye" {
            ended = stream.next_durable_or_bye().await;
        }
        assert_eq!((&*ended.name, &ended.data), ("bye", &json!({"reason": "shutdown"})));
        let heard = stream.transcript.contains("meanwhile");
        let mut resumed = second.guest().opening().room(&room).after_event(&stream.cursor).open().await;
        if !heard {
            resumed.expect_message("meanwhile").await;
        }
        alice.post(&room, "here again").await;
        loop {
            if resumed.expect("message.posted").await.data["body"] == "here again" {
                break;
            }
        }
    }
    left.await.expect("the instance has shut down");
}

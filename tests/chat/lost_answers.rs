//! A refresh whose response got lost: it signs nobody out, and a thief is still detected.

use std::time::Duration;

use gapless::config::SigningKey;
use serde_json::{Value, json};

use crate::actors::{Answer, Chat, Guest, Link, LinkFault, Upstream, User};

async fn refresh(caller: &Guest, token: &str) -> Answer {
    caller.send("/auth/refresh", json!({"refresh_token": token})).await
}

/// Refreshes and returns the session's new refresh token.
async fn refreshed(caller: &Guest, token: &str) -> String {
    token_of(&refresh(caller, token).await.is(200).json())
}

fn token_of(session: &Value) -> String {
    session["refresh_token"].as_str().expect("a session has a refresh token").to_owned()
}

async fn is_signed_in(alice: &User) -> bool {
    alice.get("/users/me").await.status == 200
}

#[tokio::test]
async fn a_lost_response_is_repeated() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let link = Link::to(Upstream::Tcp(alice.address)).await.expect("a free port");
    let far = Guest { address: link.address, token: None };
    let mut token = alice.refresh_token.clone();
    for _ in 0..5 {
        link.inject(LinkFault::SwallowAnswers);
        let asked = far.request(reqwest::Method::POST, "/auth/refresh").json(&json!({"refresh_token": token}));
        assert!(asked.send().await.is_err(), "the link drops responses");
        link.heal();
        let next = refreshed(&far, &token).await;
        assert_ne!(next, token);
        assert_eq!(refreshed(&far, &token).await, next, "the same successor any number of times");
        token = next;
    }
    let session = refresh(&far, &token).await.is(200).json();
    let access_token = session["access_token"].as_str().expect("an access token");
    chat.guest().with_token(access_token).get("/users/me").await.is(200);
    assert!(is_signed_in(&alice).await);
}

#[tokio::test]
async fn three_tabs_at_once_on_two_instances_get_the_same_token() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let (here, there) = (chat.guest(), second.guest());
    let token = &alice.refresh_token;
    let (one, two, three) = tokio::join!(refreshed(&here, token), refreshed(&there, token), refreshed(&here, token));
    assert_eq!((&one, &one), (&two, &three));
    assert_eq!(refreshed(&there, token).await, one);
    assert_ne!(refreshed(&here, &one).await, one, "it is valid");
    assert!(is_signed_in(&alice).await);
}

#[tokio::test]
async fn after_the_grace_period_a_new_successor_is_issued_and_the_first_one_is_theft() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let guest = chat.guest();
    let lost = refreshed(&guest, &alice.refresh_token).await;
    // The phone slept for a day.
    chat.clock.advance(Duration::from_hours(24));
    let next = refreshed(&guest, &alice.refresh_token).await;
    assert_ne!(next, lost);
    assert_eq!(refreshed(&guest, &alice.refresh_token).await, next, "a new grace period");
    let newest = refreshed(&guest, &next).await;

    let alarm = refresh(&guest, &lost).await;
    alarm.refused(401, "invalid_refresh_token");
    refresh(&guest, &newest).await.refused(401, "invalid_refresh_token");
    assert!(!is_signed_in(&alice).await, "the session has ended");
}

#[tokio::test]
async fn a_spent_token_with_a_used_successor_is_theft_even_within_the_grace_period() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let mut stream = alice.opening().open().await;
    let guest = chat.guest();
    let next = refreshed(&guest, &alice.refresh_token).await;
    let newest = refreshed(&guest, &next).await;
    refresh(&guest, &alice.refresh_token).await.refused(401, "invalid_refresh_token");
    stream.expect_bye("revoked").await;
    refresh(&guest, &newest).await.refused(401, "invalid_refresh_token");
}

#[tokio::test]
async fn an_ended_session_gets_no_successor() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let guest = chat.guest();
    for (n, what) in ["a sign-out", "a sign-out everywhere", "a ban", "time"].into_iter().enumerate() {
        let alice = chat.user(&format!("alice-{n}")).await;
        let next = refreshed(&guest, &alice.refresh_token).await;
        match what {
            // By the superseded token, the only one that the client has after a lost response.
            "a sign-out" => alice.sign_out().await,
            "a sign-out everywhere" => drop(alice.tell("/auth/logout-all").await.is(204)),
            "a ban" => ada.ban(&alice).await,
            _ => chat.clock.advance(chat.config.refresh_token_ttl),
        }
        // Somebody who is banned is told so, and why.
        let refused = if what == "a ban" { 403 } else { 401 };
        for token in [&alice.refresh_token, &next] {
            assert_eq!(refresh(&guest, token).await.status, refused, "after {what}");
        }
        assert!(!is_signed_in(&alice).await, "after {what}");
    }
}

#[tokio::test]
async fn a_successor_outlives_the_rotation_of_its_key() {
    let mut chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let lost = refreshed(&chat.guest(), &alice.refresh_token).await;

    let former = std::mem::replace(&mut chat.config.jwt_signing_key, SigningKey::from([9; 32]));
    chat.config.jwt_previous_keys = vec![former];
    let rotated = chat.second_instance().await;
    assert_eq!(refreshed(&rotated.guest(), &alice.refresh_token).await, lost);

    chat.config.jwt_previous_keys = Vec::new();
    let dropped = chat.second_instance().await;
    let next = refreshed(&dropped.guest(), &alice.refresh_token).await;
    assert_ne!(next, lost, "the previous successor can no longer be derived");
    refreshed(&dropped.guest(), &next).await;
}

/// A thief who waited: the stolen token is one of many, and the database no longer has it.
#[tokio::test]
async fn a_token_from_long_before_ends_the_session() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let guest = chat.guest();
    let stolen = refreshed(&guest, &alice.refresh_token).await;
    let mut newest = stolen.clone();
    for _ in 0..5 {
        newest = refreshed(&guest, &newest).await;
    }
    let count = sqlx::query_scalar::<_, i64>("select count(*) from refresh_tokens").fetch_one(&chat.db()).await;
    assert_eq!(count.expect("a count"), 2);
    refresh(&guest, &format!("{}x", &stolen[..stolen.len() - 1])).await.refused(401, "invalid_refresh_token");
    assert!(!is_signed_in(&alice).await, "also one that was altered: its beginning is known to holders only");
    refresh(&guest, &newest).await.refused(401, "invalid_refresh_token");
}

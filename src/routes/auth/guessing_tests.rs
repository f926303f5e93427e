//! Tests of password guessing: strangers are slowed down, and owners can still sign in.

use std::net::IpAddr;

use axum::http::{Method, header};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::config::Config;
use crate::event::Role;
use crate::routes::visitor::{Chat, PASSWORD, Visitor, credentials};

async fn chat(database: PgConnectOptions) -> Chat {
    let chat = Chat::with(database, Config { rate_limits: true, ..Config::for_tests() }).await;
    chat.account("ali", PASSWORD, Role::User).await;
    chat
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, last])
}

async fn guess(stranger: &Visitor, username: &str) -> u16 {
    stranger.post("/auth/login", credentials(username, "a wrong guess")).await.status
}

#[sqlx::test(migrations = false)]
async fn a_stranger_who_guesses_keeps_the_owner_out_of_nothing(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let (stranger, owner) = (chat.guest_from(address(1)), chat.guest_from(address(2)));
    let mut refused = 0;
    let mut ali = owner.clone();
    // 28 guesses, with 20 sign-ins by the owner in between.
    for n in 0..28 {
        match guess(&stranger, "ALI").await {
            401 => {}
            429 => refused += 1,
            other => panic!("{other}"),
        }
        if n >= 8 {
            ali = owner.sign_in("ali").await;
        }
    }
    assert!((14..=18).contains(&refused), "guessing stops after ten: {refused} of 28 refused");

    let change = |from: &str, to: &str| json!({ "current_password": from, "new_password": to });
    ali.ask(Method::PUT, "/auth/password", Some(change(PASSWORD, "battery staple"))).await.expect(204);
    let refusal = stranger.post("/auth/login", credentials("ali", "battery staple")).await;
    let pause: u64 = refusal.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=6).contains(&pause), "{pause} s");
    refusal.expect_refusal(429, "too_many_requests");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_found_access_token_is_no_way_to_guess_the_password(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let owner = chat.guest_from(address(2)).sign_in("ali").await;
    let mut thief = chat.guest_from(address(1));
    thief.access_token.clone_from(&owner.access_token);
    let change = |from: &str| Some(json!({ "current_password": from, "new_password": "battery staple" }));
    // The budget refills while a slow machine hashes, so more guesses than it holds may be answered.
    let mut guesses = 0;
    loop {
        let answer = thief.ask(Method::PUT, "/auth/password", change("a wrong guess")).await;
        if answer.status == 429 {
            break;
        }
        answer.expect_refusal(422, "invalid");
        guesses += 1;
        assert!(guesses < 20, "{guesses} guesses were answered");
    }
    assert!(guesses >= 10, "refused after {guesses} guesses");
    thief.ask(Method::PUT, "/auth/password", change(PASSWORD)).await.expect_refusal(429, "too_many_requests");
    owner.ask(Method::PUT, "/auth/password", change(PASSWORD)).await.expect(204);
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn an_office_behind_one_address_signs_in_while_one_there_sprays(_: PgPoolOptions, database: PgConnectOptions) {
    let chat = chat(database).await;
    let office = chat.guest_from(address(1));
    office.sign_in("ali").await;
    // The budget refills while a slow machine hashes, so more guesses than it holds may be answered.
    let mut guesses = 0;
    while guess(&office, &format!("somebody-{guesses}")).await == 401 {
        guesses += 1;
        assert!(guesses < 60, "{guesses} guesses were answered");
    }
    assert!(guesses >= 30, "refused after {guesses} guesses");
    for _ in 0..12 {
        office.sign_in("ali").await;
    }
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_crowd_that_guesses_is_slowed_and_so_is_nobody_who_was_there_before(
    _: PgPoolOptions,
    database: PgConnectOptions,
) {
    let chat = chat(database).await;
    let ali = chat.guest_from(address(1)).sign_in("ali").await;
    // Twice as many as are admitted at once: the excess outlasts the time that a slow machine takes to hash them.
    for n in 10..70 {
        assert_eq!(guess(&chat.guest_from(address(n)), "ali").await, 401);
    }
    let waits = async |last: u8| {
        let began = std::time::Instant::now();
        drop(chat.app.limits.admit_password("ali", address(last).into()).await.expect("nobody is refused"));
        began.elapsed() >= std::time::Duration::from_secs(1)
    };
    assert!(waits(2).await, "at a new address");
    assert!(!waits(1).await, "at home");
    chat.guest_from(address(2)).post("/auth/login", credentials("ali", PASSWORD)).await.expect(200);
    assert!(!waits(2).await, "where the owner has come in");
    // A device that stays signed in makes its address known as well.
    let away = chat.guest_from(address(3));
    away.post("/auth/refresh", json!({ "refresh_token": ali.refresh_token })).await.expect(200);
    assert!(!waits(3).await, "where a session was refreshed");
    chat.stop().await;
}

//! Validation of input: every limit at its edge, and every character that could do harm.

use reqwest::Method;
use serde_json::{Value, json};

use crate::actors::{Chat, PASSWORD};

#[tokio::test]
async fn lengths_are_counted_in_characters_at_both_edges() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let room = chat.room("general").await;
    let emoji = |count: usize| "😀".repeat(count);

    for body in ["a".to_owned(), emoji(4_000), format!(" {}\n", emoji(4_000))] {
        ada.post(&room, &body).await;
    }
    for body in [String::new(), " \n\t ".to_owned(), "\u{2003}".to_owned(), emoji(4_001)] {
        ada.try_post(&room, &body).await.refused_field("body");
        ada.try_write_to(ada.id, &body).await.refused_field("body");
    }
    for name in ["x".to_owned(), emoji(80), format!(" {} ", "y".repeat(80))] {
        ada.create_room(&name).await;
    }
    for name in [String::new(), "  ".to_owned(), emoji(81), "two\nlines".to_owned(), "a\tb".to_owned()] {
        ada.send("/rooms", json!({"name": name})).await.refused_field("name");
        ada.patch(&format!("/rooms/{}", room.id), json!({"name": name})).await.refused_field("name");
    }
    let register = |name: &str, password: &str| {
        let (guest, account) = (chat.guest(), json!({"username": name, "password": password}));
        async move { guest.send("/auth/register", account).await }
    };
    for (name, password) in [("abc", emoji(8)), (&"z".repeat(32), "p".repeat(128)), ("a_b.c-9", PASSWORD.to_owned())] {
        register(name, &password).await.is(201);
    }
    for name in ["", "ab", &"z".repeat(33), "a b", "älice", "a/b", "alice\n", "a\u{0}b", "<b>"] {
        register(name, PASSWORD).await.refused_field("username");
    }
    for password in [String::new(), emoji(7), "p".repeat(129)] {
        register("somebody", &password).await.refused_field("password");
    }
}

#[tokio::test]
async fn numbers_and_reasons_have_limits() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let mute = format!("/users/{}/mute", bob.id);
    for seconds in [1, 31_536_000] {
        ada.send(&mute, json!({"seconds": seconds, "reason": ""})).await.is(200);
    }
    for seconds in [json!(0), json!(-1), json!(31_536_001), json!(1.5), json!("60"), Value::Null] {
        ada.send(&mute, json!({"seconds": seconds, "reason": ""})).await.refused_field("seconds");
    }
    ada.send(&mute, json!({"seconds": 1, "reason": "😀".repeat(200)})).await.is(200);
    for reason in ["r".repeat(201), "two\nlines".to_owned(), "\u{7f}".to_owned()] {
        ada.send(&mute, json!({"seconds": 1, "reason": reason})).await.refused_field("reason");
        ada.send(&format!("/users/{}/ban", bob.id), json!({"reason": reason})).await.refused_field("reason");
    }
    let retention = format!("/rooms/{}/retention", ada.create_room("general").await.id);
    for days in [json!(0), json!(36_500), json!(7.0), Value::Null] {
        ada.put(&retention, json!({"days": days})).await.is(200);
    }
    for days in [json!(-1), json!(36_501), json!(1.5), json!("7")] {
        ada.put(&retention, json!({"days": days})).await.refused_field("days");
    }
    for role in [json!("owner"), json!("Admin"), json!(1), Value::Null] {
        ada.patch(&format!("/users/{}", bob.id), json!({"role": role})).await.refused_field("role");
    }
}

/// Line ends are normalised, text is trimmed, and everything except control characters is kept: in the
/// response, in the list, and in the event.
#[tokio::test]
async fn text_is_read_as_it_was_written() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let mut guest = chat.guest().listen(&room).await;
    for (written, read) in [
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("  \t kept\tinside \r\n", "kept\tinside"),
        ("\u{2028}a\u{2028}b\u{2029}c\u{2029}", "a\u{2028}b\u{2029}c"),
        ("data: x\n\nevent: bye\ndata: {}", "data: x\n\nevent: bye\ndata: {}"),
        ("😀 👩‍👩‍👧‍👦 🇩🇪 é e\u{301}", "😀 👩‍👩‍👧‍👦 🇩🇪 é e\u{301}"),
        ("\u{202e}right to left\u{202c} العربية", "\u{202e}right to left\u{202c} العربية"),
        ("\\ \" ' <script> & %00 $1 {} --", "\\ \" ' <script> & %00 $1 {} --"),
        ("\u{feff}bom \u{fffd}\u{ffff}\u{10ffff}", "\u{feff}bom \u{fffd}\u{ffff}\u{10ffff}"),
    ] {
        let posted = alice.post(&room, written).await;
        assert_eq!(posted.body.as_deref(), Some(read));
        assert_eq!(guest.expect_message(read).await, posted);
        assert_eq!(chat.guest().bodies(&room).await.last().map(String::as_str), Some(read));
    }
}

#[tokio::test]
async fn control_characters_are_422_in_every_field() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let message = ada.post(&room, "hi").await;
    let control = (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32);
    for character in control.filter(|character| !matches!(character, '\t' | '\n' | '\r')) {
        let text = format!("a{character}b");
        ada.try_post(&room, &text).await.refused_field("body");
        ada.try_edit(message.id, &text).await.refused_field("body");
        ada.try_write_to(bob.id, &text).await.refused_field("body");
        ada.send("/rooms", json!({"name": text})).await.refused_field("name");
        ada.send(&format!("/users/{}/ban", bob.id), json!({"reason": text})).await.refused_field("reason");
        let query = serde_html_form::to_string([("query", &text)]).expect("a pair of text");
        ada.get(&format!("/users?{query}")).await.refused(400, "malformed");
    }
    for name in ["ali\0", "\0", "a\u{1b}[31m"] {
        let credentials = json!({"username": name, "password": PASSWORD});
        chat.guest().send("/auth/login", credentials).await.refused(401, "wrong_credentials");
    }
    // A password may contain any character.
    let odd = json!({"username": "odd", "password": "\0\u{1b}\u{7f}\n\r\t😀\u{2028}"});
    chat.guest().send("/auth/register", odd.clone()).await.is(201);
    chat.guest().send("/auth/login", odd).await.is(200);
    assert_eq!(chat.guest().bodies(&room).await, ["hi"]);
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_422_and_names_its_field() {
    let chat = Chat::start().await;
    let ada = chat.admin("ada").await;
    let room = chat.room("general").await;
    for wrong in [Value::Null, json!(1), json!(true), json!([]), json!({})] {
        ada.send("/messages", json!({"room_id": room.id, "body": wrong})).await.refused_field("body");
        ada.send("/messages", json!({"room_id": wrong, "body": "hi"})).await.refused_field("room_id");
        ada.send("/direct-messages", json!({"recipient_id": wrong, "body": "hi"})).await.refused_field("recipient_id");
        chat.guest().send("/auth/login", json!({"username": wrong, "password": "x"})).await.refused_field("username");
        chat.guest().send("/auth/refresh", json!({"refresh_token": wrong})).await.refused_field("refresh_token");
        ada.send("/rooms", json!({"name": wrong})).await.refused_field("name");
    }
    // JSON allows half of a surrogate pair, which is not a character.
    let half = chat.guest().request(Method::POST, "/auth/login").header("content-type", "application/json");
    let half = half.body(r#"{"username":"\ud800","password":"x"}"#).send().await.expect("an answer");
    assert_eq!(half.status(), 422);
    for client_id in [json!("x"), json!(1), json!({})] {
        let message = json!({"room_id": room.id, "body": "hi", "client_id": client_id});
        ada.send("/messages", message).await.refused_field("client_id");
    }
    for body in [json!([]), json!("text"), json!(1), Value::Null] {
        ada.call(Method::POST, "/messages", Some(body)).await.refused(422, "invalid");
    }
    ada.send("/messages", json!({"room_id": room.id, "body": "hi", "client_id": null})).await.is(201);
}

//! Erasure of a user: access ends at one position, and soon only the tombstones of their messages are left.

use serde_json::json;

use crate::actors::{Chat, Guest, Ledger, PASSWORD, User};

#[tokio::test]
async fn an_erased_user_loses_all_access_at_one_position() {
    let chat = Chat::start().await;
    let second = chat.second_instance().await;
    let founder = chat.founder().await;
    let alice = chat.user("alice").await;
    let beginning = chat.guest().opening().open().await.cursor;
    let (general, garden) = (chat.room("general").await, chat.room("garden").await);
    founder.mute(&alice, 1).await;
    founder.unmute(&alice).await;
    for room in [&general, &garden] {
        alice.post(room, "I live at 12 Elm Street").await;
        founder.post(room, "who asked?").await;
    }
    founder.archive(&garden).await;
    founder.write_to(&alice, "mind your address").await;

    let addresses = [chat.first.address, second.address];
    second.catch_up().await;
    let mut hers = alice.at(&second).listen(&general).await;
    let mut streams = Vec::new();
    for address in addresses {
        streams.push(Guest { address, ..Guest::clone(&founder) }.listen(&general).await);
    }
    founder.delete(&format!("/users/{}", alice.id)).await.is(204);
    hers.expect_bye("revoked").await;
    let mut name = String::new();
    for stream in &mut streams {
        let erased = stream.expect("user.erased").await;
        assert_eq!(erased.data["id"], json!(alice.id));
        erased.data["username"].as_str().expect("a name").clone_into(&mut name);
        assert!(name.starts_with("erased-") && name.len() <= 32, "{name}");
        let deleted = stream.expect("message.deleted").await;
        assert_eq!((&deleted.data["room_id"], &deleted.data["seq"]), (&json!(general.id), &json!(1)));
    }

    second.catch_up().await;
    // The same holds for readers who connect later.
    let third = chat.second_instance().await;
    for address in [chat.first.address, second.address, third.address] {
        let as_before = Guest { address, ..Guest::clone(&alice) };
        as_before.get("/users/me").await.refused(401, "invalid_token");
        as_before.try_post(&general, "still here").await.refused(401, "invalid_token");
        let refresh = json!({"refresh_token": alice.refresh_token});
        Guest::at(address).send("/auth/refresh", refresh).await.refused(401, "invalid_refresh_token");
        for username in ["alice", &name] {
            let login = json!({"username": username, "password": PASSWORD});
            Guest::at(address).send("/auth/login", login).await.refused(401, "wrong_credentials");
        }
        // A replay from the beginning contains the events, but not the erased text.
        let reader = Guest { address, ..Guest::clone(&founder) };
        let mut late = reader.opening().rooms([&general, &garden]).from(&beginning).open().await;
        while late.next_durable().await.name != "message.deleted" {}
        let trail = reader.get("/audit").await.is(200).text;
        let pages = [&general, &garden].map(|room| format!("/messages?room_id={}", room.id));
        let pages = [reader.get(&pages[0]).await.is(200).text, reader.get(&pages[1]).await.is(200).text];
        let users = reader.get("/users").await.is(200).text;
        let direct = reader.get("/direct-messages").await.is(200).text;
        let conversations = reader.get("/direct-messages/conversations").await.is(200).text;
        for text in [&late.transcript, &trail, &pages[0], &pages[1], &users, &direct, &conversations] {
            for trace in ["alice", "Elm Street", "your address", "noise"] {
                assert!(!text.contains(trace), "{trace} is in {text}");
            }
        }
        assert!(pages[0].contains(&name) && trail.contains("user.erased"));
        assert!(!users.contains(&name) && !conversations.contains(&name));
    }
    Ledger::read(&chat.db()).await;

    founder.try_write_to(alice.id, "hello?").await.refused(404, "not_found");
    founder.delete(&format!("/users/{}", alice.id)).await.refused(404, "not_found");
    founder.tell(&format!("/users/{}/unban", alice.id)).await.refused(404, "not_found");
    founder.delete(&format!("/users/{}", founder.id)).await.refused(403, "not_allowed");
    let other = User::sign_up(chat.guest(), "alice").await;
    assert_ne!(other.id, alice.id, "the name is free, and belongs to a new account");
    let kept = json!({"username": "Erased-me", "password": PASSWORD});
    chat.guest().send("/auth/register", kept).await.refused(409, "username_taken");
}

/// If a server stops half-way, the others continue, or the next one to start.
#[tokio::test]
async fn an_interrupted_erasure_continues_after_a_restart() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    for number in 0..3 {
        alice.post(&room, &format!("message {number}")).await;
    }
    let mut stream = chat.guest().listen(&room).await;
    // Only the account is erased, as after the first step.
    gapless::store::users::erase(&chat.first.app.db, alice.id, founder.id)
        .await
        .expect("an erasure")
        .expect("a user to erase");
    stream.expect("user.erased").await;
    assert_eq!(chat.guest().bodies(&room).await[0], "message 0");

    chat.second_instance().await;
    for seq in 1..=3 {
        assert_eq!(stream.expect("message.deleted").await.data["seq"], seq);
    }
    assert_eq!(chat.guest().bodies(&room).await, ["(deleted)"; 3]);
}

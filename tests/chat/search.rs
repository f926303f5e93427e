//! Search: messages are found by their present words, by whoever may read them.

use futures_util::future::join_all;
use gapless::event::{Message, Room};
use serde_json::json;

use crate::actors::{Answer, Chat, Guest};

async fn ask(reader: &Guest, parameters: &[(&str, &str)]) -> Answer {
    let query = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    reader.get(&format!("/search?{}", query.collect::<Vec<_>>().join("&"))).await
}

fn encoded(value: &str) -> String {
    let escapes: Vec<String> = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    escapes.concat()
}

/// Returns the bodies of the messages found, all pages together.
async fn find_in(reader: &Guest, query: &str, more: &[(&str, &str)]) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut parameters = [&[("q", query)], more].concat();
        parameters.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = ask(reader, &parameters).await.is(200).json();
        for result in page["results"].as_array().expect("results") {
            let message: Message = serde_json::from_value(result["message"].clone()).expect("a message");
            assert_eq!(result["room"]["id"], json!(message.room_id));
            found.push(message.body.expect("a body").to_string());
        }
        let Some(next) = page["next"].as_str() else { return found };
        cursor = Some(next.to_owned());
    }
}

async fn find(reader: &Guest, query: &str) -> Vec<String> {
    find_in(reader, query, &[]).await
}

/// Adds older messages that match nothing, so that what follows is not among the newest that are read first.
async fn bury(chat: &Chat, room: &Room) {
    let author = chat.user("hay").await;
    chat.fill(room, &author, 600).await;
    chat.fill(room, &author, 600).await;
}

#[tokio::test]
async fn messages_are_found_by_words_phrases_and_filters() {
    let chat = Chat::start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let (general, corner) = (chat.room("General").await, chat.room("Coffee corner").await);
    for (author, room, body) in [
        (&alice, &general, "We deploy the server on Friday"),
        (&bob, &general, "the deployment is done, see https://example.org/releases/main.rs"),
        (&alice, &corner, "Espresso or `filter`?"),
        (&bob, &corner, "今日は東京都で会議"),
        (&alice, &corner, "Über den Wolken, on the server"),
        (&bob, &general, "party 🎉 deploy"),
    ] {
        author.post(room, body).await;
    }
    let guest = chat.guest();
    let (first, second, third) = (
        "We deploy the server on Friday",
        "the deployment is done, see https://example.org/releases/main.rs",
        "Espresso or `filter`?",
    );
    let (fourth, fifth, sixth) = ("今日は東京都で会議", "Über den Wolken, on the server", "party 🎉 deploy");
    // Once among the newest messages and once behind many others, where the index finds them.
    for is_buried in [false, true] {
        if is_buried {
            bury(&chat, &general).await;
        }
        for (query, expected) in [
            ("deploy", vec![sixth, second, first]),
            ("DEPLOY server", vec![first]),
            ("ploy", vec![]),
            ("\"deploy\"", vec![sixth, first]),
            ("\"the server\"", vec![fifth, first]),
            ("\"server the\"", vec![]),
            ("deploy -party", vec![second, first]),
            ("deploy -\"the server\"", vec![sixth, second]),
            ("from:ALICE", vec![fifth, third, first]),
            ("from:alice from:bob server", vec![fifth, first]),
            ("from:nobody", vec![]),
            ("server -from:nobody", vec![fifth, first]),
            ("in:general deploy", vec![sixth, second, first]),
            ("in:coffee-corner", vec![fifth, fourth, third]),
            ("in:\"COFFEE corner\" server", vec![fifth]),
            ("in:nowhere server", vec![]),
            ("server -in:general", vec![fifth]),
            ("has:link", vec![second]),
            ("has:code", vec![third]),
            ("deploy -has:link -🎉", vec![first]),
            ("main.rs", vec![second]),
            ("example", vec![second]),
            ("京都", vec![fourth]),
            ("都京", vec![]),
            ("東京 会議", vec![fourth]),
            ("über", vec![fifth]),
            ("🎉", vec![sixth]),
            ("zzz", vec![]),
            ("' & | ! ( ) : * \\ deploy", vec![]),
            ("deploy':*|server", vec![]),
        ] {
            assert_eq!(find(&guest, query).await, expected, "{query}, buried: {is_buried}");
        }
    }
}

#[tokio::test]
async fn words_end_at_punctuation_of_any_script_and_keep_their_marks() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let general = chat.room("General").await;
    for is_buried in [false, true] {
        for (body, queries) in [
            ("Please review \u{201c}deploy\u{201d} \u{2013} today\u{2026}ok", vec!["deploy", "ok", "today"]),
            ("Great job🎉 hello🎉party", vec!["job", "party", "job🎉"]),
            ("It\u{2019}s 4711€ and \u{2022}bullet", vec!["It\u{2019}s", "4711", "4711€", "bullet"]),
            ("foo\u{2014}dash\u{a0}nbsp", vec!["dash", "nbsp", "foo"]),
            ("Это «важно» — срочно…", vec!["важно", "срочно"]),
            ("हिन्दी நமஸ்தே", vec!["हिन्दी", "நமஸ்தே"]),
            ("cafe\u{301} noir", vec!["cafe\u{301}", "café"]),
            ("می\u{200c}خواهم", vec!["می\u{200c}خواهم"]),
            ("Als Éric arrive", vec!["\"Éric arrive\"", "éric"]),
        ] {
            if !is_buried {
                alice.post(&general, body).await;
            }
            for query in queries {
                assert_eq!(find(&alice, query).await, [body], "{query}");
            }
        }
        assert_eq!(find(&alice, "great -party").await, [""; 0], "excluded, although emoji are beside it");
        if !is_buried {
            bury(&chat, &general).await;
        }
    }
}

#[tokio::test]
async fn a_result_has_its_room_and_text_in_parts() {
    let chat = Chat::start().await;
    let (alice, room) = (chat.user("alice").await, chat.room("Coffee corner").await);
    let message = alice.post(&room, "<b>Deploy</b> & go").await;
    let page = ask(&chat.guest(), &[("q", "deploy")]).await.is(200).json();
    let expected = json!({"results": [{
        "message": message,
        "room": {"id": room.id, "name": "Coffee corner", "slug": "coffee-corner"},
        "highlight": [
            {"text": "<b>", "match": false},
            {"text": "Deploy", "match": true},
            {"text": "</b> & go", "match": false},
        ],
    }], "next": null});
    assert_eq!(page, expected);
}

#[tokio::test]
async fn pages_join_without_gap_or_repeat() {
    let chat = Chat::start().await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    chat.fill(&room, &alice, 45).await;
    bury(&chat, &chat.room("other").await).await;
    let expected: Vec<String> = (0..45).rev().map(|n| format!("message {n}")).collect();
    for limit in ["1", "7", "44", "45", "46", "50", "1000"] {
        assert_eq!(find_in(&chat.guest(), "message from:alice", &[("limit", limit)]).await, expected, "{limit}");
    }
    let page = ask(&chat.guest(), &[("q", "message from:alice")]).await.is(200).json();
    assert_eq!(page["results"].as_array().map(Vec::len), Some(20));
}

#[tokio::test]
async fn days_are_those_of_utc() {
    let chat = Chat::start().await;
    let (alice, room) = (chat.user("alice").await, chat.room("general").await);
    for body in ["word one", "word two", "word three"] {
        alice.post(&room, body).await;
    }
    for (seq, at) in [(1, "2026-03-01 23:59:59+00"), (2, "2026-03-02 00:00:00+00"), (3, "2026-03-03 12:00:00+00")] {
        sqlx::query("update messages set created_at = $2::text::timestamptz where seq = $1")
            .bind(seq)
            .bind(at)
            .execute(&chat.db())
            .await
            .expect("the messages' table");
    }
    let guest = chat.guest();
    for (query, expected) in [
        ("word before:2026-03-02", vec!["word one"]),
        ("word after:2026-03-02", vec!["word three"]),
        ("after:2026-03-01 before:2026-03-03", vec!["word two"]),
        ("before:2026-03-01", vec![]),
        ("before:9999-12-31 after:0001-01-01", vec!["word three", "word two", "word one"]),
    ] {
        assert_eq!(find(&guest, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn words_that_are_gone_are_not_found() {
    let chat = Chat::start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let (bob, room) = (chat.user("bob").await, chat.room("general").await);
    for is_buried in [false, true] {
        let kept = alice.post(&room, "secret kept").await;
        let edited = alice.post(&room, "secret edited").await;
        let deleted = alice.post(&room, "secret deleted").await;
        if is_buried {
            bury(&chat, &chat.room("other").await).await;
        }
        alice.edit(edited.id, "changed").await;
        alice.delete_message(deleted.id).await;
        assert_eq!(find(&bob, "secret").await, ["secret kept"]);
        assert_eq!(find(&bob, "\"secret\" from:alice").await, ["secret kept"]);
        assert_eq!(find(&bob, "changed").await.first().map(String::as_str), Some("changed"));
        alice.delete_message(kept.id).await;
        assert_eq!(find(&bob, "secret").await, [""; 0]);
    }
    // A room's messages expire.
    let old = alice.post(&room, "secret of old").await;
    sqlx::query("update messages set created_at = created_at - interval '40 days' where room_id = $1")
        .bind(room.id)
        .execute(&chat.db())
        .await
        .expect("the messages' table");
    let mut stream = bob.listen(&room).await;
    founder.put(&format!("/rooms/{}/retention", room.id), json!({"days": 30})).await.is(200);
    stream.expect("room.retention_set").await;
    while stream.expect("room.trimmed").await.data["first_seq"].as_i64() <= Some(old.seq.0) {}
    assert_eq!(find(&bob, "secret").await, [""; 0]);
    // Their author is erased.
    alice.post(&room, "secret of alice").await;
    founder.delete(&format!("/users/{}", alice.id)).await.is(204);
    stream.expect_message("secret of alice").await;
    stream.expect("user.erased").await;
    stream.expect("message.deleted").await;
    for query in ["secret", "from:alice"] {
        assert_eq!(find(&bob, query).await, [""; 0], "{query}");
    }
}

#[tokio::test]
async fn only_admins_find_messages_in_archived_rooms_and_only_by_naming_them() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let (general, attic) = (chat.room("general").await, chat.room("attic").await);
    alice.post(&general, "a chair").await;
    alice.post(&attic, "an old chair").await;
    ada.archive(&attic).await;
    for is_buried in [false, true] {
        if is_buried {
            bury(&chat, &general).await;
        }
        let id = attic.id.to_string();
        for reader in [&chat.guest(), &*alice] {
            assert_eq!(find(reader, "chair").await, ["a chair"]);
            assert_eq!(find(reader, "chair in:attic").await, [""; 0]);
            assert_eq!(find(reader, "chair in:attic in:general").await, ["a chair"]);
            ask(reader, &[("q", "chair"), ("room_id", &id)]).await.refused(404, "not_found");
        }
        assert_eq!(find(&ada, "chair").await, ["a chair"]);
        assert_eq!(find(&ada, "chair in:attic").await, ["an old chair"]);
        assert_eq!(find(&ada, "chair in:attic in:general").await, ["an old chair", "a chair"]);
        assert_eq!(find_in(&ada, "chair", &[("room_id", &id)]).await, ["an old chair"]);
    }
    ada.restore(&attic).await;
    assert_eq!(find(&chat.guest(), "chair").await, ["an old chair", "a chair"]);
}

#[tokio::test]
async fn private_messages_are_never_found() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    ada.write_to(&alice, "whisper").await;
    for reader in [&*ada, &*alice, &chat.guest()] {
        assert_eq!(find(reader, "whisper").await, [""; 0]);
    }
}

#[tokio::test]
async fn bad_queries_are_refused_with_a_reason() {
    let chat = Chat::start().await;
    let guest = chat.guest();
    let (long, many) = ("a".repeat(4_000), "-word ".repeat(100));
    for query in ["", " ", "-word", &long, &many, "a\0b", "from:", "has:cheese", "before:yesterday", "\"\""] {
        ask(&guest, &[("q", query)]).await.refused_field("q");
    }
    guest.get("/search").await.refused(422, "invalid");
    for bad in ["q=a&cursor=", "q=a&cursor=-1", "q=a&cursor=x", "q=a&limit=0", "q=a&room_id=x", "q=a&order=best"] {
        guest.get(&format!("/search?{bad}")).await.refused(400, "malformed");
    }
    for strange in ["\"left open", "a:b:c", "<->", "a <-> b", "%", "_", "\u{202e}abc", "--a", "\\", "'"] {
        ask(&guest, &[("q", strange)]).await.is(200);
    }
    let nowhere = gapless::id::RoomId::new().to_string();
    ask(&guest, &[("q", "a"), ("room_id", &nowhere)]).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_flood_of_searches_is_refused() {
    let chat = Chat::start_with(|config| config.rate_limits = true).await;
    let (guest, alice) = (chat.guest(), chat.user("alice").await);
    // All at once: the budget comes back while a slow machine answers one after the other.
    let flood = join_all((0..100).map(|_| ask(&guest, &[("q", "a")]))).await;
    assert!(flood.iter().any(|answer| answer.status == 429));
    ask(&alice, &[("q", "a")]).await.is(200);
}

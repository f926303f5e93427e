//! The exact JSON of every response and event, on which clients rely.

use gapless::event::Room;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Chat, PASSWORD};
use crate::redaction::redacted;

#[tokio::test]
async fn a_session_and_its_user() {
    let chat = Chat::start().await;
    let registered =
        chat.guest().send("/auth/register", json!({"username": "Alice", "password": PASSWORD})).await.is(201);
    let session = json!({
        "access_token": "[jwt]", "token_type": "Bearer", "expires_in": 900, "refresh_token": "[secret]",
        "user": {"id": "[uuid]", "username": "alice", "role": "user"},
    });
    assert_eq!(redacted(&registered.json()), session);
    let signed_in = chat.guest().send("/auth/login", json!({"username": "ALICE", "password": PASSWORD})).await.is(200);
    assert_eq!(redacted(&signed_in.json()), session);
    let refresh = json!({"refresh_token": signed_in.json()["refresh_token"]});
    assert_eq!(redacted(&chat.guest().send("/auth/refresh", refresh).await.is(200).json()), session);
}

#[tokio::test]
async fn users_with_and_without_restrictions() {
    let chat = Chat::start().await;
    let (admin, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let details = |muted: Value, mute_reason: Value, banned: Value, ban_reason: Value| {
        json!({
            "id": "[uuid]", "username": "bob", "role": "user", "muted_until": muted, "mute_reason": mute_reason,
            "banned_at": banned, "ban_reason": ban_reason,
        })
    };
    let free = details(Value::Null, Value::Null, Value::Null, Value::Null);
    assert_eq!(redacted(&bob.get("/users/me").await.is(200).json()), free);

    let of_bob = |what: &str| format!("/users/{}/{what}", bob.id);
    let muted = admin.send(&of_bob("mute"), json!({"seconds": 60, "reason": "noise"})).await.is(200);
    assert_eq!(redacted(&muted.json()), details("[time]".into(), "noise".into(), Value::Null, Value::Null));
    assert_eq!(redacted(&admin.tell(&of_bob("unmute")).await.is(200).json()), free);
    let banned = admin.send(&of_bob("ban"), json!({"reason": "advertising"})).await.is(200);
    assert_eq!(redacted(&banned.json()), details(Value::Null, Value::Null, "[time]".into(), "advertising".into()));
    assert_eq!(redacted(&admin.tell(&of_bob("unban")).await.is(200).json()), free);
    assert_eq!(redacted(&admin.tell(&of_bob("end-sessions")).await.is(200).json()), free);
    let appointed = admin.patch(&format!("/users/{}", bob.id), json!({"role": "admin"})).await.is(200);
    assert_eq!(appointed.json()["role"], "admin");

    let found = admin.get("/users?query=BO&limit=5").await.is(200).json();
    let names = found["users"].as_array().expect("users").iter().map(|user| &user["username"]).collect::<Vec<_>>();
    assert_eq!(names, ["bob"], "{found}");
    assert_eq!((found.as_object().expect("an object").len(), &found["next"]), (2, &Value::Null));
}

#[tokio::test]
async fn a_room_and_the_list_of_rooms() {
    let chat = Chat::start().await;
    let admin = chat.admin("ada").await;
    let room = |name: &str, is_archived: bool| {
        json!({
            "id": "[uuid]", "name": name, "slug": name.to_lowercase(), "topic": "", "is_archived": is_archived, "created_at": "[time]",
            "head_seq": 0, "retention_days": null, "landing": false, "indexable": true,
            "online": {"users": 0, "guests": 0},
        })
    };
    let membership = json!({"read_seq": 0, "unread": 0, "mentions": 0, "level": "mentions"});
    let read = |name: &str, is_archived: bool, membership: &Value| {
        let mut room = room(name, is_archived);
        room["membership"] = membership.clone();
        room
    };
    let created = admin.send("/rooms", json!({"name": "  Garden "})).await.is(201);
    assert_eq!(redacted(&created.json()), room("Garden", false));
    let garden: Room = created.body();
    let at = |what: &str| format!("/rooms/{}{what}", garden.id);
    assert_eq!(redacted(&chat.guest().get(&at("")).await.is(200).json()), read("Garden", false, &Value::Null));
    assert_eq!(redacted(&admin.get(&at("")).await.is(200).json()), read("Garden", false, &membership));
    assert_eq!(
        redacted(&admin.patch(&at(""), json!({"name": "Orchard"})).await.is(200).json()),
        room("Orchard", false)
    );

    let list =
        json!({"rooms": [read("Orchard", false, &Value::Null)], "next": null, "landing": null, "cursor": "[cursor]"});
    assert_eq!(redacted(&chat.guest().get("/rooms").await.is(200).json()), list);
    assert_eq!(admin.get("/rooms?archived=true").await.is(200).json()["rooms"], json!([]));
    for _ in 0..2 {
        assert_eq!(redacted(&admin.tell(&at("/archive")).await.is(200).json()), room("Orchard", true));
    }
    let list =
        json!({"rooms": [read("Orchard", true, &membership)], "next": null, "landing": null, "cursor": "[cursor]"});
    assert_eq!(redacted(&admin.get("/rooms?archived=true").await.is(200).json()), list);
    for _ in 0..2 {
        assert_eq!(redacted(&admin.tell(&at("/restore")).await.is(200).json()), room("Orchard", false));
    }
}

#[tokio::test]
async fn a_message_from_its_post_to_its_deletion() {
    let chat = Chat::start().await;
    let room = chat.room("general").await;
    let alice = chat.user("alice").await;
    let client_id = Uuid::new_v4().to_string();
    let mut message = json!({
        "id": "[uuid]", "room_id": "[uuid]", "pos": "[pos]", "seq": 1, "client_id": "[uuid]",
        "author": {"id": "[uuid]", "username": "alice"}, "body": "hi", "created_at": "[time]",
        "edited_at": null, "deleted_at": null, "reply_to": null, "mentions": [], "reactions": [],
    });
    let posted = alice.try_post_as(room.id, " hi\r\n", &client_id).await.is(201);
    assert_eq!(redacted(&posted.json()), message);
    assert_eq!(posted.json()["client_id"], client_id);
    assert_eq!(posted.json()["author"]["id"], alice.id.to_string());
    let id: Value = posted.json()["id"].clone();
    let path = format!("/messages/{}", id.as_str().expect("an id"));

    message["body"] = "hello".into();
    message["edited_at"] = "[time]".into();
    assert_eq!(redacted(&alice.patch(&path, json!({"body": "hello"})).await.is(200).json()), message);
    let deleted = alice.delete(&path).await.is(204);
    assert_eq!(deleted.text, "");
    message["body"] = Value::Null;
    message["deleted_at"] = "[time]".into();
    let page = chat.guest().get(&format!("/messages?room_id={}", room.id)).await.is(200).json();
    let expected = json!({"messages": [message], "head_seq": 1, "first_seq": 1, "admins": [], "cursor": "[cursor]"});
    assert_eq!(redacted(&page), expected);
    assert_eq!(page["messages"][0]["pos"], posted.json()["pos"], "a message keeps its position");
}

#[tokio::test]
async fn direct_messages_and_conversations() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let message = json!({
        "id": "[uuid]", "pos": "[pos]", "client_id": "[uuid]", "sender": {"id": "[uuid]", "username": "ada"},
        "recipient": {"id": "[uuid]", "username": "bob"}, "body": "psst", "created_at": "[time]",
    });
    let sent = ada.try_write_to(bob.id, "psst ").await.is(201);
    assert_eq!(redacted(&sent.json()), message);
    for (reader, other) in [
        (&ada, json!({"id": "[uuid]", "username": "bob", "role": "user"})),
        (&bob, json!({"id": "[uuid]", "username": "ada", "role": "admin"})),
    ] {
        let list = reader.get("/direct-messages").await.is(200).json();
        assert_eq!(redacted(&list), json!({"messages": [message], "cursor": "[cursor]"}));
        let conversations = reader.get("/direct-messages/conversations").await.is(200).json();
        assert_eq!(redacted(&conversations), json!({"conversations": [{"user": other, "last_message": message}]}));
    }
}

#[tokio::test]
async fn the_audit_trail() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let room = ada.create_room("Garden").await;
    ada.mute(&bob, 60).await;
    bob.try_post(&room, "not heard").await.refused(403, "muted");
    let trail = ada.get("/audit?limit=2").await.is(200).json();
    let person = |name: &str| json!({"id": "[uuid]", "username": name});
    assert_eq!(
        redacted(&trail),
        json!({"entries": [
            {
                "pos": "[pos]", "kind": "user.muted", "at": "[time]", "actor": person("ada"), "room": null,
                "user": person("bob"), "message_id": null, "detail": {"until": "[time]", "reason": "noise"},
            },
            {
                "pos": "[pos]", "kind": "room.created", "at": "[time]", "actor": person("ada"),
                "room": {"id": "[uuid]", "name": "Garden"}, "user": null, "message_id": null, "detail": {"name": "Garden"},
            },
        ]})
    );
}

#[tokio::test]
async fn every_event_of_the_stream() {
    let chat = Chat::start().await;
    let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
    let room = chat.room("general").await;
    let mut stream = bob.listen(&room).await;
    assert_eq!(
        redacted(&stream.hello),
        json!({
            "cursor": "[cursor]", "rooms": [{"id": "[uuid]", "head_seq": 0}], "missing": [],
            "user": {"id": "[uuid]", "username": "bob", "role": "user"}, "heartbeat_secs": 15, "expires_at": "[time]",
        })
    );
    let counted = json!({"room_id": "[uuid]", "users": 1, "guests": 0});
    assert_eq!(redacted(&stream.expect("presence").await.data), counted);

    // Events of posts, edits and changes contain the same JSON as the REST responses.
    let message = ada.try_post(&room, "hi").await.is(201).json();
    assert_eq!(stream.expect("message.posted").await.data, message);
    let path = format!("/messages/{}", message["id"].as_str().expect("an id"));
    let edited = ada.patch(&path, json!({"body": "hello"})).await.is(200).json();
    assert_eq!(stream.expect("message.edited").await.data, edited);
    ada.put(&format!("{path}/reactions/👍"), Value::Null).await.is(204);
    let reacted = json!({
        "id": message["id"], "room_id": room.id, "seq": 1, "reactions": [{"emoji": "👍", "count": 1}],
        "changes": [{"user_id": ada.id, "emoji": "👍", "added": true}],
    });
    assert_eq!(stream.expect("message.reactions").await.data, reacted);
    ada.put(&format!("{path}/pin"), Value::Null).await.is(204);
    let pins = chat.guest().get(&format!("/rooms/{}/pins", room.id)).await.is(200).json();
    assert_eq!(pins, json!({"messages": [stream.expect("message.pinned").await.data]}));
    ada.delete(&format!("{path}/pin")).await.is(204);
    assert_eq!(stream.expect("message.unpinned").await.data, pins["messages"][0]);
    ada.delete(&path).await.is(204);
    let deleted = stream.expect("message.deleted").await;
    assert_eq!(deleted.data, json!({"id": message["id"], "room_id": room.id, "seq": 1, "pos": deleted.pos()}));
    let direct = ada.try_write_to(bob.id, "psst").await.is(201).json();
    assert_eq!(stream.expect("direct.posted").await.data, direct);

    let created = ada.send("/rooms", json!({"name": "Garden"})).await.is(201).json();
    assert_eq!(stream.expect("room.created").await.data, created);
    let at = |what: &str| format!("/rooms/{}{what}", created["id"].as_str().expect("an id"));
    let renamed = ada.patch(&at(""), json!({"name": "Orchard"})).await.is(200).json();
    assert_eq!(stream.expect("room.renamed").await.data, renamed);
    let described = ada.put(&at("/topic"), json!({"topic": " Trees "})).await.is(200).json();
    assert_eq!(described["topic"], "Trees");
    assert_eq!(stream.expect("room.topic_set").await.data, described);
    ada.put(&at("/landing"), Value::Null).await.is(204);
    let landing = chat.guest().get(&at("")).await.is(200).json();
    let told = stream.expect("room.landing_set").await.data;
    assert_eq!((&told["id"], &told["landing"], &landing["landing"]), (&created["id"], &json!(true), &json!(true)));
    let hidden = ada.put(&at("/indexable"), json!({"indexable": false})).await.is(200).json();
    assert_eq!(hidden["indexable"], false);
    assert_eq!(stream.expect("room.indexable_set").await.data, hidden);
    let archived = ada.tell(&at("/archive")).await.is(200).json();
    assert_eq!(stream.expect("room.archived").await.data, archived);
    let restored = ada.tell(&at("/restore")).await.is(200).json();
    assert_eq!(stream.expect("room.restored").await.data, restored);

    bob.put(&format!("/rooms/{}/read", room.id), json!({"seq": 1})).await.is(204);
    let read = json!({"room_id": room.id, "read_seq": 1, "unread": 0, "mentions": 0, "level": "mentions"});
    assert_eq!(stream.expect("room.read").await.data, read);

    ada.mute(&bob, 60).await;
    let standing = json!({
        "id": bob.id, "username": "bob", "role": "user", "muted_until": "[time]", "mute_reason": "noise",
    });
    let muted = stream.expect("user.changed").await.data;
    assert_eq!(redacted(&muted), redacted(&standing));
    ada.unmute(&bob).await;
    let unmuted = stream.expect("user.changed").await.data;
    assert_eq!((&unmuted["muted_until"], &unmuted["mute_reason"]), (&Value::Null, &Value::Null));
    ada.set_role(&bob, "admin").await;
    assert_eq!(stream.expect("user.changed").await.data["role"], "admin");
}

#[tokio::test]
async fn a_refusal_names_what_is_wrong() {
    let chat = Chat::start().await;
    let refused = chat.guest().send("/auth/register", json!({"username": "a", "password": PASSWORD})).await;
    assert_eq!(
        refused.refused(422, "invalid").json(),
        json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid",
            "detail": "Some fields are invalid.",
            "errors": [{"field": "username", "message": "must be 3 to 32 characters: a-z, 0-9, dot, dash, underscore"}],
        })
    );
    let refused = chat.guest().get("/users/me").await.refused(401, "unauthenticated");
    assert_eq!(refused.header(reqwest::header::WWW_AUTHENTICATE), "Bearer");
    assert_eq!(refused.json().get("errors"), None);
}

#[tokio::test]
async fn the_state_of_the_service() {
    let chat = Chat::start().await;
    assert_eq!(chat.guest().get("/livez").await.is(200).text, "alive");
    let ready = chat.guest().get("/readyz").await.is(200).json();
    assert_eq!(
        ready,
        json!({
            "status": "ready", "demo": false, "dm_replies": false, "registration": "open",
            "version": env!("CARGO_PKG_VERSION"),
        })
    );
    let mut traits = chat.guest().get("/server").await.is(200).json();
    traits["status"] = "ready".into();
    assert_eq!(traits, ready, "tabs of the previous release read it at /readyz");
    let metrics = chat.guest().metrics().await;
    assert!(metrics.contains("gapless_http_request_duration_seconds_bucket"), "{metrics}");
    let document = chat.guest().get("/openapi.json").await.is(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(chat.guest().get("/swagger/").await.is(200).text.contains("swagger-ui"));
}

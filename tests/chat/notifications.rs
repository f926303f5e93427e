//! Notifications to closed browsers about mentions, replies and direct messages: each once, if it is still unread.

use gapless::event::{Message, Room};
use gapless::store::Db;
use serde_json::{Value, json};

use crate::actors::{Browser, Chat, DEADLINE, Database, FOUNDER, Launch, PASSWORD, PushService, Pushed, User};
use crate::push::{browsers, is_sent, start};

/// Waits until everything that was posted is queued, lets the delay pass, and waits until what is due is sent.
async fn time_passes(chat: &Chat) {
    let db = chat.db();
    is_queued(&db).await;
    is_due(&db).await;
    is_sent(&db).await;
}

async fn is_queued(db: &Db) {
    let queued = async {
        let is_queued = "select pos >= log_position() from push_progress";
        while !sqlx::query_scalar::<_, bool>(is_queued).fetch_one(db).await.expect("an answer") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, queued).await.expect("the log was not read");
}

async fn is_due(db: &Db) {
    sqlx::query("update push_queue set due_at = now()").execute(db).await.expect("an update");
}

async fn post(author: &User, body: Value) -> Message {
    author.send("/messages", body).await.is(201).body()
}

async fn mention(author: &User, room: &Room, user: &User) -> Message {
    let body = format!("look, @[user:{}]", user.id);
    post(author, json!({"room_id": room.id, "body": body, "mentions": [user.id]})).await
}

/// A user with a browser.
async fn subscribed(chat: &Chat, service: &PushService, name: &str) -> (User, Browser) {
    let (user, browser) = (chat.user(name).await, service.browser());
    browser.subscribe(&user).await;
    (user, browser)
}

fn kinds(pushed: &[Pushed]) -> Vec<&str> {
    let mut kinds: Vec<_> = pushed.iter().map(|pushed| pushed.message["kind"].as_str().expect("a kind")).collect();
    kinds.sort_unstable();
    kinds
}

#[tokio::test]
async fn each_item_arrives_once_with_two_instances() {
    let (chat, mut service) = start().await;
    let second = chat.second_instance().await;
    let (bob, founder) = (chat.user("bob").await, chat.founder().await);
    let (alice, phone) = subscribed(&chat, &service, "alice").await;
    let (general, garden) = (chat.room("General").await, chat.room("garden").await);
    second.catch_up().await;

    let hers = alice.post(&general, "who is here?").await;
    let mentioned = mention(&bob, &garden, &alice).await;
    let replied = json!({"room_id": general.id, "body": "I\n am", "reply_to": hers.seq});
    let replied = post(&bob.at(&second), replied).await;
    let direct = founder.at(&second).write_to(&alice, "psst").await;
    bob.post(&general, "to nobody").await;
    alice.send("/messages", json!({"room_id": general.id, "body": "me", "mentions": [alice.id]})).await.is(201);
    time_passes(&chat).await;

    let pushed = service.rest();
    assert_eq!(browsers(&pushed), [&*phone.name; 3]);
    assert_eq!(kinds(&pushed), ["direct", "mention", "reply"]);
    let of_kind = |kind: &str| {
        let found = pushed.iter().find(|pushed| pushed.message["kind"] == kind);
        found.map(|pushed| pushed.message.clone()).expect("one of this kind")
    };
    let (in_general, in_garden) = (format!("room:{}", general.id), format!("room:{}", garden.id));
    let expected = json!({
        "kind": "mention", "room": {"id": garden.id, "name": "garden"}, "from": "bob", "text": "look, @alice",
        "url": format!("/r/garden-{}/{}", garden.id, mentioned.seq.0), "tag": in_garden, "pos": mentioned.pos,
    });
    assert_eq!(of_kind("mention"), expected);
    let expected = json!({
        "kind": "reply", "room": {"id": general.id, "name": "General"}, "from": "bob", "text": "I am",
        "url": format!("/r/general-{}/{}", general.id, replied.seq.0), "tag": in_general, "pos": replied.pos,
    });
    assert_eq!(of_kind("reply"), expected);
    let expected = json!({
        "kind": "direct", "room": null, "from": founder.name, "text": "psst",
        "url": format!("/me/direct/{}", founder.id), "tag": format!("direct:{}", founder.id), "pos": direct.pos,
    });
    assert_eq!(of_kind("direct"), expected);
    assert!(pushed.iter().all(|pushed| pushed.ttl > 3_600), "{pushed:?}");
}

#[tokio::test]
async fn without_preview_there_is_no_text_and_no_sender() {
    let (chat, mut service) = start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let room = chat.room("general").await;
    service.browser().try_subscribe(&alice, false).await.is(204);
    mention(&founder, &room, &alice).await;
    founder.write_to(&alice, "psst").await;
    time_passes(&chat).await;
    let pushed = service.rest();
    assert_eq!(kinds(&pushed), ["direct", "mention"]);
    for Pushed { message, .. } in pushed {
        let from = if message["kind"] == "direct" { Value::Null } else { json!(founder.name) };
        assert_eq!((&message["text"], &message["from"]), (&Value::Null, &from));
    }
}

#[tokio::test]
async fn nothing_is_sent_that_was_read_deleted_or_silenced_meanwhile() {
    let (chat, mut service) = start().await;
    let (founder, bob) = (chat.founder().await, chat.user("bob").await);
    let (alice, _) = subscribed(&chat, &service, "alice").await;
    let (read, silent, general) = (chat.room("read").await, chat.room("silent").await, chat.room("general").await);
    let seen = mention(&bob, &read, &alice).await;
    mention(&bob, &silent, &alice).await;
    let deleted = mention(&bob, &general, &alice).await;
    alice.put(&format!("/rooms/{}/read", read.id), json!({"seq": seen.seq})).await.is(204);
    alice.put(&format!("/rooms/{}/level", silent.id), json!({"level": "none"})).await.is(204);
    bob.delete_message(deleted.id).await;
    time_passes(&chat).await;
    assert!(service.rest().is_empty());

    let direct = founder.write_to(&alice, "psst").await;
    alice.put("/inbox/read", json!({"pos": direct.pos})).await.is(204);
    time_passes(&chat).await;
    assert!(service.rest().is_empty());

    mention(&bob, &read, &alice).await;
    founder.archive(&read).await;
    time_passes(&chat).await;
    assert!(service.rest().is_empty());

    // The session of another device ends.
    let other = alice.another_session().await;
    mention(&bob, &general, &alice).await;
    other.sign_out().await;
    time_passes(&chat).await;
    assert_eq!(kinds(&service.rest()), ["mention"]);
}

#[tokio::test]
async fn an_edit_adds_a_notification_and_takes_it_back() {
    let (chat, mut service) = start().await;
    let bob = chat.user("bob").await;
    let (alice, _) = subscribed(&chat, &service, "alice").await;
    let room = chat.room("general").await;
    let message = mention(&bob, &room, &alice).await;
    bob.edit(message.id, "never mind").await;
    time_passes(&chat).await;
    assert!(service.rest().is_empty());

    let edit = json!({"body": format!("after all, @[user:{}]", alice.id), "mentions": [alice.id]});
    bob.patch(&format!("/messages/{}", message.id), edit).await.is(200);
    time_passes(&chat).await;
    let pushed = service.rest();
    assert_eq!(kinds(&pushed), ["mention"]);
    assert_eq!(pushed[0].message["text"], "after all, @alice");
}

#[tokio::test]
async fn nobody_is_notified_of_anything_from_before_and_nothing_after_the_end() {
    let (chat, mut service) = start().await;
    let (founder, bob) = (chat.founder().await, chat.user("bob").await);
    let room = chat.room("general").await;
    let early = chat.user("early").await;
    mention(&bob, &room, &early).await;
    let first = service.browser();
    first.subscribe(&early).await;
    time_passes(&chat).await;
    assert!(service.rest().is_empty(), "mentioned before anybody subscribed");

    // The session ends, or the browser is another user's, while notifications wait.
    let (alice, laptop) = subscribed(&chat, &service, "alice").await;
    let (banned, _) = subscribed(&chat, &service, "banned").await;
    for user in [&early, &alice, &banned] {
        mention(&bob, &room, user).await;
    }
    early.sign_out().await;
    founder.ban(&banned).await;
    laptop.subscribe(&bob).await;
    time_passes(&chat).await;
    assert!(service.rest().is_empty());
}

#[tokio::test]
async fn the_newest_of_a_room_takes_the_place_of_the_others() {
    let (chat, mut service) = start().await;
    let bob = chat.user("bob").await;
    let (alice, _) = subscribed(&chat, &service, "alice").await;
    let room = chat.room("general").await;
    let mut last = None;
    for _ in 0..5 {
        last = Some(mention(&bob, &room, &alice).await.pos);
    }
    time_passes(&chat).await;
    let pushed = service.rest();
    assert!(pushed.len() <= 5 && pushed.iter().any(|pushed| pushed.message["pos"] == json!(last)), "{pushed:?}");
    let topics: std::collections::BTreeSet<_> = pushed.iter().map(|pushed| &pushed.topic).collect();
    assert_eq!(topics.len(), 1);
}

#[tokio::test]
async fn a_killed_instance_forgets_no_notification() {
    let mut service = PushService::start().await;
    let database = Database::create().await;
    let mut program = Launch::on(&database.url())
        .with("VAPID_PRIVATE_KEY", PushService::private_key())
        .with("VAPID_SUBJECT", "mailto:ops@example.org")
        .with("PUSH_HOSTS", service.address)
        .with("PUSH_DELAY_SECS", 3_600)
        .start()
        .await;
    let founder = User::sign_in(program.guest(), FOUNDER, PASSWORD).await;
    let alice = User::sign_up(program.guest(), "alice").await;
    let room = founder.create_room("general").await;
    let phone = service.browser();
    phone.subscribe(&alice).await;

    // Once before it was queued, and once while it waits.
    mention(&founder, &room, &alice).await;
    program.kill();
    program.start_again();
    program.is_ready().await;
    founder.write_to(&alice, "psst").await;
    is_queued(&database.pool()).await;
    program.kill();
    assert!(service.rest().is_empty());
    is_due(&database.pool()).await;
    program.start_again();
    program.is_ready().await;
    let pushed = [service.next().await, service.next().await];
    assert_eq!(kinds(&pushed), ["direct", "mention"]);
    is_sent(&database.pool()).await;
    assert!(service.rest().is_empty());
}

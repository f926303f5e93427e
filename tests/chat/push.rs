//! Web Push: subscriptions, and requests to push services that answer, fail, or hang.

use std::time::Duration;

use gapless::store::Db;
use rstest::rstest;
use serde_json::{Value, json};

use crate::actors::{Chat, DEADLINE, Guest, PASSWORD, PushService, Pushed, Reply};

/// A chat and a push service that it knows.
pub async fn start() -> (Chat, PushService) {
    let service = PushService::start().await;
    let chat = Chat::start_with(|config| PushService::set_up(&[&service], config)).await;
    (chat, service)
}

async fn ask_for_test(user: &Guest) {
    user.tell("/push/test").await.is(204);
}

async fn count(db: &Db, table: &'static str) -> i64 {
    let query = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(db).await.expect("a number")
}

/// Waits until every queued notification is sent or dropped.
pub async fn is_sent(db: &Db) {
    let sent = async {
        while count(db, "push_queue").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, sent).await.expect("notifications are still waiting");
}

pub fn browsers(pushed: &[Pushed]) -> Vec<&str> {
    pushed.iter().map(|pushed| &*pushed.browser).collect()
}

#[tokio::test]
async fn a_test_reaches_all_browsers_of_its_user_and_no_other() {
    let (chat, mut service) = start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let (laptop, phone, other) = (service.browser(), service.browser(), service.browser());
    laptop.subscribe(&alice).await;
    laptop.subscribe(&alice).await;
    let other_session = alice.another_session().await;
    phone.subscribe(&other_session).await;
    other.subscribe(&bob).await;

    ask_for_test(&alice).await;
    let mut pushed = [service.next().await, service.next().await];
    pushed.sort_by(|one, other| one.browser.cmp(&other.browser));
    assert_eq!(browsers(&pushed), [laptop.name, phone.name.clone()]);
    let expected =
        json!({"kind": "test", "room": null, "from": null, "text": null, "url": "/", "tag": "test", "pos": 0});
    assert_eq!(pushed[0].message, expected);
    assert!(pushed[0].ttl > 0 && pushed[0].ttl <= 3_600, "{}", pushed[0].ttl);
    assert_ne!(pushed[0].topic, pushed[1].topic, "the service cannot tell that both are about the same");
    is_sent(&chat.db()).await;

    phone.unsubscribe(&bob).await;
    laptop_leaves(&alice, &chat, &phone).await;
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!(browsers(&service.rest()), [phone.name]);
}

/// Unsubscribes everything but `kept`, twice.
async fn laptop_leaves(alice: &Guest, chat: &Chat, kept: &crate::actors::Browser) {
    let endpoints: Vec<String> = sqlx::query_scalar("select endpoint from push_subscriptions where endpoint <> $1")
        .bind(&kept.endpoint)
        .fetch_all(&chat.db())
        .await
        .expect("subscriptions");
    for endpoint in endpoints.iter().chain(&endpoints) {
        let body = json!({"endpoint": endpoint});
        alice.call(reqwest::Method::DELETE, "/push/subscriptions", Some(body)).await.is(204);
    }
}

#[tokio::test]
async fn without_a_key_there_is_nothing_to_subscribe_to() {
    let service = PushService::start().await;
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    assert_eq!(chat.guest().get("/push").await.is(200).json(), json!({"public_key": null}));
    service.browser().try_subscribe(&alice, true).await.refused(409, "push_off");
    alice.tell("/push/test").await.refused(409, "push_off");
    service.browser().unsubscribe(&alice).await;

    let (chat, _service) = start().await;
    let key = chat.guest().get("/push").await.is(200).json()["public_key"].take();
    assert_eq!(key, json!(chat.config.push.key.as_ref().expect("a key").public_text()));
}

#[rstest]
#[case("https://example.org/push")]
#[case("http://169.254.169.254/latest/meta-data")]
#[case("http://127.0.0.1:5432/")]
#[case("https://fcm.googleapis.com@127.0.0.1/")]
#[case("http://fcm.googleapis.com/fcm/send/abc")]
#[case("file:///etc/passwd")]
#[case("/push")]
#[case("")]
#[tokio::test]
async fn an_endpoint_elsewhere_is_refused(#[case] endpoint: &str) {
    let (chat, service) = start().await;
    let alice = chat.user("alice").await;
    let subscribe = |endpoint: String, keys: Value| {
        let body = json!({"endpoint": endpoint, "keys": keys, "preview": true});
        alice.put("/push/subscriptions", body)
    };
    let mut browser = service.browser();
    subscribe(endpoint.to_owned(), browser.keys.clone()).await.refused_field("endpoint");
    let long = format!("{}{}", browser.endpoint, "a".repeat(2_048));
    subscribe(long, browser.keys.clone()).await.refused_field("endpoint");
    for key in ["", "AAAA", "not base64", &"A".repeat(87)] {
        browser.keys["p256dh"] = json!(key);
        browser.try_subscribe(&alice, true).await.refused_field("keys.p256dh");
    }
    browser.keys = service.browser().keys;
    browser.keys["auth"] = json!("AAAA");
    browser.try_subscribe(&alice, true).await.refused_field("keys.auth");
    assert_eq!(count(&chat.db(), "push_subscriptions").await, 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (chat, mut service) = start().await;
    let alice = chat.user("alice").await;
    let (browser, elsewhere) = (service.browser(), service.browser());
    browser.subscribe(&alice).await;
    for status in [301, 307, 308] {
        service.reply([Reply::With(status, "location", elsewhere.endpoint.clone())]);
        ask_for_test(&alice).await;
        is_sent(&chat.db()).await;
        assert_eq!(browsers(&service.rest()), [&*browser.name]);
    }
    assert_eq!(count(&chat.db(), "push_subscriptions").await, 1);
}

#[rstest]
#[case(404)]
#[case(410)]
#[tokio::test]
async fn a_subscription_that_the_service_has_ended_is_forgotten(#[case] status: u16) {
    let (chat, mut service) = start().await;
    let alice = chat.user("alice").await;
    service.browser().subscribe(&alice).await;
    service.reply([Reply::Status(status)]);
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!((service.rest().len(), count(&chat.db(), "push_subscriptions").await), (1, 0));
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert!(service.rest().is_empty());
}

#[tokio::test]
async fn a_busy_service_is_asked_again_when_it_wants_to_be() {
    let (chat, mut service) = start().await;
    let alice = chat.user("alice").await;
    service.browser().subscribe(&alice).await;
    service.reply([Reply::Status(503), Reply::With(429, "retry-after", "1".to_owned())]);
    ask_for_test(&alice).await;
    let [_, second, third] = [service.next().await, service.next().await, service.next().await];
    assert!(third.at - second.at >= Duration::from_secs(1), "{:?}", third.at - second.at);
    is_sent(&chat.db()).await;
    assert!(service.rest().is_empty());

    // A service that wants more time than there is, and one that never recovers.
    service.reply([Reply::With(429, "retry-after", "86400".to_owned())]);
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!(service.rest().len(), 1);
    service.reply([500; 20].map(Reply::Status));
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!(service.rest().len(), 7, "a bounded number of attempts");
    assert_eq!(count(&chat.db(), "push_subscriptions").await, 1);
}

#[tokio::test]
async fn a_service_that_hangs_delays_nobody_else() {
    let (mut dead, mut alive) = (PushService::start().await, PushService::start().await);
    let chat = Chat::start_with(|config| {
        PushService::set_up(&[&dead, &alive], config);
        config.push.timeout = Duration::from_mins(10);
        config.db_pool_size = 4;
    })
    .await;
    let room = chat.room("general").await;
    dead.reply(vec![Reply::Never; 100]);
    for n in 0..30 {
        let user = chat.user(&format!("user-{n}")).await;
        dead.browser().subscribe(&user).await;
        ask_for_test(&user).await;
    }
    dead.next().await;
    let bob = chat.user("bob").await;
    alive.browser().subscribe(&bob).await;
    for _ in 0..3 {
        ask_for_test(&bob).await;
        alive.next().await;
        bob.post(&room, "hi").await;
    }
    assert!(dead.rest().len() < 16, "one service never gets all places");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_asked_again() {
    let (chat, mut service) = start().await;
    let alice = chat.user("alice").await;
    service.browser().subscribe(&alice).await;
    service.reply([Reply::Never, Reply::Never]);
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!(service.rest().len(), 3);

    // Nothing listens there.
    alice.put("/push/subscriptions", PushService::unanswered("alice")).await.is(204);
    ask_for_test(&alice).await;
    assert_eq!(service.next().await.browser, "browser-0");
    is_sent(&chat.db()).await;
    assert_eq!(count(&chat.db(), "push_subscriptions").await, 2);
}

#[tokio::test]
async fn a_subscription_ends_with_its_session() {
    let (chat, mut service) = start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    let db = chat.db();
    let is_gone = async || count(&db, "push_subscriptions").await == 0;

    let (kept, ended) = (alice.another_session().await, alice.another_session().await);
    let (laptop, phone) = (service.browser(), service.browser());
    laptop.subscribe(&kept).await;
    phone.subscribe(&ended).await;
    ended.sign_out().await;
    ask_for_test(&alice).await;
    is_sent(&chat.db()).await;
    assert_eq!(browsers(&service.rest()), [&*laptop.name], "the other session goes on");

    let change = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    kept.put("/auth/password", change).await.is(204);
    assert_eq!(count(&db, "push_subscriptions").await, 1, "the session that set the password goes on");
    founder.end_sessions_of(&alice).await;
    assert!(is_gone().await, "ended by an admin");

    let alice = alice.another_session().await;
    phone.subscribe(&alice).await;
    alice.tell("/auth/logout-all").await.is(204);
    assert!(is_gone().await, "ended by the user");

    let bob = chat.user("bob").await;
    phone.subscribe(&bob).await;
    founder.ban(&bob).await;
    assert!(is_gone().await, "banned");
    phone.try_subscribe(&bob, true).await.refused(401, "invalid_token");

    let carol = chat.user("carol").await;
    phone.subscribe(&carol).await;
    founder.delete(&format!("/users/{}", carol.id)).await.is(204);
    assert!(is_gone().await, "erased");

    // Of an account with more than a hundred sessions, the oldest end by their generation alone.
    let dave = chat.user("dave").await;
    phone.subscribe(&dave).await;
    let ends = sqlx::query("select end_generation($1, now(), null)").bind(dave.id).execute(&db).await;
    ends.expect("the next generation");
    assert!(is_gone().await, "of an earlier generation");
}

#[tokio::test]
async fn a_browser_belongs_to_the_last_user_and_a_user_has_ten() {
    let (chat, mut service) = start().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let shared = service.browser();
    shared.subscribe(&alice).await;
    shared.subscribe(&bob).await;
    ask_for_test(&alice).await;
    ask_for_test(&bob).await;
    is_sent(&chat.db()).await;
    assert_eq!(browsers(&service.rest()), [&*shared.name]);

    let mut names = Vec::new();
    for _ in 0..11 {
        let browser = service.browser();
        browser.subscribe(&bob).await;
        names.push(browser.name);
    }
    ask_for_test(&bob).await;
    is_sent(&chat.db()).await;
    let mut expected = names.split_off(1);
    expected.sort();
    assert_eq!(browsers(&service.rest()), expected);
}

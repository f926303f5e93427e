//! The log contains no token, password or message text at any log level.

use std::time::Duration;

use gapless::id::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Database, FOUNDER, Guest, Launch, PASSWORD, User};

/// Generates secrets, and records them.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn new_one(&mut self) -> String {
        let secret = format!("secret-{}", Uuid::new_v4().simple());
        self.0.push(secret.clone());
        secret
    }

    /// Records both tokens of a session; the claims and signature of the access token separately.
    fn note(&mut self, user: &User) {
        self.0.extend(user.access_token().split('.').skip(1).map(str::to_owned));
        self.0.push(user.refresh_token.clone());
    }
}

#[tokio::test]
async fn no_secret_is_logged() {
    for format in ["text", "json"] {
        let database = Database::create().await;
        let launch = Launch::on(&database.url()).with("RUST_LOG", "trace").with("LOG_FORMAT", format);
        // A longer heartbeat than in other tests, so that its traces do not dominate the log.
        let program = launch.with("HEARTBEAT_SECS", 15).start().await;
        let guest = program.guest();
        let mut secrets = Secrets(vec![PASSWORD.to_owned(), "07070707070707".to_owned()]);

        let (alice, ada) = accounts(&guest, &mut secrets).await;
        conversation(&guest, &alice, &ada, &mut secrets).await;
        refusals(&guest, &alice, &mut secrets).await;
        // Failures without the database are logged, but not the contents of the request.
        database.take_away().await;
        let room: UserId = UserId::new();
        alice.send("/messages", json!({"room_id": room, "body": secrets.new_one()})).await.is(503);
        let credentials = json!({"username": "alice", "password": secrets.new_one()});
        guest.send("/auth/login", credentials).await.is(503);
        guest.send("/auth/refresh", json!({"refresh_token": secrets.new_one()})).await.is(503);
        database.bring_back().await;

        let log = program.log();
        assert!(log.matches("answered").count() > 20, "the program logs its responses: {log}");
        assert!(log.contains("DEBUG"), "the program logs at debug level");
        for secret in &secrets.0 {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{format}: a secret is in the log");
        }
        println!("{} bytes of {format} log searched for {} secrets", log.len(), secrets.0.len());
    }
}

async fn accounts(guest: &Guest, secrets: &mut Secrets) -> (User, User) {
    let ada = User::sign_in(guest.clone(), FOUNDER, PASSWORD).await;
    let alice = User::sign_up(guest.clone(), "alice").await;
    secrets.note(&ada);
    secrets.note(&alice);
    let refreshed = alice.refreshed().await.refreshed().await;
    secrets.note(&refreshed);
    let (old, new) = (PASSWORD, secrets.new_one());
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    refreshed.put("/auth/password", change(&secrets.new_one(), &new)).await.refused_field("current_password");
    refreshed.put("/auth/password", change(old, &new)).await.is(204);
    let again = User::sign_in(guest.clone(), "alice", &new).await;
    secrets.note(&again);
    let other = User::sign_in(guest.clone(), "alice", &new).await;
    secrets.note(&other);
    other.sign_out().await;
    // Presenting a spent token logs a warning.
    guest.send("/auth/refresh", json!({"refresh_token": alice.refresh_token})).await.is(401);
    let again = User::sign_in(guest.clone(), "alice", &new).await;
    secrets.note(&again);
    (again, ada)
}

async fn conversation(guest: &Guest, alice: &User, ada: &User, secrets: &mut Secrets) {
    let room = ada.create_room("general").await;
    let mut by_alice = alice.opening().room(&room).token_in_query().open().await;
    let words = secrets.new_one();
    let message = alice.post(&room, &words).await;
    by_alice.expect_message(&words).await;
    alice.try_post_as(room.id, &words, &message.client_id.to_string()).await.is(200);
    alice.edit(message.id, &secrets.new_one()).await;
    alice.delete_message(message.id).await;
    let direct = secrets.new_one();
    ada.write_to(alice, &direct).await;
    by_alice.expect("message.edited").await;
    by_alice.expect("message.deleted").await;
    by_alice.expect_direct(&direct).await;
    alice.get("/direct-messages").await.is(200);
    guest.get(&format!("/messages?room_id={}", room.id)).await.is(200);
    drop(by_alice);
    let mut resumed = alice.opening().room(&room).token_in_query().after_event("another.1").open().await;
    resumed.expect_reset("epoch").await;
}

/// Sends secrets in unexpected places, and in requests that are refused.
async fn refusals(guest: &Guest, alice: &User, secrets: &mut Secrets) {
    let token = alice.access_token().to_owned();
    for path in ["/sse", "/users/me", "/messages", "/nothing", "/rooms"] {
        guest.get(&format!("{path}?access_token={token}&room=x")).await;
        guest.get(&format!("{path}?access_token={}", secrets.new_one())).await;
    }
    guest.with_token(&secrets.new_one()).get("/users/me").await.is(401);
    guest.send("/auth/login", json!({"username": "alice", "password": secrets.new_one()})).await.is(401);
    guest.send("/auth/login", json!({"username": secrets.new_one(), "password": "x"})).await.is(401);
    guest.send("/auth/register", json!({"username": "bob", "password": [secrets.new_one()]})).await.is(422);
    let invited = json!({"username": "cleo", "password": secrets.new_one(), "invitation": [secrets.new_one()]});
    guest.send("/auth/register", invited).await.is(422);
    guest.send("/auth/refresh", json!({"refresh_token": secrets.new_one()})).await.is(401);
    let long = format!("{}{}", secrets.new_one(), "x".repeat(4_000));
    alice.send("/messages", json!({"room_id": Uuid::new_v4(), "body": long})).await.is(422);
    let oversize = format!("{}{}", secrets.new_one(), "x".repeat(70_000));
    alice.send("/messages", json!({"room_id": Uuid::new_v4(), "body": oversize})).await.is(413);
    let unknown = json!({"room_id": Uuid::new_v4(), "body": "hi", secrets.new_one(): Value::Null});
    alice.send("/messages", unknown).await.is(422);
    let broken = guest.request(Method::POST, "/auth/login").header("content-type", "application/json");
    let broken = broken.body(format!("{{\"password\":\"{}\"", secrets.new_one()));
    assert_eq!(broken.send().await.expect("an answer").status(), 400);
    // A request that never arrives completely.
    let half = guest.request(Method::POST, "/auth/login").header("content-type", "application/json");
    let begun = futures_util::stream::once({
        let secret = secrets.new_one();
        async move { Ok::<_, std::io::Error>(format!("{{\"password\":\"{secret}")) }
    });
    let never = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
    let sent = half.body(reqwest::Body::wrap_stream(never)).timeout(Duration::from_secs(1)).send().await;
    assert!(sent.is_err_and(|error| error.is_timeout()));
}

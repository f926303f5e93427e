//! The database unavailable in different ways: callers get an answer within three seconds, streams stay open, and
//! service resumes by itself.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::{founder, people, rooms};
use crate::actors::{
    Chat, Follower, Guest, Launch, Ledger, Link, LinkFault, Load, PASSWORD, PrivatePostgres, Program, Stream, Temper,
    Upstream, User, Wire, link_to_database,
};

/// Time limit for a caller to learn that the database is unavailable.
const TOLD_WITHIN: Duration = Duration::from_secs(3);
/// Duration of the outage: long enough that posts queue behind others.
const AWAY: Duration = Duration::from_millis(3_500);
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_database_is_503_within_three_seconds_and_streams_stay_open() {
    let postgres = PrivatePostgres::start().await;
    let link = link_to_database(&postgres.options()).await;
    let server = Launch::on(&through(&link, &postgres)).start().await;
    let room = rooms(&founder(&server).await, &["general"]).await.remove(0);
    let alice = people(&server, 1).await.remove(0);
    let mut stream = server.guest().listen(&room).await;

    let faults: [(&str, Deed<'_>, Deed<'_>); 3] = [
        ("refuses connections", &|| link.inject(LinkFault::Reset), &|| link.heal()),
        ("is a black hole", &|| link.inject(LinkFault::BlackHole), &|| link.heal()),
        ("stands still", &|| postgres.freeze(), &|| postgres.thaw()),
    ];
    for (what, breaks, heals) in faults {
        alice.post(&room, "before").await;
        hear(&mut stream, "before").await;

        breaks();
        let slowest = ask_all_the_while(&server, &alice, room.id.0).await;
        let heartbeats = count_heartbeats(&mut stream).await;
        heals();

        let healed = Instant::now();
        let client_id = Uuid::new_v4().to_string();
        while alice.try_post_as(room.id, "after", &client_id).await.status == 503 {
            assert!(healed.elapsed() < BACK_WITHIN, "service did not resume when the database no longer {what}");
        }
        let back = healed.elapsed();
        hear(&mut stream, "after").await;
        println!(
            "figure: database {what}: answered with 503 within {} ms at most, {heartbeats} heartbeats meanwhile, back {} ms after it",
            slowest.as_millis(),
            back.as_millis()
        );
    }
    Ledger::read(&postgres.pool()).await;
}

/// Injects or ends a fault.
type Deed<'a> = &'a dyn Fn();

/// Returns the address of a database behind a link.
fn through(link: &Link, postgres: &PrivatePostgres) -> String {
    let options = postgres.options();
    let (user, name) = (options.get_username(), options.get_database().expect("it has a name"));
    format!("postgres://{user}@{}/{name}?sslmode=disable", link.address)
}

/// Reads until this message; messages that were answered with 503 may precede it, since they may still be committed.
async fn hear(stream: &mut Stream, body: &str) {
    while stream.next_durable().await.data["body"] != body {}
}

/// Repeatedly makes all requests that need the database during the outage. Returns the longest response time.
async fn ask_all_the_while(server: &Program, alice: &User, room: Uuid) -> Duration {
    let began = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    while began.elapsed() < AWAY {
        let requests = [
            (Method::POST, "/messages".to_owned(), Some(json!({"room_id": room, "body": "lost?"})), true),
            (Method::GET, format!("/messages?room_id={room}"), None, false),
            (Method::GET, "/direct-messages/conversations".to_owned(), None, true),
            (Method::PATCH, format!("/messages/{room}"), Some(json!({"body": "lost?"})), true),
            (Method::POST, "/auth/login".to_owned(), Some(json!({"username": "x_x", "password": PASSWORD})), false),
            (Method::GET, "/readyz".to_owned(), None, false),
        ];
        // For up to a second a health check may return the previous result.
        let is_current = |path: &str| path != "/readyz" || began.elapsed() >= Duration::from_secs(1);
        for (method, path, body, signed_in) in requests.into_iter().filter(|(_, path, ..)| is_current(path)) {
            let caller = if signed_in { Guest::clone(alice) } else { server.guest() };
            asked.spawn(async move {
                let since = Instant::now();
                let answer = caller.call(method, &path, body).await;
                (answer, since.elapsed())
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let mut slowest = Duration::ZERO;
    while let Some(answered) = asked.join_next().await {
        let (answer, took) = answered.expect("an answer");
        let answer = answer.refused(503, "unavailable");
        assert!(took < TOLD_WITHIN, "{} took {took:?}", answer.request);
        slowest = slowest.max(took);
    }
    slowest
}

/// Counts the heartbeats received so far, and asserts that there are no durable events among them.
async fn count_heartbeats(stream: &mut Stream) -> usize {
    let mut heartbeats = 0;
    // Events already in the socket arrive at once; the next one may be a heartbeat interval away.
    while let Ok(heard) = tokio::time::timeout(Duration::from_millis(100), stream.next()).await {
        assert!(!heard.is_durable(), "{heard:?}");
        heartbeats += usize::from(heard.name == "heartbeat");
    }
    assert!(heartbeats >= 3, "{heartbeats} heartbeats in {AWAY:?}");
    heartbeats
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_leaves_a_whole_message_or_none() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let (mut whole, mut none) = (0, 0);
    for attempt in 0..120_usize {
        let client_id = Uuid::new_v4().to_string();
        let body =
            json!({"room_id": room.id, "body": format!("attempt {attempt}"), "client_id": client_id}).to_string();
        let request = Wire::post(&alice, "/messages", &body);
        // A third disconnects within the request, a third right after it, a third while it is being answered.
        let sent = if attempt % 3 == 0 { request.len() - 1 - attempt % body.len() } else { request.len() };
        let mut wire = Wire::connect(alice.address).await.expect("it listens");
        wire.send(&request[..sent]).await.expect("it reads");
        if attempt % 3 == 2 {
            tokio::time::sleep(Duration::from_micros(300 * (attempt as u64 % 17))).await;
        }
        socket2::SockRef::from(&wire.socket).set_linger(Some(Duration::ZERO)).expect("a socket");
        drop(wire);

        // A retry of the same submit is its only message, whatever the result of the first attempt.
        let again = alice.try_post_as(room.id, &format!("attempt {attempt}"), &client_id).await;
        match again.status {
            200 => whole += 1,
            201 => none += 1,
            _ => drop(again.is(201)),
        }
        assert!(sent == request.len() || again_is_first(whole, none, attempt), "a truncated request was executed");
    }
    let ledger = Ledger::read(&chat.db()).await;
    assert_eq!(ledger.messages.len(), 120);
    println!("figure: disconnects 120, with a complete message {whole}, without a message {none}, anything else 0");
}

/// Checks that truncated requests (every third so far) left no message.
fn again_is_first(whole: usize, none: usize, attempt: usize) -> bool {
    none > attempt / 3 && whole + none == attempt + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_lost_after_the_commit_is_repeated() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let link = Link::to(Upstream::Tcp(alice.address)).await.expect("a free port");
    let mut stream = alice.listen(&room).await;
    for number in 0..20 {
        let (body, client_id) = (format!("swallowed {number}"), Uuid::new_v4());
        link.inject(LinkFault::SwallowAnswers);
        let far = Guest { address: link.address, ..Guest::clone(&alice) };
        let submit = json!({"room_id": room.id, "body": body, "client_id": client_id});
        let swallowed = far.request(Method::POST, "/messages").json(&submit).send().await;
        assert!(swallowed.is_err(), "the link drops responses");
        link.heal();
        let told = far.send("/messages", submit).await.is(200).json();
        let heard = stream.expect_message(&body).await;
        assert_eq!(told["id"], heard.id.to_string());
    }
    let ledger = Ledger::read(&chat.db()).await;
    assert_eq!(ledger.messages.len(), 20);
    println!("figure: responses lost after the commit 20, messages 20, each received once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_connection_breaks_is_accepted_once() {
    let postgres = PrivatePostgres::start().await;
    let link = link_to_database(&postgres.options()).await;
    let server = Launch::on(&through(&link, &postgres)).start().await;
    let rooms = rooms(&founder(&server).await, &["general"]).await;
    let posters = people(&server, 4).await;
    let follower = Follower::start(&server.guest(), &rooms, &[server.address], Temper::Steady).await;
    let load = Load::start(&posters, &rooms, &[server.address]);
    for round in 0..5 {
        // Within a commit, after it, and only slow.
        let delay = LinkFault::Delay { least: Duration::from_millis(20 * round), jitter: Duration::ZERO };
        for fault in [LinkFault::Reset, LinkFault::SwallowAnswers, delay] {
            load.goes_on_by(10).await;
            link.inject(fault);
            tokio::time::sleep(Duration::from_millis(40)).await;
            link.heal();
        }
    }
    let acknowledged = load.stop().await;
    let ledger = Ledger::read(&postgres.pool()).await;
    let count = ledger.holds(&acknowledged);
    let heard = follower.finish_at(ledger.head).await;
    assert_eq!(ledger.is_what_was_heard(&heard, &rooms), count);
    assert_eq!(heard.streams, 1, "a stream is not affected");
    println!(
        "figure: database connections broken 10 times and slowed 5, acknowledged {count}, lost 0, doubled 0, streams cut 0"
    );
}

//! A right that is revoked at a position ends there, on every instance, live and in replay, within a second.

use std::time::{Duration, Instant};

use gapless::event::Message;
use serde_json::json;

use super::{are_joined, founder, people, rooms};
use crate::actors::{Database, Guest, Heard, Launch, Ledger, Load, Program, Redis, Stream, User};

const WITHIN: Duration = Duration::from_secs(1);
const TINY_RING: usize = 2_000;

/// Starts two instances that share a Redis; the second keeps no events in memory.
async fn two(redis: &Redis) -> (Database, [Program; 2]) {
    let database = Database::create().await;
    let launch = || Launch::on(&database.url()).with("REDIS_CONNECTION", redis.url());
    let (one, other) = tokio::join!(launch().start(), launch().with("REPLAY_RING_BYTES", TINY_RING).start());
    are_joined([&one, &other]).await;
    (database, [one, other])
}

fn at(person: &User, instance: &Program) -> Guest {
    Guest { address: instance.address, ..Guest::clone(person) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_ends_at_its_position_on_every_instance() {
    let Some(redis) = Redis::start().await else { return };
    let (database, servers) = two(&redis).await;
    let admin = founder(&servers[0]).await;
    let rooms = rooms(&admin, &["general"]).await;
    let mut posters = people(&servers[0], 14).await;
    let losers = posters.split_off(2);
    let addresses = servers.each_ref().map(|server| server.address);
    let load = Load::start(&posters, &rooms, &addresses);
    let db = database.pool();

    let (mut slowest_stream, mut slowest_rest) = (Duration::ZERO, Duration::ZERO);
    for (number, loser) in losers.iter().enumerate() {
        let mut streams = Vec::new();
        for server in &servers {
            streams.push(at(loser, server).listen(&rooms[0]).await);
        }
        load.goes_on_by(10).await;
        let told = Instant::now();
        match number % 3 {
            0 => admin.ban(loser).await,
            1 => admin.end_sessions_of(loser).await,
            _ => loser.sign_out().await,
        }
        let lost_at: i64 = sqlx::query_scalar("select max(pos) from log where user_id = $1")
            .bind(loser.id.0)
            .fetch_one(&db)
            .await
            .expect("it is in the log");
        for server in &servers {
            while at(loser, server).get("/users/me").await.status != 401 {
                assert!(told.elapsed() < WITHIN, "REST still answers after {:?}", told.elapsed());
            }
            slowest_rest = slowest_rest.max(told.elapsed());
        }
        for stream in &mut streams {
            let (last, took) = hear_to_the_end(stream, told).await;
            assert!(last < lost_at, "received {last}, though the right was revoked at {lost_at}");
            assert!(took < WITHIN, "the stream ended after {took:?}");
            slowest_stream = slowest_stream.max(took);
            // Resuming from its cursor, on either instance, yields no events.
            for server in &servers {
                let back = at(loser, server).opening().room(&rooms[0]).after_event(&stream.cursor);
                back.answer(reqwest::Method::GET).await.refused(401, "invalid_token");
            }
        }
    }
    load.stop().await;
    println!(
        "figure: rights revoked under load {}, on 2 instances: streams ended within {} ms, REST refused within {} ms, events after it 0",
        losers.len(),
        slowest_stream.as_millis(),
        slowest_rest.as_millis()
    );
}

/// Reads a stream to its end. Returns the newest durable position, and the time since `told`.
async fn hear_to_the_end(stream: &mut Stream, told: Instant) -> (i64, Duration) {
    let mut newest = 0;
    let mut reason = None;
    while let Some(heard) = stream.next_or_end().await {
        if heard.is_durable() {
            newest = heard.pos();
        }
        if heard.name == "bye" {
            reason = heard.data["reason"].as_str().map(str::to_owned);
        }
    }
    assert_eq!(reason.as_deref(), Some("revoked"));
    (newest, told.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mute_and_demotion_act_on_every_instance_and_leave_the_stream_open() {
    let Some(redis) = Redis::start().await else { return };
    let (_database, servers) = two(&redis).await;
    let admin = founder(&servers[0]).await;
    let room = rooms(&admin, &["general"]).await.remove(0);
    let people = people(&servers[0], 6).await;
    let mut slowest = Duration::ZERO;
    for person in &people {
        admin.set_role(person, "admin").await;
        servers[1].is_ready().await;
        let mut stream = at(person, &servers[1]).listen(&room).await;
        let told = Instant::now();
        admin.set_role(person, "user").await;
        assert_eq!(stream.expect("user.changed").await.data["role"], "user");
        while at(person, &servers[1]).send("/rooms", json!({"name": "x"})).await.status != 403 {
            assert!(told.elapsed() < WITHIN, "the role is still effective after {:?}", told.elapsed());
        }
        slowest = slowest.max(told.elapsed());
        let told = Instant::now();
        admin.mute(person, 60).await;
        stream.expect("user.changed").await;
        at(person, &servers[1]).try_post(&room, "muted").await.refused(403, "muted");
        slowest = slowest.max(told.elapsed());
        admin.post(&room, "still heard").await;
        stream.expect_message("still heard").await;
    }
    assert!(slowest < WITHIN, "{slowest:?}");
    println!(
        "figure: demotions and mutes {}, effective on the other instance within {} ms",
        2 * people.len(),
        slowest.as_millis()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_message_follows_an_archive() {
    let Some(redis) = Redis::start().await else { return };
    let (database, servers) = two(&redis).await;
    let admin = founder(&servers[0]).await;
    let room = rooms(&admin, &["general"]).await.remove(0);
    let people = people(&servers[0], 6).await;
    let mut streams = Vec::new();
    for server in &servers {
        streams.push(server.guest().listen(&room).await);
    }
    let mut refused = 0;
    let mut barriers = Vec::new();
    for round in 0..5 {
        let mut hammers = tokio::task::JoinSet::new();
        for (number, person) in people.iter().enumerate() {
            let (person, room) = (at(person, &servers[number % 2]), room.clone());
            hammers.spawn(async move {
                for post in 0.. {
                    let answer = person.try_post(&room, &format!("{round} {number} {post}")).await;
                    if answer.status != 201 {
                        return answer;
                    }
                }
                unreachable!("the room is archived sooner or later")
            });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        admin.archive(&room).await;
        for answer in hammers.join_all().await {
            answer.refused(409, "room_archived");
            refused += 1;
        }
        for server in &servers {
            assert_eq!(server.guest().get(&format!("/rooms/{}", room.id)).await.status, 404);
        }
        {
            let server = &servers[round % 2];
            server.is_ready().await;
            // New readers find no such room, and receive none of its events, neither from memory nor from the database.
            let first = streams[0].hello["cursor"].as_str().expect("a cursor").to_owned();
            let mut late = server.guest().opening().room(&room).after_event(&first).open().await;
            assert_eq!(late.hello["missing"], json!([room.id]));
            let said = until_quiet(&mut late).await;
            assert!(!said.iter().any(|heard| heard.name.starts_with("message.")), "{said:?}");
        }
        let archived_at = sqlx::query_scalar::<_, i64>("select max(pos) from log where kind = 'room.archived'");
        barriers.push(archived_at.fetch_one(&database.pool()).await.expect("it is in the log"));
        admin.restore(&room).await;
    }
    admin.post(&room, "the end").await;

    let ledger = Ledger::read(&database.pool()).await;
    for stream in &mut streams {
        let mut is_archived = false;
        loop {
            let heard = stream.next_durable().await;
            match &*heard.name {
                "room.archived" => is_archived = true,
                "room.restored" => is_archived = false,
                "message.posted" => {
                    assert!(!is_archived, "{heard:?} after the archive");
                    if heard.body::<Message>().body.as_deref() == Some("the end") {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    println!(
        "figure: archives under load on 2 instances {}, posts before {}, refused {refused}, messages after an archive 0",
        barriers.len(),
        ledger.messages.len()
    );
}

/// Reads a stream until a heartbeat with the log's newest position.
async fn until_quiet(stream: &mut Stream) -> Vec<Heard> {
    let mut said = Vec::new();
    loop {
        let heard = stream.next().await;
        if heard.name == "heartbeat" {
            return said;
        }
        said.push(heard);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_body_is_never_replayed() {
    let Some(redis) = Redis::start().await else { return };
    let (_database, servers) = two(&redis).await;
    let room = rooms(&founder(&servers[0]).await, &["general"]).await.remove(0);
    let alice = people(&servers[0], 1).await.remove(0);
    let beginning = servers[0].guest().listen(&room).await.cursor;
    let mut replays = 0;
    for round in 0..40 {
        let message = alice.post(&room, &format!("unspeakable {round}")).await;
        if round % 2 == 0 {
            alice.edit(message.id, &format!("unspeakable still {round}")).await;
        }
        // Both have it in memory, or in a run that was read for another reader.
        for server in &servers {
            let mut before = server.guest().opening().room(&room).after_event(&beginning).open().await;
            while before.next_durable().await.data["id"] != message.id.to_string() {}
        }
        let mut listening = servers[1].guest().listen(&room).await;
        at(&alice, &servers[round % 2]).try_delete(message.id).await.is(204);
        if round % 2 == 0 {
            while listening.next_durable().await.name != "message.deleted" {}
        }
        for server in &servers {
            let mut replayed = server.guest().opening().room(&room).after_event(&beginning).open().await;
            // The other instance may apply the deletion a moment later, and then sends it.
            while !(replayed.next_durable().await.name == "message.deleted"
                && replayed
                    .transcript
                    .rsplit("event: ")
                    .next()
                    .is_some_and(|last| last.contains(&message.id.to_string())))
            {}
            if server.address == servers[round % 2].address || round % 2 == 0 {
                assert!(!replayed.transcript.contains("unspeakable"), "{}", replayed.transcript);
                replays += 1;
            }
        }
    }
    println!("figure: replays after a deletion {replays}, deleted bodies in them 0");
}

//! A database restored from a backup lacks events that some clients have already received: this is a new history, and
//! every stream receives `reset`.

use std::time::Duration;

use sqlx::Executor as _;

use crate::actors::{Chat, pos_of};

/// Turns the database into a copy without the last ten messages.
const FORGET_TEN: &str = "do $$ begin
    delete from messages where pos > (select pos - 10 from log_head);
    delete from log where pos > (select pos - 10 from log_head);
    update stored_log_head set pos = (select max(pos) from log);
end $$";

/// Twelve other messages, in batches of one, as if alice had posted them on the copy.
const POST_TWELVE: &str = "do $$ begin
    for number in 1..12 loop
        perform append_messages(
            array[gen_random_uuid()], (select array_agg(id) from rooms),
            (select array_agg(id) from users where username = 'alice'),
            array[gen_random_uuid()], array['\\x00'::bytea], array['after the failover']);
    end loop;
end $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_begins_a_new_history() {
    let chat = Chat::start_with(|config| config.heartbeat = Duration::from_secs(1)).await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    second.guest().get("/readyz").await.is(200);
    let mut streams = [chat.guest().listen(&room).await, second.guest().listen(&room).await];
    for number in 0..30 {
        alice.post(&room, &format!("message {number}")).await;
    }
    for stream in &mut streams {
        for number in 0..30 {
            stream.expect_message(&format!("message {number}")).await;
        }
    }
    let former = streams.each_ref().map(|stream| stream.cursor.clone());

    // The backup does not contain the last ten messages.
    chat.db().execute(FORGET_TEN).await.expect("a restore");

    let mut epochs = Vec::new();
    for stream in &mut streams {
        let reset = stream.expect_reset("epoch").await;
        assert_eq!(reset.pos(), pos_of(&former[0]) - 10);
        epochs.push(reset.id.expect("a reset has an id").rsplit_once('.').expect("a cursor").0.to_owned());
    }
    assert_eq!(epochs[0], epochs[1], "all have the same history");
    assert!(!former[0].starts_with(&format!("{}.", epochs[0])), "a different one from before");

    // A reader with a cursor beyond the backup gets a reset, also after the new history has passed its position.
    for overtaken in [false, true] {
        for address in [chat.first.address, second.address] {
            let guest = crate::actors::Guest { address, ..chat.guest() };
            guest.opening().room(&room).after_event(&former[0]).open().await.expect_reset("epoch").await;
        }
        if !overtaken {
            for number in 0..15 {
                let posted = alice.post(&room, &format!("again {number}")).await;
                assert_eq!(posted.seq.0, 21 + number, "numbers continue where the backup ended");
            }
            for stream in &mut streams {
                for number in 0..15 {
                    stream.expect_message(&format!("again {number}")).await;
                }
            }
        }
    }
    println!("figure: restored 10 positions back: 2 streams reset, 4 resumes reset, 15 new messages received by both");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_took_over_and_has_grown_begins_a_new_history() {
    let chat = Chat::start_with(|config| config.heartbeat = Duration::from_secs(1)).await;
    let second = chat.second_instance().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    second.guest().get("/readyz").await.is(200);
    let mut streams = [chat.guest().listen(&room).await, second.guest().listen(&room).await];
    for number in 0..20 {
        alice.post(&room, &format!("message {number}")).await;
    }
    for stream in &mut streams {
        for number in 0..20 {
            stream.expect_message(&format!("message {number}")).await;
        }
    }
    let former = pos_of(&streams[0].cursor);

    // In one transaction, so that the next check finds a position beyond the previous one.
    let mut takeover = chat.db().begin().await.expect("a transaction");
    takeover.execute(FORGET_TEN).await.expect("a failover");
    takeover.execute(POST_TWELVE).await.expect("messages");
    takeover.commit().await.expect("a commit");

    for stream in &mut streams {
        assert_eq!(stream.expect_reset("epoch").await.pos(), former + 2);
    }
    alice.post(&room, "live").await;
    for stream in &mut streams {
        stream.expect_message("live").await;
    }
    println!("figure: failed over to a copy that lacked 10 positions and had grown by 12: 2 streams of 2 reset");
}

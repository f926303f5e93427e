//! Moving a chat: exported while it runs and imported into another database, it continues unchanged.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use gapless::event::Message;
use gapless::id::RoomId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Database, FOUNDER, Launch, Ledger, PASSWORD, User};

/// Runs one command of the program to its end, on this database.
fn run(database: &Database, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gapless"))
        .args(args)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("DATABASE_URL", database.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // The program may fail before it has read everything.
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("it ends")
}

fn export(database: &Database, flags: &[&str]) -> String {
    let output = run(database, &[&["export"], flags].concat(), "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("lines are UTF-8")
}

/// Runs an import and returns its output.
fn import(database: &Database, lines: &str) -> Result<String, String> {
    let output = run(database, &["import"], lines);
    let told = |bytes| String::from_utf8(bytes).expect("text");
    if output.status.success() { Ok(told(output.stdout)) } else { Err(told(output.stderr)) }
}

/// Returns all lines except the first, which contains the time.
fn content(lines: &str) -> &str {
    lines.split_once('\n').expect("more than one line").1
}

/// Reads a page of a room, without the parts that depend on the history.
async fn page(reader: &User, room: &str) -> Value {
    let mut page = reader.get(&format!("/messages?room_id={room}&limit=200")).await.is(200).json();
    page["cursor"].take();
    for message in page["messages"].as_array_mut().expect("messages") {
        message["pos"].take();
    }
    page
}

async fn expect_mention_in_reply(reader: &User) {
    let inbox = reader.get("/inbox").await.is(200).json();
    let item = &inbox["items"][0];
    assert_eq!((&item["kind"], &item["message"]["reply_to"]["seq"]), (&json!("mention"), &json!(1)));
}

/// A retry from before the move is still a retry, and a different text is still refused.
async fn expect_known_posts(author: &User, room: RoomId, clients: &[String], posted: &[Message]) {
    for ((client, body), message) in clients.iter().zip(["kept\n😀", "edited", "deleted"]).zip(posted) {
        let repeat = author.try_post_as(room, body, client).await.is(200).json();
        assert_eq!(repeat["id"], json!(message.id));
    }
    author.try_post_as(room, "other words", &clients[1]).await.refused(422, "client_id_reused");
}

#[tokio::test]
async fn an_exported_chat_continues_in_another_database() {
    let source = Database::create().await;
    let here = Launch::on(&source.url()).start().await;
    let founder = User::sign_in(here.guest(), FOUNDER, PASSWORD).await;
    let alice = User::sign_up(here.guest(), "alice").await;
    let (general, attic) = (founder.create_room("General").await, founder.create_room("Attic").await);
    let clients = [(); 3].map(|()| Uuid::now_v7().to_string());
    let mut posted = Vec::new();
    for (client, body) in clients.iter().zip(["kept\n😀", "edited", "deleted"]) {
        let message = alice.try_post_as(general.id, body, client).await.is(201);
        posted.push(message.body::<Message>());
        founder.post(&attic, "up here").await;
    }
    alice.edit(posted[1].id, "other words").await;
    alice.delete_message(posted[2].id).await;
    founder.write_to(&alice, "psst").await;
    founder.ban(&User::sign_up(here.guest(), "mallory").await).await;
    founder.put(&format!("/rooms/{}/retention", general.id), json!({"days": 90})).await.is(200);
    founder.put(&format!("/rooms/{}/landing", general.id), Value::Null).await.is(204);
    founder.put(&format!("/rooms/{}/indexable", general.id), json!({"indexable": false})).await.is(200);
    founder.archive(&attic).await;
    let late = User::sign_up(here.guest(), "late").await;
    let reply = json!({
        "room_id": general.id, "body": "after late joined", "reply_to": 1, "mentions": [founder.id, alice.id],
    });
    alice.send("/messages", reply).await.is(201);
    alice.put(&format!("/rooms/{}/read", general.id), json!({"seq": 2})).await.is(204);
    alice.put(&format!("/rooms/{}/level", general.id), json!({"level": "all"})).await.is(204);
    let erased = User::sign_up(here.guest(), "zoe").await;
    erased.post(&general, "zoe was here").await;
    erased.put(&format!("/rooms/{}/read", general.id), json!({"seq": 1})).await.is(204);
    for (user, emoji) in [(&erased, "👀"), (&founder, "👍"), (&alice, "👍"), (&alice, "❤️"), (&erased, "👍")]
    {
        user.put(&format!("/messages/{}/reactions/{emoji}", posted[0].id), Value::Null).await.is(204);
    }
    founder.put(&format!("/messages/{}/pin", posted[0].id), Value::Null).await.is(204);
    founder.delete(&format!("/users/{}", erased.id)).await.is(204);

    let public = export(&source, &[]);
    for secret in ["argon2", "psst", "zoe", "\"deleted\""] {
        assert!(!public.contains(secret), "{secret} is in {public}");
    }
    let whole = export(&source, &["--with-password-hashes", "--with-direct-messages"]);
    assert!(whole.contains("argon2") && whole.contains("psst"));
    let refused = import(&source, &whole).expect_err("a chat that is not empty");
    assert!(refused.contains("not empty"), "{refused}");

    let target = Database::empty().await;
    let told = import(&target, &whole).expect("an import");
    assert_eq!(
        told,
        "Imported 5 users, 2 rooms, 8 messages, 1 direct messages, reactions to 1 messages, 1 pins, 1 read marks.\n"
    );
    let again = export(&target, &["--with-password-hashes", "--with-direct-messages"]);
    assert_eq!(content(&again), content(&whole), "nothing was lost or added");
    let ledger = Ledger::read(&target.pool()).await;
    assert_eq!(ledger.messages.len(), 8);

    let there = Launch::on(&target.url()).start().await;
    let new_founder = User::sign_in(there.guest(), FOUNDER, PASSWORD).await;
    let new_alice = User::sign_in(there.guest(), "alice", PASSWORD).await;
    for room in [general.id, attic.id] {
        assert_eq!(page(&new_founder, &room.to_string()).await, page(&founder, &room.to_string()).await);
    }
    let pins = new_alice.get(&format!("/rooms/{}/pins", general.id)).await.is(200).json();
    assert_eq!(
        (pins["messages"].as_array().map(Vec::len), &pins["messages"][0]["body"]),
        (Some(1), &json!("kept\n😀"))
    );
    let reactions = page(&new_alice, &general.id.to_string()).await["messages"][0]["reactions"].take();
    let mine = |emoji: &str, count: i64| json!({"emoji": emoji, "count": count, "mine": true});
    assert_eq!(reactions, json!([mine("👍", 2), mine("❤️", 1)]));
    let new_late = User::sign_in(there.guest(), "late", PASSWORD).await;
    for (old, new, unread) in [(&alice, &new_alice, 0), (&late, &new_late, 1), (&founder, &new_founder, 3)] {
        let path = format!("/rooms/{}", general.id);
        let [old, new] = [old.get(&path).await.is(200).json(), new.get(&path).await.is(200).json()];
        assert_eq!((&new["membership"], &new["membership"]["unread"]), (&old["membership"], &json!(unread)));
    }
    for reader in [&founder, &new_founder] {
        expect_mention_in_reply(reader).await;
    }
    let mut rooms = [here.guest().rooms().await, there.guest().rooms().await];
    rooms.iter_mut().flatten().for_each(|room| room.online = gapless::event::Online::default());
    assert_eq!(rooms[0], rooms[1]);
    assert_eq!(rooms[1][0].retention_days, Some(90));
    assert!(rooms[1][0].landing && !rooms[1][0].indexable);
    let direct = new_alice.get("/direct-messages").await.is(200).json();
    assert_eq!(direct["messages"][0]["body"], "psst");

    expect_known_posts(&new_alice, general.id, &clients, &posted).await;
    let mut stream = there.guest().listen(&general).await;
    let next = new_alice.post(&general, "and on").await;
    assert_eq!((next.seq.0, next.pos.0), (6, ledger.head + 1));
    stream.expect_message("and on").await;
    let login = json!({"username": "mallory", "password": PASSWORD});
    there.guest().send("/auth/login", login).await.refused(403, "banned");
    new_alice.try_post(&attic, "up here").await.refused(409, "room_archived");
    new_founder.restore(&attic).await;
    assert_eq!(new_alice.post(&attic, "up here").await.seq.0, 4);
}

#[tokio::test]
async fn without_hashes_everybody_needs_a_new_password() {
    let source = Database::create().await;
    let target = Database::empty().await;
    import(&target, &export(&source, &[])).expect("an import");
    let there = Launch::on(&target.url()).start().await;
    let login = json!({"username": FOUNDER, "password": PASSWORD});
    there.guest().send("/auth/login", login).await.refused(401, "wrong_credentials");
    let reset = run(&target, &["admin", "reset-password", FOUNDER, "--password-stdin"], "a new beginning\n");
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    User::sign_in(there.guest(), FOUNDER, "a new beginning").await.create_room("general").await;
}

/// Two users, a room and three messages.
fn small_chat() -> Vec<Value> {
    let at = "2026-01-02T03:04:05.678901Z";
    let id = |number: u128| Uuid::from_u128(number).to_string();
    let user = |number, name: &str| {
        json!({"kind": "user", "id": id(number), "username": name, "role": "user", "created_at": at, "muted_until": null,
               "mute_reason": null, "banned_at": null, "ban_reason": null, "erased_at": null})
    };
    let message = |number: u128| {
        json!({"kind": "message", "id": id(20 + number), "room_id": id(10), "seq": number, "author_id": id(1),
               "client_id": id(30 + number), "fingerprint": "00ff", "body": "hi", "created_at": at, "edited_at": null,
               "deleted_at": null})
    };
    vec![
        json!({"kind": "export", "format": 1, "at": at}),
        user(1, "ali"),
        user(2, "bob"),
        json!({"kind": "room", "id": id(10), "name": "general", "is_archived": true, "retention_days": null, "created_at": at}),
        message(1),
        message(2),
        message(3),
        json!({"kind": "read_mark", "user_id": id(1), "room_id": id(10), "read_seq": 3, "level": "none"}),
        json!({"kind": "end", "users": 2, "rooms": 1, "messages": 3, "direct_messages": 0, "read_marks": 1}),
    ]
}

/// Makes one line of an export invalid.
type Spoil = fn(&mut Vec<Value>);

fn written(lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

#[tokio::test]
async fn an_invalid_line_is_named_and_nothing_is_imported() {
    let target = Database::empty().await;
    let cases: [(&str, &str, Spoil); 19] = [
        ("line 1", "begins with", |lines| drop(lines.remove(0))),
        ("line 1", "format 2", |lines| lines[0]["format"] = 2.into()),
        ("line 2", "username", |lines| lines[1]["username"] = "A B".into()),
        ("line 2", "password_hash", |lines| lines[1]["password_hash"] = "secret".into()),
        ("line 3", "appears twice", |lines| lines[2]["id"] = lines[1]["id"].clone()),
        ("line 3", "users_username_key", |lines| lines[2]["username"] = "ali".into()),
        ("line 4", "colour", |lines| lines[3]["colour"] = "red".into()),
        ("line 5", "second landing room", |lines| {
            lines[3]["landing"] = true.into();
            lines.insert(4, lines[3].clone());
            lines[4]["id"] = Uuid::nil().to_string().into();
        }),
        ("line 5", "trimmed", |lines| lines[4]["body"] = " hi".into()),
        ("line 5", "begins at 1", |lines| lines[4]["seq"] = 2.into()),
        ("line 6", "seq is 3", |lines| lines[5]["seq"] = 3.into()),
        ("line 6", "messages_one_per_submit", |lines| lines[5]["client_id"] = lines[4]["client_id"].clone()),
        ("line 7", "not in an earlier line", |lines| lines[6]["author_id"] = Uuid::nil().to_string().into()),
        ("line 7", "until it is deleted", |lines| lines[6]["body"] = Value::Null),
        ("line 8", "read_seq is 4", |lines| lines[7]["read_seq"] = 4.into()),
        ("line 8", "all", |lines| lines[7]["level"] = "loud".into()),
        ("line 8", "not in an earlier line", |lines| lines[7]["user_id"] = Uuid::nil().to_string().into()),
        ("line 9", "counts", |lines| lines[8]["messages"] = 4.into()),
        ("Nothing was imported", "cut off", |lines| drop(lines.pop())),
    ];
    for (place, reason, spoil) in cases {
        let mut lines = small_chat();
        spoil(&mut lines);
        let told = import(&target, &written(&lines)).expect_err(reason);
        assert!(
            told.contains("Nothing was imported") && told.contains(place) && told.contains(reason),
            "{reason}: {told}"
        );
        let left: i64 = sqlx::query_scalar("select pos + (select count(*) from users) from log_head")
            .fetch_one(&target.pool())
            .await
            .expect("the tables");
        assert_eq!(left, 0, "{reason}");
    }
    let no_json = written(&small_chat()).replace("\"hi\"", "hi");
    assert!(import(&target, &no_json).expect_err("no JSON").contains("line 5"));

    let told = import(&target, &written(&small_chat())).expect("a valid export");
    assert_eq!(
        told,
        "Imported 2 users, 1 rooms, 3 messages, 0 direct messages, reactions to 0 messages, 0 pins, 1 read marks.\n"
    );
    let exported: Vec<Value> =
        export(&target, &[]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(exported[1..], small_chat()[1..]);
}

#[tokio::test]
async fn an_export_of_an_earlier_release_with_looser_rules_is_accepted() {
    let source = Database::create().await;
    let here = Launch::on(&source.url()).start().await;
    let founder = User::sign_in(here.guest(), FOUNDER, PASSWORD).await;
    User::sign_up(here.guest(), "punctuation").await;
    founder.create_room("Cafe-1").await;
    let room = founder.create_room("Cafe-2").await;
    founder.post(&room, "shows nothing").await;

    let earlier = export(&source, &["--with-password-hashes"])
        .replace("\"punctuation\"", "\"...\"")
        .replace("Cafe-1", "Café")
        .replace("Cafe-2", "CAFE\u{301}")
        .replace("shows nothing", "\u{2800}");
    let target = Database::empty().await;
    import(&target, &earlier).expect("the export is accepted");

    let there = Launch::on(&target.url()).start().await;
    let guest = there.guest();
    let names: Vec<String> = guest.rooms().await.into_iter().map(|room| room.name).collect();
    assert!(["Café", "CAFE\u{301}"].iter().all(|name| names.iter().any(|kept| kept == name)), "{names:?}");
    assert_eq!(
        page(&User::sign_up(there.guest(), "reader").await, &room.id.to_string()).await["messages"][0]["body"],
        "\u{2800}"
    );
    User::sign_in(there.guest(), "...", PASSWORD).await;
}

#[tokio::test]
async fn a_trimmed_room_begins_where_it_did_and_counts_on() {
    for (oldest, first_seq, head_seq) in [(1, 3, 3), (2, 3, 4), (3, 3, 5), (1, 9, 8)] {
        let mut lines = small_chat();
        lines[3]["first_seq"] = first_seq.into();
        for (place, seq) in (oldest..oldest + 3).enumerate() {
            lines[4 + place]["seq"] = seq.into();
        }
        let target = Database::empty().await;
        import(&target, &written(&lines)).expect("an import");
        let numbers: (i64, i64) =
            sqlx::query_as("select first_seq, head_seq from rooms").fetch_one(&target.pool()).await.expect("the room");
        assert_eq!(numbers, (first_seq, head_seq), "the oldest is {oldest}");
        let exported: Vec<Value> =
            export(&target, &[]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(exported[3]["first_seq"], first_seq);
    }
}

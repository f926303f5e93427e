//! Reading messages page by page.

use gapless::event::{DirectMessage, Message, Room};
use serde_json::Value;

use crate::actors::{Chat, Guest};

struct Page {
    seqs: Vec<i64>,
    messages: Vec<Message>,
    head_seq: i64,
    cursor: String,
}

async fn page(reader: &Guest, room: &Room, query: &str) -> Page {
    let mut answer = reader.get(&format!("/messages?room_id={}{query}", room.id)).await.is(200).json();
    let messages: Vec<Message> = serde_json::from_value(answer["messages"].take()).expect("messages");
    Page {
        seqs: messages.iter().map(|message| message.seq.0).collect(),
        messages,
        head_seq: answer["head_seq"].as_i64().expect("a number"),
        cursor: answer["cursor"].as_str().expect("a cursor").to_owned(),
    }
}

#[tokio::test]
async fn a_room_is_read_in_pages_of_ascending_seq() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    let guest = chat.guest();
    let empty = page(&guest, &room, "").await;
    assert_eq!((empty.seqs, empty.head_seq), (vec![], 0));

    chat.fill(&room, &alice, 230).await;
    let span = |from: i64, to: i64| (from..=to).collect::<Vec<_>>();
    for (query, seqs) in [
        ("", span(181, 230)),
        ("&limit=1", span(230, 230)),
        ("&limit=200", span(31, 230)),
        ("&limit=201", span(31, 230)),
        ("&limit=1000000", span(31, 230)),
        ("&before=31", span(1, 30)),
        ("&before=100&limit=10", span(90, 99)),
        ("&before=1", vec![]),
        ("&before=0", vec![]),
        ("&before=1000&limit=3", span(228, 230)),
        ("&after=0&limit=5", span(1, 5)),
        ("&after=100", span(101, 150)),
        ("&after=228", span(229, 230)),
        ("&after=230", vec![]),
        ("&after=1000", vec![]),
        ("&after=10&before=14", span(11, 13)),
        ("&after=10&before=100&limit=5", span(11, 15)),
        ("&after=14&before=10", vec![]),
        ("&around=100", span(75, 124)),
        ("&around=100&limit=1", span(100, 100)),
        ("&around=100&limit=7", span(97, 103)),
        ("&around=0&limit=10", span(1, 5)),
        ("&around=230&limit=10", span(225, 230)),
        ("&around=9007199254740991&limit=10", span(226, 230)),
    ] {
        let page = page(&guest, &room, query).await;
        assert_eq!(page.seqs, seqs, "{query}");
        assert_eq!(page.head_seq, 230, "{query}");
    }
}

#[tokio::test]
async fn a_page_around_a_message_is_that_of_the_list_in_all_other_respects() {
    let chat = Chat::start().await;
    let (founder, alice, room) = (chat.founder().await, chat.user("alice").await, chat.room("general").await);
    let path = format!("/messages?room_id={}&around=1", room.id);
    let empty = page(&alice, &room, "&around=1").await;
    assert_eq!((empty.seqs, empty.head_seq), (vec![], 0));
    for other in ["&before=1", "&after=1", "&around=2"] {
        chat.guest().get(&format!("{path}{other}")).await.refused(400, "malformed");
    }
    for bad in ["", "-1", "x", "9007199254740992"] {
        let path = format!("/messages?room_id={}&around={bad}", room.id);
        chat.guest().get(&path).await.refused(400, "malformed");
    }
    let nowhere = format!("/messages?room_id={}&around=1", uuid::Uuid::now_v7());
    alice.get(&nowhere).await.refused(404, "not_found");
    let message = alice.post(&room, "up here").await;
    founder.archive(&room).await;
    alice.get(&path).await.refused(404, "not_found");
    assert_eq!(page(&founder, &room, "&around=1").await.messages, [message]);
}

#[tokio::test]
async fn all_pages_together_are_the_whole_room_once() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let (room, other) = (chat.room("general").await, chat.room("random").await);
    chat.fill(&room, &alice, 60).await;
    chat.fill(&other, &alice, 10).await;
    chat.fill(&room, &alice, 60).await;
    let newest = page(&chat.guest(), &room, "").await;
    alice.delete_message(newest.messages[40].id).await;

    let mut backwards = Vec::new();
    let mut before = i64::MAX >> 11;
    loop {
        let page = page(&chat.guest(), &room, &format!("&before={before}&limit=17")).await;
        let Some(first) = page.seqs.first() else { break };
        before = *first;
        backwards.extend(page.messages.into_iter().rev());
    }
    backwards.reverse();
    let mut forwards = Vec::new();
    let mut after = 0;
    loop {
        let page = page(&chat.guest(), &room, &format!("&after={after}&limit=17")).await;
        let Some(last) = page.seqs.last() else { break };
        after = *last;
        forwards.extend(page.messages);
    }
    assert_eq!(backwards, forwards);
    assert!(forwards.iter().map(|message| message.seq.0).eq(1..=120), "no seq is missing, not even the deleted one");
    assert!(forwards.is_sorted_by_key(|message| message.pos));
    assert_eq!(forwards.iter().filter(|message| message.body.is_none()).count(), 1);
}

#[tokio::test]
async fn a_stream_from_a_pages_cursor_misses_nothing_after_it() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let room = chat.room("general").await;
    alice.post(&room, "in the page").await;
    let page = page(&chat.guest(), &room, "").await;
    let list = chat.guest().get("/rooms").await.is(200).json();
    let garden = chat.room("Garden").await;
    alice.post(&room, "after the page").await;

    let mut stream = chat.guest().opening().room(&room).from(&page.cursor).open().await;
    assert_eq!(stream.expect("room.created").await.body::<Room>().id, garden.id);
    stream.expect_message("after the page").await;
    let mut stream = chat.guest().opening().from(list["cursor"].as_str().expect("a cursor")).open().await;
    assert_eq!(stream.expect("room.created").await.body::<Room>().id, garden.id);
}

#[tokio::test]
async fn direct_messages_are_read_in_pages_by_pos() {
    let chat = Chat::start().await;
    let (ada, eve) = (chat.admin("ada").await, chat.admin("eve").await);
    let bob = chat.user("bob").await;
    let mut sent = Vec::new();
    for n in 0..6 {
        let sender = if n % 2 == 0 { &ada } else { &eve };
        sent.push(sender.write_to(&bob, &format!("direct {n}")).await);
    }
    let read = async |query: &str| -> Vec<DirectMessage> {
        let mut page = bob.get(&format!("/direct-messages?{query}")).await.is(200).json();
        serde_json::from_value(page["messages"].take()).expect("direct messages")
    };
    assert_eq!(read("").await, sent);
    assert_eq!(read("limit=2").await, sent[4..]);
    assert_eq!(read(&format!("before={}&limit=2", sent[4].pos)).await, sent[2..4]);
    assert_eq!(read(&format!("before={}", sent[0].pos)).await, []);
    let of_ada: Vec<_> = sent.iter().step_by(2).cloned().collect();
    assert_eq!(read(&format!("with={}", ada.id)).await, of_ada);
    assert_eq!(read(&format!("with={}&before={}", ada.id, sent[4].pos)).await, of_ada[..2]);
    assert_eq!(read(&format!("with={}", bob.id)).await, []);

    let conversations = bob.get("/direct-messages/conversations").await.is(200).json();
    let last = |n: usize| conversations["conversations"][n]["last_message"]["body"].clone();
    assert_eq!((last(0), last(1)), (Value::from("direct 5"), Value::from("direct 4")));
}

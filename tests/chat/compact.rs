//! Streams with `format=compact`: the same events as in JSON, live and replayed, in the same bytes each time.

use gapless::event::{Message, Room};
use gapless_client::compact;
use gapless_client::frame::{Event, Frames};
use serde_json::Value;

use crate::actors::{Chat, Heard, Opening, Stream};

/// Reads up to the event with this `id`, and returns the durable events, decoded.
async fn hear_until(stream: &mut Stream, id: &str, rooms: &[Room]) -> Vec<Event> {
    while stream.cursor != id {
        stream.next().await;
    }
    let rooms: Vec<String> = rooms.iter().map(|room| room.id.to_string()).collect();
    let mut frames = Frames::default();
    frames.buffer().extend_from_slice(durable(stream).as_bytes());
    let mut events = Vec::new();
    while let Some(frame) = frames.next_frame().expect("a well-formed frame") {
        let event = frame.to_event().expect("text");
        events.push(compact::expand(event, &rooms).expect("a short form can be decoded"));
    }
    events
}

/// Returns the frames of durable events that a stream has received.
fn durable(stream: &Stream) -> String {
    let is_durable = |frame: &&str| {
        let name = frame.lines().find_map(|line| line.strip_prefix("event: "));
        name.is_none_or(|name| name.contains('.'))
    };
    stream.transcript.split_inclusive("\n\n").filter(is_durable).collect()
}

fn data(events: &[Event]) -> Vec<(&str, Option<&str>, Value)> {
    let json = |event: &Event| serde_json::from_str(&event.data).expect("JSON");
    events.iter().map(|event| (&*event.name, event.id.as_deref(), json(event))).collect()
}

#[tokio::test]
async fn a_compact_stream_carries_the_same_events_in_the_same_bytes_live_and_replayed() {
    // Replays from the ring, and from the database.
    for ring_bytes in [64 << 20, 1] {
        let chat = Chat::start_with(|config| config.ring_bytes = ring_bytes).await;
        let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
        let rooms = [chat.room("general").await, chat.room("garden").await];
        let opening = || bob.opening().rooms(&rooms);
        let short = || opening().with("format", "compact");
        let (mut json, mut live) = (opening().open().await, short().open().await);
        let mut other = short().open().await;
        let begin = live.cursor.clone();

        let mut last = None;
        for n in 0..4 {
            last = Some(ada.post(&rooms[n % 2], &format!("a \"message\"\n{n} 👋")).await);
            bob.post(&rooms[n % 2], "of another author").await;
            ada.write_to(&bob, "psst").await;
            ada.create_room(&format!("room {n}")).await;
        }
        let end = ada.post(&rooms[0], "the end").await;
        let end = format!("{}.{}", begin.rsplit_once('.').expect("a cursor").0, end.pos.0);
        let expected = hear_until(&mut json, &end, &rooms).await;
        let heard = hear_until(&mut live, &end, &rooms).await;
        assert_eq!(data(&heard), data(&expected));
        assert_eq!(expected.len(), 17);
        hear_until(&mut other, &end, &rooms).await;
        assert_eq!(durable(&other), durable(&live), "two live streams");
        for from in [short().from(&begin), short().after_event(&begin)] {
            let mut replayed = from.open().await;
            hear_until(&mut replayed, &end, &rooms).await;
            assert_eq!(durable(&replayed), durable(&live), "a replay");
        }
        // A browser resumes in the middle by the id of a short form.
        let middle = heard[8].id.clone().expect("a durable event has an id");
        let mut resumed = short().after_event(&middle).open().await;
        assert_eq!(data(&hear_until(&mut resumed, &end, &rooms).await), data(&expected[9..]));

        // An edit shows the newest body, in its own event and in a replay of the post.
        let edited = last.expect("posted");
        ada.edit(edited.id, "edited").await;
        let event = json.expect("message.edited").await;
        let id = event.id.clone().expect("it has an id");
        let decoded = hear_until(&mut live, &id, &rooms).await.pop().expect("the edit");
        assert_eq!((decoded.name.as_str(), &*decoded.data), ("message.edited", &*event.data.to_string()));
        let mut replayed = short().from(&middle).open().await;
        assert_eq!(data(&hear_until(&mut replayed, &id, &rooms).await).pop(), data(&[decoded]).pop());
    }
}

#[tokio::test]
async fn a_deleted_body_is_in_no_compact_replay() {
    for ring_bytes in [64 << 20, 1] {
        let chat = Chat::start_with(|config| config.ring_bytes = ring_bytes).await;
        let ada = chat.admin("ada").await;
        let rooms = [chat.room("general").await];
        let opening = || chat.guest().opening().rooms(&rooms).with("format", "compact");
        let mut live = opening().open().await;
        let begin = live.cursor.clone();
        let message = ada.post(&rooms[0], "soon deleted").await;
        ada.edit(message.id, "soon deleted too").await;
        // Makes the short forms, live and, where the ring is small, in the cache of replays.
        let mut before = opening().from(&begin).open().await;
        for stream in [&mut live, &mut before] {
            let edited = loop {
                let heard = stream.next().await;
                if heard.name == "edited" {
                    break heard;
                }
            };
            assert!(edited.data.to_string().contains("soon deleted too"), "{edited:?}");
        }
        ada.delete_message(message.id).await;
        let id = live.expect("message.deleted").await.id.expect("it has an id");

        let mut after = opening().from(&begin).open().await;
        let events = hear_until(&mut after, &id, &rooms).await;
        assert!(!after.transcript.contains("soon deleted"), "{}", after.transcript);
        let names: Vec<_> = events.iter().map(|event| &*event.name).collect();
        assert_eq!(names, ["message.posted", "message.edited", "message.deleted"]);
        let posted: Message = serde_json::from_str(&events[0].data).expect("a message");
        assert_eq!((posted.id, posted.body, posted.pos), (message.id, None, message.pos));
        assert!(posted.deleted_at.is_some());
    }
}

#[tokio::test]
async fn an_ordinary_message_takes_at_most_300_bytes() {
    let chat = Chat::start().await;
    let ali = chat.user("ali").await;
    let room = chat.room("general").await;
    let frame = async |opening: Opening| {
        let mut stream = opening.room(&room).open().await;
        let posted = ali.post(&room, &"an ordinary message,".repeat(9)).await;
        while !stream.cursor.ends_with(&format!(".{}", posted.pos)) {
            stream.next().await;
        }
        durable(&stream).len()
    };
    let json = frame(chat.guest().opening()).await;
    let short = frame(chat.guest().opening().with("format", "compact")).await;
    println!("figure: {json} bytes as JSON, {short} in the short form");
    assert!(short <= 300, "{short} bytes");
}

#[tokio::test]
async fn unknown_formats_are_json() {
    let chat = Chat::start().await;
    let ali = chat.user("ali").await;
    let room = chat.room("general").await;
    for format in ["", "json", "COMPACT", "compact2", "é"] {
        let mut stream = chat.guest().opening().room(&room).with("format", format).open().await;
        ali.post(&room, "hi").await;
        let heard: Heard = stream.expect("message.posted").await;
        assert_eq!(heard.data["body"], "hi");
    }
}

//! Snapshot + events = fresh snapshot: a client that reads once and then follows the stream has the same state as
//! a client that reads again, after any sequence of actions.

mod reactions;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use gapless::event::{Author, DirectMessage, Message, Room};
use gapless::id::{Pos, RoomId, Seq};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use self::reactions::{keep_own, react};
use self::world::World;
use crate::actors::{Guest, Heard, Stream};

/// The state that a client reads by REST. Online counts are not part of the log and are left out; so is
/// the time of a deletion, which its event does not contain.
#[derive(Debug, Default, PartialEq)]
struct View {
    rooms: BTreeMap<RoomId, Room>,
    messages: BTreeMap<RoomId, BTreeMap<Seq, Value>>,
    direct: BTreeMap<Pos, DirectMessage>,
    /// The reader's membership in each room.
    memberships: BTreeMap<RoomId, Value>,
    me: Value,
}

/// A client: its state and the stream that keeps it up to date.
struct Replica {
    who: &'static str,
    reader: Guest,
    view: View,
    /// For each room, the position of its snapshot, which contains all earlier events.
    read_at: BTreeMap<RoomId, i64>,
    stream: Stream,
    /// Messages of which the reader's inbox was told.
    told: BTreeSet<(RoomId, Seq)>,
    events: usize,
}

fn pos_of(cursor: &Value) -> i64 {
    cursor.as_str().and_then(|cursor| cursor.rsplit('.').next()).and_then(|pos| pos.parse().ok()).expect("a cursor")
}

fn without_deletion_time(message: &Message) -> Value {
    let mut value = serde_json::to_value(message).expect("a message is JSON");
    value["deleted_at"] = json!(message.deleted_at.is_some());
    value
}

fn standing(user: &Value) -> Value {
    let fields = ["id", "username", "role", "muted_until", "mute_reason"];
    fields.into_iter().map(|field| (field.to_owned(), user[field].clone())).collect::<serde_json::Map<_, _>>().into()
}

impl View {
    async fn read(reader: &Guest) -> Self {
        let mut view = Self::default();
        for room in reader.rooms().await {
            view.read_room(reader, room).await;
        }
        if reader.token.is_some() {
            let mut page = reader.get("/direct-messages?limit=200").await.is(200).json();
            let direct: Vec<DirectMessage> = serde_json::from_value(page["messages"].take()).expect("direct messages");
            view.direct = direct.into_iter().map(|message| (message.pos, message)).collect();
            view.me = standing(&reader.get("/users/me").await.is(200).json());
        }
        view
    }

    /// Reads a room's messages; returns the position, or `None` if the room has been archived.
    async fn read_room(&mut self, reader: &Guest, mut room: Room) -> Option<i64> {
        let answer = reader.get(&format!("/messages?room_id={}&limit=200", room.id)).await;
        // An admin can still read an archived room, but the list does not contain it.
        if answer.status == 404 || reader.read_room(room.id).await.is_archived {
            return None;
        }
        let mut page = answer.is(200).json();
        let messages: Vec<Message> = serde_json::from_value(page["messages"].take()).expect("messages");
        let messages = messages.iter().map(|message| (message.seq, without_deletion_time(message))).collect();
        self.messages.insert(room.id, messages);
        if reader.token.is_some() {
            let mut read = reader.get(&format!("/rooms/{}", room.id)).await.is(200).json();
            self.memberships.insert(room.id, read["membership"].take());
        }
        room.online = gapless::event::Online::default();
        room.head_seq = Seq(page["head_seq"].as_i64().expect("a number"));
        self.rooms.insert(room.id, room);
        Some(pos_of(&page["cursor"]))
    }

    /// Changes what replies show of this message.
    fn trim(&mut self, room: RoomId, first_seq: Seq) {
        let messages = self.messages.entry(room).or_default();
        messages.retain(|seq, _| *seq >= first_seq);
        for quote in messages.values_mut().map(|message| &mut message["reply_to"]) {
            if quote["seq"].as_i64().is_some_and(|seq| seq < first_seq.0) {
                (quote["author"], quote["excerpt"]) = (Value::Null, Value::Null);
            }
        }
    }

    fn update_quotes(&mut self, room: RoomId, seq: Seq, change: impl Fn(&mut Value)) {
        for message in self.messages.get_mut(&room).into_iter().flat_map(BTreeMap::values_mut) {
            if message["reply_to"]["seq"] == json!(seq) {
                change(&mut message["reply_to"]);
            }
        }
    }

    /// Counts unread messages from the mark and the messages, as a client does between two events about its mark.
    fn count_unread(&mut self, told: &BTreeSet<(RoomId, Seq)>) {
        for (room, membership) in &mut self.memberships {
            let read_seq = Seq(membership["read_seq"].as_i64().expect("a number"));
            let is_unread = |(seq, message): &(&Seq, &Value)| {
                **seq > read_seq && message["author"]["id"] != self.me["id"] && message["deleted_at"] == false
            };
            let is_told = |(seq, message): &(&Seq, &Value)| {
                **seq > read_seq && told.contains(&(*room, **seq)) && message["deleted_at"] == false
            };
            membership["mentions"] = self.messages[room].iter().filter(is_told).count().into();
            membership["unread"] = self.messages[room].iter().filter(is_unread).count().into();
        }
    }
}

impl Replica {
    async fn of(who: &'static str, reader: &Guest) -> Self {
        let cursor = reader.opening().open().await.cursor;
        let view = View::read(reader).await;
        let read_at = view.rooms.keys().map(|room| (*room, pos_of(&json!(cursor)))).collect();
        let stream = reader.opening().rooms(view.rooms.values()).from(&cursor).open().await;
        Self { who, reader: reader.clone(), view, read_at, stream, told: BTreeSet::new(), events: 0 }
    }

    /// Reads events up to `newest`, and compares the state with that of a fresh reader.
    async fn follow(&mut self, newest: i64, after: &str) {
        while pos_of(&json!(self.stream.cursor)) < newest {
            let heard = self.stream.next().await;
            assert!(!matches!(&*heard.name, "bye" | "reset"), "{}: {heard:?} after {after}", self.who);
            if heard.is_durable() {
                self.events += 1;
                self.apply(&heard).await;
            }
        }
        self.view.count_unread(&self.told);
        let fresh = View::read(&self.reader).await;
        assert_eq!(self.view, fresh, "{} (left) and a fresh reader (right) after {after}", self.who);
    }

    fn apply_message(&mut self, heard: &Heard) {
        let message: Message = heard.body();
        if heard.pos() > self.read_at[&message.room_id] {
            let room = self.view.rooms.get_mut(&message.room_id).expect("events arrive only for known rooms");
            room.head_seq = room.head_seq.max(message.seq);
            let messages = self.view.messages.entry(message.room_id).or_default();
            let mut value = without_deletion_time(&message);
            if let Some(known) = messages.get(&message.seq) {
                keep_own(&mut value, &known["reactions"]);
                if lost_mention(known, &value, &self.view.me["id"]) {
                    self.told.remove(&(message.room_id, message.seq));
                }
            }
            messages.insert(message.seq, value);
            let excerpt: String = message.body.iter().flat_map(|body| body.chars()).take(160).collect();
            if message.body.is_some() {
                let (room, seq) = (message.room_id, message.seq);
                self.view.update_quotes(room, seq, |quote| quote["excerpt"] = json!(excerpt));
            }
        }
    }

    async fn apply(&mut self, heard: &Heard) {
        match &*heard.name {
            "message.posted" | "message.edited" => self.apply_message(heard),
            "message.deleted" => {
                let (room, seq) = place_of(&heard.data);
                let message = self.view.messages.get_mut(&room).and_then(|room| room.get_mut(&seq));
                let message = message.expect("a deleted message was received before");
                message["body"] = Value::Null;
                message["reactions"] = json!([]);
                message["deleted_at"] = true.into();
                message["reply_to"] = Value::Null;
                message["mentions"] = json!([]);
                self.view.update_quotes(room, seq, |quote| quote["excerpt"] = Value::Null);
            }
            "message.reactions" => {
                let (room, seq) = place_of(&heard.data);
                if heard.pos() > self.read_at[&room] {
                    let message = self.view.messages.get_mut(&room).and_then(|room| room.get_mut(&seq));
                    react(message.expect("the message was received before"), &heard.data, &self.view.me["id"]);
                }
            }
            // The list of pins is not part of the compared state.
            "message.pinned" | "message.unpinned" => {}
            "room.trimmed" => {
                let room: RoomId = serde_json::from_value(heard.data["room_id"].clone()).expect("an id");
                self.view.trim(room, Seq(heard.data["first_seq"].as_i64().expect("a number")));
            }
            "inbox.added" => {
                self.told.insert(place_of(&heard.data["message"]));
            }
            "direct.posted" => {
                let message: DirectMessage = heard.body();
                self.view.direct.insert(message.pos, message);
            }
            "room.created" | "room.restored" => {
                // A room that was not on the stream is read, and followed from here on.
                let room: Room = heard.body();
                let id = room.id;
                let Some(read_at) = self.view.read_room(&self.reader, room).await else { return };
                self.read_at.insert(id, read_at);
                let rooms = self.view.rooms.values();
                self.stream = self.reader.opening().rooms(rooms).from(&self.stream.cursor).open().await;
            }
            "room.renamed" | "room.retention_set" | "room.topic_set" | "room.landing_set" | "room.indexable_set" => {
                let changed: Room = heard.body();
                if changed.landing {
                    self.view.rooms.values_mut().for_each(|room| room.landing = false);
                }
                if let Some(room) = self.view.rooms.get_mut(&changed.id) {
                    *room = Room { head_seq: room.head_seq, online: room.online, ..changed };
                }
            }
            "room.archived" => {
                let room: Room = heard.body();
                self.view.rooms.remove(&room.id);
                self.view.messages.remove(&room.id);
                self.view.memberships.remove(&room.id);
            }
            "room.read" => {
                let mut membership = heard.data.clone();
                let room = membership.as_object_mut().and_then(|data| data.remove("room_id")).expect("a room");
                let room = serde_json::from_value(room).expect("an id");
                // An admin may set a mark in an archived room, which is not on the list.
                self.view.memberships.entry(room).and_modify(|known| *known = membership);
            }
            "user.erased" => {
                let erased: Author = heard.body();
                for message in self.view.messages.values_mut().flat_map(BTreeMap::values_mut) {
                    let replace = |person: &mut Value| {
                        if person["id"] == json!(erased.id) {
                            person["username"] = json!(erased.username);
                        }
                    };
                    replace(&mut message["author"]);
                    message["mentions"].as_array_mut().expect("a list").iter_mut().for_each(replace);
                    if message["reply_to"]["author"].is_object() {
                        replace(&mut message["reply_to"]["author"]);
                    }
                }
                self.view.direct.retain(|_, said| said.sender.id != erased.id && said.recipient.id != erased.id);
            }
            "user.changed" => self.view.me = standing(&heard.data),
            other => panic!("an unknown event: {other}"),
        }
    }
}

/// The message that an event is about.
/// Returns whether an edit took the message out of the reader's inbox. A reply stays in it.
fn lost_mention(before: &Value, after: &Value, reader: &Value) -> bool {
    let names = |message: &Value| message["mentions"].as_array().into_iter().flatten().any(|one| one["id"] == *reader);
    names(before) && !names(after) && after["reply_to"]["author"]["id"] != *reader
}

fn place_of(data: &Value) -> (RoomId, Seq) {
    let room = serde_json::from_value(data["room_id"].clone()).expect("an id");
    (room, Seq(data["seq"].as_i64().expect("a number")))
}

const ACTIONS: usize = 20;

#[tokio::test]
async fn a_snapshot_with_events_equals_a_fresh_snapshot_after_every_action() {
    let mut world = World::begin().await;
    let mut chance = StdRng::seed_from_u64(20_261_122);
    world.check("the beginning").await;
    let mut done = BTreeMap::<&str, usize>::new();
    for n in 0..50 {
        // Each once in turn, then in random order.
        let action = if n < ACTIONS { n } else { chance.random_range(0..ACTIONS) };
        let what = world.act(action, n, &mut chance).await;
        world.check(what).await;
        *done.entry(what).or_default() += 1;
    }
    // Then several at once, received in one burst.
    for n in 50..90 {
        let action = chance.random_range(0..12);
        world.act(action, n, &mut chance).await;
    }
    world.check("a burst").await;
    done.remove("nothing");
    assert_eq!(done.len(), 16, "every kind of action was done: {done:?}");
    let events: usize = world.replicas.iter().map(|replica| replica.events).sum();
    println!("{events} events by three readers over {done:?}, and a burst of 40");
}

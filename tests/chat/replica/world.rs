//! The users of the replica test, and what they do.

use gapless::event::{Message, Room};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Replica;
use crate::actors::{Chat, User};

/// The users, rooms and messages of the test.
pub struct World {
    chat: Chat,
    pub ada: User,
    pub bob: User,
    pub replicas: Vec<Replica>,
    rooms: Vec<Room>,
    archived: Vec<Room>,
    messages: Vec<(Room, Message, bool)>,
}

impl World {
    pub async fn begin() -> Self {
        let chat = Chat::start_with(|config| config.heartbeat = std::time::Duration::from_millis(50)).await;
        let (ada, bob) = (chat.admin("ada").await, chat.user("bob").await);
        let room = chat.room("general").await;
        let message = bob.post(&room, "before anybody came").await;
        let replicas = vec![
            Replica::of("a guest", &chat.guest()).await,
            Replica::of("bob", &bob).await,
            Replica::of("ada", &ada).await,
        ];
        let (rooms, messages) = (vec![room.clone()], vec![(room, message, true)]);
        Self { chat, ada, bob, replicas, rooms, archived: Vec::new(), messages }
    }

    pub async fn check(&mut self, after: &str) {
        let newest = gapless::store::log::head(&self.chat.first.app.db).await.expect("the log's head").pos.0;
        for replica in &mut self.replicas {
            replica.follow(newest, after).await;
        }
    }

    /// Performs the action, if it is possible now.
    pub async fn act(&mut self, action: usize, n: usize, chance: &mut StdRng) -> &'static str {
        match action {
            0..=3 => self.post(action % 2 == 1, n, chance).await,
            4 | 5 => {
                let active = self.active_messages();
                let Some((_, message, by_bob)) = pick(&active, chance) else { return "nothing" };
                let author = if *by_bob { &self.bob } else { &self.ada };
                author.edit(message.id, &format!("other words {n}")).await;
                "an edit"
            }
            6 => {
                let active = self.active_messages();
                let Some((_, message, _)) = pick(&active, chance) else { return "nothing" };
                self.ada.delete_message(message.id).await;
                self.messages.retain(|(_, other, _)| other.id != message.id);
                "a deletion"
            }
            7 => {
                self.ada.write_to(&self.bob, &format!("direct {n}")).await;
                "a direct message"
            }
            8 => {
                self.rooms.push(self.ada.create_room(&format!("room {n}")).await);
                "a new room"
            }
            9 => {
                let Some(room) = pick(&self.rooms, chance) else { return "nothing" };
                self.ada.rename(room, &format!("renamed {n}")).await;
                "a rename"
            }
            10 => {
                let Some(room) = pick(&self.rooms, chance).cloned() else { return "nothing" };
                self.ada.archive(&room).await;
                self.rooms.retain(|other| other.id != room.id);
                self.archived.push(room);
                "an archiving"
            }
            11 => {
                let Some(room) = self.archived.pop() else { return "nothing" };
                self.ada.restore(&room).await;
                self.rooms.push(room);
                "a restoring"
            }
            12 => {
                self.ada.mute(&self.bob, 3_600).await;
                self.check("a mute").await;
                self.ada.unmute(&self.bob).await;
                "an unmute"
            }
            13 => {
                let Some(room) = pick(&self.rooms, chance) else { return "nothing" };
                self.ada.put(&format!("/rooms/{}/retention", room.id), json!({"days": 90 + n})).await.is(200);
                "a retention"
            }
            15 => self.set_room(n, chance).await,
            14 => self.host_carol(n, chance).await,
            17 => {
                let Some(room) = pick(&self.rooms, chance) else { return "nothing" };
                let reader = if chance.random() { &self.bob } else { &self.ada };
                let mark = json!({"seq": chance.random_range(0..6), "force": chance.random::<bool>()});
                reader.put(&format!("/rooms/{}/read", room.id), mark).await.is(204);
                "a mark"
            }
            18 => {
                let Some(room) = pick(&self.rooms, chance) else { return "nothing" };
                let level = ["all", "mentions", "none"][chance.random_range(0..3)];
                self.bob.put(&format!("/rooms/{}/level", room.id), json!({"level": level})).await.is(204);
                "a level"
            }
            19 => {
                let active = self.active_messages();
                let Some((_, message, _)) = pick(&active, chance) else { return "nothing" };
                self.react(message.id, chance).await;
                "a reaction"
            }
            _ => {
                self.ada.set_role(&self.bob, "admin").await;
                self.check("an appointment").await;
                self.ada.set_role(&self.bob, "user").await;
                "a dismissal"
            }
        }
    }

    async fn post(&mut self, is_reply: bool, n: usize, chance: &mut StdRng) -> &'static str {
        let Some(room) = pick(&self.rooms, chance).cloned() else { return "nothing" };
        let by_bob = chance.random();
        let author = if by_bob { &self.bob } else { &self.ada };
        let mut post = json!({"room_id": room.id, "body": format!("words {n}\n😀")});
        let of_room: Vec<_> = self.messages.iter().filter(|(other, ..)| other.id == room.id).collect();
        if let Some((_, original, _)) = pick(&of_room, chance).filter(|_| is_reply) {
            post["reply_to"] = json!(original.seq);
            post["mentions"] = json!([self.bob.id]);
        }
        let message = author.send("/messages", post).await.is(201).body();
        self.messages.push((room, message, by_bob));
        "a post"
    }

    async fn set_room(&mut self, n: usize, chance: &mut StdRng) -> &'static str {
        let Some(room) = pick(&self.rooms, chance).cloned() else { return "nothing" };
        let at = |what: &str| format!("/rooms/{}/{what}", room.id);
        self.ada.put(&at("landing"), Value::Null).await.is(204);
        self.check("a landing room").await;
        self.ada.put(&at("indexable"), json!({"indexable": chance.random::<bool>()})).await.is(200);
        self.check("a word to search engines").await;
        self.ada.put(&at("topic"), json!({"topic": format!("topic {n}")})).await.is(200);
        "a topic"
    }

    /// Carol writes, is answered, reacts, and is erased.
    async fn host_carol(&mut self, n: usize, chance: &mut StdRng) -> &'static str {
        let Some(room) = pick(&self.rooms, chance).cloned() else { return "nothing" };
        let carol = self.chat.user(&format!("carol{n}")).await;
        let hello = carol.post(&room, "hello, I am Carol").await;
        let answer = json!({
            "room_id": room.id, "body": "hi", "reply_to": hello.seq, "mentions": [carol.id, self.bob.id],
        });
        let answer = self.bob.send("/messages", answer).await.is(201).body();
        self.messages.push((room, answer, true));
        self.ada.write_to(&carol, "welcome").await;
        if let Some((_, message, _)) = pick(&self.active_messages(), chance) {
            carol.put(&format!("/messages/{}/reactions/👋", message.id), Value::Null).await.is(204);
        }
        self.check("a guest appearance").await;
        self.ada.delete(&format!("/users/{}", carol.id)).await.is(204);
        "an erasure"
    }

    fn active_messages(&self) -> Vec<(Room, Message, bool)> {
        let is_active = |room: &Room| self.rooms.iter().any(|active| active.id == room.id);
        self.messages.iter().filter(|(room, ..)| is_active(room)).cloned().collect()
    }
}

pub fn pick<'a, T>(items: &'a [T], chance: &mut StdRng) -> Option<&'a T> {
    (!items.is_empty()).then(|| &items[chance.random_range(0..items.len())])
}

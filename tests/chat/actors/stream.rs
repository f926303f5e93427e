//! An open event stream, read byte by byte: it skips only events that a test told it to skip.

use gapless::event::{DirectMessage, Message, Room};
use gapless::id::RoomId;
use gapless_client::frame::{Event, Frame, Frames};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Answer, DEADLINE, Guest};

/// A builder for a stream.
#[derive(Debug, Clone)]
pub struct Opening {
    guest: Guest,
    query: Vec<(&'static str, String)>,
    last_event_id: Option<String>,
}

impl Opening {
    pub fn by(guest: &Guest) -> Self {
        Self { guest: guest.clone(), query: Vec::new(), last_event_id: None }
    }

    #[must_use]
    pub fn with(mut self, field: &'static str, value: impl ToString) -> Self {
        self.query.push((field, value.to_string()));
        self
    }

    #[must_use]
    pub fn room(self, room: &Room) -> Self {
        self.with("room", room.id)
    }

    #[must_use]
    pub fn rooms<'a>(self, rooms: impl IntoIterator<Item = &'a Room>) -> Self {
        rooms.into_iter().fold(self, Self::room)
    }

    #[must_use]
    pub fn from(self, cursor: &str) -> Self {
        self.with("cursor", cursor)
    }

    /// Resumes like a browser that reconnects by itself, by `Last-Event-ID`.
    #[must_use]
    pub fn after_event(mut self, id: &str) -> Self {
        self.last_event_id = Some(id.to_owned());
        self
    }

    /// Sends the token in the query, as `EventSource` must.
    #[must_use]
    pub fn token_in_query(mut self) -> Self {
        let token = self.guest.token.take().expect("a user has a token");
        self.with("access_token", token)
    }

    async fn request(&self, method: Method) -> reqwest::Response {
        let query = serde_html_form::to_string(&self.query).expect("pairs of text");
        let mut request = self.guest.request(method, &format!("/sse?{query}"));
        if let Some(id) = &self.last_event_id {
            request = request.header("last-event-id", id);
        }
        request.send().await.unwrap_or_else(|error| panic!("GET /sse {:?}: {error:?}", self.query))
    }

    /// Sends a request whose response ends: a refusal, or a `HEAD`.
    pub async fn answer(&self, method: Method) -> Answer {
        Answer::of(format!("{method} /sse {:?}", self.query), self.request(method).await).await
    }

    /// Opens it without reading.
    pub async fn connect(&self) -> Stream {
        let response = self.request(Method::GET).await;
        assert_eq!(response.status(), 200, "GET /sse {:?}", self.query);
        Stream {
            response,
            hello: Value::Null,
            cursor: String::new(),
            frames: Frames::default(),
            transcript: String::new(),
        }
    }

    /// Opens it and reads its `hello`.
    pub async fn open(&self) -> Stream {
        let mut stream = self.connect().await;
        let hello = stream.next().await;
        assert_eq!(hello.name, "hello", "a stream begins with hello: {hello:?}");
        stream.hello = hello.data;
        stream
    }
}

/// One received event.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub name: String,
    /// The id of this event itself; not one remembered from an earlier event, as in a browser.
    pub id: Option<String>,
    pub retry: Option<u64>,
    pub data: Value,
}

impl Heard {
    pub fn of(frame: Frame<'_>) -> Self {
        let Event { name, id, data, retry } = frame.to_event().unwrap_or_else(|error| panic!("{error}"));
        let json = |data: &str| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        Self { name, id, retry, data: if data.is_empty() { Value::Null } else { json(&data) } }
    }

    /// Parses its data as one of the API's types.
    #[track_caller]
    pub fn body<T: DeserializeOwned>(&self) -> T {
        serde_json::from_value(self.data.clone()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns whether it is a durable change, as opposed to counts, heartbeats and the stream's own state.
    pub fn is_durable(&self) -> bool {
        self.name.contains('.')
    }

    /// Returns the position in its `id`.
    #[track_caller]
    pub fn pos(&self) -> i64 {
        let id = self.id.as_deref().unwrap_or_else(|| panic!("{self:?} has an id"));
        id.rsplit('.').next().expect("there is a last part").parse().expect("an id ends in a position")
    }
}

/// An open stream.
#[derive(Debug)]
pub struct Stream {
    response: reqwest::Response,
    /// The data of `hello`.
    pub hello: Value,
    /// The newest `id` received: a browser would resume there.
    pub cursor: String,
    frames: Frames,
    /// Everything received, unchanged.
    pub transcript: String,
}

impl Stream {
    /// Returns the next event of any kind; `None` if the stream has ended or was cut.
    pub async fn next_or_end(&mut self) -> Option<Heard> {
        loop {
            if let Some(frame) = self.frames.next_frame().unwrap_or_else(|error| panic!("{error}")) {
                self.transcript += str::from_utf8(frame.raw).expect("a stream is UTF-8");
                self.transcript.push('\n');
                let heard = Heard::of(frame);
                self.cursor = heard.id.clone().unwrap_or_else(|| std::mem::take(&mut self.cursor));
                return Some(heard);
            }
            let Ok(more) = tokio::time::timeout(DEADLINE, self.response.chunk()).await else {
                panic!("no event for {DEADLINE:?}. Received before:\n{}", self.transcript);
            };
            self.frames.buffer().extend_from_slice(&more.ok().flatten()?);
        }
    }

    /// Returns the next event of any kind.
    pub async fn next(&mut self) -> Heard {
        match self.next_or_end().await {
            Some(heard) => heard,
            None => panic!("the stream has ended. Received before:\n{}", self.transcript),
        }
    }

    /// Returns the next durable event; skips counts and heartbeats before it.
    pub async fn next_durable(&mut self) -> Heard {
        loop {
            let heard = self.next().await;
            assert!(!matches!(&*heard.name, "bye" | "reset"), "{heard:?} instead of a durable event");
            if heard.is_durable() {
                return heard;
            }
        }
    }

    /// Returns the next durable event, or the `bye` of the stream.
    pub async fn next_durable_or_bye(&mut self) -> Heard {
        loop {
            let heard = self.next().await;
            if heard.is_durable() || heard.name == "bye" {
                return heard;
            }
        }
    }

    /// Returns the next event of this name; skips only counts and heartbeats.
    pub async fn expect(&mut self, name: &str) -> Heard {
        loop {
            let heard = self.next().await;
            if heard.name == name {
                return heard;
            }
            let passing = matches!(&*heard.name, "presence" | "typing" | "lobby" | "heartbeat");
            assert!(passing, "{heard:?} instead of {name}. Received before:\n{}", self.transcript);
        }
    }

    /// Asserts that the next durable event is this message.
    pub async fn expect_message(&mut self, body: &str) -> Message {
        let message: Message = self.expect("message.posted").await.body();
        assert_eq!(message.body.as_deref(), Some(body));
        message
    }

    /// Asserts that the next durable event is this direct message.
    pub async fn expect_direct(&mut self, body: &str) -> DirectMessage {
        let message: DirectMessage = self.expect("direct.posted").await.body();
        assert_eq!(&*message.body, body);
        message
    }

    /// Asserts that the stream sends `bye` with this reason and ends.
    pub async fn expect_bye(&mut self, reason: &str) {
        assert_eq!(self.expect("bye").await.data["reason"], reason);
        let after = self.next_or_end().await;
        assert_eq!(after, None, "an event after bye");
    }

    /// Asserts that the stream sends `reset` with this reason.
    pub async fn expect_reset(&mut self, reason: &str) -> Heard {
        let reset = self.expect("reset").await;
        assert_eq!(reset.data["reason"], reason);
        reset
    }

    /// Reads until the online counts of a room are these.
    pub async fn expect_online(&mut self, room: RoomId, users: u32, guests: u32) {
        loop {
            let presence = self.expect("presence").await.data;
            if presence == serde_json::json!({"room_id": room, "users": users, "guests": guests}) {
                return;
            }
        }
    }
}

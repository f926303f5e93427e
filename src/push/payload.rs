//! The content of a notification, which only the browser can decrypt.

use serde::Serialize;

use crate::event::Author;
use crate::id::{Pos, RoomId};
use crate::input::slug;
use crate::store::push::{Content, Kind};

/// Longest excerpt of a message, in characters.
const EXCERPT: usize = 160;

#[derive(Debug, Serialize)]
struct Payload<'a> {
    kind: Kind,
    room: Option<Room<'a>>,
    from: Option<&'a str>,
    text: Option<String>,
    /// Address in the app that the notification opens.
    url: String,
    /// Notifications of the same tag replace each other.
    tag: &'a str,
    pos: Pos,
}

#[derive(Debug, Serialize)]
struct Room<'a> {
    id: RoomId,
    name: &'a str,
}

/// Returns the notification as JSON. Without `preview` it has no text, and of a direct message no sender.
pub fn encode(content: &Content, tag: &str, pos: Pos, preview: bool) -> Vec<u8> {
    let payload = match content {
        Content::Test => {
            Payload { kind: Kind::Test, room: None, from: None, text: None, url: "/".to_owned(), tag, pos }
        }
        Content::Message { kind, room, name, seq, author, body, mentions } => Payload {
            kind: *kind,
            room: Some(Room { id: *room, name }),
            from: Some(author),
            text: preview.then(|| excerpt(body, mentions)),
            url: format!("{}/{}", address(*room, name), seq.0),
            tag,
            pos,
        },
        Content::Direct { sender, body } => Payload {
            kind: Kind::Direct,
            room: None,
            from: preview.then_some(&*sender.username),
            text: preview.then(|| excerpt(body, &[])),
            url: format!("/me/direct/{}", sender.id),
            tag,
            pos,
        },
    };
    serde_json::to_vec(&payload).expect("texts and numbers are JSON")
}

fn address(room: RoomId, name: &str) -> String {
    match slug(name).as_str() {
        "" => format!("/r/{room}"),
        slug => format!("/r/{slug}-{room}"),
    }
}

/// Returns the beginning of a message as one line, with names for mentions.
fn excerpt(body: &str, mentions: &[Author]) -> String {
    let named = mentions.iter().fold(body.to_owned(), |text, user| {
        text.replace(&format!("@[user:{}]", user.id), &format!("@{}", user.username))
    });
    let text = named.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(EXCERPT) {
        Some(_) => text.chars().take(EXCERPT - 1).chain(['…']).collect(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::super::encryption;
    use super::*;
    use crate::id::{Seq, UserId};

    fn decoded(content: &Content, preview: bool) -> Value {
        serde_json::from_slice(&encode(content, "tag", Pos(7), preview)).unwrap()
    }

    #[test]
    fn a_message_has_its_room_author_and_one_line_of_text() {
        let (bob, room) = (UserId::new(), RoomId::new());
        let content = Content::Message {
            kind: Kind::Mention,
            room,
            name: "Coffee corner".to_owned(),
            seq: Seq(12),
            author: "ali".to_owned(),
            body: format!("hi @[user:{bob}],\n\n  look at @[user:{}]", Uuid::nil()),
            mentions: vec![Author { id: bob, username: "bob".into() }],
        };
        let text = format!("hi @bob, look at @[user:{}]", Uuid::nil());
        let mut expected = json!({
            "kind": "mention", "room": {"id": room, "name": "Coffee corner"}, "from": "ali", "text": text,
            "url": format!("/r/coffee-corner-{room}/12"), "tag": "tag", "pos": 7,
        });
        assert_eq!(decoded(&content, true), expected);
        expected["text"] = Value::Null;
        assert_eq!(decoded(&content, false), expected);
    }

    #[test]
    fn a_direct_message_without_preview_does_not_say_from_whom() {
        let sender = Author { id: UserId::new(), username: "ada".into() };
        let content = Content::Direct { body: "psst".to_owned(), sender: sender.clone() };
        let mut expected = json!({
            "kind": "direct", "room": null, "from": "ada", "text": "psst",
            "url": format!("/me/direct/{}", sender.id), "tag": "tag", "pos": 7,
        });
        assert_eq!(decoded(&content, true), expected);
        expected["from"] = Value::Null;
        expected["text"] = Value::Null;
        assert_eq!(decoded(&content, false), expected);
    }

    #[test]
    fn the_longest_notification_fits() {
        let content = Content::Message {
            kind: Kind::Reply,
            room: RoomId::new(),
            name: "\u{10ffff}".repeat(80),
            seq: Seq(i64::MAX),
            author: "a".repeat(32),
            body: "\u{10ffff}".repeat(4_000),
            mentions: Vec::new(),
        };
        let encoded = encode(&content, &format!("room:{}", Uuid::nil()), Pos(i64::MAX), true);
        assert!(encoded.len() <= encryption::MOST, "{} bytes", encoded.len());
        let text = decoded(&content, true)["text"].as_str().unwrap().to_owned();
        assert_eq!((text.chars().count(), text.ends_with('…')), (160, true));
    }
}

//! Messages in the short form of `GET /sse?format=compact`, decoded into the JSON form. The schema `CompactMessage` of the
//! API document describes it.

use serde_json::{Map, Value, json};

use crate::frame::Event;

/// Number of characters of each UUID, and of a room's at the end of it.
const UUID: usize = 22;
const ROOM: usize = 5;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Returns the event in the form that streams without `format=compact` carry; `rooms`: ids of the rooms of the stream.
/// Other events are returned as they are. `None` if it cannot be decoded.
pub fn expand(event: Event, rooms: &[String]) -> Option<Event> {
    let name = match &*event.name {
        "" => "message.posted",
        "edited" => "message.edited",
        _ => return Some(event),
    };
    let pos = event.id.as_deref()?.rsplit('.').next()?.parse().ok()?;
    let message = message(&serde_json::from_str(&event.data).ok()?, pos, rooms)?;
    Some(Event { name: name.to_owned(), data: message.to_string(), ..event })
}

/// Decodes a message whose event is at `pos`.
pub fn message(form: &Value, pos: i64, rooms: &[String]) -> Option<Value> {
    let form = form.as_array()?;
    let [head, seq, created, body, more @ ..] = &form[..] else { return None };
    let (ids, username) = head.as_str()?.split_once(' ')?;
    let (id, author) = (ids.get(..UUID)?, ids.get(UUID..2 * UUID)?);
    let (room, client) = (ids.get(2 * UUID..2 * UUID + ROOM)?, ids.get(2 * UUID + ROOM..)?);
    let client = format!("{}{client}", id.get(..UUID.checked_sub(client.len())?)?);
    let room = rooms.iter().find(|id| short(id).is_some_and(|id| id.ends_with(room)))?;
    let created_at = match created.as_i64() {
        Some(micros) => timestamp(i64::try_from(number(id)? >> 80).ok()? * 1_000 + micros)?,
        None => created.as_str()?.to_owned(),
    };
    let mut message = json!({
        "id": uuid(id)?, "room_id": room, "pos": pos, "seq": seq, "client_id": uuid(&client)?,
        "author": {"id": uuid(author)?, "username": username}, "body": body, "created_at": created_at,
        "edited_at": null, "deleted_at": null, "reply_to": null, "mentions": [], "reactions": [],
    });
    if let Some(more) = more.first() {
        let mut more: Map<String, Value> = more.as_object()?.clone();
        if let Some(Value::Object(author)) = more.remove("author") {
            message["author"].as_object_mut()?.extend(author);
        }
        message.as_object_mut()?.extend(more);
    }
    Some(message)
}

/// Returns the short text of a UUID.
fn short(uuid: &str) -> Option<String> {
    let number = u128::from_str_radix(&uuid.replace('-', ""), 16).ok()?;
    // The last character has the lowest two bits, followed by four zeros.
    let sextet = |at: usize| if at == UUID - 1 { number << 4 } else { number >> (122 - 6 * at) } & 63;
    (0..UUID).map(|at| Some(char::from(ALPHABET[usize::try_from(sextet(at)).ok()?]))).collect()
}

fn number(short: &str) -> Option<u128> {
    let sextet = |byte: u8| ALPHABET.iter().position(|known| *known == byte).map(|at| at as u128);
    let (last, first) = short.as_bytes().split_last()?;
    let high = first.iter().try_fold(0, |number, byte| Some(number << 6 | sextet(*byte)?))?;
    (first.len() == UUID - 1).then_some(high << 2 | sextet(*last)? >> 4)
}

fn uuid(short: &str) -> Option<String> {
    let hex = format!("{:032x}", number(short)?);
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

/// Formats microseconds since 1970 by RFC 3339.
fn timestamp(micros: i64) -> Option<String> {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    let fraction = fraction.trim_end_matches('0');
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    (0..=9_999)
        .contains(&year)
        .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Returns the date that is this many days after 1970-01-01. Years begin in March here, so that a leap day is the last
/// day of its year.
fn date(days: i64) -> (i64, i64, i64) {
    let since_0000 = days + 719_468;
    let (era, day) = (since_0000.div_euclid(146_097), since_0000.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (era * 400 + year + i64::from(is_next_year), month, day)
}

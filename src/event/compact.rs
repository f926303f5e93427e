//! A public message in the short form for `GET /sse?format=compact`: the same content in about half the bytes.
//!
//! `["<ids> <username>", seq, created, body]`, or with an object of further fields at the end. ADR 11 has the reasons.
//!
//! - `ids`: 22 characters of `id`, 22 of `author.id`, the last [`ROOM`] of `room_id`, and `client_id` without the
//!   beginning that it shares with `id`; all in base64url (RFC 4648, section 5). The beginning of a UUID of version 7 is
//!   its time, so a message and its `client_id` share some of it.
//! - `created`: microseconds from the time in `id` (RFC 9562, section 5.7) to `created_at`, or `created_at` as text.
//! - The object has all fields that differ from [`USUAL`], and those that this release does not know.
//!
//! `client/src/compact.rs` and `frontend/src/realtime/compact.ts` decode it. Both are compared with the JSON form, the
//! latter by way of `frontend/src/realtime/compact-examples.json`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::id::Pos;

/// Number of characters of a room's id. A stream names its rooms, so these only distinguish them from one another: of a
/// hundred rooms, two are alike once in 13,000 times. Such a client asks for JSON.
const ROOM: usize = 5;
/// Values of fields that are left out.
const USUAL: [(&str, &str); 5] =
    [("edited_at", "null"), ("deleted_at", "null"), ("reply_to", "null"), ("mentions", "[]"), ("reactions", "[]")];
/// A form that saves fewer bytes is not used. Bounds the memory of frames that are kept in both forms.
pub const LEAST_SAVED: usize = 128;
/// Limit of `created` as a number, in microseconds. Further away, `id` is not of the time of the message.
const MOST_MICROS: i128 = 10_000_000_000;

type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// Returns the short form of a message; `pos`: the position of its event. `None` if the form cannot represent it exactly,
/// or saves little: clients also understand the JSON form.
pub fn message(json: &str, pos: Pos) -> Option<String> {
    let mut fields: Fields<'_> = serde_json::from_str(json).ok()?;
    let mut author: Fields<'_> = serde_json::from_str(take(&mut fields, "author")?).ok()?;
    let id = uuid(take(&mut fields, "id")?)?;
    let author_id = short(uuid(take(&mut author, "id")?)?);
    let room = short(uuid(take(&mut fields, "room_id")?)?);
    let client = short(uuid(take(&mut fields, "client_id")?)?);
    let username: String = serde_json::from_str(take(&mut author, "username")?).ok()?;
    let created = created(id, take(&mut fields, "created_at")?);
    let seq = take(&mut fields, "seq")?;
    let body = take(&mut fields, "body")?;

    if fields.get("pos")?.get().parse() == Ok(pos.0) {
        fields.remove("pos");
    }
    for (name, usual) in USUAL {
        if fields.get(name).is_some_and(|value| value.get() == usual) {
            fields.remove(name);
        }
    }
    let unknown = to_raw_value(&author).ok()?;
    if !author.is_empty() {
        fields.insert("author", &unknown);
    }

    let id = short(id);
    let shared = id.bytes().zip(client.bytes()).take_while(|(a, b)| a == b).count();
    let head = format!("{id}{author_id}{}{} {username}", &room[room.len() - ROOM..], &client[shared..]);
    let mut form = String::with_capacity(json.len());
    write!(form, "[{},{seq},{created},{body}", serde_json::to_string(&head).ok()?).ok()?;
    if !fields.is_empty() {
        write!(form, ",{}", serde_json::to_string(&fields).ok()?).ok()?;
    }
    form.push(']');
    (form.len() + LEAST_SAVED <= json.len()).then_some(form)
}

fn take<'a>(fields: &mut Fields<'a>, name: &str) -> Option<&'a str> {
    fields.remove(name).map(RawValue::get)
}

fn text(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Parses a UUID in the only notation that is decoded to the same text.
fn uuid(json: &str) -> Option<Uuid> {
    let text = text(json)?;
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(uuid)
}

fn short(uuid: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(uuid)
}

fn created(id: Uuid, json: &str) -> String {
    let micros = || {
        let text = text(json)?;
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let is_exact = text.ends_with('Z') && at.nanosecond() % 1_000 == 0 && at.format(&Rfc3339).ok()? == text;
        let millis = i128::try_from(id.as_u128() >> 80).ok()?;
        let micros = at.unix_timestamp_nanos().div_euclid(1_000) - millis * 1_000;
        (is_exact && micros.abs() < MOST_MICROS).then_some(micros)
    };
    micros().map_or_else(|| json.to_owned(), |micros| micros.to_string())
}

#[cfg(test)]
mod tests;

//! The short form, decoded by an independent client, against the JSON form.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRng, TestRunner};
use serde_json::{Value, json};

use super::*;

/// Read by `compact.test.ts` in the front end, which decodes the same.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/frontend/src/realtime/compact-examples.json");

fn uuids() -> impl Strategy<Value = String> {
    let any_version = any::<u128>().prop_map(Uuid::from_u128);
    // Created within a few minutes, as those of a message and its `client_id`, or at any time.
    let of_time = (1_795_000_000_000_u64..1_795_000_200_000, any::<u128>())
        .prop_map(|(millis, random)| Uuid::from_u128(u128::from(millis) << 80 | 7 << 76 | random & (u128::MAX >> 52)));
    prop_oneof![1 => any_version, 4 => of_time].prop_map(|uuid| uuid.to_string())
}

fn times() -> impl Strategy<Value = String> {
    let micros = prop_oneof![
        4 => 1_795_000_000_000_000_i64..1_795_000_200_000_000,
        1 => (1_795_000_000_i64..1_795_000_200).prop_map(|seconds| seconds * 1_000_000),
        1 => 0..4_000_000_000_000_000_i64,
    ];
    micros.prop_map(|micros| {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
        at.format(&Rfc3339).unwrap()
    })
}

/// Messages as they are now, and with fields that a later release may add.
fn messages() -> impl Strategy<Value = Value> {
    let ids = (uuids(), uuids(), uuids(), uuids());
    let body = prop::option::weighted(0.9, "(?s).{0,60}");
    let more = prop_oneof![
        3 => Just(json!({})),
        1 => Just(json!({"pins": 0, "author": {"is_admin": true}})),
        1 => (1..1_000_i64, prop::option::of("(?s).{0,60}")).prop_map(|(seq, excerpt)| {
            let ali = json!({"id": Uuid::from_u128(1), "username": "ali"});
            json!({"reply_to": {"seq": seq, "author": ali, "excerpt": excerpt}, "mentions": [ali]})
        }),
        1 => Just(json!({"reactions": [{"emoji": "👍", "count": 3, "mine": false}], "author": {}})),
    ];
    let changes = (prop::option::weighted(0.2, times()), prop::option::weighted(0.1, times()));
    let rest = (1..1_000_000_i64, 1..100_000_i64, "[a-z0-9_.-]{3,32}|a name, \"quoted\"", body, times(), changes, more);
    (ids, rest).prop_map(|((id, room, client, author), (pos, seq, username, body, created_at, changes, more))| {
        let mut message = json!({
            "id": id, "room_id": room, "pos": pos, "seq": seq, "client_id": client,
            "author": {"id": author, "username": username}, "body": body, "created_at": created_at,
            "edited_at": changes.0, "deleted_at": changes.1, "reply_to": null, "mentions": [], "reactions": [],
        });
        for (name, value) in more.as_object().unwrap() {
            match name.as_str() {
                "author" => message["author"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone()),
                _ => message[name] = value.clone(),
            }
        }
        message
    })
}

/// Returns the short form if there is one: messages with many unusual fields have none.
fn shortened(message: &Value, pos: i64) -> Option<Value> {
    let form = super::message(&message.to_string(), Pos(pos))?;
    assert!(!form.contains('\n'));
    Some(serde_json::from_str(&form).unwrap())
}

proptest! {
    #[test]
    fn a_short_form_is_decoded_to_the_same_message(message in messages(), is_posted: bool) {
        let pos = message["pos"].as_i64().unwrap() + i64::from(!is_posted);
        if let Some(form) = shortened(&message, pos) {
            let rooms = [Uuid::nil().to_string(), message["room_id"].as_str().unwrap().to_owned()];
            let mut decoded = gapless_client::compact::message(&form, pos, &rooms).expect("it can be decoded");
            prop_assert_eq!(decoded["pos"].take(), message["pos"].clone());
            decoded["pos"] = message["pos"].clone();
            prop_assert_eq!(decoded, message);
        }
    }
}

#[test]
fn the_examples_of_the_front_end_are_up_to_date() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let mut examples = Vec::new();
    while examples.len() < 60 {
        let message = messages().new_tree(&mut runner).unwrap().current();
        let pos = message["pos"].as_i64().unwrap() + i64::from(examples.len() % 3 == 0);
        if let Some(form) = shortened(&message, pos) {
            examples.push(json!({"pos": pos, "form": form, "message": message}));
        }
    }
    let lines: Vec<String> = examples.iter().map(Value::to_string).collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(EXAMPLES, &text).unwrap();
    }
    let is_current = std::fs::read_to_string(EXAMPLES).is_ok_and(|found| found == text);
    assert!(is_current, "run this test with UPDATE_EXAMPLES=1 and commit {EXAMPLES}");
}

#[test]
fn an_ordinary_message_takes_few_bytes() {
    let message = json!({
        "id": "0193798b-8f7e-7cc1-9d6f-4f2f3c9f1a10", "room_id": "01936f00-1c2d-7b3a-8e4f-0a1b2c3d4e5f",
        "pos": 1_234_567, "seq": 12_345, "client_id": "0193798b-8f70-7e11-a2b3-c4d5e6f70819",
        "author": {"id": "01936f00-0a0b-7c0d-9e0f-102030405060", "username": "ali"}, "body": "x".repeat(180),
        "created_at": "2024-11-29T20:10:09.666123Z", "edited_at": null, "deleted_at": null,
        "reply_to": null, "mentions": [], "reactions": [],
    });
    let form = super::message(&message.to_string(), Pos(1_234_567)).expect("it has a short form");
    assert!(form.len() <= 268, "{} bytes: {form}", form.len());
}

#[test]
fn other_data_stays_json() {
    let message = r#"{"id":"0193798B-8F7E-7CC1-9D6F-4F2F3C9F1A10"}"#;
    for data in ["", "[]", "{}", "7", message] {
        assert_eq!(super::message(data, Pos(1)), None, "{data}");
    }
}

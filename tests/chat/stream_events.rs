//! The stream compared with the OpenAPI document: every kind of event is received and matches its schema.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::actors::{Chat, Heard, Stream};

#[tokio::test]
async fn frames_of_every_kind_fit_the_document() {
    let document = serde_json::to_value(gapless::routes::document()).expect("a document is JSON");
    let chat = Chat::start_with(|config| {
        config.drain_grace = Duration::from_secs(1);
        config.heartbeat = Duration::from_millis(100);
    })
    .await;
    let (ada, bob, eve) = (chat.admin("ada").await, chat.user("bob").await, chat.user("eve").await);
    let (room, far) = (chat.room("general").await, chat.room("far").await);
    let mut events = Vec::new();

    let mut of_user = bob.opening().room(&room).with("follow", far.id).open().await;
    let message = ada.post(&room, "hi").await;
    bob.put(&format!("/rooms/{}/typing", room.id), json!(null)).await.is(204);
    bob.put(&format!("/rooms/{}/read", room.id), json!({"seq": 1})).await.is(204);
    ada.send("/messages", json!({"room_id": room.id, "body": "look", "reply_to": 1, "mentions": [bob.id]}))
        .await
        .is(201);
    ada.edit(message.id, "hello").await;
    ada.put(&format!("/messages/{}/reactions/👍", message.id), json!(null)).await.is(204);
    ada.put(&format!("/messages/{}/pin", message.id), json!(null)).await.is(204);
    ada.delete(&format!("/messages/{}/pin", message.id)).await.is(204);
    ada.delete_message(message.id).await;
    ada.write_to(&bob, "psst").await;
    let garden = ada.create_room("Garden").await;
    ada.rename(&garden, "Orchard").await;
    ada.put(&format!("/rooms/{}/retention", garden.id), json!({"days": 30})).await.is(200);
    ada.post(&room, "long ago").await;
    let age = "update messages set created_at = created_at - interval '40 days'";
    sqlx::query(age).execute(&chat.db()).await.expect("the messages' table");
    ada.put(&format!("/rooms/{}/retention", room.id), json!({"days": 30})).await.is(200);
    ada.put(&format!("/rooms/{}/topic", garden.id), json!({"topic": "Trees"})).await.is(200);
    ada.put(&format!("/rooms/{}/landing", garden.id), json!(null)).await.is(204);
    ada.put(&format!("/rooms/{}/indexable", garden.id), json!({"indexable": false})).await.is(200);
    ada.archive(&garden).await;
    ada.restore(&garden).await;
    ada.mute(&bob, 60).await;
    ada.unmute(&bob).await;
    ada.delete(&format!("/users/{}", eve.id)).await.is(204);
    hear_until("user.erased", &mut of_user, &mut events).await;

    let brief = Chat::start_with(|config| config.access_token_ttl = Duration::from_secs(1)).await;
    let mut of_brief_token = brief.user("zoe").await.opening().open().await;
    hear_until("bye", &mut of_brief_token, &mut events).await;

    let mut of_guest =
        chat.guest().opening().room(&room).with("room", uuid::Uuid::nil()).from("another.1").open().await;
    let _there = chat.guest().listen(&far).await;
    hear_until("lobby", &mut of_guest, &mut events).await;
    chat.first.app.clone().leave().await;
    hear_until("bye", &mut of_guest, &mut events).await;

    for stream in [&of_user, &of_guest] {
        events.push(event("hello", stream.hello["cursor"].as_str(), &stream.hello));
    }

    let described = &document["components"]["schemas"]["StreamEvent"]["discriminator"]["mapping"];
    let mut heard = BTreeSet::new();
    for event in &events {
        let kind = event["kind"].as_str().expect("a kind");
        let schema = described[kind].as_str().unwrap_or_else(|| panic!("the document does not describe {event}"));
        check(&document, &json!({"$ref": schema}), event, &event.to_string());
        heard.insert(kind);
    }
    let described = described.as_object().expect("a mapping").keys().map(String::as_str);
    assert_eq!(heard, described.collect(), "kinds received, and kinds documented");
}

async fn hear_until(name: &str, stream: &mut Stream, events: &mut Vec<Value>) {
    loop {
        let Heard { name: kind, id, data, .. } = stream.next().await;
        events.push(event(&kind, id.as_deref(), &data));
        if kind == name {
            return;
        }
    }
}

fn event(kind: &str, id: Option<&str>, data: &Value) -> Value {
    let mut event = json!({"kind": kind, "data": data});
    if let Some(id) = id {
        event["id"] = id.into();
    }
    event
}

/// Checks a value against a schema, and that both have exactly the same fields.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(reference.trim_start_matches('#')).expect("a schema of the document");
        return check(document, schema, value, at);
    }
    if let Some(variants) = schema["oneOf"].as_array() {
        // The message of an inbox item: the variant that has all of its fields.
        if variants.iter().all(|variant| variant["$ref"].is_string()) {
            let has_all = |variant: &&Value| {
                let path = variant["$ref"].as_str().expect("a reference").trim_start_matches('#');
                let described = &document.pointer(path).expect("a schema of the document")["properties"];
                value.as_object().into_iter().flatten().all(|(name, _)| described.get(name).is_some())
            };
            let variant = variants.iter().find(has_all);
            return check(document, variant.unwrap_or_else(|| panic!("no variant has all fields, in {at}")), value, at);
        }
        let [described, null] = &variants[..] else { panic!("more than an optional value: {schema}") };
        assert_eq!(null, &json!({"type": "null"}), "more than an optional value: {schema}");
        if !value.is_null() {
            check(document, described, value, at);
        }
        return;
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&is.into()), "{value} does not match {schema}, in {at}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{value} does not match {schema}, in {at}");
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| check(document, &schema["items"], item, at)),
        Value::Object(fields) => {
            let names: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
            let required: BTreeSet<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let described = schema["properties"].as_object().into_iter().flatten();
            let described: BTreeSet<&str> = described.map(|(name, _)| name.as_str()).collect();
            assert!(names.is_superset(&required), "{required:?} are required, in {at}");
            assert!(names.is_subset(&described), "{described:?} are documented, in {at}");
            fields.iter().for_each(|(name, value)| check(document, &schema["properties"][name], value, at));
        }
        _ => {}
    }
}

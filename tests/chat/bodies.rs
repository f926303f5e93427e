//! A request body is an object with named fields, for every operation that takes one.

use gapless::routes;
use reqwest::Method;
use serde_json::{Value, json};

use crate::actors::Chat;

/// Every documented operation that takes JSON, with a path on which an admin may call it.
fn operations() -> Vec<(Method, String)> {
    let document = serde_json::to_value(routes::document()).expect("a document is JSON");
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("an item").iter();
        methods.filter(|(_, about)| about["requestBody"].is_object()).map(move |(method, _)| {
            let method = method.to_uppercase().parse().expect("a method");
            (method, path.replace("{id}", "018f0000-0000-7000-8000-000000000001"))
        })
    });
    all.collect()
}

#[tokio::test]
async fn only_an_object_is_accepted_as_a_body() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let operations = operations();
    assert!(operations.len() > 12, "{operations:?}");
    for (method, path) in operations {
        // The values of the fields as an array, which serde accepts for a struct.
        let arrays = (0..6)
            .flat_map(|length| [json!("ali"), json!(1), Value::Null].map(|value| Value::from(vec![value; length])));
        for body in arrays.chain([json!("ali"), json!(1), json!(true), Value::Null]) {
            let refused = founder.call(method.clone(), &path, Some(body)).await.refused(422, "invalid").json();
            let errors = json!([{"field": "", "message": "must be a JSON object"}]);
            assert_eq!(refused["errors"], errors, "{method} {path}");
        }
    }
    // These values, in the order of the fields' declaration, would make a complete body.
    let signs_in = json!(["founder", crate::actors::PASSWORD]);
    chat.guest().send("/auth/login", signs_in).await.refused(422, "invalid");
}

#[tokio::test]
async fn an_enumerated_value_must_be_a_string() {
    let chat = Chat::start().await;
    let (founder, alice) = (chat.founder().await, chat.user("alice").await);
    for role in [json!({"admin": null}), json!(["admin"]), json!([]), json!({})] {
        founder.patch(&format!("/users/{}", alice.id), json!({"role": role})).await.refused_field("role");
    }
}

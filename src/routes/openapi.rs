//! The API's documentation: OpenAPI 3.1, generated from the handlers.
//!
//! Handlers document only their own specifics. Responses that follow from an operation's shape (a body can be too
//! large, a token can be invalid) are added here for all of them, so none can be forgotten.

mod stream_events;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use bytes::Bytes;
use utoipa::PartialSchema as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, HeaderBuilder, Info, License, Object, OpenApi, OpenApiBuilder, OpenApiVersion, Ref, RefOr, Tag,
};

use crate::error::{FieldError, Problem};
use crate::input::SearchText;

const DESCRIPTION: &str = "\
A public multi-room chat whose acknowledged messages are never lost, doubled or out of order.

Read with REST, listen with one event stream (`GET /sse`), and join the two by `cursor`: a list of \
rooms or messages answers one, and a stream opened with it misses nothing after that list. Every refusal is a problem (RFC 9457) with \
a stable `code`. A post repeated under the same `client_id` is the same post.";

const TAGS: [(&str, &str); 10] = [
    ("server", "Settings of this server that an app depends on."),
    ("auth", "Sign up, sign in, stay signed in, sign out."),
    ("rooms", "Anyone reads the active rooms; admins run them."),
    ("messages", "Anyone reads; users post, and change what they posted."),
    ("direct messages", "Messages between an admin and one user, delivered to nobody else."),
    ("stream", "Events, as they happen."),
    ("push", "Notifications to browsers that are closed (Web Push)."),
    ("users", "Accounts and their rights."),
    ("moderation", "Changes by admins and operators."),
    ("operation", "For operators."),
];

/// The document before any operation is added.
pub(super) fn preamble() -> OpenApi {
    let mut info = Info::new("Gapless", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.to_owned());
    info.license = Some(License::new("MIT"));

    let mut components = Components::new();
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .description(Some("The `access_token` of a session."))
                .build(),
        ),
    );
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    // Unlike bodies, parameters do not add their schemas.
    components.schemas.insert("SearchText".to_owned(), SearchText::schema());
    stream_events::describe(&mut components);

    let tags: Vec<Tag> =
        TAGS.into_iter().map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build()).collect();
    OpenApiBuilder::new().info(info).components(Some(components)).tags(Some(tags)).build()
}

/// Adds the responses that each operation's shape implies.
pub(super) fn complete(mut document: OpenApi) -> OpenApi {
    document.openapi = OpenApiVersion::Version31;
    for (path, item) in &mut document.paths.paths {
        let names_something = path.contains('{');
        for operation in operations(item) {
            describe_problems(operation);
            if operation.security.is_some() {
                imply(operation, 401, "`unauthenticated`, or `invalid_token`: expired, forged or of an ended session");
            }
            if operation.request_body.is_some() {
                imply(operation, 400, "`malformed`: not JSON");
                imply(operation, 408, "`request_timeout`: the body did not arrive in time");
                imply(operation, 413, "`too_large`: over 64 KiB");
                imply(operation, 415, "`unsupported_media_type`: not sent as JSON");
                imply(operation, 422, "`invalid`: `errors` says which field and why");
            }
            if operation.parameters.iter().flatten().any(is_in_query) {
                imply(operation, 400, "`malformed`: the query");
            }
            if names_something {
                imply(operation, 404, "`not_found`");
            }
            // Health checks and metrics are not limited, and a browser gives up a stream for good on any status but
            // 200.
            let is_limited = !operation.tags.iter().flatten().any(|tag| tag == "operation" || tag == "stream");
            if is_limited {
                imply(operation, 429, "`too_many_requests`");
                imply(operation, 503, "`unavailable`: busy, or the database is away; try again");
            }
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

fn is_in_query(parameter: &RefOr<utoipa::openapi::path::Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == utoipa::openapi::path::ParameterIn::Query)
}

/// Fills in what handlers leave out: the body of an error is a problem document, and a response needs a description.
fn describe_problems(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let is_refusal = status.starts_with(['4', '5']);
        if is_refusal && response.content.is_empty() {
            *response = problem(status, &response.description);
        }
        if response.description.is_empty() {
            "done".clone_into(&mut response.description);
        }
    }
}

/// Adds a response, unless the operation documents a more specific one.
fn imply(operation: &mut Operation, status: u16, description: &str) {
    let status = status.to_string();
    let implied = problem(&status, description);
    operation.responses.responses.entry(status).or_insert_with(|| implied.into());
}

fn problem(status: &str, description: &str) -> Response {
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build();
    let header = match status {
        "401" => Some(("WWW-Authenticate", Type::String, "always `Bearer`")),
        "429" | "503" => Some(("Retry-After", Type::Integer, "seconds to wait")),
        _ => None,
    };
    if let Some((name, schema, about)) = header {
        let schema = Object::with_type(schema);
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build();
        response.headers.insert(name.to_owned(), RefOr::T(header));
    }
    response
}

/// Serves the document, and a page to view it that loads nothing from other sites.
pub(super) fn router<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> Router<S> {
    let json = Bytes::from(document.to_json().expect("a document is JSON"));
    let answer = move || {
        let json = json.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], json) }
    };
    let router = Router::new().route("/openapi.json", get(answer));
    #[cfg(feature = "swagger")]
    let router = {
        let config = utoipa_swagger_ui::Config::from("/openapi.json")
            .persist_authorization(true)
            .use_base_layout()
            .validator_url("none");
        router.merge(utoipa_swagger_ui::SwaggerUi::new("/swagger").config(config))
    };
    router
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    fn document() -> Value {
        serde_json::to_value(super::super::document()).expect("a document is JSON")
    }

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().expect("paths").iter();
        paths
            .flat_map(|(path, item)| {
                let operations = item.as_object().expect("an item").iter();
                operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
            })
            .collect()
    }

    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn everything_that_is_referred_to_is_there() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 30, "{} schemas", found.len());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            assert!(document.pointer(pointer).is_some(), "{reference} is missing");
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_a_known_tag_and_words() {
        let document = document();
        let tags: BTreeSet<&str> =
            document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
        let mut names = BTreeSet::new();
        for (operation, about) in operations(&document) {
            assert!(names.insert(about["operationId"].as_str().expect("a name")), "{operation} has another's name");
            assert!(tags.contains(about["tags"][0].as_str().expect("a tag")), "{operation} has an unknown tag");
            assert!(about["summary"].is_string(), "{operation} has no summary");
        }
    }

    #[test]
    fn every_refusal_is_a_problem_and_every_body_refuses_unknown_fields() {
        let document = document();
        for (operation, about) in operations(&document) {
            for (status, response) in about["responses"].as_object().expect("responses") {
                if status.starts_with(['4', '5']) {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{operation} {status}");
                }
            }
            if let Some(body) = about.pointer("/requestBody/content/application~1json/schema/$ref") {
                let pointer = body.as_str().expect("a reference").trim_start_matches('#');
                let schema = document.pointer(pointer).expect("the schema of a body");
                assert_eq!(schema["additionalProperties"], false, "{operation}");
            }
        }
    }
}

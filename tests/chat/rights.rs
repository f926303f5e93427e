//! Permissions: every documented operation, called by every kind of caller.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use gapless::event::{Message, Room};
use gapless::routes;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::actors::{Chat, Guest, PASSWORD, PushService, User};

/// The status for each kind of caller. `user` and `muted` are the authors of the message concerned; for the others
/// it is somebody else's. `demoted` has a token from the time as an admin. A row that ends in
/// `?archived` concerns an archived room.
const TABLE: &str = "
                        nobody garbage expired user other muted banned demoted admin
register                   201     201     201  201   201   201    201     201   201
login                      200     200     200  200   200   200    403     200   200
refresh                    200     200     200  200   200   200    403     200   200
logout                     401     401     401  204   204   204    401     204   204
logout_all                 401     401     401  204   204   204    401     204   204
change_password            401     401     401  204   204   204    401     204   204

get_me                     401     401     401  200   200   200    401     200   200
list_users                 401     401     401  403   403   403    401     403   200
set_role                   401     401     401  403   403   403    401     403   200
mute_user                  401     401     401  403   403   403    401     403   200
unmute_user                401     401     401  403   403   403    401     403   200
ban_user                   401     401     401  403   403   403    401     403   200
unban_user                 401     401     401  403   403   403    401     403   200
erase_user                 401     401     401  403   403   403    401     403   204
end_sessions               401     401     401  403   403   403    401     403   200
list_audit_entries         401     401     401  403   403   403    401     403   200
list_invitations           401     401     401  403   403   403    401     403   200
create_invitation          401     401     401  403   403   403    401     403   201
revoke_invitation          401     401     401  403   403   403    401     403   404

list_rooms                 200     401     401  200   200   200    401     200   200
list_rooms?archived        401     401     401  403   403   403    401     403   200
create_room                401     401     401  403   403   403    401     403   201
get_room                   200     401     401  200   200   200    401     200   200
get_room?archived          404     401     401  404   404   404    401     404   200
rename_room                401     401     401  403   403   403    401     403   200
set_retention              401     401     401  403   403   403    401     403   200
set_topic                  401     401     401  403   403   403    401     403   200
set_landing                401     401     401  403   403   403    401     403   204
set_indexable              401     401     401  403   403   403    401     403   200
archive_room               401     401     401  403   403   403    401     403   200
restore_room?archived      401     401     401  403   403   403    401     403   200
mark_read                  401     401     401  204   204   204    401     204   204
mark_read?archived         401     401     401  404   404   404    401     404   204
set_level                  401     401     401  204   204   204    401     204   204
set_level?archived         401     401     401  404   404   404    401     404   204
list_people                401     401     401  200   200   200    401     200   200
list_people?archived       401     401     401  404   404   404    401     404   200
list_here                  200     401     401  200   200   200    401     200   200
list_here?archived         404     401     401  404   404   404    401     404   200
announce_typing            401     401     401  204   204   403    401     204   204
announce_typing?archived   401     401     401  409   409   409    401     409   409
count_audience             401     401     401  403   403   403    401     403   200

list_messages              200     401     401  200   200   200    401     200   200
list_messages?archived     404     401     401  404   404   404    401     404   200
search_messages            200     401     401  200   200   200    401     200   200
search_messages?archived   404     401     401  404   404   404    401     404   200
post_message               401     401     401  201   201   403    401     201   201
post_message?archived      401     401     401  409   409   409    401     409   409
edit_message               401     401     401  200   403   403    401     403   403
edit_message?archived      401     401     401  409   409   409    401     409   409
delete_message             401     401     401  204   403   204    401     403   204
delete_message?archived    401     401     401  409   409   409    401     409   409
list_pins                  200     401     401  200   200   200    401     200   200
list_pins?archived         404     401     401  404   404   404    401     404   200
pin_message                401     401     401  403   403   403    401     403   204
pin_message?archived       401     401     401  403   403   403    401     403   409
unpin_message              401     401     401  403   403   403    401     403   204
unpin_message?archived     401     401     401  403   403   403    401     403   409
list_reactions             200     401     401  200   200   200    401     200   200
list_reactions?archived    404     401     401  404   404   404    401     404   200
add_reaction               401     401     401  204   204   403    401     204   204
add_reaction?archived      401     401     401  409   409   409    401     409   409
remove_reaction            401     401     401  204   204   403    401     204   204
remove_reaction?archived   401     401     401  409   409   409    401     409   409

post_direct_message        401     401     401  403   403   403    401     403   201
list_direct_messages       401     401     401  200   200   200    401     200   200
list_conversations         401     401     401  200   200   200    401     200   200
list_inbox                 401     401     401  200   200   200    401     200   200
mark_inbox_read            401     401     401  204   204   204    401     204   204

get_push                   200     200     200  200   200   200    200     200   200
subscribe_to_push          401     401     401  204   204   204    401     204   204
unsubscribe_from_push      401     401     401  204   204   204    401     204   204
test_push                  401     401     401  204   204   204    401     204   204

open_stream                200     401     401  200   200   200    401     200   200
livez                      200     200     200  200   200   200    200     200   200
readyz                     200     200     200  200   200   200    200     200   200
get_server                 200     200     200  200   200   200    200     200   200
metrics                    401     401     401  401   401   401    401     401   401
";

#[tokio::test]
async fn every_operation_has_the_expected_status_for_every_caller() {
    let chat = Chat::start_with(|config| PushService::set_up(&[], config)).await;
    let (asked, faults) = ask_everything(&chat, &chat.admin("ada").await, |_| true).await;
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    println!("{asked} responses, one for each operation and caller");
}

/// Calls every operation as every caller of a kind that `asks`. Returns the number of calls, and the responses that
/// differ from the table.
pub async fn ask_everything(chat: &Chat, admin: &User, asks: fn(&str) -> bool) -> (usize, Vec<String>) {
    let mut rows = TABLE.lines().filter(|line| !line.trim().is_empty()).map(str::split_whitespace);
    let kinds: Vec<&str> = rows.next().expect("the table has a head").collect();

    let mut asked = 0;
    let mut faults = Vec::new();
    for mut row in rows {
        let (case, expected) = (row.next().expect("a row names its operation"), row.collect::<Vec<_>>());
        assert_eq!(expected.len(), kinds.len(), "{case} has a column for each caller");
        let chosen: Vec<_> = kinds.iter().zip(expected).filter(|(kind, _)| asks(kind)).collect();
        let answers = chosen.iter().map(|(kind, _)| ask(chat, admin, case, kind));
        for ((kind, expected), answer) in chosen.iter().zip(join_all(answers).await) {
            asked += 1;
            if answer.status.to_string() != *expected {
                faults.push(format!("{case} by {kind}: {} instead of {expected}: {}", answer.status, answer.text));
            } else if answer.status >= 400 && answer.code != code_of(case, kind, answer.status) {
                faults.push(format!("{case} by {kind}: not the code of this case: {}", answer.text));
            }
        }
    }
    (asked, faults)
}

#[test]
fn the_table_contains_every_operation() {
    let document = serde_json::to_value(routes::document()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("the document has paths");
    let operations = paths.values().filter_map(Value::as_object).flat_map(|path| path.values());
    let ids: BTreeSet<&str> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    let case = |row: &'static str| row.split_whitespace().next().and_then(|case| case.split('?').next());
    let rows: BTreeSet<&str> = TABLE.lines().skip(2).filter_map(case).collect();
    assert_eq!(rows, ids, "the table's operations (left) are the document's (right)");
}

struct Reply {
    status: u16,
    code: String,
    text: String,
}

/// Sends one request, with a new caller and new objects.
async fn ask(chat: &Chat, admin: &User, case: &str, kind: &str) -> Reply {
    let name = || format!("{}-{}", &kind[..3], &Uuid::new_v4().simple().to_string()[..20]);
    let person = match kind {
        "demoted" | "admin" => chat.admin(&name()).await,
        _ => chat.user(&name()).await,
    };
    let third = chat.user(&name()).await;
    let (operation, archived) = case.split_once('?').map_or((case, false), |(operation, _)| (operation, true));
    let room = admin.create_room(&name()).await;
    let author = if ["user", "muted"].contains(&kind) { &person } else { &third };
    let message = author.post(&room, "hi").await;
    if archived {
        admin.archive(&room).await;
    }
    let caller = in_the_state_of(kind, &person, admin, chat).await;
    let (method, path, body) = request(operation, archived, &person, &third, &room, &message, &name());
    let request = caller.request(method, &path);
    let request = if body.is_null() { request } else { request.json(&body) };
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    // An open stream does not end.
    let text = if operation == "open_stream" && status == 200 {
        String::new()
    } else {
        response.text().await.expect("a body")
    };
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    Reply { status, code: problem["code"].as_str().unwrap_or_default().to_owned(), text }
}

/// Puts the user into the state that the column names, and returns them as a caller.
async fn in_the_state_of(kind: &str, person: &User, admin: &User, chat: &Chat) -> Guest {
    match kind {
        "nobody" => return chat.guest(),
        "garbage" => return chat.guest().with_token("garbage"),
        "expired" => {
            let app = &chat.first.app;
            let then = chat.clock.now() - chat.config.access_token_ttl;
            let session = gapless::id::SessionId::new();
            return chat.guest().with_token(&app.auth.tokens.issue(
                person.id,
                person.name.as_str().into(),
                session,
                then,
            ));
        }
        "muted" => admin.mute(person, 3_600).await,
        "banned" => admin.ban(person).await,
        "demoted" => admin.set_role(person, "user").await,
        _ => {}
    }
    Guest::clone(person)
}

fn request(
    operation: &str,
    archived: bool,
    person: &User,
    third: &User,
    room: &Room,
    message: &Message,
    name: &str,
) -> (Method, String, Value) {
    let of_user = |what: &str| format!("/users/{}{what}", third.id);
    let of_room = |what: &str| format!("/rooms/{}{what}", room.id);
    let of_message = format!("/messages/{}", message.id);
    match operation {
        "register" => (Method::POST, "/auth/register".into(), json!({"username": name, "password": PASSWORD})),
        "login" => (Method::POST, "/auth/login".into(), json!({"username": person.name, "password": PASSWORD})),
        "refresh" => (Method::POST, "/auth/refresh".into(), json!({"refresh_token": person.refresh_token})),
        "logout" => (Method::POST, "/auth/logout".into(), json!({"refresh_token": person.refresh_token})),
        "logout_all" => (Method::POST, "/auth/logout-all".into(), Value::Null),
        "change_password" => {
            (Method::PUT, "/auth/password".into(), json!({"current_password": PASSWORD, "new_password": "another one"}))
        }
        "get_me" => (Method::GET, "/users/me".into(), Value::Null),
        "list_users" => (Method::GET, "/users".into(), Value::Null),
        "set_role" => (Method::PATCH, of_user(""), json!({"role": "admin"})),
        "mute_user" => (Method::POST, of_user("/mute"), json!({"seconds": 60, "reason": ""})),
        "unmute_user" => (Method::POST, of_user("/unmute"), Value::Null),
        "ban_user" => (Method::POST, of_user("/ban"), json!({"reason": ""})),
        "unban_user" => (Method::POST, of_user("/unban"), Value::Null),
        "erase_user" => (Method::DELETE, of_user(""), Value::Null),
        "end_sessions" => (Method::POST, of_user("/end-sessions"), Value::Null),
        "list_audit_entries" => (Method::GET, "/audit".into(), Value::Null),
        "list_invitations" => (Method::GET, "/invitations".into(), Value::Null),
        "create_invitation" => (Method::POST, "/invitations".into(), json!({"max_uses": 2})),
        "revoke_invitation" => (Method::DELETE, format!("/invitations/{}", Uuid::new_v4()), Value::Null),
        "list_rooms" => (Method::GET, format!("/rooms?archived={archived}"), Value::Null),
        "create_room" => (Method::POST, "/rooms".into(), json!({"name": name})),
        "get_room" => (Method::GET, of_room(""), Value::Null),
        "rename_room" => (Method::PATCH, of_room(""), json!({"name": name})),
        "set_retention" => (Method::PUT, of_room("/retention"), json!({"days": 90})),
        "set_topic" => (Method::PUT, of_room("/topic"), json!({"topic": "words"})),
        "set_landing" => (Method::PUT, of_room("/landing"), Value::Null),
        "set_indexable" => (Method::PUT, of_room("/indexable"), json!({"indexable": false})),
        "archive_room" => (Method::POST, of_room("/archive"), Value::Null),
        "restore_room" => (Method::POST, of_room("/restore"), Value::Null),
        "mark_read" => (Method::PUT, of_room("/read"), json!({"seq": 1})),
        "set_level" => (Method::PUT, of_room("/level"), json!({"level": "all"})),
        "count_audience" => (Method::GET, of_room("/audience"), Value::Null),
        "list_people" => (Method::GET, of_room("/people"), Value::Null),
        "list_here" => (Method::GET, of_room("/here"), Value::Null),
        "announce_typing" => (Method::PUT, of_room("/typing"), Value::Null),
        "list_messages" => (Method::GET, format!("/messages?room_id={}", room.id), Value::Null),
        "search_messages" => (Method::GET, format!("/search?q=words&room_id={}", room.id), Value::Null),
        "post_message" => (Method::POST, "/messages".into(), json!({"room_id": room.id, "body": "words"})),
        "edit_message" => (Method::PATCH, of_message, json!({"body": "other words"})),
        "delete_message" => (Method::DELETE, of_message, Value::Null),
        "list_pins" => (Method::GET, of_room("/pins"), Value::Null),
        "pin_message" => (Method::PUT, format!("{of_message}/pin"), Value::Null),
        "unpin_message" => (Method::DELETE, format!("{of_message}/pin"), Value::Null),
        "list_reactions" => (Method::GET, format!("{of_message}/reactions"), Value::Null),
        "add_reaction" => (Method::PUT, format!("{of_message}/reactions/👍"), Value::Null),
        "remove_reaction" => (Method::DELETE, format!("{of_message}/reactions/👍"), Value::Null),
        "post_direct_message" => {
            (Method::POST, "/direct-messages".into(), json!({"recipient_id": third.id, "body": "words"}))
        }
        "list_direct_messages" => (Method::GET, "/direct-messages".into(), Value::Null),
        "list_conversations" => (Method::GET, "/direct-messages/conversations".into(), Value::Null),
        "list_inbox" => (Method::GET, "/inbox".into(), Value::Null),
        "mark_inbox_read" => (Method::PUT, "/inbox/read".into(), json!({"pos": 1})),
        "get_push" => (Method::GET, "/push".into(), Value::Null),
        "subscribe_to_push" => (Method::PUT, "/push/subscriptions".into(), PushService::unanswered(name)),
        "unsubscribe_from_push" => {
            (Method::DELETE, "/push/subscriptions".into(), json!({"endpoint": "http://127.0.0.1:9/"}))
        }
        "test_push" => (Method::POST, "/push/test".into(), Value::Null),
        "open_stream" => (Method::GET, format!("/sse?room={}", room.id), Value::Null),
        "get_server" => (Method::GET, "/server".into(), Value::Null),
        "livez" | "readyz" | "metrics" => (Method::GET, format!("/{operation}"), Value::Null),
        other => panic!("this test cannot call {other}, which the table names"),
    }
}

/// Returns the `code` of a refusal.
fn code_of(case: &str, kind: &str, status: u16) -> &'static str {
    let operation = case.split('?').next().unwrap_or_default();
    match (status, operation, kind) {
        (401, "refresh", _) => "invalid_refresh_token",
        (401, "metrics", _) | (401, _, "nobody") => "unauthenticated",
        (401, ..) => "invalid_token",
        (403, "login" | "refresh", _) => "banned",
        (403, "post_message" | "edit_message" | "add_reaction" | "remove_reaction" | "announce_typing", "muted") => {
            "muted"
        }
        (403, "edit_message" | "delete_message", _) => "not_author",
        (403, ..) => "not_admin",
        (404, ..) => "not_found",
        (409, ..) => "room_archived",
        _ => "",
    }
}

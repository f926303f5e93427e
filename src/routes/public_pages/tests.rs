//! Public pages as crawlers, previews and browsers get them.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tower::ServiceExt as _;

use super::super::visitor::{Chat, Visitor};
use super::*;
use crate::config::Config;

const APP: &str = "<!doctype html><html><head><meta name=\"description\" content=\"The app.\" />\
    <title>Gapless</title></head><body><div id=\"root\"></div><noscript>Needs JavaScript.</noscript></body></html>";

/// A chat with the app's files.
async fn chat(database: PgConnectOptions) -> (tempfile::TempDir, Chat) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join("index.html"), APP).expect("a file");
    let config = Config { spa_dir: Some(dir.path().to_owned()), demo_mode: false, ..Config::for_tests() };
    (dir, Chat::with(database, config).await)
}

async fn open(chat: &Chat, path: &str, accept: &str) -> (u16, HeaderMap, String) {
    let request = Request::get(path).header("accept", accept).header("host", "chat.example").body(Body::empty());
    let Ok(response) = super::super::router(chat.app.clone()).oneshot(request.expect("a request")).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).expect("text"))
}

async fn room(admin: &Visitor, name: &str) -> (String, String) {
    let room = admin.post("/rooms", json!({ "name": name })).await.expect(201);
    let text = |field: &str| room[field].as_str().unwrap().to_owned();
    (text("id"), format!("/r/{}-{}", text("slug"), text("id")))
}

async fn say(author: &Visitor, room: &str, body: &str) -> Value {
    author.post("/messages", json!({ "room_id": room, "body": body })).await.expect(201)
}

#[sqlx::test(migrations = false)]
async fn a_room_is_a_page_with_its_messages_for_readers_previews_and_the_app(
    _: PgPoolOptions,
    database: PgConnectOptions,
) {
    let (_dir, chat) = chat(database).await;
    let admin = chat.admin("admin").await;
    let (id, path) = room(&admin, "Garden").await;
    say(&admin, &id, "first <b>words</b>").await;
    let secret = say(&admin, &id, "secret </script> words").await;
    let gone = format!("/messages/{}", secret["id"].as_str().unwrap());

    for accept in ["text/html", "*/*"] {
        let (status, headers, page) = open(&chat, &path, accept).await;
        assert_eq!((status, &headers["cache-control"]), (200, &"no-store".parse().unwrap()));
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
        assert!(!headers.contains_key("x-robots-tag"));
        assert!(page.contains("<title>Garden · Gapless</title>"), "{page}");
        assert!(page.contains("og:description\" content=\"admin: secret &lt;/script&gt; words\""), "{page}");
        assert!(page.contains(&format!("rel=\"canonical\" href=\"{path}\"")), "{page}");
        assert!(page.contains("<p>first &lt;b&gt;words&lt;/b&gt;</p>"), "{page}");
        assert!(!page.contains("The app.") && !page.contains("Needs JavaScript"), "{page}");
        let (_, data) = page.split_once("id=\"first-page\">").unwrap();
        let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
        assert_eq!(data["page"]["messages"][1]["body"], "secret </script> words");
        assert_eq!((&data["room"]["name"], &data["page"]["head_seq"]), (&json!("Garden"), &json!(2)));
    }

    let mention = json!({
        "room_id": id, "body": format!("for @[user:{}]", admin.id), "reply_to": 1, "mentions": [admin.id],
    });
    admin.post("/messages", mention).await.expect(201);
    let (_, _, page) = open(&chat, &path, "text/html").await;
    assert!(page.contains("<p>for @admin</p>") && page.contains("content=\"admin: for @admin\""), "{page}");

    admin.delete(&gone).await.expect(204);
    let (_, _, page) = open(&chat, &format!("{path}/2"), "text/html").await;
    assert!(!page.contains("secret") && page.contains("content=\"This message was deleted.\""), "{page}");
    let (_, _, page) = open(&chat, &format!("{path}/1"), "text/html").await;
    assert!(page.contains("<title>admin in Garden · Gapless</title>") && page.contains("data-at=\"1\""), "{page}");
    assert!(page.contains("name=\"robots\" content=\"noindex\"") && !page.contains("first-page"), "{page}");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_day_has_its_messages_and_links_to_the_others(_: PgPoolOptions, database: PgConnectOptions) {
    let (_dir, chat) = chat(database).await;
    let admin = chat.admin("admin").await;
    let (id, path) = room(&admin, "Garden").await;
    for n in 1..=90 {
        say(&admin, &id, &format!("line {n}.")).await;
    }
    sqlx::query("update messages set created_at = timestamptz '2026-11-27 22:00Z' + interval '1 hour' * seq")
        .execute(&chat.app.db)
        .await
        .unwrap();
    for (day, first, last, earlier, later) in [
        ("2026-11-27", 1, 1, None, Some("/2")),
        ("2026-11-28", 2, 25, Some("/2026-11-27"), Some("/26")),
        ("2026-12-01", 74, 90, Some("/2026-11-30"), None),
    ] {
        let (status, _, page) = open(&chat, &format!("{path}/{day}"), "text/html").await;
        assert_eq!(status, 200);
        let has = |n: i64| page.contains(&format!("<p>line {n}.</p>"));
        assert!(has(first) && has(last) && !has(first - 1) && !has(last + 1), "{day}: {page}");
        assert!(page.contains(&format!("data-at=\"{first}\"")), "{page}");
        for (rel, to) in [("prev", earlier), ("next", later)] {
            let link = to.map(|to| format!("rel=\"{rel}\" href=\"{path}{to}\""));
            assert_eq!(page.contains(&format!("rel=\"{rel}\"")), link.is_some(), "{day}: {page}");
            assert!(link.is_none_or(|link| page.contains(&link)), "{day}: {page}");
        }
    }
    for nothing in ["2026-11-26", "2026-12-02", "9999-12-31"] {
        assert_eq!(open(&chat, &format!("{path}/{nothing}"), "text/html").await.0, 404, "{nothing}");
    }
    // The newest page continues within its first day.
    let (_, _, page) = open(&chat, &path, "text/html").await;
    assert!(page.contains(&format!("rel=\"prev\" href=\"{path}/16\"")), "{page}");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_room_that_cannot_be_read_is_the_app_alone_with_404(_: PgPoolOptions, database: PgConnectOptions) {
    let (_dir, chat) = chat(database).await;
    let admin = chat.admin("admin").await;
    let (id, path) = room(&admin, "Garden").await;
    say(&admin, &id, "hidden").await;
    admin.post(&format!("/rooms/{id}/archive"), json!({})).await.expect(200);
    let unknown = "/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4".to_owned();
    for path in [path.clone(), format!("{path}/1"), unknown] {
        let (status, _, page) = open(&chat, &path, "text/html").await;
        assert_eq!((status, page.as_str()), (404, APP), "{path}");
    }
    // Everything else is the app's to decide.
    for path in ["/r/garden", "/sign-in", "/"] {
        assert_eq!(open(&chat, path, "text/html").await.0, 200, "{path}");
    }
    assert_eq!(open(&chat, &path, "application/json").await.0, 404);
    let (status, _, sitemap) = open(&chat, "/sitemap.xml", "*/*").await;
    assert!(status == 200 && !sitemap.contains(&id), "{sitemap}");
    admin.post(&format!("/rooms/{id}/restore"), json!({})).await.expect(200);
    let (_, _, sitemap) = open(&chat, "/sitemap.xml", "*/*").await;
    assert!(sitemap.contains(&format!("<loc>https://chat.example{path}</loc>")), "{sitemap}");
    let (_, japanese) = room(&admin, "日本").await;
    let (_, _, sitemap) = open(&chat, "/sitemap.xml", "*/*").await;
    assert!(sitemap.is_ascii() && sitemap.contains("/r/%E6%97%A5%E6%9C%AC-"), "{sitemap}");
    assert_eq!(open(&chat, &utf8_percent_encode(&japanese, CONTROLS).to_string(), "*/*").await.0, 200);
    let (_, _, robots) = open(&chat, "/robots.txt", "*/*").await;
    assert!(robots.contains("Sitemap: https://chat.example/sitemap.xml"), "{robots}");
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_room_that_search_engines_shall_not_list_says_so_and_is_read_as_before(
    _: PgPoolOptions,
    database: PgConnectOptions,
) {
    let (_dir, chat) = chat(database).await;
    let admin = chat.admin("admin").await;
    let (id, path) = room(&admin, "Garden").await;
    let (_, other) = room(&admin, "Orchard").await;
    let said = say(&admin, &id, "words").await;
    let day = &said["created_at"].as_str().unwrap()[..10];
    for (indexable, marked) in [(true, false), (false, true), (true, false)] {
        let path_of_switch = format!("/rooms/{id}/indexable");
        admin.ask(Method::PUT, &path_of_switch, Some(json!({ "indexable": indexable }))).await.expect(200);
        for place in [path.clone(), format!("{path}/{day}")] {
            let (status, headers, page) = open(&chat, &place, "text/html").await;
            assert!(status == 200 && page.contains("<p>words</p>"), "{page}");
            assert_eq!(headers.contains_key("x-robots-tag"), marked, "{place}");
            assert_eq!(page.contains("name=\"robots\" content=\"noindex\""), marked, "{page}");
        }
        let (_, _, sitemap) = open(&chat, "/sitemap.xml", "*/*").await;
        assert!(sitemap.contains(&other) && sitemap.contains(&path) != marked, "{sitemap}");
    }
    let (_, headers, _) = open(&chat, &other, "text/html").await;
    assert!(!headers.contains_key("x-robots-tag"));
    chat.stop().await;
}

#[sqlx::test(migrations = false)]
async fn a_host_without_the_app_and_a_demo_have_pages_of_their_own(_: PgPoolOptions, database: PgConnectOptions) {
    let allowed_origins = vec![HeaderValue::from_static("https://chat.example")];
    let config = Config { spa_dir: None, demo_mode: true, allowed_origins, ..Config::for_tests() };
    let chat = Chat::with(database, config).await;
    let admin = chat.admin("keeper").await;
    let (id, path) = room(&admin, "Garden").await;
    say(&admin, &id, "words").await;
    let (status, headers, page) = open(&chat, &path, "text/html").await;
    assert_eq!((status, &headers["x-robots-tag"]), (200, &"noindex".parse().unwrap()));
    assert!(page.contains("<title>Garden · Gapless</title>") && page.contains("<p>words</p>"), "{page}");
    assert!(page.contains(&format!("<a href=\"https://chat.example{path}\">")), "{page}");
    assert!(open(&chat, "/robots.txt", "*/*").await.2.contains("Disallow: /\n"));
    chat.stop().await;
}

#[rstest]
#[case("/r/general-01a22cef-4f53-71c2-b64c-68fa8ed3b8c4", Some(Place::Newest))]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/", Some(Place::Newest))]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/12", Some(Place::Around(Seq(12))))]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/0", None)]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/-1", None)]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/2026-02-30", None)]
#[case("/r/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4/1/2", None)]
#[case("/r/general", None)]
#[case("/r/", None)]
#[case("/rooms/01a22cef-4f53-71c2-b64c-68fa8ed3b8c4", None)]
#[case("/r/%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9", None)]
fn an_address_names_a_room_and_a_place(#[case] path: &str, #[case] place: Option<Place>) {
    assert_eq!(place_of(path).map(|(_, place)| place), place);
}

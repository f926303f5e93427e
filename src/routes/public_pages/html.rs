//! The markup of public pages. `maud` escapes everything that people wrote.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::{Place, View, address};
use crate::event::{Author, Message, Room};

/// Length of a description in characters; search engines and previews show no more.
const MOST_OF_DESCRIPTION: usize = 160;
const MOMENT: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");

/// The parts of the app's page that are replaced. A page without them is sent as it is.
const TITLE: &str = "<title>Gapless</title>";
const DESCRIPTION: &str = "<meta name=\"description\"";
const ROOT: &str = "<div id=\"root\"></div>";
const NO_SCRIPT: (&str, &str) = ("<noscript>", "</noscript>");

/// Returns the app's page with the room in it. The app finds the newest messages as JSON and need not ask for them.
pub fn within(app: &str, view: &View) -> String {
    let page = without(app, DESCRIPTION, ">");
    let page = without(&page, NO_SCRIPT.0, NO_SCRIPT.1);
    let page = page.replacen(TITLE, &head(view).into_string(), 1);
    page.replacen(ROOT, &html! { div id="root" { (body(view)) } (data(view)) }.into_string(), 1)
}

/// Returns a page for hosts that serve only the API.
pub fn alone(view: &View) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width, initial-scale=1"; (head(view)) }
            body {
                @if let Some(origin) = &view.app_origin { p { a href={ (origin) (path(view)) } { "Open in the chat" } } }
                (body(view))
            }
        }
    }
    .into_string()
}

/// Returns the sitemap of rooms (sitemaps.org). `host`: as in the request.
pub fn sitemap<'a>(host: &str, rooms: impl Iterator<Item = &'a Room>) -> String {
    let origin = origin(host);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"))
        urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" {
            @for room in rooms { url { loc { (origin) (address(room)) } } }
        }
    }
    .into_string()
}

/// Returns the origin of pages at a host. Browsers and crawlers come by TLS, except to a machine of one's own.
pub fn origin(host: &str) -> String {
    let is_local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| host.starts_with(local));
    format!("{}://{host}", if is_local { "http" } else { "https" })
}

fn without(page: &str, from: &str, to: &str) -> String {
    let Some((before, rest)) = page.split_once(from) else { return page.to_owned() };
    let Some((_, after)) = rest.split_once(to) else { return page.to_owned() };
    format!("{before}{after}")
}

fn head(view: &View) -> Markup {
    let room = &view.room.name;
    let title = match (view.place, linked(view)) {
        (Place::Day(day), _) => format!("{room}, {day} · Gapless"),
        (_, Some(message)) => format!("{} in {room} · Gapless", message.author.username),
        (_, None) => format!("{room} · Gapless"),
    };
    let description = description(view);
    html! {
        title { (title) }
        meta name="description" content=(description);
        meta property="og:type" content="website";
        meta property="og:site_name" content="Gapless";
        meta property="og:title" content=(title);
        meta property="og:description" content=(description);
        meta name="twitter:card" content="summary";
        // One of a message is part of its day: only whole pages are listed.
        @if view.is_unlisted || matches!(view.place, Place::Around(_)) { meta name="robots" content="noindex"; }
        link rel="canonical" href=(path(view));
        @if let Some(earlier) = &view.earlier { link rel="prev" href=(earlier); }
        @if let Some(later) = &view.later { link rel="next" href=(later); }
    }
}

/// The one address of this page; the slug of an old link may be another.
fn path(view: &View) -> String {
    match view.place {
        Place::Newest => address(&view.room),
        Place::Around(seq) => format!("{}/{}", address(&view.room), seq.0),
        Place::Day(day) => format!("{}/{day}", address(&view.room)),
    }
}

/// The message that the address names.
fn linked(view: &View) -> Option<&Message> {
    let Place::Around(seq) = view.place else { return None };
    view.page.messages.iter().find(|message| message.seq == seq)
}

fn description(view: &View) -> String {
    let spoken = |message: &Message| {
        let text = text_of(message)?;
        Some(format!("{}: {}", message.author.username, text.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    let text = match linked(view) {
        Some(message) => spoken(message).unwrap_or_else(|| "This message was deleted.".to_owned()),
        None if view.room.topic.is_empty() => view.page.messages.iter().rev().find_map(spoken).unwrap_or_default(),
        None => view.room.topic.clone(),
    };
    match text.char_indices().nth(MOST_OF_DESCRIPTION) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn body(view: &View) -> Markup {
    let View { room, page, earlier, later, .. } = view;
    html! {
        main.early data-at=[opened_at(view)] {
            header {
                h1 { (room.name) }
                @if !room.topic.is_empty() { p { (room.topic) } }
            }
            ol {
                @if let Some(earlier) = earlier { li { a href=(earlier) { "Earlier messages" } } }
                @for message in &page.messages { li { (article(room, message)) } }
                @if let Some(later) = later { li { a href=(later) { "Later messages" } } }
                @if page.messages.is_empty() { li { "No messages yet." } }
            }
        }
    }
}

/// The `seq` at which the app opens the room, if not at its end.
fn opened_at(view: &View) -> Option<i64> {
    match view.place {
        Place::Newest => None,
        Place::Around(seq) => Some(seq.0),
        Place::Day(_) => view.page.messages.first().map(|message| message.seq.0),
    }
}

fn article(room: &Room, message: &Message) -> Markup {
    html! {
        article id=(format!("m{}", message.seq.0)) {
            b { (message.author.username) }
            " "
            a href=(format!("{}/{}", address(room), message.seq.0)) {
                time datetime=(message.created_at.format(&Rfc3339).unwrap_or_default()) { (moment(message.created_at)) }
            }
            @match text_of(message) {
                Some(text) => p { (text) },
                None => p { i { "This message was deleted." } },
            }
        }
    }
}

/// The body with names in place of ids; `None` if the message was deleted.
fn text_of(message: &Message) -> Option<String> {
    let body = message.body.as_deref()?.to_owned();
    let named =
        |text: String, user: &Author| text.replace(&format!("@[user:{}]", user.id), &format!("@{}", user.username));
    Some(message.mentions.iter().fold(body, named))
}

fn moment(at: OffsetDateTime) -> String {
    at.format(MOMENT).unwrap_or_default()
}

/// The newest messages for the app. JSON in a page must not contain `<`, which could end its element.
fn data(view: &View) -> Markup {
    if view.place != Place::Newest {
        return html! {};
    }
    let View { room, page, cursor, .. } = view;
    let data = json!({
        "room": room,
        "page": {
            "messages": page.messages, "head_seq": page.head_seq, "first_seq": page.first_seq, "cursor": cursor,
        },
    });
    let data = data.to_string().replace('<', "\\u003c");
    html! { script type="application/json" id="first-page" { (PreEscaped(data)) } }
}

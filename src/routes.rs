//! The URL table, and the middleware that every request passes on its way to a handler.

mod audit;
mod auth;
mod direct_messages;
mod edge;
mod etag;
mod health;
mod here;
mod inbox;
mod invitations;
mod messages;
pub mod openapi;
mod people;
mod pins;
mod public_pages;
mod push;
mod reactions;
mod read_marks;
mod room_list;
mod rooms;
mod search;
mod server;
mod spa;
mod sse;
mod users;
#[cfg(test)]
mod visitor;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Error;

/// All endpoints of the API except the stream. Requests to them count against the limit of their address.
fn api() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .routes(routes!(auth::register))
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::logout_all))
        .routes(routes!(auth::change_password))
        .routes(routes!(room_list::list_rooms, rooms::create_room))
        .routes(routes!(rooms::get_room, rooms::rename_room))
        .routes(routes!(rooms::set_retention))
        .routes(routes!(rooms::set_topic))
        .routes(routes!(rooms::set_landing))
        .routes(routes!(rooms::set_indexable))
        .routes(routes!(rooms::archive_room))
        .routes(routes!(rooms::restore_room))
        .routes(routes!(read_marks::mark_read))
        .routes(routes!(read_marks::set_level))
        .routes(routes!(people::list_people))
        .routes(routes!(here::list_here))
        .routes(routes!(here::announce_typing))
        .routes(routes!(people::count_audience))
        .routes(routes!(messages::list_messages, messages::post_message))
        .routes(routes!(messages::edit_message, messages::delete_message))
        .routes(routes!(pins::pin_message, pins::unpin_message))
        .routes(routes!(pins::list_pins))
        .routes(routes!(reactions::list_reactions))
        .routes(routes!(reactions::add_reaction, reactions::remove_reaction))
        .routes(routes!(search::search_messages))
        .routes(routes!(direct_messages::list_direct_messages, direct_messages::post_direct_message))
        .routes(routes!(direct_messages::list_conversations))
        .routes(routes!(inbox::list_inbox))
        .routes(routes!(inbox::mark_inbox_read))
        .routes(routes!(push::get_push))
        .routes(routes!(push::subscribe_to_push, push::unsubscribe_from_push))
        .routes(routes!(push::test_push))
        .routes(routes!(users::get_me))
        .routes(routes!(users::list_users))
        .routes(routes!(users::set_role, users::erase_user))
        .routes(routes!(users::mute_user))
        .routes(routes!(users::unmute_user))
        .routes(routes!(users::ban_user))
        .routes(routes!(users::unban_user))
        .routes(routes!(users::end_sessions))
        .routes(routes!(invitations::list_invitations, invitations::create_invitation))
        .routes(routes!(invitations::revoke_invitation))
        .routes(routes!(audit::list_audit_entries))
        .routes(routes!(server::get_server))
}

/// Health checks and metrics: requested often by machines, and answered even under overload.
fn operation() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// The stream: it lasts for hours and is written to often, so it has no layer that would time it out, compress it or
/// wrap its body.
fn stream() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(sse::open_stream))
}

/// Returns the OpenAPI document; needs no running server.
pub fn document() -> utoipa::openapi::OpenApi {
    openapi::complete(api().merge(stream()).merge(operation()).into_openapi())
}

/// Returns the router for all requests. The layers of each group are combined into one: each separate layer costs every
/// request a future, and the layers of a post once cost more than its message.
pub fn router(app: App) -> Router {
    let outermost =
        || ServiceBuilder::new().layer(from_fn(edge::observe)).layer(edge::cors(&app.config.allowed_origins));
    let answered = || outermost().layer(edge::compression()).layer(CatchPanicLayer::custom(edge::answer_panic));
    let bounded = from_fn_with_state(app.clone(), edge::bound);

    let api = Router::from(api()).method_not_allowed_fallback(method_not_allowed).layer(answered().layer(bounded));
    let pages = spa::router(app.config.spa_dir.as_deref()).layer(from_fn_with_state(app.clone(), public_pages::fill));
    let others = Router::from(operation())
        .merge(openapi::router(&document()))
        .merge(public_pages::router())
        .merge(pages)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(answered());
    let streams = Router::from(stream()).method_not_allowed_fallback(method_not_allowed).layer(outermost());
    api.merge(others).merge(streams).with_state(app.clone())
}

/// Returns the router for `METRICS_PORT`.
pub fn metrics_router(app: App) -> Router {
    health::metrics_alone(app).fallback(async || Error::NotFound("address"))
}

async fn method_not_allowed() -> Error {
    Error::MethodNotAllowed
}

#[cfg(test)]
mod tests;

//! Reactions: users react to messages with emoji, and everybody reads who did.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use super::rooms::reads_archived;
use crate::app::App;
use crate::auth::{Anyone, Caller, SignedIn};
use crate::error::{Error, Result};
use crate::extract;
use crate::id::MessageId;
use crate::input::Emoji;
use crate::store;
use crate::store::reactions::{NewReaction, Users};

/// A message and an emoji, from the path.
pub struct OfMessage(MessageId, Emoji);

impl<S: Send + Sync> FromRequestParts<S> for OfMessage {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let refused = |reason| Error::invalid("emoji", reason);
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((message, emoji)) = path.map_err(|_| refused("must be UTF-8"))?;
        let message = message.parse().map_err(|_| Error::NotFound("message"))?;
        Ok(Self(message, Emoji::parse(&emoji).map_err(refused)?))
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReactionsOfMessage {
    /// In the order of first use.
    reactions: Vec<Users>,
}

/// Read who reacted to a message. A deleted message has no reactions.
#[utoipa::path(
    get, path = "/messages/{id}/reactions", tag = "messages", security((), ("bearer" = [])),
    params(("id" = MessageId, Path)),
    responses(
        (status = 200, body = ReactionsOfMessage),
        (status = 404, description = "unknown, or its room is archived and the caller no admin"),
    )
)]
pub async fn list_reactions(
    State(app): State<App>,
    Anyone(caller): Anyone,
    extract::Path(id): extract::Path<MessageId>,
) -> Result<extract::Json<ReactionsOfMessage>> {
    let found = store::reactions::of_message(&app.db, id).await?;
    let found = found.filter(|found| !found.is_archived || reads_archived(caller.as_ref()));
    let reactions = found.ok_or(Error::NotFound("message"))?.reactions;
    Ok(extract::Json(ReactionsOfMessage { reactions }))
}

/// React to a message with an emoji. Repeating this is not an error. Within a second of another change to the message's
/// reactions, the response is sent once that second is over.
#[utoipa::path(
    put, path = "/messages/{id}/reactions/{emoji}", tag = "messages", security(("bearer" = [])),
    params(
        ("id" = MessageId, Path),
        ("emoji" = String, Path, description = "one emoji, with or without variation selectors", min_length = 1),
    ),
    responses(
        (status = 204, description = "added, or added before"),
        (status = 403, description = "`muted` or `banned`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`too_many_reactions` (20 kinds of a message, 10 of the caller), `room_archived` or `message_deleted`"),
        (status = 422, description = "`invalid`: not one emoji of at most 32 bytes"),
    )
)]
pub async fn add_reaction(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    reaction: OfMessage,
) -> Result<StatusCode> {
    set(&app, &caller, reaction, true).await
}

/// Remove the caller's reaction. Repeating this is not an error.
#[utoipa::path(
    delete, path = "/messages/{id}/reactions/{emoji}", tag = "messages", security(("bearer" = [])),
    params(
        ("id" = MessageId, Path),
        ("emoji" = String, Path, description = "one emoji, with or without variation selectors", min_length = 1),
    ),
    responses(
        (status = 204, description = "removed, or there was none"),
        (status = 403, description = "`muted` or `banned`"),
        (status = 404, description = "unknown"),
        (status = 409, description = "`room_archived` or `message_deleted`"),
        (status = 422, description = "`invalid`: not one emoji of at most 32 bytes"),
    )
)]
pub async fn remove_reaction(
    State(app): State<App>,
    SignedIn(caller): SignedIn,
    reaction: OfMessage,
) -> Result<StatusCode> {
    set(&app, &caller, reaction, false).await
}

async fn set(app: &App, caller: &Caller, reaction: OfMessage, is_added: bool) -> Result<StatusCode> {
    let OfMessage(message, emoji) = reaction;
    app.reactions.set(NewReaction { user: caller.id, message, emoji, is_added }).await??;
    Ok(StatusCode::NO_CONTENT)
}

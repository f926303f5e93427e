//! Posts of a drill: ordinary messages, recorded in the history and never retried.

use anyhow::{Context as _, ensure};
use gapless_client::http::Connection;
use uuid::Uuid;

use crate::environment::{Account, Environment};
use crate::history::Action;
use crate::submit::{Attempt, Submit};

/// Posts on an instance, over the connection kept to it.
pub async fn post(
    env: &Environment,
    author: &Account,
    room: Uuid,
    access: &str,
    instance: usize,
    kept: &mut Option<Connection>,
) -> Attempt {
    let number = env.next_submit();
    let body = format!("s{number} of a drill");
    let submit = Submit { number, action: Action::Post, target: room, client_id: Uuid::now_v7(), body };
    submit.record(env, author.id);
    submit.attempt(env, access, instance, kept).await
}

/// Posts one message, which must succeed: by the author with this number, in the room with the same number.
pub async fn post_in_room(env: &Environment, number: usize) -> anyhow::Result<()> {
    let author = &env.authors[number];
    let token = author.token(env).await.context("an author cannot sign in")?;
    let status = post(env, author, env.rooms[number], &token.access, 0, &mut None).await.status;
    ensure!(status == 201, "a post in room {number} was answered with {status}");
    Ok(())
}

//! Redis permissions that the chat needs: PUBLISH and SUBSCRIBE on its channel. `gapless doctor` tests both.

use std::time::Duration;

use anyhow::Context as _;
use redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisError};
use secrecy::SecretString;
use tokio::sync::mpsc;

use super::super::seal::{self, Seal};
use super::super::{Bulletin, Envelope};
use crate::clock::Clock;
use crate::id::InstanceId;

/// Timeout for receiving our own publication.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns a sentence naming the missing permission, if Redis refused the command for lack of one.
pub fn refusal(error: &RedisError, command: &str, channel: &str) -> Option<String> {
    if error.code() != Some("NOPERM") {
        return None;
    }
    // "User x has no permissions to access a channel", or "... to run the 'publish' command".
    let is_channel = error.to_string().contains("channel");
    Some(if is_channel {
        format!(
            "the Redis user may not use the channel {channel} to {command}: grant it with `ACL SETUSER … &gapless:*`"
        )
    } else {
        let right = command.to_lowercase();
        format!("the Redis user may not {command} on {channel}: grant it with `ACL SETUSER … +{right} &gapless:*`")
    })
}

/// Publishes a probe on the channel and waits to receive it. Other instances ignore it.
///
/// # Errors
/// A sentence that names the missing permission.
pub async fn try_out(connection: &SecretString, seal: &Seal, chat: &str) -> anyhow::Result<()> {
    let channel = super::channel(chat);
    let allowed = |command: &'static str| {
        let channel = channel.clone();
        move |error: RedisError| match refusal(&error, command, &channel) {
            Some(sentence) => anyhow::anyhow!(sentence),
            None => anyhow::Error::from(error).context(command),
        }
    };
    let (sink, mut pushed) = mpsc::channel::<PushInfo>(64);
    let config = AsyncConnectionConfig::new().set_push_sender(move |push| {
        // The channel may be busy; only one of many pushes is the awaited probe.
        sink.try_send(push).ok();
        Ok::<(), redis::aio::SendError>(())
    });
    let client = super::client(connection)?;
    let mut open =
        client.get_multiplexed_async_connection_with_config(&config).await.context("Redis does not answer")?;
    open.subscribe(&channel).await.map_err(allowed("SUBSCRIBE"))?;
    let from = InstanceId::new();
    let sent_at_ms = Some(seal::milliseconds(Clock::System.now()));
    let envelope = Envelope { from, epoch: String::new(), bulletin: Bulletin::Probe, trace: None, sent_at_ms };
    let payload = seal.seal(envelope);
    let sent: redis::RedisResult<i64> = redis::cmd("PUBLISH").arg(&channel).arg(&payload).query_async(&mut open).await;
    sent.map_err(allowed("PUBLISH"))?;
    let comes_back = async {
        while let Some(push) = pushed.recv().await {
            if push.kind == PushKind::Message && super::payload(&push) == Some(&payload) {
                return true;
            }
        }
        false
    };
    let came_back = tokio::time::timeout(PATIENCE, comes_back).await.unwrap_or(false);
    anyhow::ensure!(
        came_back,
        "a probe published on {channel} was not received; does this address lead to a single server?"
    );
    Ok(())
}

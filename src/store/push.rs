//! Web Push: subscriptions of browsers, and the queue of notifications. See `migrations/0042_push.sql`.

use std::time::Duration;

use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::Db;
use crate::event::Author;
use crate::id::{MessageId, Pos, RoomId, Seq, SessionId, UserId};
use crate::outcome::Outcome;

mod contents;

pub use contents::read_contents;

/// Reason of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Mention,
    Reply,
    Direct,
    Test,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Mention => "mention",
            Self::Reply => "reply",
            Self::Direct => "direct",
            Self::Test => "test",
        }
    }

    fn parse(word: &str) -> sqlx::Result<Self> {
        Ok(match word {
            "mention" => Self::Mention,
            "reply" => Self::Reply,
            "direct" => Self::Direct,
            "test" => Self::Test,
            _ => return Err(sqlx::Error::Protocol(format!("{word:?} is not a kind of notification"))),
        })
    }
}

/// A browser that wants notifications.
#[derive(Debug, Clone, Copy)]
pub struct NewSubscription<'a> {
    pub user: UserId,
    pub session: SessionId,
    pub endpoint: &'a str,
    pub host: &'a str,
    pub p256dh: &'a [u8],
    pub auth: &'a [u8],
    pub server_key: &'a [u8],
    pub preview: bool,
}

/// A notification that this instance is to send.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub subscription: Uuid,
    pub pos: Pos,
    pub user: UserId,
    pub kind: Kind,
    pub message: Option<MessageId>,
    pub tag: String,
    /// Number of attempts, with this one.
    pub attempts: i32,
    /// Time until it expires; zero if it has.
    pub left: Duration,
    /// `None` if the subscription was removed.
    pub target: Option<Target>,
}

/// The address and keys of a browser.
#[derive(Debug, Clone)]
pub struct Target {
    pub endpoint: String,
    pub host: String,
    pub p256dh: Vec<u8>,
    pub auth: Vec<u8>,
    pub preview: bool,
}

/// The message that a notification is about, as it is now.
#[derive(Debug, Clone)]
pub enum Content {
    Test,
    Message { kind: Kind, room: RoomId, name: String, seq: Seq, author: String, body: String, mentions: Vec<Author> },
    Direct { sender: Author, body: String },
}

/// Adds or renews a subscription.
pub async fn subscribe(db: &Db, new: NewSubscription<'_>) -> sqlx::Result<Outcome<()>> {
    let outcome: String = sqlx::query_scalar("select subscribe_to_push($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(Uuid::now_v7())
        .bind(new.user)
        .bind(new.session)
        .bind(new.endpoint)
        .bind(new.host)
        .bind(new.p256dh)
        .bind(new.auth)
        .bind(new.server_key)
        .bind(new.preview)
        .fetch_one(db)
        .await?;
    Ok(super::outcome((outcome, None), "subscription")?.map(drop))
}

/// Removes the user's subscription with this endpoint, if there is one.
pub async fn unsubscribe(db: &Db, user: UserId, endpoint: &str) -> sqlx::Result<()> {
    let query = sqlx::query("delete from push_subscriptions where endpoint = $1 and user_id = $2");
    query.bind(endpoint).bind(user).execute(db).await.map(drop)
}

/// Removes a subscription that its push service does not know any more, and all that waits for it.
pub async fn forget(db: &Db, subscription: Uuid) -> sqlx::Result<()> {
    let query = sqlx::query(
        "with forgotten as (delete from push_subscriptions where id = $1)
         delete from push_queue where subscription_id = $1",
    );
    query.bind(subscription).execute(db).await.map(drop)
}

/// Queues a test for each of the user's browsers.
pub async fn queue_tests(db: &Db, user: UserId) -> sqlx::Result<()> {
    sqlx::query("select queue_test_pushes($1)").bind(user).execute(db).await.map(drop)
}

/// Queues what is new in the log for the browsers of its users, due after `delay`, from at most `most` entries. Returns
/// the number of entries read, `None` if nobody is subscribed. Another instance may be doing it: then there are none.
pub async fn queue(db: &Db, delay: Duration, most: i32) -> sqlx::Result<Option<i32>> {
    sqlx::query_scalar("select queue_pushes($1, $2)").bind(interval(delay)).bind(most).fetch_one(db).await
}

/// Claims at most `most` due notifications, which are due again after `lease`.
pub async fn claim(
    db: &Db,
    most: usize,
    lease: Duration,
    server_key: &[u8],
    not_hosts: &[String],
) -> sqlx::Result<Vec<Claimed>> {
    let rows: Vec<ClaimedRow> = sqlx::query_as(
        "select subscription_id, pos, user_id, kind, message_id, tag, attempts, seconds_left,
                endpoint, host, p256dh, auth, preview
         from claim_pushes($1, $2, $3, $4)",
    )
    .bind(i32::try_from(most).unwrap_or(i32::MAX))
    .bind(interval(lease))
    .bind(server_key)
    .bind(not_hosts)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(ClaimedRow::claimed).collect()
}

/// Removes a notification that was sent, and earlier ones of its tag: in the browser it takes their place.
pub async fn finish(db: &Db, sent: &Claimed) -> sqlx::Result<()> {
    sqlx::query("delete from push_queue where subscription_id = $1 and tag = $2 and pos <= $3")
        .bind(sent.subscription)
        .bind(&sent.tag)
        .bind(sent.pos)
        .execute(db)
        .await
        .map(drop)
}

/// Removes notifications that are not to be sent.
pub async fn drop_all(db: &Db, unneeded: &[Claimed]) -> sqlx::Result<()> {
    sqlx::query(
        "delete from push_queue q using unnest($1::uuid[], $2::bigint[]) as d (subscription_id, pos)
         where q.subscription_id = d.subscription_id and q.pos = d.pos",
    )
    .bind(unneeded.iter().map(|claimed| claimed.subscription).collect::<Vec<_>>())
    .bind(unneeded.iter().map(|claimed| claimed.pos).collect::<Vec<_>>())
    .execute(db)
    .await
    .map(drop)
}

/// Makes a notification due again after a pause.
pub async fn postpone(db: &Db, claimed: &Claimed, pause: Duration) -> sqlx::Result<()> {
    sqlx::query("update push_queue set due_at = now() + $3 where subscription_id = $1 and pos = $2")
        .bind(claimed.subscription)
        .bind(claimed.pos)
        .bind(interval(pause))
        .execute(db)
        .await
        .map(drop)
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

#[derive(FromRow)]
struct ClaimedRow {
    subscription_id: Uuid,
    pos: Pos,
    user_id: UserId,
    kind: String,
    message_id: Option<MessageId>,
    tag: String,
    attempts: i32,
    seconds_left: f64,
    endpoint: Option<String>,
    host: Option<String>,
    p256dh: Option<Vec<u8>>,
    auth: Option<Vec<u8>>,
    preview: Option<bool>,
}

impl ClaimedRow {
    fn claimed(self) -> sqlx::Result<Claimed> {
        let keys = self.p256dh.zip(self.auth);
        let target = self.endpoint.zip(self.host).zip(keys).map(|((endpoint, host), (p256dh, auth))| Target {
            endpoint,
            host,
            p256dh,
            auth,
            preview: self.preview == Some(true),
        });
        Ok(Claimed {
            subscription: self.subscription_id,
            pos: self.pos,
            user: self.user_id,
            kind: Kind::parse(&self.kind)?,
            message: self.message_id,
            tag: self.tag,
            attempts: self.attempts,
            left: Duration::try_from_secs_f64(self.seconds_left).unwrap_or_default(),
            target,
        })
    }
}

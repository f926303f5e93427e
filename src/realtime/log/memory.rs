//! A log in memory for unit tests, which commits, hangs, fails and refuses as a test asks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::CommitError;
use crate::event::{Audience, Event, Message, Topic};
use crate::id::{Pos, Seq};
use crate::outcome::{Outcome, Posted};
use crate::post::NewMessage;
use crate::store::log::replay::{Found, Part, Request};
use crate::store::log::{Head, Snapshot};

/// See the [module](self).
#[derive(Default)]
pub struct Memory {
    pub head: Pos,
    /// Makes the event at a position. `None`: reads never return.
    pub event_at: Option<fn(i64) -> Event>,
    pub reads: AtomicUsize,
    /// Duration of each read.
    pub read_takes: Duration,
    pub commits: Commits,
    /// Size of each batch passed to `append`.
    pub batches: Mutex<Vec<usize>>,
}

/// Behaviour of commits.
#[derive(Default)]
pub enum Commits {
    #[default]
    Hang,
    /// Each commit waits for a permit.
    Wait(Semaphore),
    /// The first commit succeeds but returns an error.
    LoseFirstAnswer,
    /// A batch with this body is refused.
    Refuse(&'static str),
}

impl Memory {
    pub async fn read(&self, after: Pos, upto: Pos) -> anyhow::Result<Vec<Event>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if !self.read_takes.is_zero() {
            tokio::time::sleep(self.read_takes).await;
        }
        match self.event_at {
            Some(event_at) => Ok((after.0 + 1..=upto.0).map(event_at).collect()),
            None => std::future::pending().await,
        }
    }

    pub fn head(&self) -> Head {
        Head { epoch: "e".into(), pos: self.head, landmark: None }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot { epoch: "e".into(), head: self.head, chat: "c".into(), ..Snapshot::default() }
    }

    pub async fn append(&self, batch: &[NewMessage]) -> Result<Vec<Outcome<Posted<Message>>>, CommitError> {
        let is_first = {
            let mut batches = self.batches.lock().unwrap();
            batches.push(batch.len());
            batches.len() == 1
        };
        match &self.commits {
            Commits::Hang => std::future::pending().await,
            Commits::Wait(permits) => permits.acquire().await.unwrap().forget(),
            Commits::LoseFirstAnswer if is_first => {
                return Err(CommitError::Outage(anyhow::anyhow!("connection reset")));
            }
            Commits::LoseFirstAnswer => {
                return Ok(batch.iter().map(committed).map(Posted::Duplicate).map(Ok).collect());
            }
            Commits::Refuse(body) if batch.iter().any(|new| &*new.body == *body) => {
                return Err(CommitError::Refused(anyhow::anyhow!("no")));
            }
            Commits::Refuse(_) => {}
        }
        Ok(batch.iter().map(committed).map(Posted::Accepted).map(Ok).collect())
    }
}

/// Finds the events of topics in a list, as the database does.
pub fn find(log: &[Event], requests: &[Request], upto: Pos) -> Found {
    let part = |&Request { topic, after, most }: &Request| {
        let belongs = |event: &&Event| event.pos > after && event.pos <= upto && carries(topic, event.audience);
        let positions = log.iter().filter(belongs).map(|event| event.pos);
        Part::new(positions.take(usize::try_from(most).unwrap()).collect(), most, upto)
    };
    let parts: Vec<Part> = requests.iter().map(part).collect();
    let is_found = |event: &&Event| parts.iter().any(|part| part.positions.binary_search(&event.pos).is_ok());
    let events = log.iter().filter(is_found).cloned().collect();
    Found { events, parts: parts.into_iter().map(Some).collect() }
}

fn carries(topic: Topic, audience: Audience) -> bool {
    match (topic, audience) {
        (Topic::Room(room), Audience::Room(of)) => room == of,
        (Topic::User(user), Audience::User(of)) => user == of,
        (Topic::User(user), Audience::Pair(sender, recipient)) => user == sender || user == recipient,
        (Topic::Lobby, Audience::Everyone) => true,
        _ => false,
    }
}

fn committed(new: &NewMessage) -> Message {
    Message {
        id: new.id,
        room_id: new.room_id,
        pos: Pos(1),
        seq: Seq(1),
        client_id: new.client_id,
        author: new.author.clone(),
        body: Some(new.body.clone()),
        created_at: OffsetDateTime::UNIX_EPOCH,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
        reply_to: None,
        mentions: Vec::new(),
    }
}

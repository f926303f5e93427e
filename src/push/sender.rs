//! Sends what is due. One task for each instance; see [`crate::push`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::authorization::Authorization;
use super::service::{Answer, Message, Service};
use super::unreachable::Unreachable;
use super::{BrowserKeys, encryption, payload};
use crate::clock::Clock;
use crate::config::Push as Settings;
use crate::store::Db;
use crate::store::push::{self as store, Claimed, Content, Target};

/// Requests to push services at a time. Each waits for the network and holds no connection to the database.
const AT_ONCE: usize = 16;
/// Maximum number of notifications claimed together.
const PORTION: usize = 8;
/// A push service with this many requests on their way gets no portion, so that one that hangs leaves places to the
/// others: at most eleven are taken by one.
const BUSY: usize = 4;
/// Entries of the log that are queued by one statement: each may notify ten browsers.
const ENTRIES: i32 = 200;
/// Time from a claim until it lapses, in addition to the time limit of a request.
const LEASE: Duration = Duration::from_secs(20);
/// Maximum number of attempts. With pauses that double from 10 s, the last is after ten minutes.
const ATTEMPTS: i32 = 7;
/// Time for requests that were sent when the instance shuts down.
const FAREWELL: Duration = Duration::from_secs(3);

/// See the [module](self).
pub struct Sender {
    db: Db,
    clock: Clock,
    settings: Settings,
    server_key: Vec<u8>,
    authorization: Authorization,
    service: Service,
    due: Arc<Notify>,
    unreachable: Unreachable,
    /// Host of each request on its way, by its task.
    on_their_way: HashMap<task::Id, String>,
}

/// A request that was answered, or not.
type Sent = (Claimed, Answer);

/// Result of looking for due notifications.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// There may be more: as many were claimed as there were places for.
    More,
    Done,
}

impl Sender {
    /// Returns `None` if there is no key.
    pub fn new(settings: &Settings, db: Db, clock: Clock, due: Arc<Notify>) -> Option<Self> {
        let key = settings.key.as_ref()?;
        Some(Self {
            db,
            clock,
            server_key: key.public(),
            authorization: Authorization::new(key, &settings.subject),
            service: Service::new(settings.timeout),
            settings: settings.clone(),
            due,
            unreachable: Unreachable::new(settings.backoff),
            on_their_way: HashMap::new(),
        })
    }

    /// Runs until `leaving`, and then waits a little for the answers to what was sent: without them another instance
    /// would send it again.
    pub async fn run(mut self, leaving: CancellationToken) {
        let mut requests = JoinSet::new();
        let mut has_failed = false;
        while !leaving.is_cancelled() {
            let worked = self.work(&mut requests).await;
            if let Err(error) = &worked
                && !has_failed
            {
                tracing::warn!(%error, "cannot read due notifications; retrying every {:?}", self.settings.poll);
            }
            has_failed = worked.is_err();
            let has_more = worked.is_ok_and(|progress| progress == Progress::More);
            let next_look = tokio::time::sleep(self.settings.poll);
            tokio::pin!(next_look);
            while !has_more || requests.len() > AT_ONCE - PORTION {
                tokio::select! {
                    () = leaving.cancelled() => break,
                    () = &mut next_look => break,
                    () = self.due.notified() => break,
                    Some(sent) = requests.join_next_with_id() => self.note(sent).await,
                }
            }
        }
        let rest = async {
            while let Some(sent) = requests.join_next_with_id().await {
                self.note(sent).await;
            }
        };
        if timeout(FAREWELL, rest).await.is_err() {
            tracing::debug!("some notifications were not answered before the shutdown; another instance retries them");
        }
    }

    async fn work(&mut self, requests: &mut JoinSet<Sent>) -> sqlx::Result<Progress> {
        let places = PORTION.min(AT_ONCE.saturating_sub(requests.len()));
        if places == 0 {
            return Ok(Progress::More);
        }
        let Some(entries) = store::queue(&self.db, self.settings.delay, ENTRIES).await? else {
            return Ok(Progress::Done);
        };
        let mut not_hosts = self.unreachable.paused(Instant::now());
        metrics::gauge!("gapless_push_services_paused").set(u32::try_from(not_hosts.len()).unwrap_or(u32::MAX));
        not_hosts.extend(self.busy_hosts());

        let lease = self.settings.timeout + LEASE;
        let claimed = store::claim(&self.db, places, lease, &self.server_key, &not_hosts).await?;
        let has_more = entries == ENTRIES || claimed.len() == places;
        let progress = if has_more { Progress::More } else { Progress::Done };
        let mut contents = store::read_contents(&self.db, &claimed).await?;
        let mut unneeded = Vec::new();
        let newest = newest_of_each_tag(&claimed);
        for (place, claimed) in claimed.into_iter().enumerate() {
            let outcome = match (contents.remove(&place), claimed.target.clone()) {
                _ if claimed.left.is_zero() => "expired",
                (None, _) | (_, None) => "unneeded",
                _ if newest[&(claimed.subscription, claimed.tag.clone())] > claimed.pos.0 => "replaced",
                (Some(content), Some(target)) => match self.message(&claimed, &target, &content) {
                    Some(message) => {
                        self.send(requests, claimed, target.host, message);
                        continue;
                    }
                    None => "refused",
                },
            };
            count(outcome);
            unneeded.push(claimed);
        }
        if !unneeded.is_empty() {
            store::drop_all(&self.db, &unneeded).await?;
        }
        Ok(progress)
    }

    /// Builds the request; `None` if the endpoint is not allowed any more, or its keys are not valid.
    fn message(&self, claimed: &Claimed, target: &Target, content: &Content) -> Option<Message> {
        let endpoint: Uri = target.endpoint.parse().ok().filter(|endpoint| self.settings.hosts.allow(endpoint))?;
        let keys = BrowserKeys { p256dh: target.p256dh.clone(), auth: target.auth.clone() };
        let body = payload::encode(content, &claimed.tag, claimed.pos, target.preview);
        let body = encryption::encrypt(&body, &keys).ok()?;
        let authorization = self.authorization.header(&endpoint, self.clock.now()).ok()?;
        Some(Message { endpoint, authorization, body, ttl: claimed.left, topic: topic(&claimed.tag, &target.auth) })
    }

    fn send(&mut self, requests: &mut JoinSet<Sent>, claimed: Claimed, host: String, message: Message) {
        let (service, now) = (self.service.clone(), self.clock.now());
        let request = requests.spawn(async move {
            let began = Instant::now();
            let answer = service.send(message, now).await;
            metrics::histogram!("gapless_push_request_seconds").record(began.elapsed());
            (claimed, answer)
        });
        self.on_their_way.insert(request.id(), host);
    }

    fn busy_hosts(&self) -> Vec<String> {
        let mut requests: HashMap<&str, usize> = HashMap::new();
        self.on_their_way.values().for_each(|host| *requests.entry(host).or_default() += 1);
        requests.into_iter().filter(|(_, count)| *count >= BUSY).map(|(host, _)| host.to_owned()).collect()
    }

    /// Records the answer. If that fails, the notification is sent again when its claim lapses.
    async fn note(&mut self, sent: Result<(task::Id, Sent), task::JoinError>) {
        let id = sent.as_ref().map_or_else(task::JoinError::id, |(id, _)| *id);
        let host = self.on_their_way.remove(&id).unwrap_or_default();
        let Ok((_, (claimed, answer))) = sent else { return };
        match answer {
            Answer::None => {
                if let Some(pause) = self.unreachable.note_failure(&host, Instant::now()) {
                    tracing::warn!(host, "a push service does not answer; retrying in {pause:?}");
                }
            }
            _ => self.unreachable.note_answer(&host),
        }
        let noted = match answer {
            Answer::Accepted => {
                count("accepted");
                store::finish(&self.db, &claimed).await
            }
            Answer::Gone => {
                count("gone");
                store::forget(&self.db, claimed.subscription).await
            }
            Answer::Refused(status) => {
                tracing::warn!(host, %status, "a push service refused a notification; dropping it");
                count("refused");
                store::drop_all(&self.db, std::slice::from_ref(&claimed)).await
            }
            Answer::Busy(_) | Answer::None => {
                let pause = self.pause(&claimed, answer);
                if claimed.attempts >= ATTEMPTS || pause >= claimed.left {
                    count("given_up");
                    store::drop_all(&self.db, std::slice::from_ref(&claimed)).await
                } else {
                    count("retried");
                    store::postpone(&self.db, &claimed, pause).await
                }
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "cannot record the answer of a push service; the notification may be sent twice");
        }
    }

    /// Returns the time until the next attempt: doubled each time and spread, and not before the service wants it.
    fn pause(&self, claimed: &Claimed, answer: Answer) -> Duration {
        let doublings = u32::try_from(claimed.attempts.clamp(1, ATTEMPTS) - 1).unwrap_or_default();
        let pause = (self.settings.backoff * 2_u32.pow(doublings)).mul_f64(rand::rng().random_range(0.75..1.25));
        match answer {
            Answer::Busy(Some(wanted)) => pause.max(wanted),
            _ => pause,
        }
    }
}

/// Returns the newest position of each subscription and tag: it takes the place of the others.
fn newest_of_each_tag(claimed: &[Claimed]) -> HashMap<(Uuid, String), i64> {
    let mut newest = HashMap::new();
    for claimed in claimed {
        let pos = newest.entry((claimed.subscription, claimed.tag.clone())).or_insert(claimed.pos.0);
        *pos = claimed.pos.0.max(*pos);
    }
    newest
}

/// Returns a name for the tag that says nothing to the push service, not even that two users share a room.
fn topic(tag: &str, auth: &[u8]) -> String {
    use base64::Engine as _;
    let digest = Sha256::new().chain_update(auth).chain_update(tag).finalize();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..24])
}

fn count(outcome: &'static str) {
    metrics::counter!("gapless_pushes_total", "outcome" => outcome).increment(1);
}

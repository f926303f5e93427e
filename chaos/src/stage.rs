//! The people and rooms of a run, and what everybody on the stage shares.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gapless_client::http::{Answer, Request, ask};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::active_faults::ActiveFaults;
use crate::cluster::Cluster;
use crate::history::{History, Micros};
use crate::schedule::INSTANCES;

/// The last rooms of the list are archived and restored all the time.
pub const CONTESTED_ROOMS: usize = 2;
const AUTHORS: usize = 24;
const ADMINS: usize = 3;
const TABBED: usize = 10;
const VICTIMS: usize = 6;
/// Of the victims, so many are admins, who are demoted.
pub const DEPUTIES: usize = 2;

pub const PASSWORD: &str = "correct horse battery";
/// How long a client waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(4);

/// How many there are to play for, and with what patience.
#[derive(Debug, Clone, Copy)]
pub struct Cast {
    pub rooms: usize,
    /// Posts a second of all authors together.
    pub rate: f64,
    /// A stream that says nothing for so long is dead.
    pub silence: Duration,
}

impl Cast {
    /// For a chaos run: heartbeats come every second.
    pub const fn of_chaos(rate: f64) -> Self {
        Self { rooms: 20, rate, silence: Duration::from_secs(4) }
    }
}

/// How far the run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Under load, with faults.
    Storm,
    /// Everything is healed, nothing new is begun, and streams catch up.
    Settling,
    Over,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Stage {
    pub cluster: Cluster,
    pub history: History,
    pub active_faults: ActiveFaults,
    pub phase: watch::Sender<Phase>,
    /// Counts the moments at which every stream is cut.
    pub storms: watch::Sender<u32>,
    pub seed: u64,
    pub cast: Cast,
    pub rooms: Vec<Uuid>,
    pub authors: Vec<Arc<Person>>,
    pub admins: Vec<Arc<Person>>,
    pub tabbed: Vec<Arc<Person>>,
    pub victims: Vec<Arc<Person>>,
    /// Streams that were greeted and are open.
    pub live: AtomicUsize,
    /// An admin whom nobody touches.
    pub judge: Arc<Person>,
    submits: AtomicU64,
    connections: AtomicU32,
    actors: AtomicU32,
}

/// Somebody with an account.
#[derive(Debug)]
pub struct Person {
    pub id: Uuid,
    pub name: String,
    token: Mutex<Option<Token>>,
}

/// What signing in gave.
#[derive(Debug, Clone)]
pub struct Token {
    pub access: Arc<str>,
    pub refresh: Arc<str>,
    pub session: Uuid,
    pub expires: Micros,
}

#[derive(Deserialize)]
struct Session {
    access_token: String,
    refresh_token: String,
    user: User,
}

#[derive(Deserialize)]
struct User {
    id: Uuid,
}

#[derive(Deserialize)]
struct Claims {
    sid: Uuid,
    exp: u64,
}

#[derive(Deserialize)]
struct Room {
    id: Uuid,
}

impl Stage {
    /// Makes accounts, admins and rooms.
    pub async fn set(cluster: Cluster, history: History, seed: u64, cast: Cast) -> anyhow::Result<Arc<Self>> {
        let people = |kind: &'static str, count: usize| (0..count).map(move |n| format!("{kind}-{n}"));
        let names = people("author", AUTHORS)
            .chain(people("admin", ADMINS))
            .chain(people("tabbed", TABBED))
            .chain(people("admin-deputy", DEPUTIES))
            .chain(people("victim", VICTIMS - DEPUTIES))
            .chain(["admin-judge".to_owned()]);
        let mut waiting: Vec<Arc<Person>> = register(&cluster, names.collect()).await?;
        cluster.postgres.execute(APPOINT_ADMINS).await.context("cannot appoint the admins")?;

        let judge = waiting.pop().context("there is no judge")?;
        let victims = waiting.split_off(AUTHORS + ADMINS + TABBED);
        let tabbed = waiting.split_off(AUTHORS + ADMINS);
        let admins = waiting.split_off(AUTHORS);
        let mut stage = Self {
            cluster,
            history,
            active_faults: ActiveFaults::default(),
            phase: watch::Sender::new(Phase::Storm),
            storms: watch::Sender::new(0),
            seed,
            cast,
            live: AtomicUsize::new(0),
            rooms: Vec::new(),
            authors: waiting,
            admins,
            tabbed,
            victims,
            judge,
            submits: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            actors: AtomicU32::new(0),
        };
        for n in 0..cast.rooms {
            let room = stage.make_room(&format!("room {n}")).await?;
            stage.rooms.push(room);
        }
        Ok(Arc::new(stage))
    }

    async fn make_room(&self, name: &str) -> anyhow::Result<Uuid> {
        // An admin's first second: the appointment is heard within it.
        for _ in 0..50 {
            if let Some(token) = self.judge.token(self).await {
                let request = Request::post("/rooms", json!({ "name": name })).by(&token.access);
                let answer = self.ask(0, &request).await;
                if let Ok(answer) = answer
                    && answer.status == 201
                {
                    return Ok(answer.json::<Room>()?.id);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("cannot create a room")
    }

    /// Asks one thing of an instance, the way that clients go.
    pub async fn ask(&self, instance: usize, request: &Request<'_>) -> io::Result<Answer> {
        let address = self.cluster.instances[instance].posts.address;
        tokio::time::timeout(PATIENCE, ask(address, request)).await?
    }

    /// An instance to go to: any of those to which people are sent.
    pub fn choose_instance(&self, dice: &mut StdRng) -> usize {
        let open = (0..INSTANCES).filter(|n| self.cluster.instances[*n].is_open.load(Ordering::Relaxed));
        open.choose(dice).unwrap_or(0)
    }

    pub fn contested_rooms(&self) -> &[Uuid] {
        &self.rooms[self.rooms.len() - CONTESTED_ROOMS..]
    }

    /// Dice of an actor's own; the run's seed loads them.
    pub fn dice(&self) -> StdRng {
        let actor = self.actors.fetch_add(1, Ordering::Relaxed);
        StdRng::seed_from_u64(self.seed.rotate_left(17) ^ u64::from(actor))
    }

    pub fn next_submit(&self) -> u64 {
        self.submits.fetch_add(1, Ordering::Relaxed)
    }

    pub fn next_connection(&self) -> u32 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Sleeps, or until the next phase begins.
    pub async fn sleep(&self, time: Duration) {
        let mut phase = self.phase.subscribe();
        let _ = tokio::time::timeout(time, phase.changed()).await;
    }
}

/// The first admins of a chat are made beside its API; the log says so, as it does of every right.
const APPOINT_ADMINS: &str = r#"
do $$
declare appointed record;
begin
    perform lock_log();
    for appointed in select id from users where username like 'admin-%' loop
        update users set role = 'admin' where id = appointed.id;
        perform append_log('user.role_set', clock_timestamp(), null, p_user => appointed.id,
                           p_detail => '{"role": "admin"}'::jsonb);
    end loop;
end $$"#;

async fn register(cluster: &Cluster, names: Vec<String>) -> anyhow::Result<Vec<Arc<Person>>> {
    let mut registering = JoinSet::new();
    for (place, name) in names.into_iter().enumerate() {
        let address = cluster.instances[place % INSTANCES].address;
        registering.spawn(async move {
            let request = Request::post("/auth/register", json!({ "username": name, "password": PASSWORD }));
            let answer = ask(address, &request).await.with_context(|| format!("cannot register {name}"))?;
            if answer.status != 201 {
                bail!("cannot register {name}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
            }
            let session: Session = answer.json()?;
            Ok((place, Arc::new(Person { id: session.user.id, name, token: Mutex::default() })))
        });
    }
    let mut people = registering.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    people.sort_by_key(|(place, _)| *place);
    Ok(people.into_iter().map(|(_, person)| person).collect())
}

impl Person {
    /// A token that lasts a little; signs in where there is none. `None`: it cannot be had now.
    pub async fn token(&self, stage: &Stage) -> Option<Token> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires > stage.history.now() + 1_500_000) {
            return Some(token.clone());
        }
        *held = None;
        let token = self.sign_in(stage).await?;
        *held = Some(token.clone());
        Some(token)
    }

    /// A session beside those that there are.
    pub async fn sign_in(&self, stage: &Stage) -> Option<Token> {
        let instance = stage.choose_instance(&mut StdRng::from_rng(&mut rand::rng()));
        let credentials = json!({ "username": self.name, "password": PASSWORD });
        let answer = stage.ask(instance, &Request::post("/auth/login", credentials)).await.ok()?;
        if answer.status != 200 {
            return None;
        }
        let session: Session = answer.json().ok()?;
        let claims = session.access_token.split('.').nth(1)?;
        let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        Some(Token {
            access: session.access_token.into(),
            refresh: session.refresh_token.into(),
            session: claims.sid,
            expires: stage.history.at_wall(claims.exp * 1_000_000),
        })
    }

    /// The token was refused.
    pub async fn forget(&self, session: Uuid) {
        let mut held = self.token.lock().await;
        if held.as_ref().is_some_and(|token| token.session == session) {
            *held = None;
        }
    }
}

//! The environment of a run: the cluster, its accounts and rooms, and the state that all simulated clients share.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gapless_client::http::{Answer, EventStream, Refused, Request, ask};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::active_faults::ActiveFaults;
use crate::cluster::Cluster;
use crate::history::{History, Micros};
use crate::schedule::INSTANCES;

/// Number of rooms, the last of the list, that are repeatedly archived and restored.
const CONTESTED_ROOMS: usize = 2;
const AUTHORS: usize = 24;
const ADMINS: usize = 3;
const TWO_TAB_USERS: usize = 10;
const VICTIMS: usize = 6;
/// Number of victims, the first of the list, that are admins and are demoted.
pub const ADMIN_VICTIMS: usize = 2;

pub const PASSWORD: &str = "correct horse battery";
/// Time for which a registration is retried while the instance is overloaded.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(30);
/// Client timeout for one request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);

/// Size of a run's load, and the timeout of its streams.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    pub rooms: usize,
    /// Posts per second of all authors together.
    pub rate: f64,
    /// Time without data after which a client considers its stream dead.
    pub silence_timeout: Duration,
}

impl Workload {
    /// Workload of a chaos run, in which heartbeats are sent every second.
    pub const fn of_chaos_run(rate: f64) -> Self {
        Self { rooms: 20, rate, silence_timeout: Duration::from_secs(4) }
    }
}

/// Progress of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Clients write and faults are injected.
    Faults,
    /// All faults are healed; clients write nothing new, and streams catch up.
    Settling,
    Over,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Environment {
    pub cluster: Cluster,
    pub history: History,
    pub active_faults: ActiveFaults,
    pub phase: watch::Sender<Phase>,
    /// Number of times that all streams were reset at once.
    pub reconnect_storms: watch::Sender<u32>,
    pub seed: u64,
    pub workload: Workload,
    pub rooms: Vec<Uuid>,
    pub authors: Vec<Arc<Account>>,
    pub admins: Vec<Arc<Account>>,
    /// Users who each have two streams open.
    pub two_tab_users: Vec<Arc<Account>>,
    /// Users whose rights are taken away repeatedly.
    pub victims: Vec<Arc<Account>>,
    /// Number of open streams that have received `hello`.
    pub live: AtomicUsize,
    /// The admin who takes rights away and gives them back; its own rights never change.
    pub moderator: Arc<Account>,
    submits: AtomicU64,
    connections: AtomicU32,
    clients: AtomicU32,
}

/// A registered user and its current token.
#[derive(Debug)]
pub struct Account {
    pub id: Uuid,
    pub name: String,
    token: Mutex<Option<Token>>,
}

/// Tokens of a session.
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
    user: WithId,
}

#[derive(Deserialize)]
struct Claims {
    sid: Uuid,
    exp: u64,
}

/// A user or a room.
#[derive(Deserialize)]
struct WithId {
    id: Uuid,
}

impl Environment {
    /// Creates accounts, admins and rooms.
    pub async fn create(
        cluster: Cluster,
        history: History,
        seed: u64,
        workload: Workload,
    ) -> anyhow::Result<Arc<Self>> {
        let numbered = |kind: &'static str, count: usize| (0..count).map(move |n| format!("{kind}-{n}"));
        let names = numbered("author", AUTHORS)
            .chain(numbered("admin", ADMINS))
            .chain(numbered("two-tab", TWO_TAB_USERS))
            .chain(numbered("admin-victim", ADMIN_VICTIMS))
            .chain(numbered("victim", VICTIMS - ADMIN_VICTIMS))
            .chain(["admin-moderator".to_owned()]);
        let mut authors: Vec<Arc<Account>> = register(&cluster, names.collect()).await?;
        cluster.postgres.execute(APPOINT_ADMINS).await.context("cannot appoint the admins")?;

        let moderator = authors.pop().context("there is no moderator")?;
        let victims = authors.split_off(AUTHORS + ADMINS + TWO_TAB_USERS);
        let two_tab_users = authors.split_off(AUTHORS + ADMINS);
        let admins = authors.split_off(AUTHORS);
        let mut env = Self {
            cluster,
            history,
            active_faults: ActiveFaults::default(),
            phase: watch::Sender::new(Phase::Faults),
            reconnect_storms: watch::Sender::new(0),
            seed,
            workload,
            live: AtomicUsize::new(0),
            rooms: Vec::new(),
            authors,
            admins,
            two_tab_users,
            victims,
            moderator,
            submits: AtomicU64::new(0),
            connections: AtomicU32::new(0),
            clients: AtomicU32::new(0),
        };
        for n in 0..workload.rooms {
            let room = env.create_room(&format!("room {n}")).await?;
            env.rooms.push(room);
        }
        Ok(Arc::new(env))
    }

    async fn create_room(&self, name: &str) -> anyhow::Result<Uuid> {
        // Retries: an instance applies the moderator's new role up to a second after it was granted.
        for _ in 0..50 {
            if let Some(token) = self.moderator.token(self).await {
                let request = Request::post("/rooms", json!({ "name": name })).by(&token.access);
                if let Ok(answer) = self.ask(0, &request).await
                    && answer.status == 201
                {
                    return Ok(answer.json::<WithId>()?.id);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("cannot create a room")
    }

    /// Sends a request to an instance through its client link.
    pub async fn ask(&self, instance: usize, request: &Request<'_>) -> io::Result<Answer> {
        let address = self.cluster.instances[instance].requests.address;
        tokio::time::timeout(REQUEST_TIMEOUT, ask(address, request)).await?
    }

    /// Sends a request and returns the status of its answer, or 0 if there was none.
    pub async fn status(&self, instance: usize, request: &Request<'_>) -> u16 {
        self.ask(instance, request).await.map_or(0, |answer| answer.status)
    }

    /// Opens a stream at an instance through its client link.
    pub async fn open_stream(&self, instance: usize, query: &str) -> Result<EventStream, Refused> {
        EventStream::open(self.cluster.instances[instance].streams.address, query, None, None).await
    }

    /// Returns a random instance among those that the load balancer considers ready.
    pub fn choose_instance(&self, rng: &mut StdRng) -> usize {
        let ready = (0..INSTANCES).filter(|n| self.cluster.instances[*n].accepts_clients.load(Ordering::Relaxed));
        ready.choose(rng).unwrap_or(0)
    }

    pub fn contested_rooms(&self) -> &[Uuid] {
        &self.rooms[self.rooms.len() - CONTESTED_ROOMS..]
    }

    /// Returns a random number generator for one client, derived from the run's seed.
    pub fn rng(&self) -> StdRng {
        let client = self.clients.fetch_add(1, Ordering::Relaxed);
        StdRng::seed_from_u64(self.seed.rotate_left(17) ^ u64::from(client))
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

    /// Sleeps for `time`, or until the next phase begins.
    pub async fn sleep(&self, time: Duration) {
        let mut phase = self.phase.subscribe();
        let _ = tokio::time::timeout(time, phase.changed()).await;
    }
}

/// Appoints the first admins in the database, since the API requires an admin, and logs it like any change of rights.
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

/// Registers accounts on all instances, on each one after the other: hashing many passwords at once on a busy machine takes
/// longer than the server's timeout.
async fn register(cluster: &Cluster, names: Vec<String>) -> anyhow::Result<Vec<Arc<Account>>> {
    let mut registering = JoinSet::new();
    for instance in 0..INSTANCES {
        let address = cluster.instances[instance].address;
        let names: Vec<_> = names.iter().cloned().enumerate().skip(instance).step_by(INSTANCES).collect();
        registering.spawn(async move {
            let mut accounts = Vec::new();
            for (number, name) in names {
                accounts.push((number, Arc::new(register_one(address, name).await?)));
            }
            anyhow::Ok(accounts)
        });
    }
    let accounts = registering.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let mut accounts: Vec<_> = accounts.into_iter().flatten().collect();
    accounts.sort_by_key(|(number, _)| *number);
    Ok(accounts.into_iter().map(|(_, account)| account).collect())
}

/// Registers one account; retries while the instance is overloaded.
async fn register_one(address: SocketAddr, name: String) -> anyhow::Result<Account> {
    let request = Request::post("/auth/register", json!({ "username": name, "password": PASSWORD }));
    let began = Instant::now();
    loop {
        let answer = ask(address, &request).await.with_context(|| format!("cannot register {name}"))?;
        match answer.status {
            201 => {
                let session: Session = answer.json()?;
                return Ok(Account { id: session.user.id, name, token: Mutex::default() });
            }
            503 if began.elapsed() < REGISTER_TIMEOUT => tokio::time::sleep(Duration::from_millis(100)).await,
            status => bail!("cannot register {name}: {status} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
}

impl Account {
    /// Returns a token that stays valid for at least 1.5 s, and signs in if necessary. `None`: signing in failed.
    pub async fn token(&self, env: &Environment) -> Option<Token> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires > env.history.now() + 1_500_000) {
            return Some(token.clone());
        }
        *held = None;
        let token = self.sign_in(env).await?;
        *held = Some(token.clone());
        Some(token)
    }

    /// Creates a session in addition to existing ones.
    pub async fn sign_in(&self, env: &Environment) -> Option<Token> {
        let instance = env.choose_instance(&mut StdRng::from_rng(&mut rand::rng()));
        let credentials = json!({ "username": self.name, "password": PASSWORD });
        let answer = env.ask(instance, &Request::post("/auth/login", credentials)).await.ok()?;
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
            expires: env.history.at_wall(claims.exp * 1_000_000),
        })
    }

    /// Discards the current token if it belongs to `session`, because an instance rejected it.
    pub async fn forget(&self, session: Uuid) {
        let mut held = self.token.lock().await;
        if held.as_ref().is_some_and(|token| token.session == session) {
            *held = None;
        }
    }
}

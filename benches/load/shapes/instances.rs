//! The same readers on one instance, and spread over two and three that share a Redis: the added cost of a delivery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use crate::Options;
use crate::accounts::Accounts;
use crate::ledger::Ledger;
use crate::posters::Crowd;
use crate::process;
use crate::redis::Redis;
use crate::server::{Joining, Server};
use crate::stage::Stage;
use crate::steps::Steps;
use crate::streams::{Streams, Ticket};
use crate::table::{Goal, Row, Table};

/// Divisible by two and by three.
const READERS: usize = 1_200;
const SIZES: [usize; 3] = [1, 2, 3];
const WHAT: [&str; 3] = ["", "CPU per delivery, two instances", "CPU per delivery, three instances"];
/// Capacity of a ledger.
const LEDGER: usize = 1_000_000;
/// Length of the turns of the groups.
const TURN: Duration = Duration::from_secs(1);
/// Publications of an instance per second besides its news: a probe, and a presence report every ten seconds.
const OTHER_BULLETINS: f64 = 1.2;

/// Instances of one chat, with a database of their own.
struct Group {
    servers: Vec<Server>,
    accounts: Accounts,
    room: Vec<String>,
}

pub fn instances(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let redis = Redis::start(&stage.directory)?;
    let groups =
        SIZES.iter().map(|size| Group::gather(stage, &redis, *size)).collect::<anyhow::Result<Vec<Group>>>()?;
    let ledgers: Vec<_> = SIZES.iter().map(|_| Arc::new(Ledger::new(LEDGER))).collect();
    let crowds: Vec<_> = groups.iter().map(Group::crowds).collect();
    let mut streams = Vec::new();
    let mut chats = Vec::new();
    for ((group, crowds), ledger) in groups.iter().zip(&crowds).zip(&ledgers) {
        streams.extend(group.seat(ledger)?);
        let pids = group.servers.iter().map(Server::pid).collect();
        let mut writers = crowds.iter().map(Crowd::alone).collect::<anyhow::Result<Vec<_>>>()?;
        let steps = Steps::new(ledger, pids, READERS);
        // Posts to each instance in turn, so that news goes in every direction.
        let mut next = 0;
        let post = move || {
            next = (next + 1) % writers.len();
            writers[next].post(ledger).map(drop)
        };
        chats.push((steps, post));
    }
    for (steps, post) in &mut chats {
        steps.warm_up(post)?;
    }

    let (published, carrying) = (redis.publications()?, process::cpu_secs(redis.pid())?);
    let began = Instant::now();
    // Short turns, so that other load on the machine affects all groups.
    while began.elapsed() < stage.phase * 3 {
        for (steps, post) in &mut chats {
            steps.run(TURN, post)?;
        }
    }
    let lasted = began.elapsed().as_secs_f64();
    let published = (redis.publications()? - published) as f64;
    let carrying = process::cpu_secs(redis.pid())? - carrying;

    let alone = chats[0].0.micros_per_delivery();
    for ((steps, _), what) in chats.iter().zip(WHAT).skip(1) {
        table.add(Row {
            shape: "instances",
            what,
            unit: "µs",
            value: steps.micros_per_delivery(),
            baseline: Some(alone),
            goal: Goal::AtMost { good: 1.3, aim: 1.1 },
        });
    }
    let joined: usize = SIZES[1..].iter().sum();
    let posts = chats[1..].iter().map(|(steps, _)| steps.posts as f64).sum::<f64>();
    let per_post = (published - OTHER_BULLETINS * joined as f64 * lasted).max(0.0) / posts;
    let subscriptions = redis.subscriptions()?;
    ensure!(
        subscriptions.len() == joined && subscriptions.iter().all(|channels| *channels == 1),
        "{joined} instances have these subscriptions: {subscriptions:?}"
    );
    ensure!(published >= posts, "{posts} posts in batches of one made {published} publications");
    ensure!(per_post <= 1.0, "{per_post:.2} publications for each post, which is a batch");
    let per_post_micros = |at: usize| chats[at].0.micros_per_post();
    table.note(
        "instances",
        format!(
            "CPU per post with its {READERS} deliveries: {:.0} µs alone, {:.0} µs by two, {:.0} µs by three; Redis {:.0} µs; \
             {published} publications of {posts} batches, probes and reports; one subscription for each of {joined} instances",
            per_post_micros(0),
            per_post_micros(1),
            per_post_micros(2),
            carrying * 1e6 / posts,
        ),
    );
    for streams in streams {
        streams.finish()?;
    }
    Ok(())
}

impl Group {
    /// Starts a single instance, or several that share a Redis.
    fn gather(stage: &Stage, redis: &Redis, size: usize) -> anyhow::Result<Self> {
        let database_url = stage.runtime.block_on(make_database(stage.database_url(), size))?;
        let signing_key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let redis = (size > 1).then_some(redis.address);
        let mut servers = Vec::with_capacity(size);
        for number in 0..size {
            let directory = stage.directory.join(format!("group-{size}-{number}"));
            std::fs::create_dir_all(&directory)?;
            let joining = Joining { signing_key: signing_key.clone(), redis };
            servers.push(Server::join(&directory, &database_url, joining)?);
        }
        let address = servers[0].address();
        let accounts = Accounts::register(address)?;
        let room = vec![accounts.create_room(address, "load group")?];
        Ok(Self { servers, accounts, room })
    }

    /// Opens the same number of readers on each instance.
    fn seat(&self, ledger: &Arc<Ledger>) -> anyhow::Result<Vec<Streams>> {
        let users = &self.accounts.users;
        let ticket = |n: usize| {
            let (room, token) = (self.room[0].clone(), users[n % users.len()].clone());
            Ticket { room, token, is_compact: false }
        };
        let share = READERS / self.servers.len();
        self.servers
            .iter()
            .map(|server| Streams::open(server.address(), (0..share).map(ticket).collect(), ledger))
            .collect()
    }

    /// Opens a writer's connection to each instance.
    fn crowds(&self) -> Vec<Crowd<'_>> {
        let tokens = &self.accounts.users;
        let crowd = |server: &Server| Crowd { address: server.address(), tokens, rooms: &self.room, connections: 1 };
        self.servers.iter().map(crowd).collect()
    }
}

/// Creates an empty database beside the stage's own.
async fn make_database(url: &str, size: usize) -> anyhow::Result<String> {
    let options: PgConnectOptions = url.parse().context("the address of the database")?;
    let mut cluster = options.connect().await?;
    let name = format!("gapless_group_{size}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("drop database if exists {name}"))).execute(&mut cluster).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut cluster).await?;
    Ok(options.database(&name).to_url_lossy().to_string())
}

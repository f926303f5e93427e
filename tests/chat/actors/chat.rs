//! A chat for one test: one or several instances in this process, on a database of their own.

use std::net::SocketAddr;

use gapless::auth::session::Session;
use gapless::clock::Clock;
use gapless::config::Config;
use gapless::event::{Author, Role, Room};
use gapless::id::{ClientId, MessageId, SessionId, UserId};
use gapless::post::NewMessage;
use gapless::store::{self, Db};
use gapless::{App, routes, server, telemetry};
use time::OffsetDateTime;

use super::database::{Database, FOUNDER};
use super::{Guest, METRICS_TOKEN, User};

/// The chat that a test's users share.
pub struct Chat {
    pub first: Instance,
    /// Advances only when a test sets it.
    pub clock: Clock,
    pub config: Config,
    /// Hash of [`PASSWORD`](super::PASSWORD), which all users share: hashing one for each would dominate a test's time.
    password_hash: String,
    // Last, so that the instances are dropped before their database.
    database: Database,
}

/// One running server of the chat.
pub struct Instance {
    pub app: App,
    pub address: SocketAddr,
}

impl Chat {
    /// Starts a chat with production settings, but without rate limits.
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// Starts a chat with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        telemetry::start_metrics();
        let mut config = Config { metrics_token: Some(METRICS_TOKEN.into()), ..Config::for_tests() };
        change(&mut config);
        let database = Database::create().await;
        let clock = Clock::manual(system_time());
        let first = Instance::start(&config, &database, &clock).await;
        let founder = store::users::credentials_by_name(&first.app.db, FOUNDER).await.expect("the users' table");
        let password_hash = founder.expect("the founder is in the template").password_hash;
        Self { first, clock, config, password_hash, database }
    }

    /// Starts another instance on the same database.
    pub async fn second_instance(&self) -> Instance {
        Instance::start(&self.config, &self.database, &self.clock).await
    }

    /// Returns a guest: a caller without an account.
    pub fn guest(&self) -> Guest {
        Guest::at(self.first.address)
    }

    /// Returns a new user of this name, signed in.
    pub async fn user(&self, name: &str) -> User {
        self.account(name, Role::User).await
    }

    /// Returns a new admin of this name, signed in.
    pub async fn admin(&self, name: &str) -> User {
        self.account(name, Role::Admin).await
    }

    /// Returns the admin that every new chat has, signed in.
    pub async fn founder(&self) -> User {
        let founder = store::users::credentials_by_name(&self.first.app.db, FOUNDER).await.expect("the users' table");
        self.sign_in(founder.expect("the founder is in the template").user).await
    }

    async fn account(&self, name: &str, role: Role) -> User {
        let (app, id) = (&self.first.app, UserId::new());
        let appointed = store::users::create(&app.db, id, name, &self.password_hash, role).await.expect("a new name");
        if let Some(pos) = appointed {
            app.realtime.settle(pos).await;
        }
        self.sign_in(gapless::event::User { id, username: name.into(), role }).await
    }

    /// Opens a session, as signing in does after checking the password.
    async fn sign_in(&self, user: gapless::event::User) -> User {
        let (app, id) = (&self.first.app, SessionId::new());
        let next = app.auth.next_token();
        let opened = store::sessions::open(&app.db, user.id, &self.password_hash, next.opening(id)).await;
        let session = opened.expect("the sessions' table").expect("everybody has the same password");
        let Session { access_token, refresh_token, user, .. } = app.auth.session(session, user, next);
        User::with_tokens(self.guest(), user.id, &user.username, &access_token, refresh_token)
    }

    /// Creates a room of this name.
    pub async fn room(&self, name: &str) -> Room {
        self.founder().await.create_room(name).await
    }

    /// Adds `count` messages to a room at once, as in one batch of the writer.
    pub async fn fill(&self, room: &Room, author: &User, count: usize) {
        let author = Author { id: author.id, username: author.name.as_str().into() };
        let batch: Vec<NewMessage> = (0..count)
            .map(|n| NewMessage {
                id: MessageId::new(),
                room_id: room.id,
                author: author.clone(),
                client_id: ClientId::new(),
                body: format!("message {n}").into(),
                reply_to: None,
                mentions: Vec::new(),
                audience: None,
            })
            .collect();
        let app = &self.first.app;
        store::log::append_messages(&app.db, &batch).await.expect("a batch");
        app.realtime.settle(store::log::head(&app.db).await.expect("the log's head").pos).await;
    }

    /// Cuts every connection to the database and refuses new ones.
    pub async fn take_database_away(&self) {
        self.database.take_away().await;
    }

    pub async fn bring_database_back(&self) {
        self.database.bring_back().await;
    }

    /// Returns direct access to the tables.
    pub fn db(&self) -> Db {
        self.database.pool()
    }
}

impl Instance {
    async fn start(config: &Config, database: &Database, clock: &Clock) -> Self {
        let listener = server::listen((config.host, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = App::start(config.clone(), database.served.clone(), clock.clone()).await.expect("the app starts");
        tokio::spawn(server::serve(listener, app.clone(), routes::router(app.clone())));
        Self { app, address }
    }

    /// Waits until this instance has applied everything committed before.
    pub async fn catch_up(&self) {
        let head = store::log::head(&self.app.db).await.expect("the log's head").pos;
        self.app.realtime.settle(head).await;
        assert!(self.app.realtime.applied() >= head, "the instance at {} did not catch up", self.address);
    }

    /// Returns a guest on this instance.
    pub fn guest(&self) -> Guest {
        Guest::at(self.address)
    }
}

/// Returns the current time in whole seconds, the precision of tokens.
#[expect(clippy::disallowed_methods, reason = "a manual clock begins at the database's time, which is the system's")]
fn system_time() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).expect("zero is a nanosecond")
}

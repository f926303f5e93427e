//! Backup and restore: a backup is taken under load, the database is lost, the backup is restored, and clients
//! continue. They post missing messages again if they still have them, and no message is duplicated.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gapless::event::{Message, Room};
use gapless::id::UserId;
use gapless::store::Db;

use super::{founder, people, rooms};
use crate::actors::{Database, Guest, Launch, Ledger, Load, PrivatePostgres, Program, User, pos_of};

/// Acknowledged posts before the backup, and again after it.
const POSTS: usize = 80;

/// A chat under load, with a reader.
struct Scene {
    server: Program,
    rooms: Vec<Room>,
    posters: Vec<User>,
    load: Load,
}

impl Scene {
    async fn begin(database_url: &str) -> Self {
        let server = Launch::on(database_url).start().await;
        let rooms = rooms(&founder(&server).await, &["one", "other"]).await;
        let posters = people(&server, 4).await;
        let load = Load::start(&posters, &rooms, &[server.address]);
        load.goes_on_by(POSTS).await;
        Self { server, rooms, posters, load }
    }

    /// Continues after the backup, until the database is lost.
    async fn end(self, db: &Db) -> Loss {
        self.load.goes_on_by(POSTS).await;
        let acknowledged = self.load.stop().await;
        let ledger = Ledger::read(db).await;
        ledger.holds(&acknowledged);
        let stream = self.server.guest().listen(&self.rooms[0]).await;
        let cursor = stream.cursor.clone();
        assert_eq!(pos_of(&cursor), ledger.head);
        Loss { ledger, cursor, rooms: self.rooms, posters: self.posters, acknowledged }
    }
}

/// The acknowledged messages of a chat whose database is lost.
struct Loss {
    ledger: Ledger,
    /// The cursor of a reader.
    cursor: String,
    rooms: Vec<Room>,
    posters: Vec<User>,
    acknowledged: Vec<Vec<Message>>,
}

impl Loss {
    /// Asserts that the restored messages are a prefix of the former ones. Returns the number of missing messages.
    async fn is_continued_by(&self, db: &Db) -> usize {
        let restored = Ledger::read(db).await;
        let kept = restored.messages.len();
        assert!(restored.head < self.ledger.head && kept >= POSTS, "the backup was taken in the middle");
        assert_eq!(restored.messages, self.ledger.messages[..kept], "a backup is consistent");
        self.ledger.messages.len() - kept
    }

    /// A reader reconnects with the old cursor, also after the new history has passed its position.
    async fn readers_are_told(&self, server: &Program) {
        let guest = server.guest();
        let mut stream = guest.opening().room(&self.rooms[0]).after_event(&self.cursor).open().await;
        let reset = stream.expect_reset("epoch").await;
        let old = self.cursor.rsplit_once('.').expect("a cursor").0;
        assert!(!reset.id.expect("a reset has an id").starts_with(old), "a new history has a new epoch");
    }

    /// All clients post the acknowledged messages again under the same client ids, like a page with them in its outbox,
    /// or a client that is not sure. Returns the number of new ones.
    async fn is_made_good_at(&self, server: &Program, db: &Db) -> usize {
        let by_id: HashMap<UserId, &User> = self.posters.iter().map(|poster| (poster.id, poster)).collect();
        let (mut again, mut new) = (Vec::new(), 0);
        for one in &self.acknowledged {
            let mut posted = Vec::new();
            for message in one {
                let guest = Guest { address: server.address, ..Guest::clone(by_id[&message.author.id]) };
                let body = message.body.as_deref().expect("nobody deleted it");
                let client_id = message.client_id.to_string();
                let answer = guest.try_post_as(message.room_id, body, &client_id).await;
                new += usize::from(answer.status == 201);
                assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
                posted.push(answer.body());
            }
            again.push(posted);
        }
        let ledger = Ledger::read(db).await;
        assert_eq!(ledger.holds(&again), self.ledger.messages.len(), "each message once, and no others");
        new
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_restored_elsewhere_begins_a_new_history_by_itself() {
    let source = Database::create().await;
    let Some(tools) = Tools::beside(&source.pool()).await else {
        // The package from npm has no client programs. The test below needs only the files of the database.
        eprintln!("NOT REHEARSED: this PostgreSQL has no pg_dump and psql beside it; install its client programs");
        return;
    };
    let scene = Scene::begin(&source.url()).await;
    let dump = tools.dump(&source);
    let loss = scene.end(&source.pool()).await;

    let target = Database::empty().await;
    tools.restore(&target, &dump);
    let lacking = loss.is_continued_by(&target.pool()).await;
    let server = Launch::on(&target.url()).start().await;
    loss.readers_are_told(&server).await;
    let new = loss.is_made_good_at(&server, &target.pool()).await;
    assert_eq!(new, lacking);
    loss.readers_are_told(&server).await;
    println!("figure: dumped under load, restored elsewhere: {lacking} posts missing, all posted again, duplicated 0");
}

/// A snapshot of the files, restored in place, cannot be distinguished from the original database. docs/RUNBOOK.md
/// therefore requires `gapless new-epoch`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_restored_in_place_begins_a_new_history_by_command() {
    let postgres = PrivatePostgres::start().await;
    let scene = Scene::begin(postgres.url()).await;
    let snapshot = postgres.snapshot();
    let loss = scene.end(&postgres.pool()).await;
    drop(postgres);

    let restored = PrivatePostgres::start_from(snapshot).await;
    let lacking = loss.is_continued_by(&restored.pool()).await;
    let told = Command::new(env!("CARGO_BIN_EXE_gapless"))
        .arg("new-epoch")
        .env_clear()
        .env("DATABASE_URL", restored.url())
        .output()
        .expect("the program runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let server = Launch::on(restored.url()).start().await;
    loss.readers_are_told(&server).await;
    let new = loss.is_made_good_at(&server, &restored.pool()).await;
    assert_eq!(new, lacking);
    loss.readers_are_told(&server).await;
    println!("figure: files copied under load and put back: {lacking} posts missing, all posted again, duplicated 0");
}

/// The command is run while the server runs: open streams receive `reset`.
#[tokio::test]
async fn a_running_server_adopts_a_new_epoch() {
    let database = Database::create().await;
    let server = Launch::on(&database.url()).start().await;
    let rooms = rooms(&founder(&server).await, &["general"]).await;
    let mut stream = server.guest().listen(&rooms[0]).await;
    let told = Command::new(env!("CARGO_BIN_EXE_gapless"))
        .arg("new-epoch")
        .env_clear()
        .env("DATABASE_URL", database.url())
        .output()
        .expect("the program runs");
    let told = String::from_utf8(told.stdout).expect("text");
    let reset = stream.expect_reset("epoch").await;
    let epoch = reset.id.as_deref().and_then(|id| id.split_once('.')).expect("a cursor").0;
    assert!(told.contains(epoch), "{told}");
    founder(&server).await.post(&rooms[0], "on we go").await;
    stream.expect_message("on we go").await;
}

/// The client programs of the PostgreSQL that the tests use: from the same directory, so of the same version.
struct Tools {
    dir: PathBuf,
}

impl Tools {
    async fn beside(db: &Db) -> Option<Self> {
        let dir: String = sqlx::query_scalar("select setting from pg_config() where name = 'BINDIR'")
            .fetch_one(db)
            .await
            .expect("the tests' account may read it");
        let tools = Self { dir: dir.into() };
        ["pg_dump", "psql"].iter().all(|name| tools.dir.join(name).exists()).then_some(tools)
    }

    /// Returns the database's address without the parameter that only this program's driver supports.
    fn address(database: &Database) -> String {
        let url = database.direct_url();
        let (place, query) = url.split_once('?').unwrap_or((&url, ""));
        let known = query.split('&').filter(|pair| !pair.starts_with("statement-cache-capacity="));
        format!("{place}?{}", known.collect::<Vec<_>>().join("&"))
    }

    fn dump(&self, database: &Database) -> Vec<u8> {
        let mut pg_dump = Command::new(self.dir.join("pg_dump"));
        let dumped = pg_dump.arg(Self::address(database)).output().expect("pg_dump runs");
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        dumped.stdout
    }

    fn restore(&self, database: &Database, dump: &[u8]) {
        let mut psql = Command::new(self.dir.join("psql"))
            .args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", &Self::address(database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("psql runs");
        std::io::Write::write_all(&mut psql.stdin.take().expect("a pipe"), dump).expect("psql reads");
        assert!(psql.wait().expect("psql ends").success(), "the dump is restored");
    }
}

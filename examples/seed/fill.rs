//! The contents: accounts, rooms, and conversations among them.
//!
//! Everything is created by the functions of the database that serve real users, in batches. So positions have no gap
//! and counters agree with their rows, also if this is interrupted.

use anyhow::{Context as _, ensure};
use gapless::event::{Author, Role};
use gapless::id::{ClientId, Fingerprint, MessageId, RoomId, SessionId, UserId};
use gapless::input::name_key;
use gapless::post::NewMessage;
use gapless::store::{self, Db};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Rows per statement; each takes well below the statement timeout.
const ACCOUNTS_AT_ONCE: usize = 1_000;
const ROOMS_AT_ONCE: usize = 200;
const MESSAGES_AT_ONCE: usize = 500;
/// One account in so many has a conversation with the admin.
const PER_CONVERSATION: usize = 10;

const WORDS: [&str; 24] = [
    "the", "deploy", "is", "green", "again", "who", "has", "seen", "this", "error", "before", "tomorrow", "at", "nine",
    "works", "for", "me", "thanks", "a", "build", "takes", "seven", "minutes", "now",
];

/// Number of rows to create.
#[derive(Clone, Copy)]
pub struct Size {
    pub accounts: usize,
    pub rooms: usize,
    pub messages: usize,
}

/// Names of the accounts and rooms that one run creates: no other run creates the same.
pub struct Names {
    run: String,
}

impl Names {
    fn new() -> Self {
        Self { run: format!("{:06x}", rand::random::<u32>() >> 8) }
    }

    pub fn admin(&self) -> String {
        format!("admin-{}", self.run)
    }

    pub fn account(&self, n: usize) -> String {
        format!("user-{}-{n:07}", self.run)
    }

    fn room(&self, n: usize) -> String {
        format!("Room {} {n:05}", self.run)
    }
}

/// Adds rows to the database. `report`: called with the kind of rows, the number created, and the number to create.
///
/// # Errors
/// If the database fails or refuses a row.
pub async fn fill(
    db: &Db,
    size: Size,
    password_hash: &str,
    mut report: impl FnMut(&str, usize, usize),
) -> anyhow::Result<Names> {
    let names = Names::new();
    let admin = Author { id: UserId::new(), username: names.admin().into() };
    store::users::create(db, admin.id, &admin.username, password_hash, Role::Admin).await?;

    let mut people = Vec::with_capacity(size.accounts);
    while people.len() < size.accounts {
        let count = ACCOUNTS_AT_ONCE.min(size.accounts - people.len());
        let batch: Vec<Author> = (people.len()..people.len() + count)
            .map(|n| Author { id: UserId::new(), username: names.account(n).into() })
            .collect();
        create_accounts(db, &batch, password_hash).await.context("cannot create accounts")?;
        people.extend(batch);
        report("accounts", people.len(), size.accounts);
    }

    let mut rooms = Vec::with_capacity(size.rooms);
    while rooms.len() < size.rooms {
        let count = ROOMS_AT_ONCE.min(size.rooms - rooms.len());
        let batch: Vec<String> = (rooms.len()..rooms.len() + count).map(|n| names.room(n)).collect();
        rooms.extend(create_rooms(db, &admin, &batch).await.context("cannot create rooms")?);
        report("rooms", rooms.len(), size.rooms);
    }

    let mut recipients = people.iter().step_by(PER_CONVERSATION).map(|person| person.id);
    let conversations = recipients.len();
    // The same shape in each run.
    let mut random = StdRng::seed_from_u64(1);
    let mut posted = 0;
    while posted < size.messages {
        let count = MESSAGES_AT_ONCE.min(size.messages - posted);
        let batch: Vec<NewMessage> = (0..count)
            .map(|_| NewMessage {
                id: MessageId::new(),
                room_id: *few_often(&rooms, &mut random),
                author: few_often(&people, &mut random).clone(),
                client_id: ClientId::new(),
                body: body(&mut random).into(),
                reply_to: None,
                mentions: Vec::new(),
                audience: None,
            })
            .collect();
        let outcomes = store::log::append_messages(db, &batch).await.context("cannot post")?;
        ensure!(outcomes.iter().all(Result::is_ok), "the database refused a message");
        posted += count;
        // Spread evenly among the messages.
        let due = conversations * posted / size.messages - (conversations - recipients.len());
        let due: Vec<UserId> = recipients.by_ref().take(due).collect();
        send(db, &admin, &due, &body(&mut random)).await.context("cannot send direct messages")?;
        report("messages", posted, size.messages);
    }
    Ok(names)
}

/// Creates accounts, each with an open session whose refresh token nobody has.
async fn create_accounts(db: &Db, people: &[Author], password_hash: &str) -> sqlx::Result<()> {
    let tokens: Vec<Vec<u8>> = people.iter().map(|_| rand::random::<[u8; 32]>().to_vec()).collect();
    sqlx::query(
        "select register_account(a.id, a.username, $3, a.session, now(), a.token, now() + interval '30 days')
         from unnest($1, $2, $4, $5) a (id, username, session, token)",
    )
    .bind(people.iter().map(|person| person.id).collect::<Vec<UserId>>())
    .bind(people.iter().map(|person| person.username.to_string()).collect::<Vec<String>>())
    .bind(password_hash)
    .bind(people.iter().map(|_| SessionId::new()).collect::<Vec<SessionId>>())
    .bind(tokens)
    .execute(db)
    .await?;
    Ok(())
}

async fn create_rooms(db: &Db, admin: &Author, names: &[String]) -> anyhow::Result<Vec<RoomId>> {
    let ids: Vec<RoomId> = names.iter().map(|_| RoomId::new()).collect();
    let outcomes: Vec<String> = sqlx::query_scalar(
        "select c.outcome from unnest($1, $3, $4) r (id, name, key), create_room(r.id, $2, r.name, r.key) c",
    )
    .bind(&ids)
    .bind(admin.id)
    .bind(names)
    .bind(names.iter().map(|name| name_key(name)).collect::<Vec<String>>())
    .fetch_all(db)
    .await?;
    ensure!(outcomes.iter().all(|outcome| outcome == "done"), "the database refused a room");
    Ok(ids)
}

async fn send(db: &Db, admin: &Author, recipients: &[UserId], body: &str) -> anyhow::Result<()> {
    let prints: Vec<Vec<u8>> = recipients.iter().map(|to| Fingerprint::of(to.0, body).as_bytes().to_vec()).collect();
    let outcomes: Vec<String> = sqlx::query_scalar(
        "select d.outcome
         from unnest($1, $3, $4, $5) m (id, recipient, client, print),
              append_direct_message(m.id, $2, m.recipient, m.client, m.print, $6, false) d",
    )
    .bind(recipients.iter().map(|_| MessageId::new()).collect::<Vec<MessageId>>())
    .bind(admin.id)
    .bind(recipients)
    .bind(recipients.iter().map(|_| ClientId::new()).collect::<Vec<ClientId>>())
    .bind(prints)
    .bind(body)
    .fetch_all(db)
    .await?;
    ensure!(outcomes.iter().all(|outcome| outcome == "accepted"), "the database refused a direct message");
    Ok(())
}

/// Chooses the first items often and the last rarely: half of the choices are among the first eighth.
fn few_often<'a, T>(items: &'a [T], random: &mut StdRng) -> &'a T {
    let place = random.random::<f64>().powi(3);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place among far fewer than 2^52"
    )]
    let index = (place * items.len() as f64) as usize;
    &items[index]
}

/// A sentence of 3 to 30 words.
fn body(random: &mut StdRng) -> String {
    let length = random.random_range(3..=30);
    let words: Vec<&str> = (0..length).map(|_| WORDS[random.random_range(0..WORDS.len())]).collect();
    words.join(" ")
}

//! Replay by topic against the database: the same events as the whole log, filtered.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sqlx::PgPool;
use uuid::Uuid;

use super::*;
use crate::clock::Clock;
use crate::event::{Author, Role};
use crate::id::{ClientId, RoomId, UserId};
use crate::post::NewMessage;
use crate::realtime::format::{Format, Frame};
use crate::realtime::log::Database;
use crate::realtime::ring::Entry;
use crate::realtime::topic::Interest;
use crate::store::direct_messages::NewDirectMessage;
use crate::store::{Db, direct_messages, log, messages, rooms, users};

const ROOMS: usize = 4;
/// The first is an admin.
const USERS: usize = 4;

/// A change, with two choices of its subjects.
type Change = (u8, usize, usize);

/// A random reader: its rooms, those of them that are missing, its user if any, and its position and that of its
/// registration, in hundredths of the log.
type Reader = (Vec<bool>, Vec<bool>, Option<usize>, u8, u8);

struct Chat {
    db: Db,
    rooms: Vec<RoomId>,
    users: Vec<Author>,
    messages: Vec<MessageId>,
}

impl Chat {
    async fn new(db: Db) -> Self {
        let mut users = Vec::new();
        for n in 0..USERS {
            let id = UserId::new();
            let role = if n == 0 { Role::Admin } else { Role::User };
            users::create(&db, id, &format!("user{n}"), "", role).await.unwrap();
            users.push(Author { id, username: format!("user{n}").into() });
        }
        let mut rooms = Vec::new();
        for n in 0..ROOMS {
            let id = RoomId::new();
            rooms::create(&db, id, users[0].id, &format!("room {n}")).await.unwrap().unwrap();
            rooms.push(id);
        }
        Self { db, rooms, users, messages: Vec::new() }
    }

    /// Makes a change; one that is refused changes nothing.
    async fn change(&mut self, number: usize, (kind, one, other): Change) {
        let Self { db, rooms, users, messages, .. } = self;
        let (admin, room, author) = (users[0].id, rooms[one % ROOMS], users[other % USERS].clone());
        let message = messages.get(one.checked_rem(messages.len()).unwrap_or_default()).copied();
        let text = format!("text {number}");
        match kind {
            0..=9 => {
                let batch: Vec<NewMessage> = (0..=other % 3)
                    .map(|_| NewMessage {
                        id: MessageId::new(),
                        room_id: room,
                        author: author.clone(),
                        client_id: ClientId::new(),
                        body: text.as_str().into(),
                        reply_to: None,
                        mentions: Vec::new(),
                        audience: None,
                    })
                    .collect();
                let outcomes = log::append_messages(&*db, &batch).await.unwrap();
                let posted = batch.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok());
                messages.extend(posted.map(|(message, _)| message.id));
            }
            10 | 11 => {
                let new = NewDirectMessage {
                    id: MessageId::new(),
                    sender: users[one % USERS].clone(),
                    recipient: author.id,
                    client_id: ClientId::new(),
                    body: &text,
                    replies: true,
                };
                direct_messages::append(db, new).await.unwrap().ok();
            }
            12 => {
                let Some(message) = message else { return };
                messages::edit(db, message, author.id, &text, None).await.unwrap().ok();
            }
            13 => {
                let Some(message) = message else { return };
                messages::delete(db, message, admin).await.unwrap().ok();
            }
            14 => drop(rooms::rename(db, room, admin, &text).await.unwrap()),
            15 => drop(rooms::set_archived(db, room, admin, other % 2 == 0).await.unwrap()),
            16 => drop(rooms::set_topic(db, room, admin, &text).await.unwrap()),
            17 => {
                let until = (one % 2 == 0).then_some(OffsetDateTime::UNIX_EPOCH);
                users::set_mute(db, author.id, admin, until, None).await.unwrap().ok();
            }
            18 => {
                // The last user only, and seldom: an erased user changes nothing any more.
                let last = users[USERS - 1].id;
                if one % 4 == 0 {
                    users::erase(db, last, admin).await.unwrap().ok();
                } else {
                    users::set_ban(db, last, admin, one % 2 == 0, None).await.unwrap().ok();
                }
            }
            _ => {
                // A kind of a newer release, in a room or about a user.
                let append =
                    "select append_log('message.sung'::text::log_kind, now(), null, p_room => $1, p_user => $2)";
                let room = (one % 2 == 0).then_some(room);
                sqlx::query(append).bind(room).bind(author.id).execute(&*db).await.unwrap();
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0_u8..20, any::<usize>(), any::<usize>()), 120)
}

fn readers() -> impl Strategy<Value = Vec<Reader>> {
    let some = || prop::collection::vec(any::<bool>(), ROOMS);
    let reader = (some(), some(), prop::option::of(0..USERS), 0_u8..100, 0_u8..100);
    prop::collection::vec(reader, 40)
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn events_by_topic_are_those_of_the_whole_log_that_the_reader_hears(pool: PgPool) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, Uuid::new_v4().as_bytes().repeat(2).as_slice());
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let changes = changes().new_tree(&mut runner).unwrap().current();
    let readers = readers().new_tree(&mut runner).unwrap().current();

    let db = Db::from(pool);
    sqlx::query("alter type log_kind add value 'message.sung'").execute(&db).await.unwrap();
    let mut chat = Chat::new(db.clone()).await;
    for (number, change) in changes.iter().enumerate() {
        chat.change(number, *change).await;
    }
    let head = log::head(&db).await.unwrap();
    let epoch = head.epoch;
    let whole: Vec<Entry> =
        log::read(&db, Pos(0), head.pos).await.unwrap().iter().map(|event| Entry::new(&epoch, event)).collect();
    assert_eq!(whole.len(), usize::try_from(head.pos.0).unwrap());
    let database =
        Database { replay_db: db.clone(), db, clock: Clock::System, remember_ended: std::time::Duration::ZERO };
    let replay = Arc::new(Replay::new(Log::Database(database), epoch, Turns::new(2), TaskTracker::new()));

    let mut heard_by_all = 0;
    for (asked, missing, user, after, registered_at) in readers {
        let chosen = |which: &[bool]| -> Vec<RoomId> {
            chat.rooms.iter().zip(which).filter(|(_, is_chosen)| **is_chosen).map(|(room, _)| *room).collect()
        };
        let part = |hundredths: u8| Pos(head.pos.0 * i64::from(hundredths) / 100);
        let after = part(after);
        let filter = ReplayFilter {
            interest: Interest::new(chosen(&asked), user.map(|n| chat.users[n].id)),
            missing: chosen(&missing).into(),
            registered_at: part(registered_at).max(after),
        };
        let (mut at, mut heard) = (after, Vec::new());
        while at < head.pos {
            let stretch = replay.read(Share(0), &filter, at, head.pos).await.unwrap();
            assert!(stretch.upto > at && stretch.upto <= head.pos);
            heard.extend(stretch.entries.into_iter().filter(|entry| filter.hears(entry)));
            at = stretch.upto;
        }
        let expected = whole.iter().filter(|entry| entry.pos > after && filter.hears(entry));
        let forms = |frame: &Frame| [Format::Json, Format::Compact].map(|format| frame.bytes(format).clone());
        let frames = |entry: &Entry| (entry.pos, entry.frame.as_ref().map(forms));
        let expected: Vec<_> = expected.map(frames).collect();
        let heard: Vec<_> = heard.iter().map(frames).collect();
        assert_eq!(heard, expected, "{filter:?} after {after}; {changes:?}");
        heard_by_all += heard.len();
    }
    assert!(heard_by_all > 100, "there was something to hear");
}

#[sqlx::test(migrator = "crate::store::MIGRATIONS")]
async fn a_log_that_lacks_applied_events_or_has_another_epoch_is_not_read(pool: PgPool) {
    let db = Db::from(pool);
    let chat = Chat::new(db.clone()).await;
    let head = log::head(&db).await.unwrap();
    let filter = ReplayFilter {
        interest: Interest::new(chat.rooms.clone(), None),
        missing: Arc::new([]),
        registered_at: head.pos,
    };
    for (epoch, upto, is_read) in
        [(&*head.epoch, head.pos, true), ("another", head.pos, false), (&*head.epoch, head.pos.next(), false)]
    {
        let database = Database {
            replay_db: db.clone(),
            db: db.clone(),
            clock: Clock::System,
            remember_ended: std::time::Duration::ZERO,
        };
        let replay = Replay::new(Log::Database(database), epoch.into(), Turns::new(2), TaskTracker::new());
        let read = Arc::new(replay).read(Share(0), &filter, Pos(0), upto).await;
        assert_eq!(read.is_ok(), is_read, "{read:?}");
    }
}

//! The final contents of the tables, to compare with acknowledgements and streams.

use std::collections::{HashMap, HashSet};

use gapless::event::Message;
use gapless::store::Db;
use uuid::Uuid;

use super::follower::Followed;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    pub id: Uuid,
    pub room_id: Uuid,
    pub author_id: Uuid,
    pub client_id: Uuid,
    pub pos: i64,
    pub seq: i64,
    pub body: Option<String>,
}

/// Every message, by position.
#[derive(Debug)]
pub struct Ledger {
    pub head: i64,
    pub messages: Vec<Entry>,
}

impl Ledger {
    /// Reads the tables, and asserts that positions and each room's numbers have no gaps or repeats. Of a trimmed room,
    /// the oldest messages and their positions may be gone.
    pub async fn read(db: &Db) -> Self {
        // Use one statement: a post whose caller was asked to retry may still be committed after the end of a fault.
        let log = "select pos, array(select l.pos from log l order by l.pos) from log_head";
        let (head, positions): (i64, Vec<i64>) = sqlx::query_as(log).fetch_one(db).await.expect("the log");
        let rooms: Vec<(Uuid, i64, i64)> =
            sqlx::query_as("select id, first_seq, head_seq from rooms").fetch_all(db).await.expect("the rooms");
        if rooms.iter().all(|(_, first_seq, _)| *first_seq == 1) {
            assert!(positions.iter().copied().eq(1..=head), "the log has a gap below {head}");
        }
        assert!(positions.is_sorted_by(|one, next| one < next) && positions.last().is_none_or(|last| *last == head));
        let messages: Vec<Entry> =
            sqlx::query_as("select id, room_id, author_id, client_id, pos, seq, body from messages order by pos")
                .fetch_all(db)
                .await
                .expect("the messages");
        let unlogged: i64 = sqlx::query_scalar(
            "select count(*) from messages m
             full join (select * from log where kind = 'message.posted') l on l.message_id = m.id
             where l.pos is distinct from m.pos or l.room_id is distinct from m.room_id",
        )
        .fetch_one(db)
        .await
        .expect("messages and log");
        assert_eq!(unlogged, 0, "each message is posted once in the log, and nothing else is");
        for (room, first_seq, head_seq) in rooms {
            let seqs: Vec<i64> =
                messages.iter().filter(|message| message.room_id == room).map(|message| message.seq).collect();
            let oldest = seqs.first().copied().unwrap_or(first_seq);
            assert!(
                oldest <= first_seq && seqs.into_iter().eq(oldest..=head_seq),
                "room {room} has a gap below {head_seq}"
            );
        }
        Self { head, messages }
    }

    /// Asserts that all acknowledged messages are stored as acknowledged, each submit once, each person's
    /// submits in order. Returns their number.
    pub fn holds(&self, acknowledged: &[Vec<Message>]) -> usize {
        let by_id: HashMap<Uuid, &Entry> = self.messages.iter().map(|entry| (entry.id, entry)).collect();
        let is_here = |message: &&Message| {
            by_id.get(&message.id.0).is_some_and(|entry| {
                (entry.pos, entry.seq, entry.client_id, entry.body.as_deref())
                    == (message.pos.0, message.seq.0, message.client_id.0, message.body.as_deref())
            })
        };
        let lost = acknowledged.iter().flatten().filter(|message| !is_here(message)).count();
        assert_eq!(lost, 0, "acknowledged messages are lost or changed");
        for one in acknowledged {
            assert!(one.windows(2).all(|two| two[0].pos < two[1].pos), "one person's posts are out of order");
        }
        let said: HashSet<_> = self.messages.iter().map(|entry| (entry.author_id, &entry.body)).collect();
        assert_eq!(said.len(), self.messages.len(), "a submit became two messages");
        let count = acknowledged.iter().map(Vec::len).sum();
        assert_eq!(self.messages.len(), count, "there is a message that was never acknowledged");
        count
    }

    /// Asserts that a follower received every message of its rooms since it began, once and in order.
    /// Returns their number.
    pub fn is_what_was_heard(&self, followed: &Followed, rooms: &[gapless::event::Room]) -> usize {
        let of_interest =
            |entry: &&Entry| entry.pos > followed.began && rooms.iter().any(|room| room.id.0 == entry.room_id);
        let expected: Vec<_> =
            self.messages.iter().filter(of_interest).map(|entry| (entry.pos, entry.seq, entry.id)).collect();
        let heard: Vec<_> = followed
            .events
            .iter()
            .filter(|heard| heard.name == "message.posted")
            .map(|heard| {
                let message: Message = heard.body();
                assert_eq!(heard.pos(), message.pos.0, "an event's id is its message's position");
                (message.pos.0, message.seq.0, message.id.0)
            })
            .collect();
        if let Some(place) =
            (0..expected.len().max(heard.len())).find(|place| expected.get(*place) != heard.get(*place))
        {
            let near = place.saturating_sub(2)..place + 3;
            panic!(
                "received {} of {}; at {place} the log has {:?}, received was {:?}",
                heard.len(),
                expected.len(),
                expected.get(near.start..near.end.min(expected.len())),
                heard.get(near.start..near.end.min(heard.len())),
            );
        }
        heard.len()
    }
}

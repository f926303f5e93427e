//! A batch of posts: each gets its own outcome, in the order given, whatever its neighbours get.

use gapless::event::{Author, Message, Room};
use gapless::id::{ClientId, MessageId, RoomId, UserId};
use gapless::outcome::{Outcome, Posted, Refusal};
use gapless::post::NewMessage;
use gapless::store::log::{append_messages, head};
use uuid::Uuid;

use crate::actors::{Chat, User};

fn by(user: &User) -> Author {
    Author { id: user.id, username: user.name.as_str().into() }
}

fn post(author: &Author, room: RoomId, client: u128, body: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(),
        room_id: room,
        author: author.clone(),
        client_id: ClientId(Uuid::from_u128(client)),
        body: body.into(),
        reply_to: None,
        mentions: Vec::new(),
        audience: None,
    }
}

/// Returns a short form of an outcome: the words, `seq` and body of a message, or the refusal.
fn told(outcome: &Outcome<Posted<Message>>) -> (&'static str, i64, Option<&str>, Option<Refusal>) {
    match outcome {
        Ok(Posted::Accepted(message)) => ("accepted", message.seq.0, message.body.as_deref(), None),
        Ok(Posted::Duplicate(message)) => ("duplicate", message.seq.0, message.body.as_deref(), None),
        Err(refusal) => ("refused", 0, None, Some(*refusal)),
    }
}

#[tokio::test]
async fn each_post_of_a_mixed_batch_has_its_own_outcome() {
    let chat = Chat::start().await;
    let founder = chat.founder().await;
    let (alice, bob) = (chat.user("alice").await, chat.user("bob").await);
    let (muted, banned) = (chat.user("muted").await, chat.user("banned").await);
    founder.mute(&muted, 60).await;
    founder.ban(&banned).await;
    let open = async |name| -> Room { chat.room(name).await };
    let (general, other, archive) = (open("general").await, open("other").await, open("archive").await);
    founder.archive(&archive).await;
    let nobody = Author { id: UserId::new(), username: "nobody".into() };
    let (alice, bob, muted, banned) = (by(&alice), by(&bob), by(&muted), by(&banned));

    let accepted = |seq, body| ("accepted", seq, Some(body), None);
    let duplicate = |seq, body| ("duplicate", seq, Some(body), None);
    let refused = |refusal| ("refused", 0, None, Some(refusal));
    let expected = [
        (post(&alice, general.id, 1, "one"), accepted(1, "one")),
        (post(&muted, general.id, 1, "one"), refused(Refusal::Muted)),
        (post(&alice, general.id, 1, "one"), duplicate(1, "one")),
        (post(&bob, general.id, 1, "one"), accepted(2, "one")),
        (post(&banned, general.id, 1, "one"), refused(Refusal::Banned)),
        (post(&alice, general.id, 1, "two"), refused(Refusal::ClientIdReused)),
        (post(&alice, other.id, 1, "one"), refused(Refusal::ClientIdReused)),
        (post(&alice, archive.id, 1, "one"), refused(Refusal::Archived)),
        (post(&alice, archive.id, 2, "three"), refused(Refusal::Archived)),
        // The first use of this client id was refused, and nothing is known to be the same.
        (post(&alice, other.id, 2, "three"), refused(Refusal::ClientIdReused)),
        (post(&alice, RoomId::new(), 3, "four"), refused(Refusal::Unknown("room"))),
        (post(&nobody, general.id, 3, "four"), refused(Refusal::UnknownAuthor)),
        (post(&alice, other.id, 4, "five"), accepted(1, "five")),
        (post(&alice, general.id, 5, "six"), accepted(3, "six")),
        (post(&bob, general.id, 1, "one"), duplicate(2, "one")),
    ];
    let batch: Vec<NewMessage> = expected.iter().map(|(post, _)| post.clone()).collect();
    let before = head(&chat.db()).await.expect("the log's head").pos;
    let outcomes = append_messages(&chat.db(), &batch).await.expect("outcomes");
    for (number, (outcome, (post, expected))) in outcomes.iter().zip(&expected).enumerate() {
        assert_eq!(told(outcome), *expected, "post {number}: {post:?}");
    }

    let accepted = outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Posted::Accepted(message)) => Some(message),
        _ => None,
    });
    let ids: Vec<MessageId> = accepted.clone().map(|message| message.id).collect();
    assert_eq!(ids, [0, 3, 12, 13].map(|number| batch[number].id), "each has the id that was made for it");
    let positions: Vec<i64> = accepted.map(|message| message.pos.0 - before.0).collect();
    assert_eq!(positions, [1, 2, 3, 4], "without a gap, in the order given");
    assert_eq!(head(&chat.db()).await.expect("the log's head").pos.0, before.0 + 4);
    for (room, seq) in [(&general, 3), (&other, 1), (&archive, 0)] {
        assert_eq!(founder.read_room(room.id).await.head_seq.0, seq, "{}", room.name);
    }
}

#[tokio::test]
async fn a_batch_sent_again_is_answered_from_the_first() {
    let chat = Chat::start().await;
    let (alice, room) = (by(&chat.user("alice").await), chat.room("general").await);
    let bodies: Vec<String> = (0..100).map(|n| format!("message {n}")).collect();
    let again = || (1..).zip(&bodies).map(|(client, body)| post(&alice, room.id, client, body)).collect::<Vec<_>>();
    let first = append_messages(&chat.db(), &again()).await.expect("outcomes");
    let head_then = head(&chat.db()).await.expect("the log's head");
    let second = append_messages(&chat.db(), &again()).await.expect("outcomes");
    for (number, outcomes) in first.iter().zip(&second).enumerate() {
        let (Ok(Posted::Accepted(first)), Ok(Posted::Duplicate(second))) = outcomes else {
            panic!("post {number}: {outcomes:?}");
        };
        assert_eq!(first, second);
        assert_eq!(first.body.as_deref(), Some(bodies[number].as_str()));
    }
    assert_eq!(head(&chat.db()).await.expect("the log's head"), head_then);
}

//! An archived room is visible only to admins, and nothing in it changes until it is restored.

use gapless::event::Room;
use serde_json::json;

use crate::actors::Chat;

#[tokio::test]
async fn an_archived_room_is_unknown_to_all_but_admins() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let room = chat.room("general").await;
    alice.post(&room, "hi").await;
    ada.archive(&room).await;
    for reader in [&chat.guest(), &*alice] {
        assert_eq!(reader.rooms().await, []);
        reader.get(&format!("/rooms/{}", room.id)).await.refused(404, "not_found");
        reader.get(&format!("/messages?room_id={}", room.id)).await.refused(404, "not_found");
    }
    assert_eq!(ada.rooms().await, []);
    assert!(ada.read_room(room.id).await.is_archived);
    assert_eq!(ada.bodies(&room).await, ["hi"]);
    for reader in [&chat.guest(), &*alice, &*ada] {
        let stream = reader.listen(&room).await;
        assert_eq!((&stream.hello["rooms"], &stream.hello["missing"]), (&json!([]), &json!([room.id])));
    }
}

#[tokio::test]
async fn an_archived_room_cannot_be_changed() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let room = chat.room("general").await;
    let (of_alice, of_ada) = (alice.post(&room, "hi").await, ada.post(&room, "ho").await);
    ada.archive(&room).await;
    for (caller, own) in [(&alice, of_alice.id), (&ada, of_ada.id)] {
        caller.try_post(&room, "late").await.refused(409, "room_archived");
        caller.try_edit(own, "late").await.refused(409, "room_archived");
        caller.try_delete(own).await.refused(409, "room_archived");
    }
    ada.try_delete(of_alice.id).await.refused(409, "room_archived");
    // Its name is free for other rooms, and it may still be renamed.
    let heir = ada.create_room("General").await;
    ada.rename(&room, "General of old").await;
    ada.restore(&room).await;
    alice.post(&room, "back").await;
    assert_eq!(chat.guest().bodies(&room).await, ["hi", "ho", "back"]);
    assert_eq!(chat.guest().rooms().await.iter().map(|room| room.id).collect::<Vec<_>>(), [heir.id, room.id]);
}

#[tokio::test]
async fn a_stream_continues_when_its_room_is_restored() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let room = chat.room("general").await;
    let mut guest = chat.guest().listen(&room).await;
    alice.post(&room, "before").await;
    guest.expect_message("before").await;
    let cursor = guest.cursor.clone();
    ada.archive(&room).await;
    assert_eq!(guest.expect("room.archived").await.body::<Room>().id, room.id);
    // A stream opened while it is archived also receives it once it is restored.
    let mut latecomer = chat.guest().listen(&room).await;
    ada.restore(&room).await;
    alice.post(&room, "after").await;
    for stream in [&mut guest, &mut latecomer] {
        stream.expect("room.restored").await;
        stream.expect_message("after").await;
    }
    let mut resumed = chat.guest().opening().room(&room).from(&cursor).open().await;
    resumed.expect("room.archived").await;
    resumed.expect("room.restored").await;
    resumed.expect_message("after").await;
}

#[tokio::test]
async fn an_archived_room_is_not_replayed() {
    let chat = Chat::start().await;
    let (ada, alice) = (chat.admin("ada").await, chat.user("alice").await);
    let room = chat.room("general").await;
    let cursor = chat.guest().opening().open().await.hello["cursor"].as_str().expect("a cursor").to_owned();
    alice.post(&room, "said before").await;
    ada.archive(&room).await;
    for reader in [&chat.guest(), &*alice, &*ada] {
        let mut stream = reader.opening().room(&room).from(&cursor).open().await;
        stream.expect("room.archived").await;
    }
}

//! Reactions, as a client that follows the stream knows them.

use gapless::id::MessageId;
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use super::world::World;

/// Takes the client's own reactions from what it knew: events do not mark them.
pub fn keep_own(message: &mut Value, known: &Value) {
    let is_own = |emoji: &Value| {
        known.as_array().is_some_and(|known| known.iter().any(|own| own["emoji"] == *emoji && own["mine"] == true))
    };
    for reaction in message["reactions"].as_array_mut().expect("a list") {
        reaction["mine"] = is_own(&reaction["emoji"]).into();
    }
}

/// Applies `message.reactions`: the numbers are new, and the changes tell which are the client's own.
pub fn react(message: &mut Value, data: &Value, me: &Value) {
    let known = message["reactions"].take();
    message["reactions"] = data["reactions"].clone();
    keep_own(message, &known);
    for change in data["changes"].as_array().expect("a list").iter().filter(|change| change["user_id"] == *me) {
        for reaction in message["reactions"].as_array_mut().expect("a list") {
            if reaction["emoji"] == change["emoji"] {
                reaction["mine"] = change["added"].clone();
            }
        }
    }
}

impl World {
    /// Adds or removes a reaction of one of the two.
    pub(super) async fn react(&self, message: MessageId, chance: &mut StdRng) {
        let user = if chance.random() { &self.bob } else { &self.ada };
        let path = format!("/messages/{message}/reactions/{}", ["👍", "❤️", "🎉"][chance.random_range(0..3)]);
        let answer =
            if chance.random_bool(0.7) { user.put(&path, Value::Null).await } else { user.delete(&path).await };
        answer.is(204);
    }
}

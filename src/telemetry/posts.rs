//! Counts the outcomes of posts, once per batch.

use crate::event::Message;
use crate::outcome::{Outcome, Posted, Refusal};
use crate::post::WriteError;

/// Outcome of a post.
type Answer = Result<Outcome<Posted<Message>>, WriteError>;

/// Values of the metric's label.
const WORDS: [&str; 6] = ["accepted", "duplicate", "conflict", "no_right", "no_room", "unavailable"];

fn word(answer: &Answer) -> &'static str {
    match answer {
        Ok(Ok(Posted::Accepted(_))) => "accepted",
        Ok(Ok(Posted::Duplicate(_))) => "duplicate",
        Ok(Err(Refusal::ClientIdReused)) => "conflict",
        Ok(Err(Refusal::Unknown(_) | Refusal::Archived)) => "no_room",
        Ok(Err(_)) => "no_right",
        Err(_) => "unavailable",
    }
}

/// Counts the posts of one batch. Counters of outcomes that did not occur are not touched.
pub fn count(outcomes: &[Answer]) {
    for label in WORDS {
        let posts = outcomes.iter().filter(|outcome| word(outcome) == label).count();
        if posts > 0 {
            metrics::counter!("gapless_posts_total", "outcome" => label).increment(posts as u64);
        }
    }
}

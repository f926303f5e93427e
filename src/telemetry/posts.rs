//! What became of posts, counted once for each batch.

use crate::post::{Outcome, WriteError};

/// What a post came to.
type Answer = Result<Outcome, WriteError>;
type IsIt = fn(&Answer) -> bool;

/// Each outcome with its word in the metric's label.
const OUTCOMES: [(&str, IsIt); 6] = [
    ("accepted", |outcome| matches!(outcome, Ok(Outcome::Accepted(_)))),
    ("duplicate", |outcome| matches!(outcome, Ok(Outcome::Duplicate(_)))),
    ("conflict", |outcome| matches!(outcome, Ok(Outcome::Conflict))),
    ("no_right", |outcome| matches!(outcome, Ok(Outcome::Banned | Outcome::Muted | Outcome::UnknownUser))),
    ("no_room", |outcome| matches!(outcome, Ok(Outcome::UnknownRoom | Outcome::Archived))),
    ("unavailable", Result::is_err),
];

/// Counts the posts of one batch. Outcomes that none of them had are not touched.
pub fn count(outcomes: &[Answer]) {
    for (word, is_it) in OUTCOMES {
        let posts = outcomes.iter().filter(|outcome| is_it(outcome)).count();
        if posts > 0 {
            metrics::counter!("gapless_posts_total", "outcome" => word).increment(posts as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_one_word() {
        let some = [
            Ok(Outcome::Conflict),
            Ok(Outcome::UnknownRoom),
            Ok(Outcome::Archived),
            Ok(Outcome::Banned),
            Ok(Outcome::Muted),
            Ok(Outcome::UnknownUser),
            Err(WriteError::Unavailable),
            Err(WriteError::Full),
        ];
        for outcome in some {
            let words: Vec<_> = OUTCOMES.iter().filter(|(_, is_it)| is_it(&outcome)).map(|(word, _)| *word).collect();
            assert_eq!(words.len(), 1, "{outcome:?}: {words:?}");
        }
    }
}

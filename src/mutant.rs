//! Seeded bugs: mistakes that a chat like this could really make, so that the chaos run can prove that it would
//! notice them.
//!
//! Only a debug build with the feature `mutants` has any, and only while `GAPLESS_MUTANT` names one. Without the
//! feature [`is`] is a constant, and nothing of this is left in the program.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use time::OffsetDateTime;

use crate::event::Event;
use crate::id::Pos;
use crate::post::{NewMessage, Outcome};
use crate::store::{self, Db};

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("a release does not carry seeded bugs: build without the feature `mutants`");

/// One mistake each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A post is acknowledged before its commit is on disk.
    AsyncCommit,
    /// A post is told to everybody before it is committed.
    PublishBeforeCommit,
    /// Positions come from a sequence, and whatever is not there yet is passed over.
    CursorBySequence,
    /// A stream reads what it missed first and listens then; what comes between is lost.
    ReadThenRegister,
    /// News is believed to be complete.
    NoGapCheck,
    /// A repeat is another message.
    NoDedupe,
    /// A replay gives everybody's mail to everybody.
    DmFilterOff,
    /// A stream goes on after its right has ended.
    NoRevocation,
}

/// Whether the program has this mistake.
#[cfg(feature = "mutants")]
pub fn is(mutant: Mutant) -> bool {
    use std::sync::OnceLock;
    static PRESENT: OnceLock<Option<Mutant>> = OnceLock::new();
    *PRESENT.get_or_init(|| Some(Mutant::named(&std::env::var("GAPLESS_MUTANT").ok()?))) == Some(mutant)
}

/// Whether the program has this mistake: it has none.
#[cfg(not(feature = "mutants"))]
pub const fn is(_: Mutant) -> bool {
    false
}

impl Mutant {
    /// # Panics
    /// When there is no such mutant: a run that tests nothing must not look like one that found nothing.
    #[cfg(feature = "mutants")]
    fn named(name: &str) -> Self {
        match name {
            "async-commit" => Self::AsyncCommit,
            "publish-before-commit" => Self::PublishBeforeCommit,
            "cursor-by-sequence" => Self::CursorBySequence,
            "read-then-register" => Self::ReadThenRegister,
            "no-gap-check" => Self::NoGapCheck,
            "no-dedupe" => Self::NoDedupe,
            "dm-filter-off" => Self::DmFilterOff,
            "no-revocation" => Self::NoRevocation,
            other => panic!("GAPLESS_MUTANT={other} names no mutant"),
        }
    }
}

/// Events that nobody hears, for the positions `(after, ..=upto]` that a careless reader passes over.
pub fn nothing(after: Pos, upto: Pos, at: OffsetDateTime) -> impl Iterator<Item = Event> {
    (after.0 + 1..=upto.0).map(move |pos| Event::silent(Pos(pos), at, "sessions.ended"))
}

/// Takes what was found in `(after, ..=upto]` for all that there is.
pub fn believe(found: Vec<Event>, after: Pos, upto: Pos) -> Vec<Event> {
    let nothing = nothing(after, upto, OffsetDateTime::UNIX_EPOCH);
    // Of two events at one position the gate keeps the later one.
    nothing.chain(found).collect()
}

/// Commits a batch, and tells of it before it is committed.
///
/// # Errors
/// As [`store::log::append_messages`].
pub async fn publish_then_commit(
    db: &Db,
    batch: &[NewMessage],
    publish: impl FnOnce(&[Outcome]),
) -> sqlx::Result<Vec<Outcome>> {
    let mut transaction = db.begin().await?;
    let outcomes = store::log::append_messages(&mut *transaction, batch).await?;
    publish(&outcomes);
    // The commit of a busy disk.
    tokio::time::sleep(Duration::from_millis(20)).await;
    transaction.commit().await?;
    Ok(outcomes)
}

/// The connections that commit posts, as this program opens them.
pub fn connections(options: PgConnectOptions) -> PgConnectOptions {
    if is(Mutant::AsyncCommit) { options.options([("synchronous_commit", "off")]) } else { options }
}

/// Lets positions come from a sequence. Asked by each instance at its start, in turn.
///
/// # Errors
/// When the database refuses.
pub async fn number_by_sequence(db: &Db) -> sqlx::Result<()> {
    sqlx::raw_sql(include_str!("mutant/number_by_sequence.sql")).execute(db).await?;
    Ok(())
}

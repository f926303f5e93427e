//! The stage of a drill, and those who write and read on it until the drill is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Course, Sheet};
use crate::authors::Author;
use crate::checker::Findings;
use crate::cluster::{Cluster, Terms};
use crate::history::History;
use crate::readers::{Reader, crowd};
use crate::run::{HISTORY, LAST_SUBMITS, Place, close, settle};
use crate::stage::{Cast, Phase, Stage};

/// Every drill plays the same, but for its faults.
const SEED: u64 = 1;
/// A stream that is not greeted by then never will be.
const GREETED: Duration = Duration::from_mins(1);
/// As the product has it, except where waiting would tell nothing.
pub const SETTINGS: &[(&str, &str)] = &[
    ("ACCESS_TOKEN_TTL_SECS", "900"),
    ("HEARTBEAT_SECS", "5"),
    ("DB_POOL_SIZE", "20"),
    ("DRAIN_GRACE_SECS", "12"),
    ("REPLAY_RING_BYTES", "67108864"),
];

/// Starts three instances with nothing between, and makes people, who sign in, and rooms.
pub async fn set_stage(
    course: &Course<'_>,
    settings: &'static [(&str, &str)],
    cast: Cast,
) -> anyhow::Result<Arc<Stage>> {
    let history = History::begin(&course.dir.join(HISTORY), SEED, 0, None)?;
    let terms = Terms { mutant: course.mutant, settings, is_straight: true };
    let cluster = Cluster::start(course.server, course.dir, &terms).await?;
    let stage = Stage::set(cluster, history, SEED, cast).await?;
    // Beforehand: hashing a password takes longer than anything that is measured.
    for person in stage.authors.iter().chain(&stage.admins).chain(&stage.tabbed) {
        person.token(&stage).await.with_context(|| format!("{} cannot sign in", person.name))?;
    }
    Ok(stage)
}

/// See the [module](self).
pub struct Load {
    readers: JoinSet<()>,
    writers: JoinSet<()>,
    places: Vec<Place>,
}

impl Load {
    /// Opens the streams, all at once, and then begins to write.
    pub async fn begin(stage: &Arc<Stage>, streams: usize) -> anyhow::Result<Self> {
        let mut readers = JoinSet::new();
        let mut places = Vec::with_capacity(streams);
        for reader in crowd(stage, streams) {
            places.push((reader.number, reader.kind, reader.reached()));
            readers.spawn(Reader::read(reader));
        }
        wait_live(stage, streams).await?;
        let mut writers = JoinSet::new();
        for person in &stage.authors {
            writers.spawn(Author::new(Arc::clone(stage), Arc::clone(person)).write());
        }
        for person in &stage.admins {
            writers.spawn(Author::new(Arc::clone(stage), Arc::clone(person)).whisper());
        }
        Ok(Self { readers, writers, places })
    }

    /// Lets everybody come to the end of the log, and judges what was written down.
    pub async fn end(self, stage: Arc<Stage>, course: &Course<'_>, sheet: &mut Sheet) -> anyhow::Result<Findings> {
        stage.phase.send_replace(Phase::Settling);
        tokio::time::timeout(LAST_SUBMITS, self.writers.join_all()).await.ok();
        settle(&stage, &self.places).await?;
        stage.phase.send_replace(Phase::Over);
        self.readers.join_all().await;
        let findings = close(stage, course.dir).await?;
        sheet.judge(&findings);
        Ok(findings)
    }
}

/// Until so many streams have been greeted and are open.
pub async fn wait_live(stage: &Stage, streams: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    while stage.live.load(Ordering::Relaxed) < streams {
        let live = stage.live.load(Ordering::Relaxed);
        ensure!(began.elapsed() < GREETED, "only {live} of {streams} streams are live after {GREETED:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

//! Three instances are replaced one after the other, as a deployment does it, while people write and a thousand
//! streams are open.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::load::{Load, SETTINGS, set_stage, wait_live};
use super::seen::Seen;
use super::sheet::Goal;
use super::{Course, Sheet, front};
use crate::checker::histogram;
use crate::stage::Cast;

const STREAMS: usize = 1_000;
const CAST: Cast = Cast { rooms: 20, rate: 60.0, silence: Duration::from_secs(20) };
/// Everybody writes and reads for so long before, between and after.
const UNDISTURBED: Duration = Duration::from_secs(3);
/// Reads of the log for streams that resume.
pub const RESUME_READS: &str = "gapless_replay_reads_total";

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let streams = course.streams.unwrap_or(STREAMS);
    let stage = set_stage(course, SETTINGS, CAST).await?;
    let fronting = front::stand(&stage);
    let load = Load::begin(&stage, streams).await?;
    tokio::time::sleep(UNDISTURBED).await;

    let from = stage.history.now();
    let mut reads = 0;
    let before = front::sum(&stage.cluster, RESUME_READS).await;
    let mut leaving = histogram();
    for instance in &stage.cluster.instances {
        // A process takes its counters with it.
        reads += instance.metrics().await.context("cannot read the instance's metrics")?.sum(RESUME_READS);
        let told = stage.history.now();
        instance.dismiss();
        ensure!(instance.ends().await, "instance {} did not exit in time", instance.number);
        leaving.saturating_record(stage.history.now() - told);
        instance.run()?;
        instance.is_ready().await?;
        tokio::time::sleep(UNDISTURBED).await;
    }
    wait_live(&stage, streams).await?;
    let to = stage.history.now();
    reads = (reads + front::sum(&stage.cluster, RESUME_READS).await).saturating_sub(before);
    drop(fronting);

    let mut sheet = Sheet::default();
    sheet.count("streams", streams as u64, Goal::None);
    let findings = load.end(stage, course, &mut sheet).await?;
    let seen = Seen::between(course.dir, from, to)?;
    sheet.times("from SIGTERM to exit", &leaving, 1.0, Goal::AtMost(12_000.0));
    sheet.times("end of a stream to the next greeting", &seen.away, 1.0, Goal::AtMost(5_000.0));
    #[expect(clippy::cast_precision_loss, reason = "there are some thousand")]
    let per_hundred = reads as f64 * 100.0 / seen.away.len() as f64;
    sheet.number("queries for resumes per 100 clients", per_hundred, "", Goal::AtMost(1.0));
    let resets: u64 = findings.streams.resets.values().sum();
    sheet.count("resumes reset", resets, Goal::ZERO);
    sheet.times("submit to acknowledgement", &seen.submits, 0.99, Goal::None);
    sheet.count("posts told to come back (503)", seen.not_now, Goal::None);
    sheet.count("posts without an answer, sent again", seen.unanswered, Goal::None);
    Ok(sheet)
}

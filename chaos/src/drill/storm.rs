//! Ten thousand streams over three instances; one is killed, all streams are cut in the same moment, and all come
//! back at once to the two that are left, for what they missed.

use std::time::Duration;

use super::load::{Load, SETTINGS, set_stage, wait_live};
use super::rolling_restart::RESUME_READS;
use super::seen::Seen;
use super::sheet::Goal;
use super::{Course, Sheet, front};
use crate::stage::Cast;

const STREAMS: usize = 10_000;
const CAST: Cast = Cast { rooms: 100, rate: 60.0, silence: Duration::from_secs(20) };
/// Everybody writes and reads for so long before and after.
const UNDISTURBED: Duration = Duration::from_secs(5);

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let streams = course.streams.unwrap_or(STREAMS);
    let stage = set_stage(course, SETTINGS, CAST).await?;
    let fronting = front::stand(&stage);
    let load = Load::begin(&stage, streams).await?;
    // Ten thousand have just come, and everybody is told of it.
    tokio::time::sleep(UNDISTURBED).await;
    let calm = stage.history.now();
    tokio::time::sleep(UNDISTURBED).await;

    let [killed, left @ ..] = &stage.cluster.instances[..] else { unreachable!("a cluster has three instances") };
    let reads_left = async || {
        let mut reads = 0;
        for instance in left {
            reads += instance.metrics().await.map_or(0, |metrics| metrics.sum(RESUME_READS));
        }
        reads
    };
    let reads = reads_left().await;
    let cut = stage.history.now();
    killed.is_open.store(false, std::sync::atomic::Ordering::Relaxed);
    killed.kill();
    stage.storms.send_modify(|storms| *storms += 1);
    // The word is passed to each client; none is live by an old stream once all have heard it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    wait_live(&stage, streams).await?;
    let whole = stage.history.now();
    let reads = reads_left().await.saturating_sub(reads);
    tokio::time::sleep(UNDISTURBED).await;
    drop(fronting);

    let mut sheet = Sheet::default();
    sheet.count("streams", streams as u64, Goal::None);
    let findings = load.end(stage, course, &mut sheet).await?;
    let seen = Seen::between(course.dir, cut, whole)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are some thousand streams, and a minute has few microseconds"
    )]
    let [all, per_hundred, all_live] =
        [streams as f64, reads as f64 * 100.0 / streams as f64, (seen.last_return - cut) as f64 / 1e6];
    sheet.count("streams cut", seen.away.len(), Goal::AtLeast(all));
    sheet.number("all live again", all_live, "s", Goal::AtMost(10.0));
    sheet.times("end of a stream to the next greeting", &seen.away, 1.0, Goal::AtMost(10_000.0));
    let before = Seen::between(course.dir, calm, cut)?;
    sheet.times("submit to acknowledgement, before", &before.submits, 0.99, Goal::None);
    sheet.times("submit to acknowledgement, meanwhile", &seen.submits, 0.99, Goal::AtMost(1_000.0));
    sheet.count("posts told to come back (503)", seen.not_now, Goal::None);
    sheet.count("posts without an answer, sent again", seen.unanswered, Goal::None);
    sheet.number("queries for resumes per 100 clients", per_hundred, "", Goal::AtMost(1.0));
    sheet.count("resumes reset", findings.streams.resets.values().sum(), Goal::ZERO);
    Ok(sheet)
}

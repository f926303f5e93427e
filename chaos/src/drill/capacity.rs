//! More is asked than there is: of streams, of posts, of log-ins, one after the other. Who comes too many is told so
//! politely, and those who were there before notice nothing.

mod crush;

use std::sync::Arc;
use std::time::Duration;

use super::load::{Load, SETTINGS, set_stage};
use super::seen::Seen;
use super::sheet::Goal;
use super::{Course, Sheet};
use crate::history::Micros;
use crate::stage::{Cast, Stage};
use crush::{Crush, Refusals};

/// Those who are there, on instances that have room for twice as many.
const STREAMS: usize = 150;
const CAST: Cast = Cast { rooms: 20, rate: 30.0, silence: Duration::from_secs(20) };
/// How long each crush lasts, and the calm before.
const LASTS: Duration = Duration::from_secs(8);
/// Between two: what was begun is answered.
const PAUSE: Duration = Duration::from_secs(3);
/// What nobody notices, in milliseconds: a person calls a tenth of a second instant.
const UNNOTICED: Goal = Goal::AtMost(100.0);

/// As little room as tells the same with fewer clients.
const SMALL: &[(&str, &str)] =
    &[SETTINGS[0], SETTINGS[1], SETTINGS[2], SETTINGS[3], SETTINGS[4], ("MAX_STREAMS", "100"), ("WRITE_QUEUE", "8")];

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let stage = set_stage(course, SMALL, CAST).await?;
    let load = Load::begin(&stage, course.streams.unwrap_or(STREAMS)).await?;
    tokio::time::sleep(PAUSE).await;
    let before = spell(&stage).await;
    let mut crushes = Vec::new();
    for crush in Crush::ALL {
        tokio::time::sleep(PAUSE).await;
        let crowd = crush.begin(&stage).await?;
        let during = spell(&stage).await;
        crushes.push((crush, during, crowd.disperse().await));
    }

    let mut sheet = Sheet::default();
    load.end(stage, course, &mut sheet).await?;
    let before = Seen::between(course.dir, before.0, before.1)?;
    sheet.times("before: posts", &before.attempts, 0.99, Goal::None);
    sheet.times("before: post to client", &before.deliveries, 0.99, Goal::None);
    for (crush, (from, to), refusals) in crushes {
        let Refusals { polite, impolite, admitted } = refusals;
        sheet.count(&format!("too many {crush}: refused politely"), polite, Goal::AtLeast(1.0));
        sheet.count(&format!("too many {crush}: answered otherwise"), impolite, Goal::ZERO);
        sheet.count(&format!("too many {crush}: admitted"), admitted, Goal::None);
        let during = Seen::between(course.dir, from, to)?;
        sheet.times(&format!("too many {crush}: posts"), &during.attempts, 0.99, UNNOTICED);
        sheet.times(&format!("too many {crush}: post to client"), &during.deliveries, 0.99, UNNOTICED);
    }
    Ok(sheet)
}

/// Lets time go by, and answers its beginning and end.
async fn spell(stage: &Arc<Stage>) -> (Micros, Micros) {
    let from = stage.history.now();
    tokio::time::sleep(LASTS).await;
    (from, stage.history.now())
}

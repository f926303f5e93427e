//! A right is taken on one instance; how soon do the streams and the REST of the two others know? Again and again,
//! in six ways, while people write.

mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use super::load::{Load, SETTINGS, set_stage};
use super::sheet::Goal;
use super::{Course, Sheet};
use crate::checker::histogram;
use crate::stage::Cast;
use trial::{Kind, attempt};

const STREAMS: usize = 300;
const CAST: Cast = Cast { rooms: 20, rate: 60.0, silence: Duration::from_secs(20) };
/// Of each kind.
const TRIALS: usize = 40;
/// What was promised, in milliseconds.
const WITHIN: Goal = Goal::AtMost(1_000.0);

/// How late it was, in microseconds from the moment at which the ruling was sent.
struct Late {
    streams: Histogram<u64>,
    refusals: Histogram<u64>,
}

impl Late {
    fn new() -> Self {
        Self { streams: histogram(), refusals: histogram() }
    }
}

pub async fn perform(course: &Course<'_>) -> anyhow::Result<Sheet> {
    let stage = set_stage(course, SETTINGS, CAST).await?;
    let load = Load::begin(&stage, course.streams.unwrap_or(STREAMS)).await?;

    // The kinds at once, the trials of one kind one after the other: each has a victim of its own.
    let mut trying = JoinSet::new();
    for kind in Kind::ALL {
        let stage = Arc::clone(&stage);
        trying.spawn(async move {
            let mut late = Late::new();
            for number in 0..TRIALS {
                let seen = attempt(&stage, kind, number).await.with_context(|| format!("{kind}, trial {number}"))?;
                for seen in seen {
                    late.streams.saturating_record(seen.stream);
                    late.refusals.saturating_record(seen.refusal);
                }
            }
            anyhow::Ok((kind, late))
        });
    }
    let by_kind = trying.join_all().await.into_iter().collect::<anyhow::Result<BTreeMap<_, _>>>()?;

    let mut sheet = Sheet::default();
    sheet.count("trials", (by_kind.len() * TRIALS) as u64, Goal::AtLeast(200.0));
    load.end(stage, course, &mut sheet).await?;
    let mut all = Late::new();
    for (kind, late) in &by_kind {
        sheet.times(&format!("{kind}: streams"), &late.streams, 0.99, Goal::None);
        sheet.times(&format!("{kind}: REST"), &late.refusals, 0.99, Goal::None);
        all.streams.add(&late.streams).expect("they have the same bounds");
        all.refusals.add(&late.refusals).expect("they have the same bounds");
    }
    sheet.times("until a stream ends or says so", &all.streams, 0.99, WITHIN);
    sheet.times("until REST refuses", &all.refusals, 0.99, WITHIN);
    Ok(sheet)
}

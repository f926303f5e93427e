//! The one task that tells online counts, heads of rooms and who types, to readers and to the other instances.

use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Realtime;
use super::backplane::Bulletin;

/// Interval of presence checks. Shorter than the interval of presence updates, so that a single arrival shows at once.
const TICK: Duration = Duration::from_millis(250);
/// Pause between two steps of a round: the time for messages.
const STEP: Duration = Duration::from_millis(1);
/// Minimum interval between presence reports requested by other instances.
const FULL_REPORT_PACE: Duration = Duration::from_secs(1);
/// Minimum interval between presence reports requested by unsigned publications: from an instance of the previous
/// release, or a stranger.
const FULL_REPORT_PACE_FOR_STRANGERS: Duration = Duration::from_secs(10);

/// Runs until `stop`.
pub async fn run(realtime: Realtime, stop: CancellationToken) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered_at = None::<Instant>;
    let mut has_more = false;
    loop {
        let is_tick = {
            let mut next_step = pin!(tokio::time::sleep(STEP));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = tick.tick() => true,
                () = &mut next_step, if has_more => false,
                () = realtime.shared.is_lobby_due.notified(), if !has_more => false,
            }
        };
        let now = Instant::now();
        if is_tick {
            report(&realtime, &mut answered_at, now);
            realtime.pass_typing_on();
        }
        let (bells, more) = realtime.shared.feed().tell(now, is_tick);
        for mailbox in bells {
            mailbox.ring();
        }
        has_more = more;
    }
}

/// Reports presence to the other instances: to those that asked, and what has changed.
fn report(realtime: &Realtime, answered_at: &mut Option<Instant>, now: Instant) {
    let shared = &realtime.shared;
    let is_paced = |pace| answered_at.is_none_or(|at| now >= at + pace);
    let is_asked = is_paced(FULL_REPORT_PACE) && shared.is_asked_for_presence.swap(false, Ordering::Relaxed)
        || is_paced(FULL_REPORT_PACE_FOR_STRANGERS) && shared.hints.take_stranger();
    if is_asked {
        *answered_at = Some(now);
        realtime.report_everybody();
    }
    let report = {
        let mut feed = shared.feed();
        feed.presence.lapse(now);
        feed.presence_report(false, now)
    };
    if let Some(report) = report {
        realtime.backplane.send(Bulletin::Present(report));
    }
}

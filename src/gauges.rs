//! Gauges, sampled when `/metrics` is requested, so that they cost nothing in between: queue lengths, pools, streams,
//! and the memory and CPU of the process.

use tokio::runtime::Handle;

use crate::app::App;
use crate::id::Pos;
use crate::store::Db;

/// Samples all gauges.
pub fn sample(app: &App) {
    let realtime = app.realtime.gauges();
    metrics::gauge!("gapless_streams").set(number(realtime.streams));
    metrics::gauge!("gapless_rooms", "state" => "active").set(number(realtime.active_rooms));
    metrics::gauge!("gapless_rooms", "state" => "archived").set(number(realtime.archived_rooms));
    metrics::gauge!("gapless_rooms_with_readers").set(number(realtime.rooms_with_readers));
    metrics::gauge!("gapless_instances_heard").set(number(realtime.instances_heard));
    metrics::gauge!("gapless_log_position").set(position(realtime.applied));
    metrics::gauge!("gapless_news_queue_length").set(number(realtime.news_waiting));
    metrics::gauge!("gapless_writer_queue_length").set(number(app.writer.waiting()));
    metrics::gauge!("gapless_connections").set(number(app.lifecycle.connections.len()));
    metrics::gauge!("gapless_draining").set(f64::from(u8::from(app.is_draining())));
    note_pool("requests", &app.db);
    note_pool("core", &app.core_db);
    note_pool("replay", &app.replay_db);
    if let Ok(runtime) = Handle::try_current() {
        metrics::gauge!("gapless_tokio_tasks").set(number(runtime.metrics().num_alive_tasks()));
        metrics::gauge!("gapless_tokio_queue_length").set(number(runtime.metrics().global_queue_depth()));
    }
    metrics_process::Collector::default().collect();
}

fn note_pool(pool: &'static str, db: &Db) {
    let (open, idle) = db.open_and_idle();
    metrics::gauge!("gapless_db_connections", "pool" => pool, "state" => "idle").set(number(idle));
    metrics::gauge!("gapless_db_connections", "pool" => pool, "state" => "used").set(number(open.saturating_sub(idle)));
    metrics::gauge!("gapless_db_connections_limit", "pool" => pool).set(db.limit());
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, which no log reaches")]
fn position(pos: Pos) -> f64 {
    pos.0 as f64
}

/// Converts a count to a gauge's value.
fn number(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

//! Catalogue of all metrics and their meaning: the source of `HELP` for the scraper and of `docs/METRICS.md`.
//!
//! Label values come from lists in the code, never from callers: no label contains a room, user, address or text.

use std::fmt::Write as _;

use metrics::Unit::{self, Bytes, Count, Seconds};

/// Kind of metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its rate is of interest.
    Counter,
    /// A current value.
    Gauge,
    /// A distribution of values.
    Histogram,
}

/// A metric, or a family of metrics with labels.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    /// Each label, and its possible values.
    pub labels: &'static [(&'static str, &'static str)],
    pub help: &'static str,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: Count, labels: &[], help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: Count, labels: &[], help }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, unit: Seconds, labels: &[], help }
}

impl Metric {
    const fn by(mut self, labels: &'static [(&'static str, &'static str)]) -> Self {
        self.labels = labels;
        self
    }

    const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }
}

/// A section of the page, and its metrics.
type Chapter = (&'static str, &'static [Metric]);

const CHAPTERS: [Chapter; 9] = [
    (
        "Is it up",
        &[
            gauge("gapless_build_info", "Always 1; the labels give the running version and commit.")
                .by(&[("version", "the release"), ("commit", "the commit it was built from, or `unknown`")]),
            gauge("gapless_draining", "1 while this instance is shutting down."),
            counter("gapless_readiness_probes_total", "Database checks for `/readyz`: at most one a second, however many requests arrive."),
            gauge("process_start_time_seconds", "Start time of the process, in seconds since the Unix epoch.").unit(Seconds),
        ],
    ),
    (
        "Requests",
        &[
            seconds("gapless_http_request_duration_seconds", "Time from a request's headers to its response's headers; a stream is recorded when it opens.").by(&[
                ("method", "a standard method, or `other`"),
                ("path", "the route's pattern, or `other`"),
                ("status", "the status of the response"),
            ]),
            gauge("gapless_connections", "Open connections, including streams."),
            counter("gapless_refusals_total", "Requests refused, by the `code` of the response: `too_many_requests` is a rate limit, `unavailable` is capacity or the database, and `not_admin`, `muted` and similar are permissions.")
                .by(&[("code", "the API's stable error codes")]),
            counter("gapless_refusals_unlogged_total", "Responses of 400 and above that were not logged: more than ten a second had the same status."),
            counter("gapless_limits_hit_total", "Times that a limit was reached, by limit.").by(&[(
                "limit",
                "`requests_by_address`, `requests_by_user`, `sign_ins_by_account`, `sign_ins_by_address`, `sign_ins_slowed`, `sign_ups_by_address`, `sign_ups`, `searches_by_address`, `searches_by_user`, `searches`, `push_tests_by_user`, `stream_openings_by_address`, `stream_openings_by_user`, `connections`, `connections_by_address`, `streams`, `streams_by_address`, `streams_by_user`",
            )]),
            counter("gapless_sign_ins_total", "Sign-ins by outcome: `succeeded`, or the `code` of the refusal.")
                .by(&[("outcome", "`succeeded`, `wrong_credentials`, `banned`, `too_many_requests`, `unavailable`, …")]),
            counter("gapless_refresh_tokens_reused_total", "Spent refresh tokens presented after their successor was used. Each ended its session, since two parties held the token."),
        ],
    ),
    (
        "Posts",
        &[
            counter("gapless_posts_total", "Posts sent to the database, by outcome.").by(&[(
                "outcome",
                "`accepted`, `duplicate` (a safe retry), `conflict`, `no_right`, `no_room`, `unavailable`",
            )]),
            counter("gapless_posts_refused_total", "Posts not sent to the database: the queue was full, or they had waited so long that their callers were gone.")
                .by(&[("reason", "`queue_full`, `late`")]),
            gauge("gapless_writer_queue_length", "Posts waiting for the next commit."),
            Metric { name: "gapless_writer_batch_size", kind: Kind::Histogram, unit: Count, labels: &[], help: "Posts in one commit." },
            seconds("gapless_writer_commit_seconds", "Duration of one commit, including retries."),
            counter("gapless_writer_retries_total", "Commits retried because the database was unreachable or did not answer."),
        ],
    ),
    (
        "Delivery",
        &[
            seconds("gapless_commit_to_client_seconds", "Time from when the database numbers an event, its fsync included, until the event is written to a stream of this instance. Sampled: of the events applied together, one delivery to one reader, chosen by position. It compares the database's clock with this machine's."),
            counter("gapless_events_applied_total", "Events from the log applied on this instance."),
            counter("gapless_deliveries_total", "Deliveries of events to subscriptions: an event with ten recipients counts as ten."),
            counter("gapless_subscriptions_overflowed_total", "Readers that fell behind live delivery; each reads the log at its own pace until it has caught up."),
            gauge("gapless_log_position", "Log position up to which this instance has applied every event."),
            gauge("gapless_log_lag", "Log positions known to be committed but not yet applied on this instance."),
            gauge("gapless_news_queue_length", "Announcements of new events waiting to be put in order."),
            gauge("gapless_gate_events", "Events held back behind a missing one."),
        ],
    ),
    (
        "Streams",
        &[
            gauge("gapless_streams", "Open streams."),
            counter("gapless_streams_opened_total", "Streams opened, by how they started.")
                .by(&[("resume", "`live` (nothing missed), `replay` (the missed events follow), `reset` (too many were missed, or the history is another)")]),
            counter("gapless_streams_ended_total", "Streams ended, by reason.")
                .by(&[("reason", "`gone` (the client closed or vanished), `slow` (the client is connected but does not read), `expired`, `revoked`, `shutdown`, `busy`")]),
            counter("gapless_replay_reads_total", "Reads of the log for readers too far behind for the events in memory; readers at the same point share one."),
            gauge("gapless_rooms", "Rooms, by state.").by(&[("state", "`active`, `archived`")]),
            gauge("gapless_rooms_with_readers", "Rooms with at least one reader, on any instance in contact with this one."),
        ],
    ),
    (
        "Notifications to closed browsers",
        &[
            counter("gapless_pushes_total", "Notifications, by what became of them: one for each browser, and `retried` once for each further attempt.").by(&[(
                "outcome",
                "`accepted` (by the push service), `retried`, `given_up` (after the last attempt), `gone` (the browser has ended its subscription, which was removed), `refused` (by the push service, or an endpoint that is not allowed any more), `unneeded` (read, deleted or signed out meanwhile), `replaced` (by a newer one of the same room or sender), `expired`",
            )]),
            seconds("gapless_push_request_seconds", "Duration of a request to a push service."),
            gauge("gapless_push_services_paused", "Hosts of push services that did not answer, and are left alone for up to five minutes."),
        ],
    ),
    (
        "Between instances",
        &[
            gauge("gapless_backplane_connected", "1 while this instance receives its own probes through Redis, so that others can hear it; also 0 if the Redis user may not publish or subscribe. Absent without Redis."),
            gauge("gapless_instances_heard", "Other instances whose presence lease has not expired."),
            counter("gapless_backplane_published_total", "Messages published to Redis: one for each batch, presence report and probe."),
            counter("gapless_backplane_dropped_total", "Messages that Redis did not accept; the other instances read the log instead."),
            counter("gapless_backplane_garbage_total", "Messages on the Redis channel that are stale or not signed by this deployment: from the previous release during an upgrade, otherwise from a foreign sender. At most they cause a check of the log."),
            counter("gapless_news_dropped_total", "Announcements dropped because their queue was full; the events are read from the log."),
            counter("gapless_holes_total", "Holes in the log positions: an event arrived before one that precedes it."),
            seconds("gapless_hole_heal_seconds", "Time until a hole in the log positions was closed, by how; the count is the number of holes closed.")
                .by(&[("by", "`news` (the missing event arrived late), `read` (it was read from the log)")]),
            counter("gapless_log_looks_total", "Checks of the log's head: on a timer, or at most ten a second after unsigned messages.").by(&[("by", "`tick`, `hint`")]),
            counter("gapless_log_entries_unknown_total", "Log entries that this release does not understand and skips: a newer release shares the database."),
            counter("gapless_catch_up_reads_total", "Reads of the log by the applier, for events that were not announced or that it was asked to read."),
            counter("gapless_epoch_changes_total", "Times that the database's history changed: it was restored, or a replica took over."),
        ],
    ),
    (
        "Database",
        &[
            gauge("gapless_db_connections", "Connections to PostgreSQL. The pool `core` is reserved for posts and the log, `replay` for readers that resume.")
                .by(&[("pool", "`requests`, `core`, `replay`"), ("state", "`used`, `idle`")]),
            gauge("gapless_db_connections_limit", "Maximum number of connections of a pool.").by(&[("pool", "`requests`, `core`, `replay`")]),
            counter("gapless_log_read_failures_total", "Failed checks of the log's head. There is one check a second; a rate of 0.3 means that the database does not answer, since each check waits three seconds."),
        ],
    ),
    (
        "The process",
        &[
            gauge("process_resident_memory_bytes", "Resident memory.").unit(Bytes),
            counter("process_cpu_seconds_total", "CPU time, in whole seconds.").unit(Seconds),
            gauge("process_open_fds", "Open file descriptors; each connection uses one."),
            gauge("process_max_fds", "Maximum number of open file descriptors."),
            gauge("process_threads", "Threads of the process."),
            gauge("process_virtual_memory_bytes", "Virtual memory in use.").unit(Bytes),
            gauge("process_virtual_memory_max_bytes", "Maximum virtual memory.").unit(Bytes),
            gauge("gapless_tokio_tasks", "Live Tokio tasks."),
            gauge("gapless_tokio_queue_length", "Tokio tasks waiting in the shared queue for a worker."),
        ],
    ),
];

const PREFACE: &str = "\
# Metrics

The metrics that `GET /metrics` serves in the Prometheus text format. In demo mode anybody may read them. Otherwise
the endpoint requires `METRICS_TOKEN` as `Authorization: Bearer`, and is closed if none is set; `METRICS_PORT` opens a
separate port that serves nothing else, for a private network ([CONFIGURATION.md](CONFIGURATION.md)). No label contains
a name, an id, an address or a message, and the number of series does not grow with rooms, users or requests: a test
counts them.

[dashboard.json](dashboard.json) shows them in Grafana, [alerts.yml](alerts.yml) alerts on them, and
[RUNBOOK.md](RUNBOOK.md) says what to do about each alert.

This page is generated by `gapless metrics`; a test fails when it is out of date.
";

/// All metrics.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    CHAPTERS.iter().flat_map(|(_, metrics)| *metrics)
}

/// The page `docs/METRICS.md`.
pub fn page() -> String {
    let mut page = PREFACE.to_owned();
    for (title, metrics) in CHAPTERS {
        writeln!(page, "\n## {title}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|")
            .expect("a string takes any text");
        for Metric { name, kind, labels, help, .. } in metrics {
            let kind = format!("{kind:?}").to_lowercase();
            let labels: Vec<_> = labels.iter().map(|(label, values)| format!("`{label}`: {values}")).collect();
            writeln!(page, "| `{name}` | {kind} | {} | {help} |", labels.join("; ")).expect("a string takes any text");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == page(), "run `cargo run -- metrics > docs/METRICS.md`");
    }

    #[test]
    fn what_is_listed_is_what_is_counted() {
        let mut counted = BTreeSet::new();
        note_names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut counted);
        // Sampled by metrics-process; `tests/chat/watching.rs` reads them.
        counted.extend(all().map(|metric| metric.name.to_owned()).filter(|name| name.starts_with("process_")));
        let listed: BTreeSet<_> = all().map(|metric| metric.name.to_owned()).collect();
        assert_eq!(listed.len(), all().count(), "a name is listed once");
        assert_eq!(counted, listed, "counted on the left, listed on the right");
    }

    /// Collects the names in calls of the `metrics` macros, in every file below `dir`.
    fn note_names(dir: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                note_names(&path, names);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for call in ["counter!(", "gauge!(", "histogram!("].map(|call| format!("metrics::{call}")) {
                let calls = text.split(call.as_str()).skip(1);
                let literals = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                names.extend(literals.map(str::to_owned));
            }
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        for Metric { name, kind, unit, help, .. } in all() {
            assert!(name.starts_with("gapless_") || name.starts_with("process_"), "{name}");
            assert!(name.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_'), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}: counters end with _total");
            let stem = name.trim_end_matches("_total");
            assert_eq!(*unit == Seconds, stem.ends_with("_seconds"), "{name}: a unit is said, and is a base unit");
            assert_eq!(*unit == Bytes, stem.ends_with("_bytes"), "{name}: a unit is said, and is a base unit");
            assert!(!["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)), "{name}: that is a part");
            assert!(help.ends_with('.') && !help.contains('|'), "{name}: a sentence, in a table");
        }
    }
}

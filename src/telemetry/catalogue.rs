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

const CHAPTERS: [Chapter; 8] = [
    (
        "Is it up",
        &[
            gauge("gapless_build_info", "Always 1; the labels say what runs.")
                .by(&[("version", "the release"), ("commit", "what it was built from, or `unknown`")]),
            gauge("gapless_draining", "1 while this instance is leaving."),
            counter("gapless_readiness_probes_total", "Looks at the database for `/readyz`: one a second at most, however many ask."),
            gauge("process_start_time_seconds", "Start time of the process, since the epoch.").unit(Seconds),
        ],
    ),
    (
        "Requests",
        &[
            seconds("gapless_http_request_duration_seconds", "Time from a request's head to its answer's head; a stream counts when it is opened.").by(&[
                ("method", "the usual ones, or `other`"),
                ("path", "the pattern of the route, or `other`"),
                ("status", "of the answer"),
            ]),
            gauge("gapless_connections", "Open connections, streams among them."),
            counter("gapless_refusals_total", "Requests refused, by the `code` of the answer: `too_many_requests` is a rate, `unavailable` capacity or the database, `not_admin`, `muted` and the like rights.")
                .by(&[("code", "the stable codes of the API")]),
            counter("gapless_refusals_unlogged_total", "Answers of 400 and above beyond ten a second of one status: counted, and left out of the log."),
            counter("gapless_limits_hit_total", "How often somebody had used up a share, by what it is a share of.").by(&[(
                "limit",
                "`requests_by_address`, `requests_by_user`, `sign_ins_by_account`, `sign_ins_by_address`, `sign_ins_slowed`, `sign_ups_by_address`, `sign_ups`, `stream_openings_by_address`, `stream_openings_by_user`, `connections`, `connections_by_address`, `streams`, `streams_by_address`, `streams_by_user`",
            )]),
            counter("gapless_sign_ins_total", "Sign-ins by what became of them: `succeeded`, or the `code` of the refusal.")
                .by(&[("outcome", "`succeeded`, `wrong_credentials`, `banned`, `too_many_requests`, `unavailable`, …")]),
            counter("gapless_refresh_tokens_reused_total", "Spent refresh tokens that were shown after their successor was used, each of which ended its session: two held it."),
        ],
    ),
    (
        "Posts",
        &[
            counter("gapless_posts_total", "Posts that went to the database, by what became of them.").by(&[(
                "outcome",
                "`accepted`, `duplicate` (a safe retry), `conflict`, `no_right`, `no_room`, `unavailable`",
            )]),
            counter("gapless_posts_refused_total", "Posts that went nowhere: the queue was full, or they had waited so long that their callers were gone.")
                .by(&[("reason", "`queue_full`, `late`")]),
            gauge("gapless_writer_queue_length", "Posts that wait for the next commit."),
            Metric { name: "gapless_writer_batch_size", kind: Kind::Histogram, unit: Count, labels: &[], help: "Posts in one commit." },
            seconds("gapless_writer_commit_seconds", "Time of one commit, with every attempt that it took."),
            counter("gapless_writer_retries_total", "Commits tried again because the database was away or did not answer."),
        ],
    ),
    (
        "Delivery",
        &[
            seconds("gapless_commit_to_client_seconds", "From the moment the database numbered an event, its fsync included, to the end of the write on a stream of this instance. A sample: of the events that are applied together, one delivery to one reader, chosen by position. It compares the database's clock with this machine's."),
            counter("gapless_events_applied_total", "Events of the log that were applied here."),
            counter("gapless_deliveries_total", "Mailboxes that events were left in, summed up."),
            counter("gapless_subscriptions_overflowed_total", "Readers who fell behind live delivery; each reads the log at its own pace until it has caught up."),
            gauge("gapless_log_position", "The position up to which everything is heard here."),
            gauge("gapless_log_lag", "Positions that are known to be committed and not heard here yet."),
            gauge("gapless_news_queue_length", "News that waits to be put in order."),
            gauge("gapless_gate_events", "Events that wait behind a missing one."),
        ],
    ),
    (
        "Streams",
        &[
            gauge("gapless_streams", "Open streams."),
            counter("gapless_streams_opened_total", "Streams opened, by how they began.")
                .by(&[("resume", "`live` (nothing missed), `replay` (what was missed follows), `reset` (too much, or another history)")]),
            counter("gapless_streams_ended_total", "Streams ended, by why.")
                .by(&[("reason", "`gone` (the client closed, or has vanished), `slow` (it is there and reads nothing), `expired`, `revoked`, `shutdown`, `busy`")]),
            counter("gapless_replay_reads_total", "Reads of the log for readers who were further behind than memory reaches; a crowd shares one."),
            gauge("gapless_rooms", "Rooms of the chat.").by(&[("state", "`active`, `archived`")]),
            gauge("gapless_rooms_with_readers", "Rooms that somebody is in, on any instance that is heard."),
        ],
    ),
    (
        "Between instances",
        &[
            gauge("gapless_backplane_connected", "1 while this instance hears its own probes through Redis, and so can be heard: 0 also for a Redis user that may not publish or subscribe. Absent where there is one instance."),
            gauge("gapless_instances_heard", "Other instances whose lease of presence runs."),
            counter("gapless_backplane_published_total", "Publications sent to Redis: one for each batch, report of presence and probe."),
            counter("gapless_backplane_dropped_total", "Bulletins that Redis did not take; the others read the log."),
            counter("gapless_backplane_garbage_total", "Messages on the channel that are not signed by this chat, or not fresh: of the release before during an upgrade, and of strangers otherwise. Each is a hint to look at the log at most."),
            counter("gapless_news_dropped_total", "News that found its queue full; the log has it."),
            counter("gapless_holes_total", "How often an event came before one that precedes it."),
            seconds("gapless_hole_heal_seconds", "Time until a hole was closed, by what closed it: its count is the number of holes repaired.")
                .by(&[("by", "`news` that was merely late, or a `read` of the log")]),
            counter("gapless_log_looks_total", "Looks at the log's head: by the clock, or hinted at by an unsigned message, ten a second at most.").by(&[("by", "`tick`, `hint`")]),
            counter("gapless_log_entries_unknown_total", "Entries of the log that this release does not understand, and passes: a newer release shares the database."),
            counter("gapless_catch_up_reads_total", "Reads of the log by the applier, for what it was not told or was told to read."),
            counter("gapless_epoch_changes_total", "How often the database turned out to have another history: it was restored, or a copy took over."),
        ],
    ),
    (
        "Database",
        &[
            gauge("gapless_db_connections", "Connections to PostgreSQL. The pool `core` is for posts and the log alone, `replay` for readers who resume.")
                .by(&[("pool", "`requests`, `core`, `replay`"), ("state", "`used`, `idle`")]),
            gauge("gapless_db_connections_limit", "The most that a pool opens.").by(&[("pool", "`requests`, `core`, `replay`")]),
            counter("gapless_log_read_failures_total", "Looks at the log's head that failed. There is one a second: a rate of 0.3 means that the database does not answer (each waits three seconds)."),
        ],
    ),
    (
        "The process",
        &[
            gauge("process_resident_memory_bytes", "Memory held.").unit(Bytes),
            counter("process_cpu_seconds_total", "Time on a processor, in whole seconds.").unit(Seconds),
            gauge("process_open_fds", "Open descriptors; a connection is one."),
            gauge("process_max_fds", "The most that the system grants."),
            gauge("process_threads", "Threads of the process."),
            gauge("process_virtual_memory_bytes", "Address space in use.").unit(Bytes),
            gauge("process_virtual_memory_max_bytes", "The most address space that the system grants.").unit(Bytes),
            gauge("gapless_tokio_tasks", "Tasks alive."),
            gauge("gapless_tokio_queue_length", "Tasks that wait for a worker in the shared queue."),
        ],
    ),
];

const PREFACE: &str = "\
# Metrics

What `GET /metrics` says, in the text format of Prometheus. In demo mode anybody may read it. Otherwise it asks for
`METRICS_TOKEN` as `Authorization: Bearer`, and is closed where none is set; `METRICS_PORT` opens a port of its own that
answers nothing else, for a private network ([CONFIGURATION.md](CONFIGURATION.md)). No label holds a name, an id, an address or a text of anybody,
and the number of series does not grow with rooms, users or what is asked: a test counts them.

[dashboard.json](dashboard.json) shows them in Grafana, [alerts.yml](alerts.yml) watches them, [RUNBOOK.md](RUNBOOK.md) says what to do.

This page is made from the program by `gapless metrics`; a test fails when it is out of date.
";

/// All metrics.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    CHAPTERS.iter().flat_map(|(_, metrics)| *metrics)
}

/// The page `docs/METRICS.md`.
pub fn page() -> String {
    let mut page = PREFACE.to_owned();
    for (title, metrics) in CHAPTERS {
        writeln!(page, "\n## {title}\n\n| metric | kind | labels | what it is |\n|---|---|---|---|")
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

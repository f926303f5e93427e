//! The report of a run, as text and JSON. Each figure is on a separate line that begins with its name.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::checker::Findings;

/// Figures that must be zero.
pub const MUST_BE_ZERO: [&str; 12] = [
    "lost",
    "doubled",
    "reordered",
    "gaps",
    "phantoms",
    "leaked",
    "late after revocation",
    "after archive",
    "deaf",
    "wrong answers",
    "broken histories",
    "streams left open",
];

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Report {
    text: String,
    json: Map<String, Value>,
    pub violated: Vec<&'static str>,
}

impl Report {
    #[expect(clippy::cast_precision_loss, reason = "the bound is rounded to three digits")]
    pub fn of(findings: &Findings) -> Self {
        let Findings { header, violations, ledger, streams, rights, timing, head } = findings;
        let mut report = Self::default();
        report.line("seed", header.seed.to_string(), json!(header.seed));
        report.line("seconds", header.seconds.to_string(), json!(header.seconds));
        if let Some(mutant) = &header.mutant {
            report.line("mutant", mutant.clone(), json!(mutant));
        }
        report.count("acknowledged", ledger.acknowledged);
        let left: u64 = timing.streams_left.values().sum();
        for name in MUST_BE_ZERO {
            let count = if name == "streams left open" { left } else { violations.count(name) };
            report.count(name, count);
            if count > 0 {
                report.violated.push(name);
            }
        }
        let bound = 3.0 / ledger.acknowledged.max(1) as f64;
        report.line("95 % bound 3/N", format!("{bound:.2e}"), json!(bound));
        report.count("refused", ledger.refused);
        report.count("not known to the author", ledger.unknown);
        report.count("sent twice or more", ledger.repeated_acknowledgements);
        report.count("nonsense refused", ledger.invalid_inputs);
        report.count("positions", u64::try_from(*head).unwrap_or_default());
        report.count("events delivered", streams.delivered);
        report.count("streams opened", streams.opened);
        let resets: u64 = streams.resets.values().sum();
        report.count("resumes exact", streams.resumes.saturating_sub(resets));
        report.line("resumes reset", by_cause(&streams.resets), json!(streams.resets));
        report.line("streams ended", by_cause(&streams.byes), json!(streams.byes));
        report.count("rulings", rights.changes);
        report.times("revocation to end of stream", &rights.streams);
        report.times("revocation to refusal", &rights.requests);
        report.count("streams ended by expiry", rights.expiries);
        report.times("post, calm", &timing.posts.calm);
        report.times("post, faults", &timing.posts.faults);
        report.times("commit to client, calm", &timing.deliveries.calm);
        report.times("commit to client, faults", &timing.deliveries.faults);
        report.count("instances that ended and were started again", timing.restarts);
        report.line("machine busy elsewhere", millis(timing.stalled_for), json!(timing.stalled_for));
        report.count("holes healed by reading", timing.reads());
        if let Some(late) = &timing.late {
            report.times("events later than 100 ms", late);
        }
        for (kind, count) in timing.by_kind() {
            report.count(&format!("fault {kind}"), count);
        }
        for (kind, (median, longest)) in timing.recoveries() {
            let text = format!("median {}  max {}", millis(median), millis(longest));
            let value = json!({ "median_us": median, "max_us": longest });
            report.line(&format!("recovery {kind}"), text, value);
        }
        match timing.stale_presence {
            Some(time) => report.line("presence ghost time", format!("{time} ms"), json!(time)),
            None => report.line("presence ghost time", "not measured (--seconds 100 or more)".to_owned(), Value::Null),
        }
        for (instance, first) in &timing.first_resources {
            let Some(last) = timing.last_resources.get(instance) else { continue };
            let text = format!(
                "memory {} -> {} MiB, descriptors {} -> {}, threads {} -> {}, tasks {} -> {}",
                first.rss_kib / 1024,
                last.rss_kib / 1024,
                first.descriptors,
                last.descriptors,
                first.threads,
                last.threads,
                first.tasks,
                last.tasks
            );
            let value = json!({
                "rss_kib": [first.rss_kib, last.rss_kib],
                "descriptors": [first.descriptors, last.descriptors],
                "threads": [first.threads, last.threads],
                "tasks": [first.tasks, last.tasks],
            });
            report.line(&format!("instance {instance} at base"), text, value);
        }
        for (name, count, examples) in violations.iter() {
            writeln!(report.text, "\n{name}: {count}, such as").expect("a string takes any text");
            for example in examples {
                writeln!(report.text, "  {example}").expect("a string takes any text");
            }
        }
        report
    }

    fn line(&mut self, name: &str, text: String, value: Value) {
        writeln!(self.text, "{name:30} {text}").expect("a string takes any text");
        self.json.insert(name.to_owned(), value);
    }

    fn count(&mut self, name: &str, count: u64) {
        self.line(name, count.to_string(), json!(count));
    }

    fn times(&mut self, name: &str, of: &Histogram<u64>) {
        let (text, value) = summary(of);
        self.line(name, text, value);
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.json).expect("figures are plain JSON")
    }
}

fn by_cause(counts: &std::collections::BTreeMap<String, u64>) -> String {
    let causes: Vec<String> = counts.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    if causes.is_empty() { "0".to_owned() } else { causes.join(", ") }
}

/// Returns the quantiles, the maximum and the number of these durations, as text and as JSON.
pub fn summary(of: &Histogram<u64>) -> (String, Value) {
    let [p50, p99] = [0.5, 0.99].map(|quantile| of.value_at_quantile(quantile));
    let text = format!("p50 {}  p99 {}  max {}  of {}", millis(p50), millis(p99), millis(of.max()), of.len());
    (text, json!({ "p50_us": p50, "p99_us": p99, "max_us": of.max(), "count": of.len() }))
}

#[expect(clippy::cast_precision_loss, reason = "the figure is rounded to tenths")]
fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1000.0)
}

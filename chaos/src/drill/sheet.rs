//! What a drill measured: a line for each figure, beginning with its name, and the goal that it is held against.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::checker::Findings;
use crate::report::{MUST_BE_ZERO, millis};

/// What a figure is to be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// For the reader.
    None,
}

impl Goal {
    pub const ZERO: Self = Self::AtMost(0.0);

    fn is_missed_by(self, value: f64) -> bool {
        match self {
            // A figure that is not a number has reached nothing.
            Self::AtMost(most) => value.is_nan() || value > most,
            Self::AtLeast(least) => value.is_nan() || value < least,
            Self::None => false,
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Sheet {
    text: String,
    json: Map<String, Value>,
    missed: usize,
}

impl Sheet {
    /// A number with its unit; `name` is where a reader looks for it.
    pub fn number(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let shown = if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") };
        self.line(name, format!("{shown} {unit}").trim_end(), json!(value), value, goal);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a drill stay far below 2^52")]
    pub fn count(&mut self, name: &str, count: u64, goal: Goal) {
        self.number(name, count as f64, "", goal);
    }

    /// Microseconds; the goal is the quantile's, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "a minute has few microseconds")]
    pub fn times(&mut self, name: &str, of: &Histogram<u64>, quantile: f64, goal: Goal) {
        let [p50, p99] = [0.5, 0.99].map(|at| of.value_at_quantile(at));
        let text = format!("p50 {}  p99 {}  max {}  of {}", millis(p50), millis(p99), millis(of.max()), of.len());
        let value = json!({ "p50_us": p50, "p99_us": p99, "max_us": of.max(), "count": of.len() });
        let judged = if of.is_empty() { f64::NAN } else { of.value_at_quantile(quantile) as f64 / 1000.0 };
        self.line(name, &text, value, judged, goal);
    }

    /// What the checker says: nothing that must not be, with examples where something is.
    pub fn judge(&mut self, findings: &Findings) {
        self.count("acknowledged", findings.ledger.acknowledged, Goal::AtLeast(1.0));
        for name in MUST_BE_ZERO.iter().filter(|name| **name != "streams left open") {
            self.count(name, findings.faults.count(name), Goal::ZERO);
        }
        self.count("events delivered", findings.streams.delivered, Goal::None);
        for (name, _, examples) in findings.faults.iter() {
            for example in examples {
                writeln!(self.text, "  {name}: {example}").expect("writing to memory");
            }
        }
    }

    fn line(&mut self, name: &str, shown: &str, value: Value, judged: f64, goal: Goal) {
        let is_missed = goal.is_missed_by(judged);
        self.missed += usize::from(is_missed);
        let verdict = if is_missed { "MISSED" } else { "reached" };
        let (goal, said) = match goal {
            Goal::AtMost(most) => (json!({ "at_most": most }), format!("   <= {most}  {verdict}")),
            Goal::AtLeast(least) => (json!({ "at_least": least }), format!("   >= {least}  {verdict}")),
            Goal::None => (Value::Null, String::new()),
        };
        writeln!(self.text, "{name:44} {shown}{said}").expect("writing to memory");
        self.json.insert(name.to_owned(), json!({ "value": value, "goal": goal, "missed": is_missed }));
    }

    /// How many goals were not reached.
    pub const fn missed(&self) -> usize {
        self.missed
    }

    pub fn text(&self) -> String {
        let summary = match self.missed {
            0 => "every goal was reached".to_owned(),
            missed => format!("goals missed: {missed}"),
        };
        format!("{}\n{summary}\n", self.text)
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.json).expect("figures are plain JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::histogram;

    #[test]
    fn a_goal_is_missed_on_the_wrong_side_only() {
        let mut sheet = Sheet::default();
        sheet.number("a", 1.0, "s", Goal::AtMost(1.0));
        sheet.count("b", 3, Goal::AtLeast(3.0));
        sheet.count("c", 9, Goal::None);
        assert_eq!(sheet.missed(), 0);
        sheet.number("d", 1.1, "s", Goal::AtMost(1.0));
        sheet.count("e", 2, Goal::AtLeast(3.0));
        assert_eq!(sheet.missed(), 2);
        assert!(sheet.text().ends_with("goals missed: 2\n"), "{}", sheet.text());
    }

    #[test]
    fn nothing_measured_reaches_no_goal() {
        let mut sheet = Sheet::default();
        sheet.times("away", &histogram(), 1.0, Goal::AtMost(5000.0));
        assert_eq!(sheet.missed(), 1);
    }

    #[test]
    fn times_are_judged_by_their_quantile_in_milliseconds() {
        let mut times = histogram();
        for millis in 1..=100 {
            times.record(millis * 1000).unwrap();
        }
        let mut sheet = Sheet::default();
        sheet.times("median", &times, 0.5, Goal::AtMost(51.0));
        assert_eq!(sheet.missed(), 0);
        sheet.times("slowest", &times, 1.0, Goal::AtMost(51.0));
        assert_eq!(sheet.missed(), 1);
    }
}

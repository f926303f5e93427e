//! The figures of a drill, each on a line that begins with its name, and their goals.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use crate::checker::Findings;
use crate::report::{MUST_BE_ZERO, summary};

/// Goal of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// The figure is informative.
    None,
}

impl Goal {
    pub const ZERO: Self = Self::AtMost(0.0);

    fn is_missed_by(self, value: f64) -> bool {
        match self {
            // NaN: nothing was measured.
            Self::AtMost(most) => value.is_nan() || value > most,
            Self::AtLeast(least) => value.is_nan() || value < least,
            Self::None => false,
        }
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct ResultTable {
    text: String,
    json: Map<String, Value>,
    missed: usize,
}

impl ResultTable {
    /// Adds a number with its unit.
    pub fn number(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let shown = if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") };
        self.line(name, format!("{shown} {unit}").trim_end(), json!(value), value, goal);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a drill stay far below 2^52")]
    pub fn count(&mut self, name: &str, count: u64, goal: Goal) {
        self.number(name, count as f64, "", goal);
    }

    /// Adds durations in microseconds; the goal applies to this quantile, in milliseconds.
    #[expect(clippy::cast_precision_loss, reason = "a minute has few microseconds")]
    pub fn times(&mut self, name: &str, of: &Histogram<u64>, quantile: f64, goal: Goal) {
        let (text, value) = summary(of);
        let measured = if of.is_empty() { f64::NAN } else { of.value_at_quantile(quantile) as f64 / 1000.0 };
        self.line(name, &text, value, measured, goal);
    }

    /// Adds the checker's figures, which must be zero, with examples of violations.
    pub fn findings(&mut self, findings: &Findings) {
        self.count("acknowledged", findings.ledger.acknowledged, Goal::AtLeast(1.0));
        for name in MUST_BE_ZERO.iter().filter(|name| **name != "streams left open") {
            self.count(name, findings.violations.count(name), Goal::ZERO);
        }
        self.count("events delivered", findings.streams.delivered, Goal::None);
        for (name, _, examples) in findings.violations.iter() {
            for example in examples {
                writeln!(self.text, "  {name}: {example}").expect("a string takes any text");
            }
        }
    }

    fn line(&mut self, name: &str, shown: &str, value: Value, measured: f64, goal: Goal) {
        let is_missed = goal.is_missed_by(measured);
        self.missed += usize::from(is_missed);
        let verdict = if is_missed { "MISSED" } else { "reached" };
        let (goal, comparison) = match goal {
            Goal::AtMost(most) => (json!({ "at_most": most }), format!("   <= {most}  {verdict}")),
            Goal::AtLeast(least) => (json!({ "at_least": least }), format!("   >= {least}  {verdict}")),
            Goal::None => (Value::Null, String::new()),
        };
        writeln!(self.text, "{name:44} {shown}{comparison}").expect("a string takes any text");
        self.json.insert(name.to_owned(), json!({ "value": value, "goal": goal, "missed": is_missed }));
    }

    /// Returns the number of missed goals.
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
        let mut results = ResultTable::default();
        results.number("a", 1.0, "s", Goal::AtMost(1.0));
        results.count("b", 3, Goal::AtLeast(3.0));
        results.count("c", 9, Goal::None);
        assert_eq!(results.missed(), 0);
        results.number("d", 1.1, "s", Goal::AtMost(1.0));
        results.count("e", 2, Goal::AtLeast(3.0));
        assert_eq!(results.missed(), 2);
        assert!(results.text().ends_with("goals missed: 2\n"), "{}", results.text());
    }

    #[test]
    fn nothing_measured_reaches_no_goal() {
        let mut results = ResultTable::default();
        results.times("away", &histogram(), 1.0, Goal::AtMost(5000.0));
        assert_eq!(results.missed(), 1);
    }

    #[test]
    fn times_are_judged_by_their_quantile_in_milliseconds() {
        let mut times = histogram();
        for millis in 1..=100 {
            times.record(millis * 1000).unwrap();
        }
        let mut results = ResultTable::default();
        results.times("median", &times, 0.5, Goal::AtMost(51.0));
        assert_eq!(results.missed(), 0);
        results.times("slowest", &times, 1.0, Goal::AtMost(51.0));
        assert_eq!(results.missed(), 1);
    }
}

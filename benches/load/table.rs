//! The table that a run prints, and writes as JSON to compare runs.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

/// The goal of a row: an upper or lower limit.
#[derive(Clone, Copy)]
pub enum Goal {
    AtMost {
        good: f64,
        aim: f64,
    },
    AtLeast {
        good: f64,
        aim: f64,
    },
    /// Printed for information only.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Aim,
    Good,
    Missed,
    Unjudged,
}

pub struct Row {
    pub shape: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    pub value: f64,
    /// Without a baseline, the value itself is judged instead of the ratio.
    pub baseline: Option<f64>,
    pub goal: Goal,
}

#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    /// Notes under the table: use of CPU and other observations.
    notes: Vec<(&'static str, String)>,
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.baseline.map(|baseline| self.value / baseline)
    }

    fn verdict(&self) -> Verdict {
        let figure = self.ratio().unwrap_or(self.value);
        let (good, aim) = match self.goal {
            Goal::AtMost { good, aim } => (figure <= good, figure <= aim),
            Goal::AtLeast { good, aim } => (figure >= good, figure >= aim),
            Goal::None => return Verdict::Unjudged,
        };
        match (good, aim) {
            (_, true) => Verdict::Aim,
            (true, false) => Verdict::Good,
            (false, false) => Verdict::Missed,
        }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Aim => "aim",
            Self::Good => "good",
            Self::Missed => "MISSED",
            Self::Unjudged => "",
        }
    }
}

impl Table {
    /// Adds a row and prints it as progress.
    pub fn add(&mut self, row: Row) {
        println!("  {}", line(&row));
        self.rows.push(row);
    }

    pub fn note(&mut self, shape: &'static str, note: String) {
        println!("  {shape}: {note}");
        self.notes.push((shape, note));
    }

    pub fn print(&self) {
        println!(
            "\n{:<14} {:<38} {:>12} {:>12} {:>7} {:>8} {:>8}  verdict",
            "shape", "figure", "value", "baseline", "ratio", "good", "aim"
        );
        for row in &self.rows {
            println!("{}", line(row));
        }
        for (shape, note) in &self.notes {
            println!("  {shape}: {note}");
        }
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let rows: Vec<Value> = self.rows.iter().map(object).collect();
        let notes: Vec<Value> =
            self.notes.iter().map(|(shape, note)| json!({ "shape": shape, "note": note })).collect();
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let text = serde_json::to_string_pretty(&json!({ "rows": rows, "notes": notes }))?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        println!("\nwritten to {}", path.display());
        Ok(())
    }
}

fn goals(goal: Goal) -> Option<(f64, f64, &'static str)> {
    match goal {
        Goal::AtMost { good, aim } => Some((good, aim, "≤")),
        Goal::AtLeast { good, aim } => Some((good, aim, "≥")),
        Goal::None => None,
    }
}

fn line(row: &Row) -> String {
    let optional = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
    let goal = |pick: fn((f64, f64, &'static str)) -> f64| {
        goals(row.goal).map_or_else(String::new, |goal| format!("{} {}", goal.2, pick(goal)))
    };
    format!(
        "{:<14} {:<38} {:>12} {:>12} {:>7} {:>8} {:>8}  {}",
        row.shape,
        format!("{}, {}", row.what, row.unit),
        number(row.value),
        optional(row.baseline),
        row.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
        goal(|goal| goal.0),
        goal(|goal| goal.1),
        row.verdict().word(),
    )
}

/// Formats three significant figures, and thousands without a fraction.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn object(row: &Row) -> Value {
    let goal = goals(row.goal);
    json!({
        "shape": row.shape,
        "figure": row.what,
        "unit": row.unit,
        "value": row.value,
        "baseline": row.baseline,
        "ratio": row.ratio(),
        "good": goal.map(|goal| goal.0),
        "aim": goal.map(|goal| goal.1),
        "verdict": row.verdict().word(),
    })
}

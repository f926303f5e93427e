//! Terminal output: each step when it starts, and its duration.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Runs `work` as a named step.
pub fn step<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("{} {name}", bold("==>"));
    let since = Instant::now();
    let done = work();
    if done.is_ok() && since.elapsed() > Duration::from_secs(1) {
        eprintln!("    {name}: done in {}", seconds(since.elapsed()));
    }
    done
}

/// Prints a note within a step.
pub fn note(what: &str) {
    eprintln!("    {what}");
}

pub fn seconds(time: Duration) -> String {
    let secs = time.as_secs();
    if secs < 60 { format!("{:.1} s", time.as_secs_f64()) } else { format!("{} min {:02} s", secs / 60, secs % 60) }
}

pub fn bold(text: &str) -> String {
    paint("1", text)
}

pub fn red(text: &str) -> String {
    paint("1;31", text)
}

pub fn green(text: &str) -> String {
    paint("32", text)
}

pub fn colourful() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn paint(code: impl Display, text: &str) -> String {
    if colourful() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

//! Documentation of the settings: `docs/CONFIGURATION.md`, and the output of `gapless config`. Both are generated from
//! [`Settings`], so they cannot become outdated.

use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args as _, Command};

use super::Settings;

/// Beginning of the page: settings in general, and `RUST_LOG`, which is not one of them.
const PREFACE: &str = "\
# Configuration

Every setting is an environment variable and a flag of the same name (`PORT` and `--port`); the flag wins. An empty secret, list or
directory counts as one that is not set. `gapless config` prints the effective settings without secrets, and
`gapless config --check` names everything that is wrong with them at once. `RUST_LOG` filters the log (`info,sqlx=warn` by default).

This page is made from the program by `gapless config --reference`; a test fails when it is out of date.

| variable | default | what it is |
|---|---|---|
";

/// The page `docs/CONFIGURATION.md`.
pub fn page() -> String {
    let mut page = PREFACE.to_owned();
    for arg in command().get_arguments() {
        let Some(variable) = variable(arg) else { continue };
        let default = default(arg).map_or_else(String::new, |default| format!("`{default}`"));
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choices: Vec<_> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let choices = if choices.is_empty() { String::new() } else { format!(" ({})", choices.join(", ")) };
        writeln!(page, "| `{variable}` | {default} | {help}{choices} |").expect("a string takes any text");
    }
    page
}

/// Returns the effective settings, one per line, and the source of each. Secrets are not shown, only whether they are
/// set.
pub fn effective(matches: &ArgMatches) -> String {
    let mut lines = String::new();
    for arg in command().get_arguments() {
        let Some(variable) = variable(arg) else { continue };
        let name = arg.get_id().as_str();
        let said = matches
            .get_raw(name)
            .map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>().join(","));
        let source = match matches.value_source(name) {
            Some(ValueSource::CommandLine) => "flag",
            Some(ValueSource::EnvVariable) => "environment",
            _ => "default",
        };
        let shown = match said {
            None => "(not set)".to_owned(),
            Some(value) if value.is_empty() => "(empty)".to_owned(),
            Some(_) if arg.is_hide_env_values_set() => "(secret)".to_owned(),
            Some(value) => value,
        };
        writeln!(lines, "{variable}={shown}  # {source}").expect("a string takes any text");
    }
    lines
}

fn command() -> Command {
    Settings::augment_args(Command::new("gapless"))
}

fn variable(arg: &Arg) -> Option<String> {
    arg.get_env().map(|name| name.to_string_lossy().into_owned())
}

fn default(arg: &Arg) -> Option<String> {
    let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_documentation_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == page(), "run `cargo run -- config --reference > docs/CONFIGURATION.md`");
    }

    #[test]
    fn the_effective_settings_say_that_there_is_a_secret_and_not_which() {
        let line = ["gapless", "--database-url=postgres://u:hush@db/x", "--jwt-signing-key=hush", "--port=1"];
        let shown = effective(&command().get_matches_from(line));
        assert!(shown.contains("DATABASE_URL=(secret)  # flag"), "{shown}");
        assert!(shown.contains("PORT=1  # flag"), "{shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
}

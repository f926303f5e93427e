//! Checks flyctl commands in docs and workflows against flyctl's reference: its releases add and remove flags and
//! commands, and no other check would notice.

use std::fs;

use anyhow::{Context, bail, ensure};

use crate::root;

/// Files that may contain `fly …` or `flyctl …`.
const PLACES: [&str; 5] = [
    "README.md",
    "docs/DEPLOY.md",
    "docs/RUNBOOK.md",
    ".github/workflows/deploy-api.yml",
    ".github/workflows/deploy-frontend.yml",
];

/// Used commands and flags, from the reference (<https://fly.io/docs/flyctl/>, read on 2026-11-29).
const COMMANDS: [(&str, &[&str]); 26] = [
    ("apps create", &["--org"]),
    ("apps open", &["--app"]),
    ("auth login", &[]),
    ("certs add", &["--app"]),
    ("checks list", &["--app"]),
    ("deploy", &["--app", "--build-arg", "--env", "--ha", "--image", "--remote-only"]),
    ("logs", &["--app"]),
    ("mpg attach", &["--app", "--database", "--username", "--variable-name"]),
    ("mpg create", &["--name", "--org", "--pg-major-version", "--plan", "--region", "--volume-size"]),
    ("mpg list", &["--org"]),
    ("platform regions", &[]),
    ("postgres", &[]),
    ("postgres attach", &["--app"]),
    (
        "postgres create",
        &["--enable-backups", "--initial-cluster-size", "--name", "--region", "--vm-size", "--volume-size"],
    ),
    ("redis create", &["--disable-eviction", "--name", "--no-replicas", "--region"]),
    ("releases", &["--app", "--image"]),
    ("scale count", &["--app"]),
    ("scale vm", &["--app", "--vm-memory"]),
    ("secrets list", &["--app"]),
    ("secrets set", &["--app", "--stage"]),
    ("secrets unset", &["--app"]),
    ("ssh console", &["--app", "--command"]),
    ("status", &["--app"]),
    ("tokens create deploy", &["--app", "--expiry"]),
    ("volumes list", &["--app"]),
    ("mpg", &[]),
];

pub fn check() -> anyhow::Result<()> {
    let mut seen = 0;
    for place in PLACES {
        let text = fs::read_to_string(root().join(place)).with_context(|| format!("cannot read {place}"))?;
        let is_page = std::path::Path::new(place).extension().is_some_and(|end| end == "md");
        for code in if is_page { code_of(&text) } else { text.lines().collect() } {
            for command in commands(code) {
                is_known(&command).with_context(|| format!("{place}: `{}`", command.join(" ")))?;
                seen += 1;
            }
        }
    }
    ensure!(seen > 20, "only {seen} flyctl commands were found; more than 20 were expected");
    Ok(())
}

/// Returns fenced lines and inline code.
fn code_of(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line);
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Returns the words after each `fly` or `flyctl` up to the end of the command, a quoted string as one word.
fn commands(code: &str) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut inside = false;
    for word in words(code) {
        match word.as_str() {
            "fly" | "flyctl" => {
                found.push(Vec::new());
                inside = true;
            }
            "&&" | "||" | "|" | ";" | "\\" => inside = false,
            comment if comment.starts_with('#') => break,
            _ if inside => found.last_mut().expect("one was begun").push(word),
            _ => {}
        }
    }
    // Ignore the program's name without a command.
    found.retain(|command| !command.is_empty());
    found
}

/// Splits at spaces outside of quotes.
fn words(code: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for sign in code.chars() {
        match (quote, sign) {
            (None, '\'' | '"') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(sign),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_known(command: &[String]) -> anyhow::Result<()> {
    let begins = |name: &str| {
        let mut given = command.iter();
        name.split(' ').all(|word| given.next().is_some_and(|given| given == word))
    };
    // Match `postgres create` before `postgres`.
    let longest = COMMANDS.iter().filter(|(name, _)| begins(name)).max_by_key(|(name, _)| name.len());
    let Some((name, flags)) = longest else { bail!("flyctl has no such command, or it is not listed here yet") };
    for flag in command.iter().filter(|word| word.starts_with("--")) {
        let flag = flag.split_once('=').map_or(flag.as_str(), |(flag, _)| flag);
        ensure!(flags.contains(&flag), "`fly {name}` has no {flag}, or it is not listed here yet");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(code: &str) -> Result<(), String> {
        commands(code).iter().try_for_each(|command| is_known(command).map_err(|error| error.to_string()))
    }

    #[test]
    fn documented_commands_are_known() {
        check().unwrap();
    }

    #[test]
    fn removed_commands_and_flags_are_refused() {
        assert_eq!(verdict("fly scale vm shared-cpu-4x --vm-memory 2048"), Ok(()));
        assert!(verdict("fly scale vm shared-cpu-4x --memory 2048").unwrap_err().contains("no --memory"));
        assert!(verdict("fly open --app x").unwrap_err().contains("no such command"));
        assert!(verdict("cd x && flyctl deploy --remote=only").unwrap_err().contains("no --remote"));
    }

    #[test]
    fn a_command_ends_where_the_shell_ends_it() {
        let found = commands("NEW=1 fly ssh console --command '/gapless keys rotate' && ls --all # fly nothing");
        assert_eq!(found, [["ssh", "console", "--command", "/gapless keys rotate"].map(str::to_owned)]);
    }
}

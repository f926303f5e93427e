//! Checks that variables set in `.env.example`, `compose.yaml` and the systemd unit are settings of the program: a
//! mistyped name would otherwise be noticed only in a deployment.

use std::fs;

use anyhow::{Context, ensure};

use crate::rehearse::services;
use crate::{root, scratch};

pub fn check() -> anyhow::Result<()> {
    let read = |name: &str| fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"));
    let reference = read("docs/CONFIGURATION.md")?;
    let example = read(".env.example")?;
    are_known(".env.example", assigned(&example), &reference)?;
    let unit = read("docs/gapless.service")?;
    let lines = unit.lines().filter_map(|line| line.strip_prefix("Environment="));
    are_known("docs/gapless.service", lines.flat_map(str::split_whitespace).filter_map(name), &reference)?;
    let services = services(&scratch("tools")?, &[])?;
    let instances: Vec<_> = services.iter().filter(|service| service.build.as_deref() == Some(".")).collect();
    ensure!(instances.len() >= 2, "compose.yaml has {} instances of the API, but 2 are required", instances.len());
    let set = instances.iter().flat_map(|service| service.env.iter().map(|(name, _)| name.as_str()));
    are_known("compose.yaml", set, &reference)
}

/// Returns the names in an environment file, including those that are commented out.
fn assigned(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| name(line.trim_start_matches("# ")))
}

/// Returns the name in `NAME=value`.
fn name(assignment: &str) -> Option<&str> {
    let (name, _) = assignment.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(|sign| sign.is_ascii_uppercase() || sign == '_');
    is_name.then_some(name)
}

fn are_known<'a>(file: &str, names: impl Iterator<Item = &'a str>, reference: &str) -> anyhow::Result<()> {
    let names: Vec<_> = names.collect();
    ensure!(!names.is_empty(), "{file} sets no variables");
    let unknown: Vec<_> = names.into_iter().filter(|name| !reference.contains(&format!("| `{name}` |"))).collect();
    ensure!(unknown.is_empty(), "{file} sets variables that the program does not read: {}", unknown.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_against_the_reference() {
        let names: Vec<_> = assigned("# A file of settings = words\nPORT=1\n# JWT_SIGNING_KEY=\nsize=2\n").collect();
        assert_eq!(names, ["PORT", "JWT_SIGNING_KEY"]);
        let reference = "| `PORT` | `8080` |\n";
        assert!(
            are_known("a file", names.into_iter(), reference).unwrap_err().to_string().ends_with("JWT_SIGNING_KEY")
        );
        are_known("a file", ["PORT"].into_iter(), reference).unwrap();
    }
}

//! Checks the parts of the guides that people copy: shell commands, the Caddyfile, and the systemd unit.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::run;
use crate::{process, root, scratch, step, tools};

pub fn check(shellcheck: &Path) -> anyhow::Result<()> {
    let dir = scratch("tools")?.join("guide");
    fs::create_dir_all(&dir)?;
    for page in ["README.md", "docs/DEPLOY.md", "docs/RUNBOOK.md"] {
        let text = fs::read_to_string(root().join(page)).with_context(|| format!("cannot read {page}"))?;
        let script = dir.join("commands.sh");
        // One script per page, since later commands use variables that earlier ones set. The reader replaces words in
        // angle brackets.
        let commands = blocks(&text, "sh").join("\n").replace(['<', '>'], "");
        fs::write(&script, format!("#!/usr/bin/env bash\n# shellcheck disable=SC2034,SC2164\n{commands}"))?;
        run(shellcheck.to_owned(), [script.as_os_str()])
            .with_context(|| format!("shellcheck rejects the commands of {page}"))?;
    }
    let guide = fs::read_to_string(root().join("docs/DEPLOY.md"))?;
    let caddyfiles = blocks(&guide, "caddyfile");
    ensure!(!caddyfiles.is_empty(), "docs/DEPLOY.md contains no Caddyfile");
    if tools::caddy_if_installed().is_some() {
        for text in caddyfiles {
            let file = dir.join("Caddyfile");
            fs::write(&file, text)?;
            caddy_takes(&file)?;
        }
        caddy_takes(Path::new("frontend/Caddyfile"))?;
    } else {
        step::note("Caddy is not installed; skipping the check of the Caddyfiles");
    }
    unit_is_sound()
}

fn caddy_takes(file: &Path) -> anyhow::Result<()> {
    let caddy = tools::caddy_if_installed().context("cannot find Caddy")?;
    process::read(
        Command::new(caddy).args(["validate", "--adapter", "caddyfile", "--config"]).arg(file).current_dir(root()),
    )
    .map(drop)
}

/// Checks the unit with systemd, which also rates the exposure of the sandbox from 0 (none) to 10.
fn unit_is_sound() -> anyhow::Result<()> {
    const UNIT: &str = "docs/gapless.service";
    if process::find("systemd-analyze").is_none() {
        step::note(&format!("systemd is not installed; skipping the check of {UNIT}"));
        return Ok(());
    }
    let dir = scratch("tools")?.join("guide");
    let text = fs::read_to_string(root().join(UNIT)).with_context(|| format!("cannot read {UNIT}"))?;
    // systemd checks that the programs exist, but the server is not installed at this path here.
    let unit = dir.join("gapless.service");
    fs::write(&unit, text.replace("/usr/local/bin/gapless", "/bin/true"))?;
    let said = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output()?;
    let complaints: Vec<_> = std::str::from_utf8(&said.stderr)
        .unwrap_or_default()
        .lines()
        .filter(|line| line.contains("gapless.service"))
        .map(str::to_owned)
        .collect();
    ensure!(complaints.is_empty(), "systemd reports problems in {UNIT}:\n{}", complaints.join("\n"));
    let threshold = "--threshold=20";
    process::read(Command::new("systemd-analyze").args(["security", "--offline=true", threshold]).arg(&unit))
        .map(drop)
        .with_context(|| format!("the sandbox of {UNIT} is too open: its exposure exceeds 2.0 of 10"))
}

/// Returns the text of each fenced block of `language`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    let fence = format!("```{language}");
    while let Some(line) = lines.next() {
        if line == fence {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn blocks_are_told_apart_by_their_language() {
        let text = "a\n```sh\none\n```\n```shell\nno\n```\n```sh\ntwo\nthree\n```\n";
        assert_eq!(blocks(text, "sh"), ["one\n", "two\nthree\n"]);
    }
}

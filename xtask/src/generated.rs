//! Generated files that are committed: the OpenAPI document and the client generated from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::{frontend, process, root, run, step};

/// `cargo xtask openapi`.
pub fn regenerate() -> anyhow::Result<()> {
    let server = run::build_server(false)?;
    frontend::prepare()?;
    let document = process::read(Command::new(server).arg("openapi"))?;
    fs::write(frontend::dir().join("openapi.json"), document).context("cannot write frontend/openapi.json")?;
    step::step("generate the API client", || frontend::npm_run("api", &[]))
}

/// Regenerates all files. Fails if any differed, and names them; they are then up to date and can be committed.
pub fn check_fresh() -> anyhow::Result<()> {
    let before = contents()?;
    regenerate()?;
    let after = contents()?;
    let stale: Vec<String> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| path.strip_prefix(root()).unwrap_or(path).display().to_string())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    if !stale.is_empty() {
        bail!("these files were out of date and have been regenerated; commit them: {}", stale.join(", "));
    }
    Ok(())
}

fn contents() -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    collect(&frontend::dir().join("openapi.json"), &mut files)?;
    collect(&frontend::dir().join("src/api/gen"), &mut files)?;
    collect(&frontend::dir().join("src/realtime/events.ts"), &mut files)?;
    Ok(files)
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.exists() {
        files.insert(path.to_owned(), fs::read(path)?);
    }
    Ok(())
}

//! Searches the repository for secrets. `detect-secrets` scans every file that is or could be committed; anything that
//! it finds and that was not reviewed is an error.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::{process, root, scratch, step};

/// Digests of reviewed findings: examples in documents, passwords of the demo and of tests. Created by
/// `detect-secrets scan` with the arguments of [`scanner`]; a finding whose line moves stays known.
const KNOWN: &str = ".secrets.baseline";

/// This plugin reports `password = "…"`, which many tests of sign-ins contain; other plugins find random strings.
const NOISE: &str = "KeywordDetector";

pub fn check(python: &Path) -> anyhow::Result<()> {
    finds_what_is_planted(python)?;
    let Some(listed) = process::git(&["ls-files", "--cached", "--others", "--exclude-standard"]) else {
        step::note("this is not a git clone; skipping the search for secrets");
        return Ok(());
    };
    let files: Vec<_> =
        listed.lines().filter(|file| root().join(file).is_file() && *file != KNOWN && !is_binary(file)).collect();
    ensure!(files.len() > 100, "git lists only {} files; is this a clone?", files.len());
    // A copy, since the scanner updates the file when a line moves.
    let known = scratch("tools")?.join("secrets.baseline");
    fs::copy(root().join(KNOWN), &known).with_context(|| format!("cannot copy {KNOWN}"))?;
    let found = scanner(python).arg("--baseline").arg(&known).args(files).current_dir(root()).output();
    let found = found.context("cannot run the secret scanner")?;
    // 3: nothing new, but a line has moved.
    ensure!(
        matches!(found.status.code(), Some(0 | 3)),
        "the tree may contain a new secret. If it is a false alarm, run\n    git ls-files | xargs {} scan \
         --disable-plugin {NOISE} --no-verify --baseline {KNOWN}\nand review the difference.\n{}{}",
        python.with_file_name("detect-secrets").display(),
        String::from_utf8_lossy(&found.stdout),
        String::from_utf8_lossy(&found.stderr),
    );
    Ok(())
}

fn scanner(python: &Path) -> Command {
    let mut scanner = Command::new(python.with_file_name("detect-secrets-hook"));
    // `--no-verify`: findings are not sent anywhere to test whether they work.
    scanner.args(["--disable-plugin", NOISE, "--no-verify"]);
    scanner
}

fn is_binary(file: &str) -> bool {
    [".png", ".woff2", ".ico", ".svg"].iter().any(|end| file.ends_with(end))
}

/// Checks that the scanner works: it must find typical secrets in files created for it. They are assembled at run
/// time, so that this file contains none.
fn finds_what_is_planted(python: &Path) -> anyhow::Result<()> {
    let dir = scratch("tools")?.join("planted");
    fs::create_dir_all(&dir)?;
    let planted = [
        ("settings.env", format!("JWT_SIGNING_KEY={}\n", random_looking(16, 64))),
        ("fly.toml", format!("[env]\n  JWT_SIGNING_KEY = \"{}\"\n", random_looking(16, 64))),
        ("address.ts", format!("const url = \"postgres://gapless:{}@db.internal/gapless\";\n", random_looking(36, 20))),
        ("key.pem", format!("-----BEGIN {} KEY-----\n{}\n", "RSA PRIVATE", random_looking(36, 64))),
        ("deploy.yml", format!("env:\n  TOKEN: {}_{}\n", "ghp", random_looking(36, 36))),
        ("aws.rs", format!("const ID: &str = \"{}{}\";\n", "AKIA", random_looking(36, 16).to_uppercase())),
    ];
    for (name, text) in planted {
        let file = dir.join(name);
        fs::write(&file, text)?;
        let found = scanner(python).arg(&file).output().context("cannot run the secret scanner")?;
        ensure!(found.status.code() == Some(1), "the secret scanner does not find the planted secret in {name}");
    }
    fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Returns `count` pseudo-random digits of `radix`, the same each time.
fn random_looking(radix: u32, count: usize) -> String {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(1_u32), next).skip(1).take(count);
    states.filter_map(|state| char::from_digit((state >> 16) % radix, radix)).collect()
}

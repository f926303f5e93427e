//! Rotation of the signing key of a running chat: nobody is signed out, and tokens of a removed key are refused.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use crate::actors::{Database, FOUNDER, Launch, PASSWORD, Program, User};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::test]
async fn tokens_outlive_a_rotation_and_end_with_their_key() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("signing-key");
    gapless_prints(&["keys", "generate"], Some(&file));
    let database = Database::create().await;
    let launch = Launch::on(&database.url()).with("JWT_SIGNING_KEY", "").with("JWT_SIGNING_KEY_FILE", file.display());
    let mut program = launch.start().await;
    let before = User::sign_in(program.guest(), FOUNDER, PASSWORD).await;

    gapless_prints(&["keys", "rotate", "--file", &file.display().to_string()], None);
    restart(&mut program).await;
    before.get("/users/me").await.is(200);
    let after = User::sign_in(program.guest(), FOUNDER, PASSWORD).await;
    let kid = |user: &User| user.access_token().split('.').next().map(str::to_owned);
    assert_ne!(kid(&before), kid(&after), "the new key signs");

    let kept = std::fs::read_to_string(&file).expect("the key file");
    assert_eq!(kept.lines().count(), 2, "the new key and the previous one");
    std::fs::write(&file, kept.lines().next().expect("a first line")).expect("a file");
    restart(&mut program).await;
    after.get("/users/me").await.is(200);
    before.get("/users/me").await.refused(401, "invalid_token");
    // Only the token is invalid, not the session: its holder gets a new one.
    before.refreshed().await.get("/users/me").await.is(200);
}

async fn restart(program: &mut Program) {
    program.signal(Signal::TERM);
    assert!(program.ends_within(PATIENCE).await.success());
    program.start_again();
    program.is_ready().await;
}

/// Runs a command of the program, and writes its output to the file if one is given.
fn gapless_prints(args: &[&str], into: Option<&Path>) {
    let output = Command::new(env!("CARGO_BIN_EXE_gapless")).args(args).env_clear().output().expect("it runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    if let Some(file) = into {
        std::fs::write(file, output.stdout).expect("a file");
    }
}

//! The operator's commands on a new database, from the first error to a running server: settings, schema, admin,
//! health and metrics.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use gapless::store::embedded::EmbeddedPostgres;
use rand::Rng as _;
use reqwest::{Client, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const START: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);
const PASSWORD: &str = "a long password";

/// An operator whose environment contains only the given settings.
struct Operator<'a> {
    dir: &'a Path,
    settings: Vec<(&'static str, String)>,
}

impl Operator<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
        command
            .args(args)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir)
            .stdin(Stdio::null());
        command
    }

    fn runs(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    /// Runs a command that succeeds, and returns its output.
    fn prints(&self, args: &[&str]) -> String {
        let output = self.runs(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command that fails, and returns its error.
    fn complains(&self, args: &[&str]) -> String {
        let output = self.runs(args);
        assert!(!output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).expect("text")
    }
}

/// Killed when dropped, so also after a failed test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn from_an_empty_database_to_a_signed_in_admin() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let postgres = EmbeddedPostgres::start(dir.path(), None).await.expect("a private PostgreSQL");
    let (port, metrics_port) = (free_port(), free_port());
    let mut operator = Operator { dir: dir.path(), settings: vec![("DATABASE_URL", postgres.url().to_owned())] };

    let wrong = operator.complains(&["config", "--check"]);
    assert!(wrong.contains("gapless keys generate"), "{wrong}");
    let key = operator.prints(&["keys", "generate"]);
    let file = dir.path().join("key");
    std::fs::write(&file, &key).expect("a file");
    operator.settings.extend([
        ("JWT_SIGNING_KEY_FILE", file.display().to_string()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
        ("METRICS_PORT", metrics_port.to_string()),
        ("METRICS_TOKEN", "hush".to_owned()),
        ("DRAIN_DELAY_SECS", "3".to_owned()),
    ]);
    assert!(operator.prints(&["config", "--check"]).contains("Demo mode is off"));
    let shown = operator.prints(&["config"]);
    assert!(
        shown.contains("DATABASE_URL=(secret)") && !shown.contains("hush") && !shown.contains(key.trim()),
        "{shown}"
    );

    operator.prints(&["migrate"]);
    operator.prints(&["migrate"]);
    let mut create = operator.command(&["admin", "create", "Root", "--password-stdin"]);
    let mut create = create.stdin(Stdio::piped()).spawn().expect("the program runs");
    writeln!(create.stdin.take().expect("a pipe"), "{PASSWORD}").expect("it reads");
    assert!(create.wait().expect("it ends").success());
    assert!(operator.complains(&["admin", "promote", "nobody"]).contains("`nobody` has no account"));
    assert!(operator.complains(&["healthcheck"]).contains("No server answers"));

    let mut serving = Serving(operator.command(&[]).stderr(Stdio::null()).spawn().expect("the program runs"));
    let began = Instant::now();
    while !operator.runs(&["healthcheck"]).status.success() {
        assert!(began.elapsed() < START, "the server is not ready");
        tokio::time::sleep(POLL).await;
    }
    let http = Client::new();
    let at = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    let login = json!({"username": "root", "password": PASSWORD});
    let session = http.post(at(port, "/auth/login")).json(&login).send().await.expect("an answer");
    assert_eq!(session.json::<Value>().await.expect("JSON")["user"]["role"], "admin");
    let demo = json!({"username": "admin", "password": "admin"});
    let demo = http.post(at(port, "/auth/login")).json(&demo).send().await.expect("an answer");
    assert_eq!(demo.status(), StatusCode::UNAUTHORIZED, "no demo account outside demo mode");

    let counted = http.get(at(port, "/metrics")).send().await.expect("an answer");
    assert_eq!(counted.status(), StatusCode::UNAUTHORIZED);
    let counted = http.get(at(port, "/metrics")).bearer_auth("hush").send().await.expect("an answer");
    assert_eq!(counted.status(), StatusCode::OK);
    let counted = http.get(at(metrics_port, "/metrics")).send().await.expect("an answer");
    assert!(counted.text().await.expect("text").contains("gapless_build_info"));
    let other = http.get(at(metrics_port, "/rooms")).send().await.expect("an answer");
    assert_eq!(other.status(), StatusCode::NOT_FOUND, "that port serves nothing else");

    let former = operator.prints(&["admin", "reset-password", "root"]);
    let password = former.lines().find_map(|line| line.strip_prefix("Password: ")).expect("it is printed once");
    for (password, expected) in [(PASSWORD, StatusCode::UNAUTHORIZED), (password, StatusCode::OK)] {
        let login = json!({"username": "root", "password": password});
        let answer = http.post(at(port, "/auth/login")).json(&login).send().await.expect("an answer");
        assert_eq!(answer.status(), expected);
    }

    let pid = i32::try_from(serving.0.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
    kill_process(pid, Signal::TERM).expect("it is our child");
    while operator.runs(&["healthcheck"]).status.success() {
        assert!(began.elapsed() < START, "it does not report that it shuts down");
    }
    let late = http.get(at(port, "/rooms")).send().await.expect("it accepts requests until the proxy has noticed");
    assert_eq!(late.status(), StatusCode::OK);
    assert!(serving.0.wait().expect("it is our child").success(), "it exits successfully after SIGTERM");
}

#[test]
fn a_shell_completes_the_commands() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let operator = Operator { dir: dir.path(), settings: Vec::new() };
    for shell in ["bash", "zsh", "fish"] {
        let script = operator.prints(&["completions", shell]);
        assert!(script.contains("healthcheck") && script.contains("database-url"), "{shell}: {script}");
        std::fs::write(dir.path().join(shell), script).expect("a file");
    }
    let press_tab =
        "source ./bash; COMP_WORDS=(gapless heal); COMP_CWORD=1; _gapless gapless heal gapless; echo $COMPREPLY";
    let completed = Command::new("bash").args(["-c", press_tab]).current_dir(dir.path()).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "healthcheck");
}

#[test]
fn all_wrong_settings_are_reported_at_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wrong = [("PORT", "http"), ("HEARTBEAT_SECS", "0"), ("DATABASE_URL", "db"), ("TRUSTED_PROXY", "everybody")];
    let settings = wrong.map(|(name, value)| (name, value.to_owned())).to_vec();
    let operator = Operator { dir: dir.path(), settings };
    for args in [&["config", "--check"][..], &[]] {
        let said = operator.complains(args);
        for name in ["PORT", "HEARTBEAT_SECS", "DATABASE_URL", "JWT_SIGNING_KEY", "TRUSTED_PROXY"] {
            assert!(said.contains(&format!("{name}: ")) || said.contains(&format!("{name} is")), "{name} in {said}");
        }
        assert_eq!(said.lines().count(), 5, "{said}");
    }
}

#[test]
fn a_misspelt_name_is_reported_with_the_other_errors() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let settings = vec![("REDIS_CONECTION", "cache".to_owned()), ("PGHOST", "db".to_owned())];
    let operator = Operator { dir: dir.path(), settings };
    let said = operator.prints(&["config", "--check"]);
    assert!(said.contains("REDIS_CONECTION is set") && said.contains("did you mean REDIS_CONNECTION?"), "{said}");
    assert!(!said.contains("PGHOST"), "{said}");
}

fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            return port;
        }
    }
}

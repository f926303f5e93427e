//! Runs every `gapless …` command on the pages for operators, in the order in which a new operator needs them. The test
//! fails if a page names a command that is not in this script, and if a command fails.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gapless::store::embedded::EmbeddedPostgres;

const PAGES: [&str; 4] = ["README.md", "docs/DEPLOY.md", "docs/RUNBOOK.md", "docs/CONFIGURATION.md"];

/// In order of execution. A page contains each command or its beginning. `NAME` and `FILE` are placeholders.
const SCRIPT: [&str; 20] = [
    "keys generate",
    "keys vapid",
    "config",
    "config --check",
    "config --reference",
    "migrate",
    "admin create you",
    "admin create NAME",
    "admin promote NAME",
    "admin reset-password NAME",
    "admin invite",
    "doctor",
    "keys rotate",
    "keys rotate --file FILE",
    "export",
    "admin erase NAME",
    "new-epoch",
    "completions bash",
    "completions zsh",
    "completions fish",
];

/// Commands that need a running server, or are run again beside one.
const WHILE_SERVING: [&str; 2] = ["healthcheck", "doctor"];

/// Requires an empty chat: tested by tests/chat/transfer.rs.
const ELSEWHERE: [&str; 1] = ["import"];

const START: Duration = Duration::from_secs(40);

#[tokio::test]
async fn documented_commands_work() {
    let told: BTreeSet<String> = PAGES.iter().flat_map(|page| commands(&read(page))).collect();
    assert!(told.len() > 8, "the pages name only {told:?}");
    let typed =
        |told: &str| SCRIPT.iter().chain(&WHILE_SERVING).chain(&ELSEWHERE).any(|typed| begins_with(typed, told));
    let missing: Vec<_> = told.iter().filter(|told| !typed(told)).collect();
    assert!(missing.is_empty(), "documented, but not run here: {missing:?}");

    let dir = tempfile::tempdir().expect("a temporary directory");
    let postgres = EmbeddedPostgres::start(dir.path(), None).await.expect("a private PostgreSQL");
    let machine = Machine { dir: dir.path(), database_url: postgres.url(), port: free_port() };
    for command in SCRIPT {
        machine.types(command);
    }
    let mut serving = Serving(machine.command("").stderr(Stdio::null()).spawn().expect("the program runs"));
    let began = Instant::now();
    while !machine.command("healthcheck").output().expect("the program runs").status.success() {
        assert!(began.elapsed() < START, "the server is not ready");
        assert!(serving.0.try_wait().expect("it is our child").is_none(), "the server ended");
    }
    for command in WHILE_SERVING {
        machine.types(command);
    }
}

/// The machine on which the commands are run.
struct Machine<'a> {
    dir: &'a Path,
    database_url: &'a str,
    port: u16,
}

impl Machine<'_> {
    fn command(&self, words: &str) -> Command {
        let key = self.dir.join("key");
        let own = |word: &str| match word {
            "NAME" => "ada".to_owned(),
            "FILE" => key.display().to_string(),
            word => word.to_owned(),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_gapless"));
        command.args(words.split_whitespace().map(own)).env_clear();
        command
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("DATABASE_URL", self.database_url)
            .env("PORT", self.port.to_string())
            .env("HOST", "127.0.0.1")
            // `doctor` requires these on a machine with few descriptors.
            .env("ALLOWED_ORIGINS", "https://chat.example.org")
            .env("MAX_STREAMS", "500")
            .current_dir(self.dir)
            .stdin(Stdio::null());
        if key.exists() {
            command.env("JWT_SIGNING_KEY_FILE", key);
        }
        command
    }

    fn types(&self, words: &str) {
        let output = self.command(words).output().expect("the program runs");
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(output.status.success(), "gapless {words}: {said}");
        assert!(!output.stdout.is_empty(), "gapless {words} prints nothing");
        if words == "keys generate" {
            std::fs::write(self.dir.join("key"), output.stdout).expect("a file");
        }
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

/// Returns the commands after `gapless` in code on a page: `admin create NAME`; `create|promote` are two commands, and
/// `[--check]` is optional.
fn commands(page: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut code = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line);
        } else {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code.into_iter().flat_map(told).collect()
}

fn told(code: &str) -> Vec<String> {
    let words: Vec<&str> = code.split_whitespace().collect();
    // `'/gapless` and `KEY="$(gapless` also begin a command.
    let is_program =
        |word: &str| ["gapless", "/gapless"].contains(&word.rsplit(['\'', '"', '(']).next().unwrap_or(word));
    let mut found = Vec::new();
    for place in (0..words.len()).filter(|place| is_program(words[*place])) {
        let mut said = vec![String::new()];
        for word in &words[place + 1..] {
            let ended = word.ends_with(['\'', '"', ')']);
            let word = word.trim_end_matches(['\'', '"', ')']);
            let is_word = word.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '-' || sign == '[');
            if !is_word {
                break;
            }
            let choices: Vec<&str> = match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(option) => vec!["", option],
                None => word.split('|').collect(),
            };
            let longer = |said: &String| choices.iter().map(|word| format!("{said} {word}")).collect::<Vec<_>>();
            said = said.iter().flat_map(longer).collect();
            if ended {
                break;
            }
        }
        found.extend(said.iter().map(|said| said.trim().to_owned()).filter(|said| !said.is_empty()));
    }
    found
}

/// Compares word by word: `admin create NAME` covers `admin create`.
fn begins_with(typed: &str, told: &str) -> bool {
    let mut typed = typed.split_whitespace();
    told.split_whitespace().all(|word| typed.next() == Some(word))
}

#[test]
fn commands_are_found_where_pages_show_code() {
    let page = "`gapless config [--check]` and gapless alone, `gapless admin create|promote NAME`\n\
                ```sh\nfly ssh console --command '/gapless admin create you'\nKEY=\"$(gapless keys generate)\" other\n\
                install gapless.service /etc\n```\n";
    let found: Vec<_> = commands(page).into_iter().collect();
    let expected =
        ["admin create NAME", "admin create you", "admin promote NAME", "config", "config --check", "keys generate"];
    assert_eq!(found, expected);
}

fn read(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its own address").port()
}

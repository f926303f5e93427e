//! Tests the API against its OpenAPI document: Schemathesis sends valid and invalid requests, and
//! checks every response. It is a Python program, installed under `target/tools`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::process::{Running, run_and_read};
use crate::test::{Scratch, Tally, free_port, without_database};
use crate::{database, process, root, run, scratch, step, tools};

const VERSION: &str = "4.32.5";

/// Fewer would test some thirty operations too little.
const LEAST_CASES: u64 = 2_000;

const START_TIMEOUT: Duration = Duration::from_secs(30);

pub fn check() -> anyhow::Result<Tally> {
    let program = install()?;
    let server = run::build_server(false)?;
    let dir = Scratch::make("gapless-schemathesis")?;
    let port = free_port()?;
    let log = fs::File::create(dir.0.join("server.log"))?;
    let mut command = Command::new(server);
    without_database(&mut command);
    let _server = Running::start(
        command
            .env("POSTGRES_BIN_DIR", database::find_or_fetch(&database::data_dir())?)
            .env("DATA_DIR", &dir.0)
            .env("PORT", port.to_string())
            .env("DEMO_MODE", "true")
            .env("RATE_LIMITS", "off")
            .stdout(log.try_clone()?)
            .stderr(log),
    )?;
    wait_until_ready(port).with_context(|| fs::read_to_string(dir.0.join("server.log")).unwrap_or_default())?;

    let config = root().join("tests/schemathesis");
    let (status, printed) = run_and_read(
        Command::new(program)
            .arg("--config-file")
            .arg(config.join("schemathesis.toml"))
            .args(["run", &format!("http://127.0.0.1:{port}/openapi.json")])
            .current_dir(&dir.0)
            .env("PYTHONPATH", &config)
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env("GAPLESS_URL", format!("http://127.0.0.1:{port}")),
    )?;
    let cases = cases(&printed).context("cannot find the number of cases in Schemathesis's output")?;
    if !status.success() {
        bail!("a response does not match the OpenAPI document, or a request caused a server error; see above");
    }
    if cases < LEAST_CASES {
        bail!("only {cases} cases were run; at least {LEAST_CASES} are required");
    }
    step::note(&format!("{cases} cases, every check passed"));
    Ok(Tally::STEP)
}

fn install() -> anyhow::Result<PathBuf> {
    let tools = scratch("tools")?.join(format!("schemathesis-{VERSION}"));
    let program = tools.join("bin/schemathesis");
    if !program.exists() {
        let python = tools::python()?;
        step::step("install Schemathesis (once)", || {
            process::run(Command::new(python).args(["-m", "venv"]).arg(&tools))?;
            process::run(
                Command::new(tools.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .arg(format!("schemathesis=={VERSION}")),
            )
        })
        .context("cannot install Schemathesis: check the network")?;
    }
    Ok(program)
}

fn wait_until_ready(port: u16) -> anyhow::Result<()> {
    let since = Instant::now();
    while since.elapsed() < START_TIMEOUT {
        if run::answer_of(port, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Ok(());
        }
        crate::interrupt::check()?;
        sleep(Duration::from_millis(50));
    }
    bail!("the server did not become ready within {} s", START_TIMEOUT.as_secs())
}

/// Parses the number in Schemathesis' line `Test cases: 2345 generated, …`.
fn cases(printed: &str) -> Option<u64> {
    let plain = crate::test::plain_text(printed);
    let line = plain.lines().rfind(|line| line.contains("generated"))?;
    line.split_whitespace().map(|word| word.replace(',', "")).find_map(|word| word.parse().ok())
}

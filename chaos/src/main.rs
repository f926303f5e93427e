//! The program `chaos`; see the library.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use gapless_chaos::drill::{self, Drill, DrillOptions, network};
use gapless_chaos::laptop;
use gapless_chaos::mutants::{LENGTH, MUTANTS, Mutant};
use gapless_chaos::options::{Options, USAGE};
use gapless_chaos::report::Report;
use gapless_chaos::run::{self, Plan};
use gapless_chaos::schedule::FaultKind;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let done = tokio::select! {
        done = command() => done,
        // Returning stops all processes of the run.
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn interrupted() {
    let mut terminated = signal(SignalKind::terminate()).expect("a process may handle SIGTERM");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}

async fn command() -> anyhow::Result<ExitCode> {
    let Some(options) = Options::parse(lexopt::Parser::from_env())? else {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    if let (Some(address), Some(room)) = (options.laptop, options.room) {
        match laptop::run(address, room).await {}
    }
    if options.plan_only {
        run::print_schedule(options.seed, options.length(), FaultKind::ALL);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(dir) = &options.judge {
        return Ok(print_report(&Report::of(&run::check_again(dir)?)));
    }
    if let Some(drill) = options.drill {
        return run_drill(drill, &options).await;
    }
    if options.all_mutants {
        return run_all_mutants(&options).await;
    }
    Ok(print_report(&run_once(&options, options.mutant).await?))
}

async fn run_drill(drill: Drill, options: &Options) -> anyhow::Result<ExitCode> {
    if drill == Drill::Network
        && let Err(error) = network::wire::enter()
    {
        println!("skipping the drill `network`: {error:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let dir = options.dir.join(format!("drill-{}", drill.name()));
    eprintln!("{}; history and logs are in {}", drill.name(), dir.display());
    let drill_options = DrillOptions {
        server: &options.server,
        dir: &dir,
        mutant: options.mutant.map(|mutant| mutant.name),
        streams: options.streams,
        lid: Duration::from_secs(options.lid_secs),
    };
    let results = drill::perform(drill, &drill_options).await?;
    fs::write(dir.join("figures.json"), results.json()).context("cannot write the figures")?;
    print!("{}", if options.json { results.json() } else { results.text() });
    Ok(if results.missed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_report(report: &Report) -> ExitCode {
    print!("{}", report.text());
    if report.violated.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nviolated: {}", report.violated.join(", "));
    ExitCode::FAILURE
}

/// Performs a run and writes its report. `mutant`: the seeded bug of the server.
async fn run_once(options: &Options, mutant: Option<&'static Mutant>) -> anyhow::Result<Report> {
    let (name, length, kinds) = match mutant {
        None => (format!("seed-{}", options.seed), options.length(), FaultKind::ALL),
        Some(mutant) => {
            let length = options.seconds.map_or(LENGTH, Duration::from_secs);
            (format!("mutant-{}", mutant.name), length, mutant.kinds)
        }
    };
    let plan = Plan {
        seed: options.seed,
        length,
        rate: options.rate,
        kinds,
        mutant: mutant.map(|mutant| mutant.name),
        server: &options.server,
        dir: options.dir.join(name),
    };
    eprintln!("seed {} for {} s; history and logs are in {}", plan.seed, length.as_secs(), plan.dir.display());
    let report = Report::of(&run::run(&plan).await?);
    let path = plan.dir.join("report.json");
    fs::write(&path, report.json()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(report)
}

/// Runs every mutant; succeeds if all are caught.
async fn run_all_mutants(options: &Options) -> anyhow::Result<ExitCode> {
    let mut caught = 0;
    for mutant in &MUTANTS {
        let report =
            run_once(options, Some(mutant)).await.with_context(|| format!("cannot run the mutant {}", mutant.name))?;
        let is_caught = mutant.is_caught_by(&report.violated);
        caught += usize::from(is_caught);
        let verdict = if is_caught { "caught" } else { "ESCAPED" };
        println!("{:24} {verdict:8} violated: {}", mutant.name, report.violated.join(", "));
        if !is_caught {
            print!("{}", report.text());
        }
    }
    println!("caught {caught}/{}", MUTANTS.len());
    Ok(if caught == MUTANTS.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

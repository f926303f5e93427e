//! `chaos`: see the library.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use gapless_chaos::drill::{self, Course, Drill, network};
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
        // Returning ends everything that was started.
        () = told_to_stop() => Err(anyhow::anyhow!("interrupted")),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn told_to_stop() {
    let mut terminated = signal(SignalKind::terminate()).expect("this signal may be listened to");
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
    if let Some(dir) = &options.judged {
        return Ok(announce(&Report::of(&run::judge(dir)?)));
    }
    if let Some(drill) = options.drill {
        return perform(drill, &options).await;
    }
    if options.all_mutants {
        return catch_all(&options).await;
    }
    let report = match &options.mutant {
        None => chaos(&options).await?,
        Some(name) => release(&options, named(name)?).await?,
    };
    Ok(announce(&report))
}

fn named(name: &str) -> anyhow::Result<&'static Mutant> {
    let names = || MUTANTS.iter().map(|mutant| mutant.name).collect::<Vec<_>>().join(", ");
    Mutant::named(name).with_context(|| format!("there is no mutant `{name}`; the mutants are {}", names()))
}

async fn perform(drill: Drill, options: &Options) -> anyhow::Result<ExitCode> {
    if drill == Drill::Network
        && let Err(error) = network::wire::enter()
    {
        println!("skipping the drill `network`: {error:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let dir = options.dir.join(format!("drill-{}", drill.name()));
    eprintln!("{}; history and logs are in {}", drill.name(), dir.display());
    let mutant = options.mutant.as_deref().map(named).transpose()?.map(|mutant| mutant.name);
    let lid = Duration::from_secs(options.lid_secs);
    let course = Course { server: &options.server, dir: &dir, mutant, streams: options.streams, lid };
    let sheet = drill::perform(drill, &course).await?;
    fs::write(dir.join("figures.json"), sheet.json()).context("cannot write the figures")?;
    print!("{}", if options.json { sheet.json() } else { sheet.text() });
    Ok(if sheet.missed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn announce(report: &Report) -> ExitCode {
    print!("{}", report.text());
    if report.fell.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nviolated: {}", report.fell.join(", "));
    ExitCode::FAILURE
}

/// A run of the server as it is.
async fn chaos(options: &Options) -> anyhow::Result<Report> {
    let kinds = FaultKind::ALL.to_vec();
    let dir = options.dir.join(format!("seed-{}", options.seed));
    let Options { seed, rate, .. } = *options;
    write(Plan { seed, length: options.length(), rate, kinds, mutant: None, server: options.server.clone(), dir }).await
}

/// A run of a server with a bug.
async fn release(options: &Options, mutant: &Mutant) -> anyhow::Result<Report> {
    let dir = options.dir.join(format!("mutant-{}", mutant.name));
    let length = options.seconds.map_or(LENGTH, Duration::from_secs);
    let Options { seed, rate, .. } = *options;
    let mutant_name = MUTANTS.iter().find(|other| other.name == mutant.name).map(|mutant| mutant.name);
    let kinds = mutant.kinds.to_vec();
    write(Plan { seed, length, rate, kinds, mutant: mutant_name, server: options.server.clone(), dir }).await
}

async fn write(plan: Plan) -> anyhow::Result<Report> {
    eprintln!("seed {} for {} s; history and logs are in {}", plan.seed, plan.length.as_secs(), plan.dir.display());
    let findings = run::run(&plan).await?;
    let report = Report::of(&findings);
    let path = plan.dir.join("report.json");
    fs::write(&path, report.json()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(report)
}

async fn catch_all(options: &Options) -> anyhow::Result<ExitCode> {
    let mut caught = 0;
    for mutant in &MUTANTS {
        let report =
            release(options, mutant).await.with_context(|| format!("cannot run the mutant {}", mutant.name))?;
        let is_caught = mutant.is_caught_by(&report.fell);
        caught += usize::from(is_caught);
        let verdict = if is_caught { "caught" } else { "ESCAPED" };
        println!("{:24} {verdict:8} violated: {}", mutant.name, report.fell.join(", "));
        if !is_caught {
            print!("{}", report.text());
        }
    }
    println!("caught {caught}/{}", MUTANTS.len());
    Ok(if caught == MUTANTS.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

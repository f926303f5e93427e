//! `cargo xtask rehearse`: a deployment where there is no container engine. Both Dockerfiles' steps are run as they stand in
//! empty directories; what they make is started as `compose.yaml` says, two instances behind its proxy and the app beside
//! them; and people use it in a real browser, from another site than the API's.
//!
//! What it cannot show: the real base images, whose place this machine's toolchains and libraries take, and an engine's network.

mod compose;
mod container;
mod context;
mod dockerfile;
mod image;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::process::Running;
use crate::test::{Scratch, Tally, counted_by_playwright, free_port, start_redis};
use crate::{database, frontend, interrupt, process, root, run, scratch, step, tools};
use compose::Service;
pub use compose::services;
use container::{Container, Kept};
use image::{Build, Image};

const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Use this server instead of building one for release, which takes minutes
    #[arg(long, value_name = "PATH", value_parser = |path: &str| std::path::absolute(path))]
    server: Option<PathBuf>,
}

/// The part of `cargo xtask test`: everything but the release build, where this machine can do it.
pub fn check() -> anyhow::Result<Tally> {
    if let Some(obstacle) = obstacle() {
        step::note(&format!("not rehearsed here: {obstacle}. The CI job `images` builds and starts both images"));
        return Ok(Tally::default());
    }
    rehearse(&Options { server: Some(run::build_server(false)?) })
}

/// Why a program cannot be given a root of its own here.
fn obstacle() -> Option<&'static str> {
    if !cfg!(target_os = "linux") {
        return Some("it takes Linux");
    }
    if !rustix::process::geteuid().is_root() {
        return Some("only root can give a program another root");
    }
    let may = Command::new("unshare").args(["--mount", "--pid", "--fork", "true"]).output();
    (!may.is_ok_and(|tried| tried.status.success())).then_some("this machine forbids namespaces")
}

pub fn rehearse(options: &Options) -> anyhow::Result<Tally> {
    if let Some(obstacle) = obstacle() {
        bail!("a deployment cannot be rehearsed here: {obstacle}");
    }
    let images = Images::build(options)?;
    let dir = Scratch::make("gapless-rehearsal")?;
    let deployment = step::step("start what compose.yaml names", || Deployment::start(&images, &dir))?;
    step::step("use it in a browser", || {
        frontend::prepare()?;
        let mut command = frontend::npm("deployed", &[]);
        command
            .env("CHROMIUM_PATH", tools::chromium()?)
            .env("GAPLESS_PAGE_URL", &deployment.page)
            .env("GAPLESS_API_URL", &deployment.api)
            .env("GAPLESS_INSTANCES", &dir.0)
            .env("CI", "1");
        counted_by_playwright(&mut command)
    })
    .inspect(|tally| {
        if tally.failed > 0 {
            deployment.show_logs(&dir.0);
        }
    })
    .inspect_err(|_| deployment.show_logs(&dir.0))
}

struct Images {
    api: Arc<Image>,
    web: Arc<Image>,
}

impl Images {
    fn build(options: &Options) -> anyhow::Result<Self> {
        let commit = process::git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
        let api = step::step("run the steps of Dockerfile", || {
            Build {
                context: root(),
                dir: scratch("rehearsal")?.join("api"),
                args: vec![("GAPLESS_COMMIT", commit.trim().to_owned())],
                instead_of_cargo: options.server.as_deref(),
            }
            .run()
        })?;
        let web = step::step("run the steps of frontend/Dockerfile", || {
            let dir = scratch("rehearsal")?.join("web");
            Build { context: &frontend::dir(), dir, args: Vec::new(), instead_of_cargo: None }.run()
        })?;
        Ok(Self { api: Arc::new(api), web: Arc::new(web) })
    }
}

/// Everything that runs; stopped in the order of its fields.
struct Deployment {
    page: String,
    api: String,
    names: Vec<String>,
    _services: Vec<Kept>,
    _proxy: Running,
    _redis: Running,
    _database: database::OverTcp,
}

/// Where a service listens here in place of the name that it has in `compose.yaml`.
struct Place {
    name: &'static str,
    here: String,
}

impl Deployment {
    fn start(images: &Images, dir: &Scratch) -> anyhow::Result<Self> {
        let database = database::OverTcp::start(&dir.0.join("data"))?;
        let (redis_url, redis) = start_redis(dir)?;
        let [api_1, api_2, proxy, web] = [free_port()?, free_port()?, free_port()?, free_port()?];
        let on_loopback = |port: u16| format!("127.0.0.1:{port}");
        let places = [
            Place { name: "postgres:5432", here: on_loopback(database.port) },
            Place { name: "redis:6379", here: redis_url.trim_start_matches("redis://").to_owned() },
            Place { name: "api-1:8080", here: on_loopback(api_1) },
            Place { name: "api-2:8080", here: on_loopback(api_2) },
        ];
        // To a browser two sites, as two apps of a platform are.
        let page = format!("http://web.localhost:{web}");
        let api = format!("http://api.localhost:{proxy}");
        let services = services(&dir.0, &[("ALLOWED_ORIGINS", &page), ("API_URL", &api)])?;
        let service = |name: &str| {
            services.iter().find(|service| service.name == name).with_context(|| format!("compose.yaml has no {name}"))
        };
        let container = |service: &Service, image: &Arc<Image>, port: u16| {
            let mut env: Vec<_> =
                service.env.iter().map(|(name, value)| (name.clone(), moved(value, &places))).collect();
            env.push(("PORT".to_owned(), port.to_string()));
            Container { image: Arc::clone(image), name: service.name.clone(), env, dir: dir.0.clone() }
        };

        let first = container(service("api-1")?, &images.api, api_1);
        let second = container(service("api-2")?, &images.api, api_2);
        // As Fly does before it replaces a machine.
        first.runs(&[images.api.entrypoint.clone(), release_command()?].concat())?;
        // As an operator does from a shell: the image's program with other arguments.
        first.runs(&[images.api.entrypoint.as_slice(), &["admin", "create", "you"].map(str::to_owned)].concat())?;
        let mut kept = Vec::new();
        for instance in [&first, &second] {
            kept.push(instance.keep_running()?);
            until(&instance.name, || instance.is_healthy().is_ok())?;
        }
        let config = service("proxy")?.config.as_ref().context("the proxy has no configuration")?;
        let proxy = start_proxy(Path::new(config), proxy, &places)?;
        let pages = container(service("web")?, &images.web, web);
        kept.push(pages.keep_running()?);
        // Its own check asks by the base's shell, which is not here; this is what it asks.
        until("web", || run::answer_of(web, "/livez").is_some_and(|answer| answer.ends_with("alive")))?;
        let names = services.into_iter().map(|service| service.name).collect();
        Ok(Self { page, api, names, _services: kept, _proxy: proxy, _redis: redis, _database: database })
    }

    fn show_logs(&self, dir: &Path) {
        for name in &self.names {
            if let Ok(log) = fs::read_to_string(dir.join(format!("{name}.log"))) {
                let last = log.lines().rev().take(20).collect::<Vec<_>>();
                eprintln!("--- {name}\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
        }
    }
}

fn moved(text: &str, places: &[Place]) -> String {
    places.iter().fold(text.to_owned(), |text, place| text.replace(place.name, &place.here))
}

/// The proxy's image is Caddy's own, so this machine's Caddy is given the configuration.
fn start_proxy(config: &Path, port: u16, places: &[Place]) -> anyhow::Result<Running> {
    let text = fs::read_to_string(config)?;
    ensure!(text.starts_with(":8080 {"), "compose.yaml publishes the proxy's port 8080");
    let here = moved(&text, places).replacen(":8080 {", &format!(":{port} {{"), 1);
    fs::write(config, format!("{{\n\tadmin off\n}}\n{here}"))?;
    let log = fs::File::create(config.with_file_name("proxy.log"))?;
    let home = config.with_file_name("caddy");
    let proxy = Running::start(
        Command::new(tools::caddy()?)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(config)
            .env("XDG_DATA_HOME", &home)
            .env("XDG_CONFIG_HOME", &home)
            .stdout(log.try_clone()?)
            .stderr(log),
    )?;
    until("proxy", || run::answer_of(port, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")))?;
    Ok(proxy)
}

/// What `fly.toml` runs with the image of a new release before its machines start.
fn release_command() -> anyhow::Result<Vec<String>> {
    let fly = fs::read_to_string(root().join("fly.toml")).context("fly.toml")?;
    let line = fly.lines().find_map(|line| line.trim().strip_prefix("release_command = "));
    let command = line.context("fly.toml has no release_command")?.trim_matches('"');
    Ok(command.split_whitespace().map(str::to_owned).collect())
}

fn until(name: &str, mut is_so: impl FnMut() -> bool) -> anyhow::Result<()> {
    let since = Instant::now();
    while !is_so() {
        interrupt::check()?;
        ensure!(since.elapsed() < START, "{name} did not start within {} s", START.as_secs());
        sleep(POLL);
    }
    Ok(())
}

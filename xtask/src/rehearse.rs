//! `cargo xtask rehearse`: runs the services of `compose.yaml` as processes (two instances behind its proxy, and the
//! app) and tests them in a real browser, with the app and the API on different sites.
//!
//! The CI job `images` builds the images and starts the same services, but stops none. This also replaces one instance
//! after the other under load, kills all of them while a page is open, and runs the commands of a new release.

mod compose;
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::process::Running;
use crate::test::{Outcome, Scratch, counted_by_playwright, free_port, start_redis};
use crate::{database, frontend, interrupt, root, run, step, tools};
pub use compose::services;
use program::{Kept, Program};

const START: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Build the server for release, which takes minutes
    #[arg(long)]
    release: bool,
}

/// The part of `cargo xtask test`.
pub fn check() -> anyhow::Result<Outcome> {
    rehearse(&Options { release: false })
}

pub fn rehearse(options: &Options) -> anyhow::Result<Outcome> {
    let server = run::build_server(options.release)?;
    frontend::build()?;
    let dir = Scratch::make("gapless-rehearsal")?;
    let deployment = step::step("start the services of compose.yaml", || Deployment::start(server, &dir))?;
    step::step("test them in a browser", || {
        let mut command = frontend::npm("deployed", &[]);
        command
            .env("CHROMIUM_PATH", tools::chromium()?)
            .env("GAPLESS_PAGE_URL", &deployment.page)
            .env("GAPLESS_API_URL", &deployment.api)
            .env("GAPLESS_INSTANCES", &dir.0)
            .env("CI", "1");
        counted_by_playwright(&mut command)
    })
    .inspect(|outcome| {
        if outcome.tally.failed > 0 {
            deployment.show_logs(&dir.0);
        }
    })
    .inspect_err(|_| deployment.show_logs(&dir.0))
}

/// All running processes; stopped in the order of the fields.
struct Deployment {
    page: String,
    api: String,
    names: Vec<String>,
    _services: Vec<Kept>,
    _proxy: Running,
    _redis: Running,
    _database: database::OverTcp,
}

/// The local address that replaces a service's name in `compose.yaml`.
struct Place {
    name: &'static str,
    here: String,
}

impl Deployment {
    fn start(server: PathBuf, dir: &Scratch) -> anyhow::Result<Self> {
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
        // Two sites to a browser, like two apps on a platform.
        let page = format!("http://web.localhost:{web}");
        let api = format!("http://api.localhost:{proxy}");
        let services = services(&dir.0, &[("ALLOWED_ORIGINS", &page), ("API_URL", &api)])?;
        let service = |name: &str| {
            services.iter().find(|service| service.name == name).with_context(|| format!("compose.yaml has no {name}"))
        };
        let data = dir.0.join("api").display().to_string();
        let instance = |name: &str, port: u16| {
            let env = service(name)?.env.iter().map(|(name, value)| (name.clone(), moved(value, &places)));
            let ours = [("PORT", port.to_string()), ("DATA_DIR", data.clone()), ("LOG_FORMAT", "json".to_owned())];
            let env = env.chain(ours.map(|(name, value)| (name.to_owned(), value))).collect();
            anyhow::Ok(Program {
                path: server.clone(),
                args: Vec::new(),
                name: name.to_owned(),
                env,
                dir: dir.0.clone(),
            })
        };

        let (first, second) = (instance("api-1", api_1)?, instance("api-2", api_2)?);
        // Like Fly before it replaces a machine.
        first.runs(&release_command()?.split_whitespace().collect::<Vec<_>>())?;
        // Like an operator in a shell.
        first.runs(&["admin", "create", "you"])?;
        let mut kept = Vec::new();
        for instance in [&first, &second] {
            kept.push(instance.keep_running()?);
            until(&instance.name, || instance.runs(&["healthcheck"]).is_ok())?;
        }
        let config = service("proxy")?.config.as_ref().context("the proxy has no configuration")?;
        let proxy = start_proxy(Path::new(config), proxy, &places)?;
        let mut env = service("web")?.env.clone();
        let home = dir.0.join("web").display().to_string();
        let files = frontend::dist().display().to_string();
        let ours = [
            ("PORT", web.to_string()),
            ("SPA_ROOT", files),
            ("XDG_DATA_HOME", home.clone()),
            ("XDG_CONFIG_HOME", home),
        ];
        env.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let config = frontend::dir().join("Caddyfile").display().to_string();
        let args = ["run", "--adapter", "caddyfile", "--config", &config].map(str::to_owned).into();
        let pages = Program { path: tools::caddy()?, args, name: "web".to_owned(), env, dir: dir.0.clone() };
        kept.push(pages.keep_running()?);
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

/// The proxy uses Caddy's own image, so the installed Caddy runs its configuration.
fn start_proxy(config: &Path, port: u16, places: &[Place]) -> anyhow::Result<Running> {
    let text = fs::read_to_string(config)?;
    ensure!(
        text.starts_with(":8080 {"),
        "the proxy's configuration does not start with `:8080 {{`, the port that compose.yaml publishes"
    );
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

/// The command that `fly.toml` runs with a new release before its machines start.
fn release_command() -> anyhow::Result<String> {
    let fly = fs::read_to_string(root().join("fly.toml")).context("cannot read fly.toml")?;
    let line = fly.lines().find_map(|line| line.trim().strip_prefix("release_command = "));
    Ok(line.context("fly.toml has no release_command")?.trim_matches('"').to_owned())
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

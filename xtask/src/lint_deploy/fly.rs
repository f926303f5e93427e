//! Checks `fly.toml` and `frontend/fly.toml`: keys, settings, and whether figures are consistent with one another and
//! with the program.
//!
//! No CI job reads these files before a deployment, and flyctl ignores unknown keys.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, bail, ensure};

use crate::root;

/// Keys of flyctl that these files use; flyctl silently ignores unknown ones.
const KEYS: [&str; 35] = [
    "app",
    "primary_region",
    "kill_signal",
    "kill_timeout",
    "build.dockerfile",
    "deploy.release_command",
    "deploy.release_command_timeout",
    "deploy.strategy",
    "deploy.max_unavailable",
    "deploy.wait_timeout",
    "http_service.internal_port",
    "http_service.force_https",
    "http_service.auto_stop_machines",
    "http_service.auto_start_machines",
    "http_service.min_machines_running",
    "http_service.concurrency.type",
    "http_service.concurrency.soft_limit",
    "http_service.concurrency.hard_limit",
    "http_service.http_options.idle_timeout",
    "http_service.checks.method",
    "http_service.checks.path",
    "http_service.checks.interval",
    "http_service.checks.timeout",
    "http_service.checks.grace_period",
    "checks.alive.type",
    "checks.alive.port",
    "checks.alive.method",
    "checks.alive.path",
    "checks.alive.interval",
    "checks.alive.timeout",
    "checks.alive.grace_period",
    "metrics.port",
    "metrics.path",
    "vm.size",
    "vm.memory",
];

/// Settings that must be stored as secrets on the platform, since these files are in the repository.
const SECRETS: [&str; 6] = [
    "DATABASE_URL",
    "DATABASE_DIRECT_URL",
    "REDIS_CONNECTION",
    "JWT_SIGNING_KEY",
    "JWT_PREVIOUS_KEYS",
    "METRICS_TOKEN",
];

/// Connections of an instance besides its pool (`CORE_CONNECTIONS` in src/app.rs), those reserved for the release
/// command and for operators, and those that the pooler of Fly's smallest managed PostgreSQL opens to the database.
const CORE_CONNECTIONS: u64 = 6;
const SPARE_CONNECTIONS: u64 = 10;
const POOLER_CONNECTIONS: u64 = 50;

/// Settings of the app's static server: `frontend/Caddyfile`.
const OF_THE_APP: [&str; 2] = ["PORT", "API_URL"];

pub fn check() -> anyhow::Result<()> {
    let read = |name: &str| fs::read_to_string(root().join(name)).with_context(|| format!("cannot read {name}"));
    let reference = read("docs/CONFIGURATION.md")?;
    let heartbeat = default_of(&reference, "HEARTBEAT_SECS").context("docs/CONFIGURATION.md has no HEARTBEAT_SECS")?;
    let is_setting = |name: &str| reference.contains(&format!("| `{name}` |"));
    Platform::parse(&read("fly.toml")?)
        .and_then(|api| api.serves_streams(is_setting, heartbeat))
        .context("fly.toml")?;
    Platform::parse(&read("frontend/fly.toml")?).and_then(|web| web.serves_files()).context("frontend/fly.toml")
}

/// Returns the default from the settings' reference: `| NAME | default | …`.
fn default_of(reference: &str, name: &str) -> Option<u64> {
    let row = reference.lines().find(|line| line.starts_with(&format!("| `{name}` |")))?;
    row.split('|').nth(2)?.trim().trim_matches('`').parse().ok()
}

/// All values by the path of their key.
struct Platform(BTreeMap<String, String>);

impl Platform {
    /// Parses the part of TOML that these files use: sections, and one value per line.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut values = BTreeMap::new();
        let mut section = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_matches(['[', ']']).to_owned() + ".";
                continue;
            }
            let (key, value) = line.split_once(" = ").with_context(|| format!("`{line}` is not `key = value`"))?;
            let key = format!("{section}{key}");
            ensure!(key.starts_with("env.") || KEYS.contains(&&*key), "flyctl does not know `{key}`");
            values.insert(key, value.trim_matches('"').to_owned());
        }
        Ok(Self(values))
    }

    fn text(&self, key: &str) -> anyhow::Result<&str> {
        self.0.get(key).map(String::as_str).with_context(|| format!("`{key}` is not set"))
    }

    /// Returns a number, or a time in seconds.
    fn number(&self, key: &str) -> anyhow::Result<u64> {
        let text = self.text(key)?;
        text.trim_end_matches('s').parse().with_context(|| format!("`{key} = {text}` is not a number"))
    }

    fn says(&self, key: &str, value: &str) -> anyhow::Result<()> {
        let said = self.text(key)?;
        ensure!(said == value, "`{key}` is {said}, not {value}");
        Ok(())
    }

    /// Requires that `less` is smaller than `more`, because of `reason`.
    fn less(&self, less: &str, more: &str, reason: &str) -> anyhow::Result<()> {
        let (small, large) = (self.number(less)?, self.number(more)?);
        ensure!(small < large, "`{less}` ({small}) must be less than `{more}` ({large}): {reason}");
        Ok(())
    }

    fn same(&self, one: &str, other: &str) -> anyhow::Result<()> {
        let (one_value, other_value) = (self.text(one)?, self.text(other)?);
        ensure!(one_value == other_value, "`{one}` is {one_value} and `{other}` is {other_value}");
        Ok(())
    }

    fn settings(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|key| key.strip_prefix("env."))
    }

    fn serves_streams(&self, is_setting: impl Fn(&str) -> bool, heartbeat_secs: u64) -> anyhow::Result<()> {
        // The program only warns about a mistyped name, in the log of a remote machine.
        let unknown: Vec<_> = self.settings().filter(|name| !is_setting(name)).collect();
        ensure!(unknown.is_empty(), "it sets variables that the program does not read: {}", unknown.join(", "));
        if let Some(secret) = self.settings().find(|name| SECRETS.contains(name)) {
            bail!("{secret} is a secret: set it with `fly secrets set`");
        }
        self.same("env.PORT", "http_service.internal_port")?;
        self.same("env.PORT", "checks.alive.port")?;
        self.same("env.METRICS_PORT", "metrics.port")?;
        ensure!(
            self.text("env.METRICS_PORT")? != self.text("env.PORT")?,
            "METRICS_PORT is the public port, which would make /metrics public"
        );
        self.says("kill_signal", "SIGTERM")?;
        self.less("env.DRAIN_GRACE_SECS", "kill_timeout", "a machine would be killed while it drains")?;
        self.less("http_service.checks.interval", "env.DRAIN_DELAY_SECS", "the proxy would notice too late")?;
        self.less("env.DRAIN_DELAY_SECS", "env.DRAIN_GRACE_SECS", "the delay is a part of the grace")?;
        self.same("env.MAX_STREAMS", "http_service.concurrency.hard_limit")?;
        let limits = ["http_service.concurrency.soft_limit", "http_service.concurrency.hard_limit"];
        self.less(limits[0], limits[1], "the proxy prefers others before it refuses")?;
        self.says("http_service.concurrency.type", "connections")?;
        self.says("http_service.auto_stop_machines", "off")?;
        ensure!(
            self.number("http_service.min_machines_running")? >= 2,
            "a deploy with a single machine interrupts everybody"
        );
        let used =
            self.number("http_service.min_machines_running")? * (self.number("env.DB_POOL_SIZE")? + CORE_CONNECTIONS);
        ensure!(
            used + SPARE_CONNECTIONS <= POOLER_CONNECTIONS,
            "the machines use {used} database connections, but the smallest plan's pooler allows {POOLER_CONNECTIONS}"
        );
        self.says("deploy.strategy", "rolling")?;
        self.says("http_service.checks.path", "/readyz")?;
        self.says("checks.alive.path", "/livez")?;
        let idle = self.number("http_service.http_options.idle_timeout")?;
        ensure!(idle >= 3 * heartbeat_secs, "`idle_timeout` ({idle}) leaves no room for a late heartbeat");
        Ok(())
    }

    fn serves_files(&self) -> anyhow::Result<()> {
        let unknown: Vec<_> = self.settings().filter(|name| !OF_THE_APP.contains(name)).collect();
        ensure!(unknown.is_empty(), "the static server does not read {}", unknown.join(", "));
        self.same("env.PORT", "http_service.internal_port")?;
        self.says("http_service.auto_stop_machines", "stop")?;
        self.says("http_service.min_machines_running", "0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> String {
        fs::read_to_string(root().join("fly.toml")).unwrap()
    }

    fn complaint(fly: &str) -> String {
        let checked = Platform::parse(fly).and_then(|api| api.serves_streams(|name| name != "PROT", 15));
        checked.expect_err("a complaint").to_string()
    }

    #[test]
    fn the_committed_file_is_valid() {
        Platform::parse(&api()).unwrap().serves_streams(|_| true, 15).unwrap();
    }

    #[test]
    fn inconsistent_figures_are_named() {
        for (said, instead, word) in [
            ("kill_timeout = 30", "kill_timeout = 20", "killed while it drains"),
            ("DRAIN_DELAY_SECS = \"6\"", "DRAIN_DELAY_SECS = \"5\"", "notice too late"),
            ("hard_limit = 9000", "hard_limit = 25", "MAX_STREAMS"),
            ("idle_timeout = 60", "idle_timeout = 30", "late heartbeat"),
            ("min_machines_running = 2", "min_machines_running = 1", "interrupts everybody"),
            ("DB_POOL_SIZE = \"14\"", "DB_POOL_SIZE = \"20\"", "smallest plan's pooler"),
            ("  PORT = \"8080\"", "  PROT = \"8080\"", "PROT"),
            ("  LOG_FORMAT = \"json\"", "  JWT_SIGNING_KEY = \"0\"", "fly secrets set"),
            ("kill_signal", "kil_signal", "flyctl does not know"),
            ("port = 9091", "port = 8080", "METRICS_PORT"),
        ] {
            let wrong = api().replacen(said, instead, 1);
            assert_ne!(wrong, api(), "fly.toml does not say `{said}`");
            assert!(complaint(&wrong).contains(word), "{instead}: {}", complaint(&wrong));
        }
    }

    #[test]
    fn a_default_is_read_from_the_reference() {
        assert_eq!(default_of("| `A_B` | `1` |\n| `A` | `15` | seconds |\n", "A"), Some(15));
    }
}

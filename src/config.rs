//! Every setting, with its variable, unit and default.
//!
//! Settings come from the environment (or the same-named flags). [`Settings`] is what was said,
//! [`Config`] what it means: demo mode decided, secrets checked, durations as durations. The rest of the
//! program sees only [`Config`].

mod signing_key;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::HeaderValue;
use clap::{ArgAction, Parser, ValueEnum};
use secrecy::SecretString;

pub use signing_key::SigningKey;

/// Where Vite serves the front end while it is being worked on.
const DEVELOPMENT_ORIGINS: [&str; 2] = ["http://localhost:5173", "http://127.0.0.1:5173"];

/// The settings as they were said. An empty secret, list or directory counts as one that is not set.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    port: u16,

    /// Address to listen on.
    #[arg(long, env = "HOST", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    host: IpAddr,

    /// `PostgreSQL` to use, as a URL. Without it the program starts a private one, kept in `DATA_DIR`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<SecretString>,

    /// Redis that carries news between instances, as a URL. Without it there is one instance.
    #[arg(long, env = "REDIS_CONNECTION", hide_env_values = true)]
    redis_connection: Option<SecretString>,

    /// Directory for what the program itself keeps: the private database and the demo's signing key.
    #[arg(long, env = "DATA_DIR", default_value = ".data")]
    data_dir: PathBuf,

    /// Whether demo accounts and rooms exist. On where neither a database nor a signing key is set.
    #[arg(long, env = "DEMO_MODE", value_parser = clap::builder::BoolishValueParser::new())]
    demo_mode: Option<bool>,

    /// Key that signs access tokens, as 64 hex digits. Required outside demo mode.
    #[arg(long, env = "JWT_SIGNING_KEY", hide_env_values = true)]
    jwt_signing_key: Option<SecretString>,

    /// Former signing keys, comma-separated: they still verify tokens, and sign none.
    #[arg(long, env = "JWT_PREVIOUS_KEYS", hide_env_values = true)]
    jwt_previous_keys: Option<SecretString>,

    /// `iss` of access tokens, given and demanded.
    #[arg(long, env = "JWT_ISSUER", default_value = "gapless")]
    jwt_issuer: String,

    /// `aud` of access tokens, given and demanded.
    #[arg(long, env = "JWT_AUDIENCE", default_value = "gapless")]
    jwt_audience: String,

    /// Life of an access token in seconds, at most 15 minutes: so long at most a lost one is of use.
    #[arg(long, env = "ACCESS_TOKEN_TTL_SECS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=900))]
    access_token_ttl_secs: u64,

    /// Life of an unused refresh token in seconds; default 30 days.
    #[arg(long, env = "REFRESH_TOKEN_TTL_SECS", default_value_t = 30 * 86_400, value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    refresh_token_ttl_secs: u64,

    /// Origins whose pages may call the API, comma-separated; in demo mode by default the Vite dev server.
    #[arg(long, env = "ALLOWED_ORIGINS")]
    allowed_origins: Option<String>,

    /// Whether a user may answer an admin who wrote to them first.
    #[arg(long, env = "DM_REPLIES", default_value = "false", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    dm_replies: bool,

    /// Limits of requests, sign-ins and streams per user and address. Off is for load tests.
    #[arg(long, env = "RATE_LIMITS", default_value = "on", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    rate_limits: bool,

    /// Directory of the built single-page app, served on the same port.
    #[arg(long, env = "SPA_DIR")]
    spa_dir: Option<PathBuf>,

    /// Directory of the `PostgreSQL` binaries for the private database; searched for by default.
    #[arg(long, env = "POSTGRES_BIN_DIR")]
    postgres_bin_dir: Option<PathBuf>,

    /// Most database connections of this instance.
    #[arg(long, env = "DB_POOL_SIZE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(4..=1_000))]
    db_pool_size: u32,

    /// Most open streams of this instance; beyond it a stream is told `bye busy`.
    #[arg(long, env = "MAX_STREAMS", default_value_t = 50_000)]
    max_streams: usize,

    /// Most open streams of one address, where rate limits are on; an office may share one.
    #[arg(long, env = "MAX_STREAMS_PER_ADDRESS", default_value_t = 256)]
    max_streams_per_address: usize,

    /// Seconds between two heartbeats of a stream.
    #[arg(long, env = "HEARTBEAT_SECS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=60))]
    heartbeat_secs: u64,

    /// Bytes of recent events kept in memory for streams that resume; default 64 MiB.
    #[arg(long, env = "REPLAY_RING_BYTES", default_value_t = 64 << 20)]
    replay_ring_bytes: usize,

    /// Posts that may wait for the next commit; beyond it a post is refused with 503.
    #[arg(long, env = "WRITE_QUEUE", default_value_t = 8_192, value_parser = queue_length)]
    write_queue: usize,

    /// Seconds from the signal to stop until the program ends whatever is still open.
    #[arg(long, env = "DRAIN_GRACE_SECS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=300))]
    drain_grace_secs: u64,

    /// Log lines for people (`text`) or for machines (`json`).
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The settings as the program uses them.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PORT`
    pub port: u16,
    /// `HOST`
    pub host: IpAddr,
    /// `DATABASE_URL`; `None` starts the private `PostgreSQL`.
    pub database_url: Option<SecretString>,
    /// `REDIS_CONNECTION`
    pub redis_connection: Option<SecretString>,
    /// `DATA_DIR`
    pub data_dir: PathBuf,
    /// `DEMO_MODE`, decided.
    pub demo_mode: bool,
    /// `JWT_SIGNING_KEY`; in demo mode one of chance, kept in `DATA_DIR` so that sessions survive a restart.
    pub jwt_signing_key: SigningKey,
    /// `JWT_PREVIOUS_KEYS`: these verify only.
    pub jwt_previous_keys: Vec<SigningKey>,
    /// `JWT_ISSUER`
    pub jwt_issuer: String,
    /// `JWT_AUDIENCE`
    pub jwt_audience: String,
    /// `ACCESS_TOKEN_TTL_SECS`
    pub access_token_ttl: Duration,
    /// `REFRESH_TOKEN_TTL_SECS`
    pub refresh_token_ttl: Duration,
    /// `ALLOWED_ORIGINS`
    pub allowed_origins: Vec<HeaderValue>,
    /// `DM_REPLIES`
    pub dm_replies: bool,
    /// `RATE_LIMITS`
    pub rate_limits: bool,
    /// `SPA_DIR`
    pub spa_dir: Option<PathBuf>,
    /// `POSTGRES_BIN_DIR`
    pub postgres_bin_dir: Option<PathBuf>,
    /// `DB_POOL_SIZE`
    pub db_pool_size: u32,
    /// `MAX_STREAMS`
    pub max_streams: usize,
    /// `MAX_STREAMS_PER_ADDRESS`; obeyed where `rate_limits` is on.
    pub max_streams_per_address: usize,
    /// `HEARTBEAT_SECS`
    pub heartbeat: Duration,
    /// `REPLAY_RING_BYTES`
    pub ring_bytes: usize,
    /// `WRITE_QUEUE`
    pub write_queue: usize,
    /// `DRAIN_GRACE_SECS`
    pub drain_grace: Duration,
    /// `LOG_FORMAT`
    pub log_format: LogFormat,
}

impl Config {
    /// Reads the environment alone.
    ///
    /// # Errors
    ///
    /// A sentence for the operator, with the way out.
    pub fn from_env() -> anyhow::Result<Self> {
        #[derive(Parser)]
        struct Environment {
            #[command(flatten)]
            settings: Settings,
        }
        Self::resolve(Environment::try_parse_from(["gapless"])?.settings)
    }

    /// Decides what the settings mean, and reads or makes the demo's signing key.
    ///
    /// # Errors
    ///
    /// A sentence for the operator, with the way out.
    pub fn resolve(settings: Settings) -> anyhow::Result<Self> {
        let database_url = settings.database_url.filter(said);
        let said_key = settings.jwt_signing_key.filter(said);
        let demo_mode = settings.demo_mode.unwrap_or(database_url.is_none() && said_key.is_none());

        let jwt_signing_key = match said_key {
            Some(key) => SigningKey::parse(&key).context("JWT_SIGNING_KEY")?,
            None if demo_mode => SigningKey::kept_in(&settings.data_dir)?,
            None => bail!(
                "JWT_SIGNING_KEY is not set, and outside demo mode nobody could sign in without it. \
                 Make one with `openssl rand -hex 32`, or set DEMO_MODE=true to look around."
            ),
        };
        let jwt_previous_keys = match settings.jwt_previous_keys.filter(said) {
            Some(keys) => SigningKey::parse_list(&keys).context("JWT_PREVIOUS_KEYS")?,
            None => Vec::new(),
        };

        Ok(Self {
            port: settings.port,
            host: settings.host,
            database_url,
            redis_connection: settings.redis_connection.filter(said),
            data_dir: settings.data_dir,
            demo_mode,
            jwt_signing_key,
            jwt_previous_keys,
            jwt_issuer: settings.jwt_issuer,
            jwt_audience: settings.jwt_audience,
            access_token_ttl: Duration::from_secs(settings.access_token_ttl_secs),
            refresh_token_ttl: Duration::from_secs(settings.refresh_token_ttl_secs),
            allowed_origins: origins(settings.allowed_origins.as_deref(), demo_mode)?,
            dm_replies: settings.dm_replies,
            rate_limits: settings.rate_limits,
            spa_dir: settings.spa_dir.filter(|dir| !dir.as_os_str().is_empty()),
            postgres_bin_dir: settings.postgres_bin_dir.filter(|dir| !dir.as_os_str().is_empty()),
            db_pool_size: settings.db_pool_size,
            max_streams: settings.max_streams,
            max_streams_per_address: settings.max_streams_per_address,
            heartbeat: Duration::from_secs(settings.heartbeat_secs),
            ring_bytes: settings.replay_ring_bytes,
            write_queue: settings.write_queue,
            drain_grace: Duration::from_secs(settings.drain_grace_secs),
            log_format: settings.log_format,
        })
    }

    /// The defaults with a fixed key and without rate limits; neither environment nor files are read.
    pub fn for_tests() -> Self {
        Self {
            port: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            database_url: None,
            redis_connection: None,
            data_dir: PathBuf::from(".data"),
            demo_mode: false,
            jwt_signing_key: SigningKey::from([7; 32]),
            jwt_previous_keys: Vec::new(),
            jwt_issuer: "gapless".to_owned(),
            jwt_audience: "gapless".to_owned(),
            access_token_ttl: Duration::from_mins(15),
            refresh_token_ttl: Duration::from_hours(30 * 24),
            allowed_origins: Vec::new(),
            dm_replies: false,
            rate_limits: false,
            spa_dir: None,
            postgres_bin_dir: None,
            db_pool_size: 8,
            max_streams: 50_000,
            max_streams_per_address: 256,
            heartbeat: Duration::from_secs(15),
            ring_bytes: 64 << 20,
            write_queue: 8_192,
            drain_grace: Duration::from_secs(25),
            log_format: LogFormat::Text,
        }
    }
}

fn said(secret: &SecretString) -> bool {
    !secrecy::ExposeSecret::expose_secret(secret).is_empty()
}

fn queue_length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(length) if (1..=1_000_000).contains(&length) => Ok(length),
        _ => Err("must be a number from 1 to 1000000".to_owned()),
    }
}

/// An origin is scheme, host and port, compared byte by byte; a wildcard is refused, since it would let
/// any page act with a token it got hold of.
fn origins(said: Option<&str>, demo_mode: bool) -> anyhow::Result<Vec<HeaderValue>> {
    let Some(list) = said.filter(|list| !list.trim().is_empty()) else {
        let development = if demo_mode { &DEVELOPMENT_ORIGINS[..] } else { &[] };
        return Ok(development.iter().copied().map(HeaderValue::from_static).collect());
    };
    list.split(',')
        .map(|origin| {
            let origin = origin.trim().trim_end_matches('/');
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '*', '?', '#', '@'])) {
                bail!(
                    "ALLOWED_ORIGINS: `{origin}` is no origin; write scheme and host, as in https://chat.example.org"
                );
            }
            HeaderValue::from_str(origin)
                .with_context(|| format!("ALLOWED_ORIGINS: `{origin}` holds a character that no origin has"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    /// The variables that a developer's shell is likely to have are overridden, so that it cannot matter.
    fn resolve(flags: &[&str]) -> anyhow::Result<Config> {
        let base = ["gapless", "--jwt-signing-key=", "--database-url=", "--allowed-origins="];
        let given = |flag: &&&str| !flags.iter().any(|other| other.starts_with(**flag));
        let line = base.iter().filter(given).chain(flags);
        Config::resolve(Line::try_parse_from(line)?.settings)
    }

    const KEY: &str = "--jwt-signing-key=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn demo_mode_is_on_only_where_neither_database_nor_key_is_set() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = format!("--data-dir={}", dir.path().display());
        assert!(resolve(&[&data]).expect("a demo").demo_mode);
        assert!(!resolve(&[&data, KEY]).expect("a service").demo_mode);
        assert!(resolve(&[&data, KEY, "--demo-mode=true"]).expect("a demo by wish").demo_mode);
        let error = resolve(&["--database-url=postgres://db/gapless"]).expect_err("a key is needed");
        assert!(error.to_string().contains("openssl rand -hex 32"), "{error}");
    }

    #[test]
    fn the_demo_key_survives_a_restart_and_is_the_owners_alone() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = format!("--data-dir={}", dir.path().join("deep").display());
        let first = resolve(&[&data]).expect("a demo").jwt_signing_key;
        let second = resolve(&[&data]).expect("the same demo").jwt_signing_key;
        assert_eq!(first.as_bytes(), second.as_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = std::fs::metadata(dir.path().join("deep/signing-key")).expect("the key's file");
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_token_cannot_be_made_to_live_longer_than_a_quarter_of_an_hour() {
        assert!(resolve(&[KEY, "--access-token-ttl-secs=901"]).is_err());
        assert_eq!(
            resolve(&[KEY, "--access-token-ttl-secs=5"]).expect("short is fine").access_token_ttl,
            Duration::from_secs(5)
        );
    }

    #[test]
    fn origins_are_exact_and_a_wildcard_is_refused() {
        let config = resolve(&[KEY, "--allowed-origins=https://a.example, http://b.example:8000/"]).expect("two");
        assert_eq!(config.allowed_origins, ["https://a.example", "http://b.example:8000"]);
        for wrong in ["*", "https://*.example", "a.example", "https://a.example/path"] {
            assert!(resolve(&[KEY, &format!("--allowed-origins={wrong}")]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_secret_shows_in_what_may_be_logged() {
        let config = resolve(&[KEY, "--database-url=postgres://u:hush@db/x"]).expect("settings");
        let shown = format!("{config:?}");
        assert!(!shown.contains("hush") && !shown.contains("00112233"), "{shown}");
    }
}

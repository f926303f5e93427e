//! The configuration.
//!
//! Settings come from the environment or from flags of the same names. [`Settings`] holds them as given; [`Config`] is
//! the result: demo mode decided, secrets checked, durations as [`Duration`]. The rest of the program sees only
//! [`Config`].

mod key_file;
mod key_in_dir;
mod origins;
mod push;
mod push_hosts;
mod redis_address;
pub mod reference;
mod settings;
mod signing_key;
mod trusted_proxy;
pub mod unknown_variables;
pub mod values;
mod vapid_key;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::http::HeaderValue;
use clap::{CommandFactory as _, Parser};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub use key_file::KeyFile;
pub use push::Push;
pub use push_hosts::PushHosts;
pub use settings::{LogFormat, Registration, Settings};
pub use signing_key::SigningKey;
pub use trusted_proxy::TrustedProxy;
pub use vapid_key::VapidKey;

/// Timeout for a connection that is silent or has sent an incomplete request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings as the program uses them.
#[derive(Debug, Clone)]
pub struct Config {
    /// `PORT`
    pub port: u16,
    /// `HOST`
    pub host: IpAddr,
    /// `DATABASE_URL`; `None` starts the private `PostgreSQL`.
    pub database_url: Option<SecretString>,
    /// `DATABASE_DIRECT_URL`, for migrations and long transactions; `None` uses `database_url`.
    pub database_direct_url: Option<SecretString>,
    /// `REDIS_CONNECTION`
    pub redis_connection: Option<SecretString>,
    /// `DATA_DIR`
    pub data_dir: PathBuf,
    /// `DEMO_MODE`, or its default, which depends on other settings.
    pub demo_mode: bool,
    /// `JWT_SIGNING_KEY`; in demo mode a random one, kept in `DATA_DIR` so that sessions survive a restart.
    pub jwt_signing_key: SigningKey,
    /// `JWT_PREVIOUS_KEYS`, and the former keys in `JWT_SIGNING_KEY_FILE`: they only verify tokens.
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
    /// `TRUSTED_PROXY` and `CLIENT_ADDRESS_HEADER`; with `None` the header is ignored.
    pub trusted_proxy: Option<TrustedProxy>,
    /// `METRICS_PORT`
    pub metrics_port: Option<u16>,
    /// `METRICS_TOKEN`
    pub metrics_token: Option<SecretString>,
    /// `REGISTRATION`
    pub registration: Registration,
    /// `DM_REPLIES`
    pub dm_replies: bool,
    /// `RETENTION_DAYS`; `None` keeps for ever.
    pub retention_days: Option<i32>,
    /// `VAPID_PRIVATE_KEY`, `VAPID_SUBJECT`, `PUSH_HOSTS` and `PUSH_DELAY_SECS`
    pub push: Push,
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
    /// `MAX_STREAMS_PER_ADDRESS`; ignored unless `rate_limits` is on.
    pub max_streams_per_address: usize,
    /// `HEARTBEAT_SECS`
    pub heartbeat: Duration,
    /// `KEEP_ALIVE_SECS`
    pub keep_alive: Duration,
    /// Maximum time for a request's head. Not configurable.
    pub head_timeout: Duration,
    /// `REPLAY_RING_BYTES`
    pub ring_bytes: usize,
    /// `WRITE_QUEUE`
    pub write_queue: usize,
    /// `DRAIN_DELAY_SECS`
    pub drain_delay: Duration,
    /// `DRAIN_GRACE_SECS`, without the delay before it.
    pub drain_grace: Duration,
    /// `LOG_FORMAT`
    pub log_format: LogFormat,
}

impl Config {
    /// Validates the settings, and reads or creates the demo's signing key.
    ///
    /// # Errors
    ///
    /// A message for each problem, with a way to fix it.
    pub fn resolve(settings: Settings) -> anyhow::Result<Self> {
        Self::decide(settings, KeyNeed::Needed)
    }

    /// For commands that sign nothing: a missing signing key is replaced by a temporary one, which is never used.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_without_key(settings: Settings) -> anyhow::Result<Self> {
        Self::decide(settings, KeyNeed::Unneeded)
    }

    /// Reads settings from variables that are not in the environment. Settings that are not among them come from the
    /// environment.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve), and if a value is invalid for its setting.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Self> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            settings: Settings,
        }
        let known = Line::command();
        let flag = |(name, value): (String, String)| {
            let arg = known.get_arguments().find(|arg| arg.get_env().is_some_and(|env| *env == *name))?;
            Some(format!("--{}={value}", arg.get_long()?))
        };
        // Unknown names may belong to other programs; they are ignored, as in the environment.
        let flags = variables.into_iter().filter_map(flag);
        Self::resolve(Line::try_parse_from(std::iter::once("gapless".to_owned()).chain(flags))?.settings)
    }

    fn decide(settings: Settings, key: KeyNeed) -> anyhow::Result<Self> {
        let mut faults = Faults::default();
        let said_key = faults.of(settings.signing_key_text()).flatten();
        let former_keys = faults.of(settings.previous_keys_text()).flatten();
        let database_url =
            faults.of(secret("DATABASE_URL", settings.database_url, settings.database_url_file)).flatten();
        let database_direct_url = faults
            .of(secret("DATABASE_DIRECT_URL", settings.database_direct_url, settings.database_direct_url_file))
            .flatten();
        if database_direct_url.is_some() && database_url.is_none() {
            faults.0.push("DATABASE_DIRECT_URL is set, but DATABASE_URL is not; set both".to_owned());
        }
        for (name, url) in [("DATABASE_URL", &database_url), ("DATABASE_DIRECT_URL", &database_direct_url)] {
            faults.of(url.as_ref().map_or(Ok(()), |url| check_database_url(name, url)));
        }
        let redis_connection =
            faults.of(secret("REDIS_CONNECTION", settings.redis_connection, settings.redis_connection_file)).flatten();
        let redis_connection =
            redis_connection.and_then(|said| faults.of(redis_address::to_url(&said).context("REDIS_CONNECTION")));
        let metrics_token =
            faults.of(secret("METRICS_TOKEN", settings.metrics_token, settings.metrics_token_file)).flatten();

        let vapid_key = faults
            .of(secret("VAPID_PRIVATE_KEY", settings.vapid_private_key, settings.vapid_private_key_file))
            .flatten();
        let keeps_key = matches!(key, KeyNeed::Needed) && database_url.is_none();
        let push = faults.of(Push::of(&push::Given {
            key: vapid_key,
            subject: settings.vapid_subject.as_deref(),
            hosts: settings.push_hosts.as_deref(),
            delay_secs: settings.push_delay_secs,
            keeps_key_in: keeps_key.then_some(&*settings.data_dir),
        }));

        let demo_mode = settings.demo_mode.unwrap_or(database_url.is_none() && said_key.is_none());
        let keys = faults.of(match (said_key, key) {
            (Some(said), _) => KeyFile::parse(&said).context("JWT_SIGNING_KEY"),
            (None, KeyNeed::Unneeded) => SigningKey::generate().map(KeyFile::of),
            (None, KeyNeed::Needed) if demo_mode => SigningKey::kept_in(&settings.data_dir),
            (None, KeyNeed::Needed) => Err(anyhow!(
                "JWT_SIGNING_KEY is not set, but it is required outside demo mode. Create a key with \
                 `gapless keys generate` or `openssl rand -hex 32`, or set DEMO_MODE=true to try the chat."
            )),
        });
        let previous_keys =
            former_keys.map_or(Ok(Vec::new()), |keys| SigningKey::parse_list(&keys).context("JWT_PREVIOUS_KEYS"));
        let previous_keys = faults.of(previous_keys);
        let allowed_origins = faults.of(origins::origins(settings.allowed_origins.as_deref(), demo_mode));
        let trusted_proxy =
            faults.of(TrustedProxy::parse(settings.trusted_proxy.as_deref(), &settings.client_address_header)
                .context("TRUSTED_PROXY"));
        if settings.drain_delay_secs > settings.drain_grace_secs / 2 {
            faults.0.push(
                "DRAIN_DELAY_SECS is more than half of DRAIN_GRACE_SECS; streams need at least half to end".to_owned(),
            );
        }
        faults.none()?;
        let (Some(keys), Some(previous_keys), Some(push)) = (keys, previous_keys, push) else {
            unreachable!("each is there, or a fault was noted");
        };
        let (jwt_signing_key, mut jwt_previous_keys) = keys.into_keys();
        jwt_previous_keys.extend(previous_keys);

        Ok(Self {
            port: settings.port,
            host: settings.host,
            database_url,
            database_direct_url,
            redis_connection,
            data_dir: settings.data_dir,
            demo_mode,
            jwt_signing_key,
            jwt_previous_keys,
            jwt_issuer: settings.jwt_issuer,
            jwt_audience: settings.jwt_audience,
            access_token_ttl: Duration::from_secs(settings.access_token_ttl_secs),
            refresh_token_ttl: Duration::from_secs(settings.refresh_token_ttl_secs),
            allowed_origins: allowed_origins.unwrap_or_default(),
            trusted_proxy: trusted_proxy.flatten(),
            metrics_port: settings.metrics_port,
            metrics_token,
            registration: settings.registration,
            dm_replies: settings.dm_replies,
            retention_days: settings.retention_days,
            push,
            rate_limits: settings.rate_limits,
            spa_dir: settings.spa_dir.filter(|dir| !dir.as_os_str().is_empty()),
            postgres_bin_dir: settings.postgres_bin_dir.filter(|dir| !dir.as_os_str().is_empty()),
            db_pool_size: settings.db_pool_size,
            max_streams: settings.max_streams,
            max_streams_per_address: settings.max_streams_per_address,
            heartbeat: Duration::from_secs(settings.heartbeat_secs),
            keep_alive: Duration::from_secs(settings.keep_alive_secs),
            head_timeout: HEAD_TIMEOUT,
            ring_bytes: settings.replay_ring_bytes,
            write_queue: settings.write_queue,
            drain_delay: Duration::from_secs(settings.drain_delay_secs),
            drain_grace: Duration::from_secs(settings.drain_grace_secs.saturating_sub(settings.drain_delay_secs)),
            log_format: settings.log_format,
        })
    }

    /// The defaults with a fixed key and without rate limits; neither environment nor files are read.
    pub fn for_tests() -> Self {
        Self {
            port: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            database_url: None,
            database_direct_url: None,
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
            trusted_proxy: None,
            metrics_port: None,
            metrics_token: None,
            registration: Registration::Open,
            dm_replies: false,
            retention_days: None,
            push: Push::off(),
            rate_limits: false,
            spa_dir: None,
            postgres_bin_dir: None,
            db_pool_size: 8,
            max_streams: 50_000,
            max_streams_per_address: 256,
            heartbeat: Duration::from_secs(15),
            keep_alive: Duration::from_secs(150),
            head_timeout: HEAD_TIMEOUT,
            ring_bytes: 64 << 20,
            write_queue: 8_192,
            drain_delay: Duration::ZERO,
            drain_grace: Duration::from_secs(25),
            log_format: LogFormat::Text,
        }
    }
}

#[derive(Clone, Copy)]
enum KeyNeed {
    Needed,
    Unneeded,
}

/// All problems found, so that they can be fixed together.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn of<T>(&mut self, read: anyhow::Result<T>) -> Option<T> {
        read.map_err(|error| self.0.push(format!("{error:#}"))).ok()
    }

    fn none(self) -> anyhow::Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(anyhow!("{}", self.0.join("\n"))) }
    }
}

/// Checks an address, so that a mistake is reported before connecting. The values in it may be secrets.
fn check_database_url(name: &str, url: &SecretString) -> anyhow::Result<()> {
    let url = url.expose_secret();
    let sslmode = url.split(['?', '&']).find_map(|part| part.strip_prefix("sslmode="));
    if let Some(mode) = sslmode.filter(|mode| mode.parse::<PgSslMode>().is_err()) {
        bail!("{name}: sslmode={mode} is invalid; use disable, allow, prefer, require, verify-ca or verify-full");
    }
    let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !is_postgres || url.parse::<PgConnectOptions>().is_err() {
        bail!("{name} is not a PostgreSQL URL (postgres://user:password@host:port/name?sslmode=verify-full)");
    }
    Ok(())
}

/// Returns a secret that is given directly or in a file; giving both is an error. An empty secret counts as unset.
fn secret(name: &str, said: Option<SecretString>, file: Option<PathBuf>) -> anyhow::Result<Option<SecretString>> {
    let said = said.filter(|secret| !secret.expose_secret().is_empty());
    let Some(file) = file.filter(|file| !file.as_os_str().is_empty()) else { return Ok(said) };
    if said.is_some() {
        bail!("{name} and {name}_FILE are both set; unset one of them");
    }
    let kept =
        std::fs::read_to_string(&file).with_context(|| format!("{name}_FILE: cannot read {}", file.display()))?;
    Ok(Some(SecretString::from(kept.trim())).filter(|secret| !secret.expose_secret().is_empty()))
}

#[cfg(test)]
mod tests;

//! The settings as given: each with its variable, default and unit. [`Config`](super::Config) interprets them.
//!
//! The doc comments of the fields are the only documentation: `gapless --help` prints them, and `docs/CONFIGURATION.md`
//! is generated from them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgAction, ValueEnum};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use super::secret;

/// The settings as they were said. An empty secret, list or directory counts as one that is not set.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Port to listen on; 0 picks a free one.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub(super) port: u16,

    /// Address to listen on.
    #[arg(long, env = "HOST", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub(super) host: IpAddr,

    /// URL of the `PostgreSQL` database; `?sslmode=verify-full` requires TLS, and `&sslrootcert=FILE` names the CA to trust. If unset, the program runs a private database in `DATA_DIR`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(super) database_url: Option<SecretString>,

    /// File that contains `DATABASE_URL`, for container secrets.
    #[arg(long, env = "DATABASE_URL_FILE", value_parser = path())]
    pub(super) database_url_file: Option<PathBuf>,

    /// URL of the same database without its pooler, if `DATABASE_URL` leads to a pooler. Used for schema changes, exports and imports.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub(super) database_direct_url: Option<SecretString>,

    /// File that contains `DATABASE_DIRECT_URL`.
    #[arg(long, env = "DATABASE_DIRECT_URL_FILE", value_parser = path())]
    pub(super) database_direct_url_file: Option<PathBuf>,

    /// Redis server that connects the instances: a URL, or `host:port,password=…,ssl=True`. If unset, run only one instance.
    #[arg(long, env = "REDIS_CONNECTION", hide_env_values = true)]
    pub(super) redis_connection: Option<SecretString>,

    /// File that contains `REDIS_CONNECTION`.
    #[arg(long, env = "REDIS_CONNECTION_FILE", value_parser = path())]
    pub(super) redis_connection_file: Option<PathBuf>,

    /// Directory for the program's own data: the private database, and keys that the program created for itself.
    #[arg(long, env = "DATA_DIR", default_value = ".data")]
    pub(super) data_dir: PathBuf,

    /// Create demo accounts and rooms. On by default if neither a database nor a signing key is set.
    #[arg(long, env = "DEMO_MODE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) demo_mode: Option<bool>,

    /// Key that signs access tokens and the messages between instances, as 64 hex digits. Required outside demo mode.
    #[arg(long, env = "JWT_SIGNING_KEY", hide_env_values = true)]
    pub(super) jwt_signing_key: Option<SecretString>,

    /// File with `JWT_SIGNING_KEY` on its first line and, below it, former keys, which still verify tokens; `gapless keys rotate --file` maintains it.
    #[arg(long, env = "JWT_SIGNING_KEY_FILE", value_parser = path())]
    pub(super) jwt_signing_key_file: Option<PathBuf>,

    /// Former signing keys, comma-separated: they still verify tokens but no longer sign them.
    #[arg(long, env = "JWT_PREVIOUS_KEYS", hide_env_values = true)]
    pub(super) jwt_previous_keys: Option<SecretString>,

    /// File that contains `JWT_PREVIOUS_KEYS`.
    #[arg(long, env = "JWT_PREVIOUS_KEYS_FILE", value_parser = path())]
    pub(super) jwt_previous_keys_file: Option<PathBuf>,

    /// `iss` claim of access tokens, set when signing and required when verifying.
    #[arg(long, env = "JWT_ISSUER", default_value = "gapless")]
    pub(super) jwt_issuer: String,

    /// `aud` claim of access tokens, set when signing and required when verifying.
    #[arg(long, env = "JWT_AUDIENCE", default_value = "gapless")]
    pub(super) jwt_audience: String,

    /// Lifetime of an access token in seconds; at most 15 minutes, which limits how long a stolen one is usable.
    #[arg(long, env = "ACCESS_TOKEN_TTL_SECS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=900))]
    pub(super) access_token_ttl_secs: u64,

    /// Lifetime of an unused refresh token in seconds; 30 days by default.
    #[arg(long, env = "REFRESH_TOKEN_TTL_SECS", default_value_t = 30 * 86_400, value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    pub(super) refresh_token_ttl_secs: u64,

    /// Origins whose pages may call the API, comma-separated; in demo mode the default is the Vite dev server.
    #[arg(long, env = "ALLOWED_ORIGINS")]
    pub(super) allowed_origins: Option<String>,

    /// Proxies trusted to report a caller's address: addresses and networks, comma-separated, or `private` for all private networks.
    #[arg(long, env = "TRUSTED_PROXY")]
    pub(super) trusted_proxy: Option<String>,

    /// Header in which those proxies report the caller's address; on Fly, `fly-client-ip`.
    #[arg(long, env = "CLIENT_ADDRESS_HEADER", default_value = "x-forwarded-for")]
    pub(super) client_address_header: String,

    /// Port that serves only `/metrics`, for a scraper on a private network.
    #[arg(long, env = "METRICS_PORT")]
    pub(super) metrics_port: Option<u16>,

    /// Bearer token that `/metrics` requires. If unset, outside demo mode, `/metrics` is served only on `METRICS_PORT`.
    #[arg(long, env = "METRICS_TOKEN", hide_env_values = true)]
    pub(super) metrics_token: Option<SecretString>,

    /// File that contains `METRICS_TOKEN`.
    #[arg(long, env = "METRICS_TOKEN_FILE", value_parser = path())]
    pub(super) metrics_token_file: Option<PathBuf>,

    /// Registration policy: anyone may create an account, anyone with an invitation from an admin, or no one.
    #[arg(long, env = "REGISTRATION", value_enum, default_value_t = Registration::Open)]
    pub(super) registration: Registration,

    /// Let users reply to an admin who messaged them first.
    #[arg(long, env = "DM_REPLIES", default_value = "false", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) dm_replies: bool,

    /// Days after which messages are deleted automatically, in rooms without a setting of their own. If unset, messages are kept.
    #[arg(long, env = "RETENTION_DAYS", value_parser = clap::value_parser!(i32).range(0..=36_500))]
    pub(super) retention_days: Option<i32>,

    /// Private key that identifies this server to browsers' push services, as printed by `gapless keys vapid`. If unset, notifications reach only open pages, except with the private database, which keeps a key in `DATA_DIR`.
    #[arg(long, env = "VAPID_PRIVATE_KEY", hide_env_values = true)]
    pub(super) vapid_private_key: Option<SecretString>,

    /// File that contains `VAPID_PRIVATE_KEY`.
    #[arg(long, env = "VAPID_PRIVATE_KEY_FILE", value_parser = path())]
    pub(super) vapid_private_key_file: Option<PathBuf>,

    /// Contact of the operator for push services: `mailto:` and an address, or an https URL. Required with `VAPID_PRIVATE_KEY`.
    #[arg(long, env = "VAPID_SUBJECT")]
    pub(super) vapid_subject: Option<String>,

    /// Hosts of push services in addition to those of Chromium, Firefox, Edge and Safari, as `host` or `host:port`, comma-separated.
    #[arg(long, env = "PUSH_HOSTS")]
    pub(super) push_hosts: Option<String>,

    /// Seconds after which a mention, reply or direct message that is still unread is sent to the user's devices.
    #[arg(long, env = "PUSH_DELAY_SECS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub(super) push_delay_secs: u64,

    /// Limit requests, sign-ins and streams per user and address. Turn off only for load tests.
    #[arg(long, env = "RATE_LIMITS", default_value = "on", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) rate_limits: bool,

    /// Directory of the built single-page app, served on the same port. A program built with `embed-spa` contains the app.
    #[arg(long, env = "SPA_DIR", value_parser = path())]
    pub(super) spa_dir: Option<PathBuf>,

    /// Directory of the `PostgreSQL` binaries for the private database; found automatically by default.
    #[arg(long, env = "POSTGRES_BIN_DIR", value_parser = path())]
    pub(super) postgres_bin_dir: Option<PathBuf>,

    /// Maximum number of database connections for requests.
    #[arg(long, env = "DB_POOL_SIZE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(4..=1_000))]
    pub(super) db_pool_size: u32,

    /// Maximum number of open streams of this instance; further streams receive `bye busy`.
    #[arg(long, env = "MAX_STREAMS", default_value_t = 50_000)]
    pub(super) max_streams: usize,

    /// Maximum number of open streams per address, if rate limits are on; an office may share one address.
    #[arg(long, env = "MAX_STREAMS_PER_ADDRESS", default_value_t = 256)]
    pub(super) max_streams_per_address: usize,

    /// Seconds between the heartbeats of a stream.
    #[arg(long, env = "HEARTBEAT_SECS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(super) heartbeat_secs: u64,

    /// Seconds that an idle connection is kept open; must be longer than the proxy's own idle timeout (nginx 60, Go 90, Caddy 120).
    #[arg(long, env = "KEEP_ALIVE_SECS", default_value_t = 150, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) keep_alive_secs: u64,

    /// Bytes of recent events kept in memory for streams that resume; 64 MiB by default.
    #[arg(long, env = "REPLAY_RING_BYTES", default_value_t = 64 << 20)]
    pub(super) replay_ring_bytes: usize,

    /// Maximum number of posts waiting for the next commit; further posts are refused with 503.
    #[arg(long, env = "WRITE_QUEUE", default_value_t = 8_192, value_parser = queue_length)]
    pub(super) write_queue: usize,

    /// Seconds after the stop signal until connections that are still open are closed.
    #[arg(long, env = "DRAIN_GRACE_SECS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(super) drain_grace_secs: u64,

    /// Seconds of `DRAIN_GRACE_SECS` during which the program reports that it is not ready but still serves, so that proxies stop sending requests first.
    #[arg(long, env = "DRAIN_DELAY_SECS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=120))]
    pub(super) drain_delay_secs: u64,

    /// Log format: readable (`text`) or structured (`json`).
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
}

/// Access for commands that do not need a whole configuration.
impl Settings {
    /// `PORT`, for commands that connect to a server on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `ACCESS_TOKEN_TTL_SECS`.
    pub fn access_token_ttl_secs(&self) -> u64 {
        self.access_token_ttl_secs
    }

    /// `JWT_SIGNING_KEY`, given directly or in its file.
    ///
    /// # Errors
    ///
    /// If it is given both ways, or its file cannot be read.
    pub fn signing_key_text(&self) -> anyhow::Result<Option<SecretString>> {
        secret("JWT_SIGNING_KEY", self.jwt_signing_key.clone(), self.jwt_signing_key_file.clone())
    }

    /// `JWT_PREVIOUS_KEYS`, given directly or in its file.
    ///
    /// # Errors
    ///
    /// As [`signing_key_text`](Self::signing_key_text).
    pub fn previous_keys_text(&self) -> anyhow::Result<Option<SecretString>> {
        secret("JWT_PREVIOUS_KEYS", self.jwt_previous_keys.clone(), self.jwt_previous_keys_file.clone())
    }
}

/// People who may create an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anyone.
    #[default]
    Open,
    /// Anyone with an invitation.
    Invite,
    /// No one.
    Closed,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Parses a path; an empty text counts as unset.
fn path() -> impl clap::builder::TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn queue_length(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(length) if (1..=1_000_000).contains(&length) => Ok(length),
        _ => Err("must be a number from 1 to 1000000".to_owned()),
    }
}

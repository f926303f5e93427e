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
    /// Port to listen on; 0 takes a free one.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub(super) port: u16,

    /// Address to listen on.
    #[arg(long, env = "HOST", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    pub(super) host: IpAddr,

    /// `PostgreSQL` to use, as a URL; `?sslmode=verify-full` and `&sslrootcert=FILE` ask for TLS and say whom to trust. Without it the program starts a private one, kept in `DATA_DIR`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(super) database_url: Option<SecretString>,

    /// File that holds `DATABASE_URL`, as container secrets come.
    #[arg(long, env = "DATABASE_URL_FILE", value_parser = path())]
    pub(super) database_url_file: Option<PathBuf>,

    /// Address of the same database without its pooler, where `DATABASE_URL` is a pooler's. Used to change the schema, to export and to import.
    #[arg(long, env = "DATABASE_DIRECT_URL", hide_env_values = true)]
    pub(super) database_direct_url: Option<SecretString>,

    /// File that holds `DATABASE_DIRECT_URL`.
    #[arg(long, env = "DATABASE_DIRECT_URL_FILE", value_parser = path())]
    pub(super) database_direct_url_file: Option<PathBuf>,

    /// Redis that carries news between instances: a URL, or `host:port,password=…,ssl=True`. Without it there is one instance.
    #[arg(long, env = "REDIS_CONNECTION", hide_env_values = true)]
    pub(super) redis_connection: Option<SecretString>,

    /// File that holds `REDIS_CONNECTION`.
    #[arg(long, env = "REDIS_CONNECTION_FILE", value_parser = path())]
    pub(super) redis_connection_file: Option<PathBuf>,

    /// Directory for what the program itself keeps: the private database and the demo's signing key.
    #[arg(long, env = "DATA_DIR", default_value = ".data")]
    pub(super) data_dir: PathBuf,

    /// Whether demo accounts and rooms exist. On where neither a database nor a signing key is set.
    #[arg(long, env = "DEMO_MODE", value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) demo_mode: Option<bool>,

    /// Key that signs access tokens, and by which instances recognise each other, as 64 hex digits. Required outside demo mode.
    #[arg(long, env = "JWT_SIGNING_KEY", hide_env_values = true)]
    pub(super) jwt_signing_key: Option<SecretString>,

    /// File that holds `JWT_SIGNING_KEY` on its first line, and below it former keys, which still verify: `gapless keys rotate --file` keeps it.
    #[arg(long, env = "JWT_SIGNING_KEY_FILE", value_parser = path())]
    pub(super) jwt_signing_key_file: Option<PathBuf>,

    /// Former signing keys, comma-separated: they still verify tokens, and sign none.
    #[arg(long, env = "JWT_PREVIOUS_KEYS", hide_env_values = true)]
    pub(super) jwt_previous_keys: Option<SecretString>,

    /// File that holds `JWT_PREVIOUS_KEYS`.
    #[arg(long, env = "JWT_PREVIOUS_KEYS_FILE", value_parser = path())]
    pub(super) jwt_previous_keys_file: Option<PathBuf>,

    /// `iss` of access tokens, given and demanded.
    #[arg(long, env = "JWT_ISSUER", default_value = "gapless")]
    pub(super) jwt_issuer: String,

    /// `aud` of access tokens, given and demanded.
    #[arg(long, env = "JWT_AUDIENCE", default_value = "gapless")]
    pub(super) jwt_audience: String,

    /// Life of an access token in seconds, at most 15 minutes: so long at most a lost one is of use.
    #[arg(long, env = "ACCESS_TOKEN_TTL_SECS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=900))]
    pub(super) access_token_ttl_secs: u64,

    /// Life of an unused refresh token in seconds; default 30 days.
    #[arg(long, env = "REFRESH_TOKEN_TTL_SECS", default_value_t = 30 * 86_400, value_parser = clap::value_parser!(u64).range(60..=31_536_000))]
    pub(super) refresh_token_ttl_secs: u64,

    /// Origins whose pages may call the API, comma-separated; in demo mode by default the Vite dev server.
    #[arg(long, env = "ALLOWED_ORIGINS")]
    pub(super) allowed_origins: Option<String>,

    /// Proxies whose word on a caller's address is believed: addresses and networks, comma-separated, or `private` for every private one.
    #[arg(long, env = "TRUSTED_PROXY")]
    pub(super) trusted_proxy: Option<String>,

    /// Header in which those proxies say where a caller comes from; on Fly `fly-client-ip`.
    #[arg(long, env = "CLIENT_ADDRESS_HEADER", default_value = "x-forwarded-for")]
    pub(super) client_address_header: String,

    /// Port of `/metrics` alone, for a scraper on a private network.
    #[arg(long, env = "METRICS_PORT")]
    pub(super) metrics_port: Option<u16>,

    /// Token that `/metrics` asks for. Without one, outside demo mode, `/metrics` is on `METRICS_PORT` alone.
    #[arg(long, env = "METRICS_TOKEN", hide_env_values = true)]
    pub(super) metrics_token: Option<SecretString>,

    /// File that holds `METRICS_TOKEN`.
    #[arg(long, env = "METRICS_TOKEN_FILE", value_parser = path())]
    pub(super) metrics_token_file: Option<PathBuf>,

    /// Who may make an account: anybody, whoever shows an admin's invitation, or nobody.
    #[arg(long, env = "REGISTRATION", value_enum, default_value_t = Registration::Open)]
    pub(super) registration: Registration,

    /// Whether a user may answer an admin who wrote to them first.
    #[arg(long, env = "DM_REPLIES", default_value = "false", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) dm_replies: bool,

    /// Days after which a message is deleted by itself, in rooms for which no admin said otherwise. Without it messages are kept.
    #[arg(long, env = "RETENTION_DAYS", value_parser = clap::value_parser!(i32).range(0..=36_500))]
    pub(super) retention_days: Option<i32>,

    /// Limits of requests, sign-ins and streams per user and address. Off is for load tests.
    #[arg(long, env = "RATE_LIMITS", default_value = "on", action = ArgAction::Set, value_parser = clap::builder::BoolishValueParser::new())]
    pub(super) rate_limits: bool,

    /// Directory of the built single-page app, served on the same port. A program built with `embed-spa` has one within.
    #[arg(long, env = "SPA_DIR", value_parser = path())]
    pub(super) spa_dir: Option<PathBuf>,

    /// Directory of the `PostgreSQL` binaries for the private database; searched for by default.
    #[arg(long, env = "POSTGRES_BIN_DIR", value_parser = path())]
    pub(super) postgres_bin_dir: Option<PathBuf>,

    /// Most database connections of this instance.
    #[arg(long, env = "DB_POOL_SIZE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(4..=1_000))]
    pub(super) db_pool_size: u32,

    /// Most open streams of this instance; beyond it a stream is told `bye busy`.
    #[arg(long, env = "MAX_STREAMS", default_value_t = 50_000)]
    pub(super) max_streams: usize,

    /// Most open streams of one address, where rate limits are on; an office may share one.
    #[arg(long, env = "MAX_STREAMS_PER_ADDRESS", default_value_t = 256)]
    pub(super) max_streams_per_address: usize,

    /// Seconds between two heartbeats of a stream.
    #[arg(long, env = "HEARTBEAT_SECS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(super) heartbeat_secs: u64,

    /// Seconds that an idle connection is kept open for its next request; longer than proxies keep theirs (nginx 60, Go 90, Caddy 120).
    #[arg(long, env = "KEEP_ALIVE_SECS", default_value_t = 150, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(super) keep_alive_secs: u64,

    /// Bytes of recent events kept in memory for streams that resume; default 64 MiB.
    #[arg(long, env = "REPLAY_RING_BYTES", default_value_t = 64 << 20)]
    pub(super) replay_ring_bytes: usize,

    /// Posts that may wait for the next commit; beyond it a post is refused with 503.
    #[arg(long, env = "WRITE_QUEUE", default_value_t = 8_192, value_parser = queue_length)]
    pub(super) write_queue: usize,

    /// Seconds from the signal to stop until the program ends whatever is still open.
    #[arg(long, env = "DRAIN_GRACE_SECS", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(super) drain_grace_secs: u64,

    /// Of those, the seconds in which it says that it is not ready and still serves, so that a proxy notices first.
    #[arg(long, env = "DRAIN_DELAY_SECS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=120))]
    pub(super) drain_delay_secs: u64,

    /// Log lines for people (`text`) or for machines (`json`).
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

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anybody.
    #[default]
    Open,
    /// Whoever shows an invitation.
    Invite,
    /// Nobody.
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

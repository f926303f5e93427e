//! `PgBouncer` between the chat and its database, as in hosted PostgreSQL.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use embedded_postgres::account::Account;

use super::services::{Scratch, free_port};
use crate::process::Running;
use crate::tools::{self, Bouncer};

const START: Duration = Duration::from_secs(10);

/// Pool mode: the period for which a client connection keeps its server connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Session,
    Transaction,
}

/// A tested combination of release and pool mode.
pub struct Way {
    pub name: &'static str,
    pub find: fn() -> anyhow::Result<Bouncer>,
    mode: Mode,
    /// The route that the chat must detect (`store::Route`).
    route: &'static str,
}

pub const WAYS: [Way; 3] = [
    Way { name: "chat through PgBouncer, session mode", find: tools::pgbouncer, mode: Mode::Session, route: "Session" },
    Way {
        name: "chat through PgBouncer, transaction mode",
        find: tools::pgbouncer_of_debian_13,
        mode: Mode::Transaction,
        route: "Transaction",
    },
    Way {
        name: "chat through PgBouncer before 1.21",
        find: tools::pgbouncer_of_debian_12,
        mode: Mode::Transaction,
        route: "Wrapped",
    },
];

/// A running pooler. It serves every database of the server under its own name.
pub struct Pooler {
    url: String,
    route: &'static str,
    _running: Running,
    _dir: Scratch,
}

impl Pooler {
    pub fn start(database_url: &str, bouncer: &Bouncer, way: &Way) -> anyhow::Result<Self> {
        let server = Server::of(database_url).context("cannot parse the database URL")?;
        let dir = Scratch::make("gapless-pooler")?;
        let port = free_port()?;
        let settings = dir.0.join("pgbouncer.ini");
        fs::write(&settings, server.settings(port, way.mode))?;
        // Like PostgreSQL, it refuses to run as root. It connects to the database's socket under the same account.
        let account = Account::for_data(&dir.0.join("data"))?;
        if account.other {
            fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o755))?;
            chown(&settings, Some(account.uid), Some(account.gid))?;
        }
        let mut command = bouncer.command();
        command.arg("--quiet").arg(&settings).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        account.run(&mut command);
        let running = Running::start(&mut command)?;
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(since.elapsed() < START, "PgBouncer did not start within {} s", START.as_secs());
            sleep(Duration::from_millis(10));
        }
        let url = format!("postgres://{}@127.0.0.1:{port}/postgres?sslmode=disable", server.user);
        Ok(Self { url, route: way.route, _running: running, _dir: dir })
    }

    /// Passes the pooler's address to `command`.
    pub fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("TEST_POOLED_URL", &self.url).env("TEST_POOLED_ROUTE", self.route)
    }
}

/// Parts of a PostgreSQL URL, as `PgBouncer` takes them.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    user: String,
    password: Option<String>,
    host: String,
    port: String,
}

impl Server {
    fn of(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = rest.split('/').next()?;
        let (account, place) = authority.rsplit_once('@').unwrap_or(("postgres", authority));
        let (user, password) = account.split_once(':').map_or((account, None), |(user, word)| (user, Some(word)));
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "5432"));
        // The query holds the directory of a socket.
        let host = query.split('&').find_map(|pair| pair.strip_prefix("host=")).unwrap_or(host);
        Some(Self {
            user: decoded(user)?,
            password: password.and_then(decoded),
            host: decoded(host)?,
            port: port.into(),
        })
    }

    fn settings(&self, port: u16, mode: Mode) -> String {
        let Self { user, password, host, port: server_port } = self;
        let password = password.as_deref().map_or(String::new(), |password| format!(" password={password}"));
        // In session mode each connection of each instance needs a server. In transaction mode a few are enough, and
        // make it likely that a connection gets a different server each time.
        let (name, servers) = match mode {
            Mode::Session => ("session", 100),
            Mode::Transaction => ("transaction", 5),
        };
        format!(
            "[databases]\n* = host={host} port={server_port} user={user}{password}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {name}\ndefault_pool_size = {servers}\n\
             max_client_conn = 2000\nserver_login_retry = 1\nlog_connections = 0\nlog_disconnections = 0\n"
        )
    }
}

/// Decodes `%2F` to `/`.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_parsed() {
        let of = |url: &str| Server::of(url).expect("an address");
        let server = |user: &str, password: Option<&str>, host: &str, port: &str| Server {
            user: user.into(),
            password: password.map(Into::into),
            host: host.into(),
            port: port.into(),
        };
        assert_eq!(of("postgres://chat:a%40b@db:6000/x?sslmode=require"), server("chat", Some("a@b"), "db", "6000"));
        assert_eq!(of("postgres://chat@localhost:5432/x?host=%2Ftmp%2Fs"), server("chat", None, "/tmp/s", "5432"));
        assert_eq!(of("postgres://db/x"), server("postgres", None, "db", "5432"));
    }
}

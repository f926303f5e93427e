//! The life of the private database: found, made once, started, watched, stopped.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::{Binaries, Places};
use crate::error::EmbeddedError;
use crate::home::{Home, make_private};
use crate::postmaster::{Guarded, PidFile, take_over, wait_until};

/// The database's user and name. Whoever may enter the socket's directory is trusted.
const USER: &str = "gapless";
const DATABASE: &str = "gapless";

/// Settings of the server, whatever its configuration file says. An acknowledgement means durable: the first
/// three are the promise. The log never shows a statement or a row, since they hold messages and passwords' hashes.
const SETTINGS: [(&str, &str); 15] = [
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    ("listen_addresses", ""),
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "100"),
    ("shared_buffers", "128MB"),
    ("jit", "off"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "off"),
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
    ("log_min_duration_statement", "-1"),
];

/// Interval in which the watching thread checks that the server still runs; a crash is noticed after at most this.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// The longest time for which a crashed server's backends may keep its shared memory, and with it a new server from starting.
const BACKENDS_LINGER: Duration = Duration::from_secs(15);

/// A start that takes longer is repairing the database, which is worth a word.
const USUAL_START: Duration = Duration::from_secs(3);

pub struct Options {
    pub data_dir: PathBuf,
    /// The directory of PostgreSQL's programs; `None` searches.
    pub bin_dir: Option<PathBuf>,
    /// More settings of the server, winning over [`SETTINGS`].
    pub settings: Vec<(&'static str, &'static str)>,
    /// Hears, in whole sentences, of what takes long or happens behind the scenes.
    pub notice: fn(&str),
}

/// A running database. A thread watches it and starts it again should it die; dropping this stops it.
pub struct Cluster {
    url: String,
    /// Closed to end the watch; nothing is ever sent. Taken when dropped.
    end: Option<SyncSender<()>>,
    watch: Option<JoinHandle<()>>,
}

impl Cluster {
    pub fn start(options: Options) -> Result<Self, EmbeddedError> {
        let home = Home::open(&options.data_dir, options.notice)?;
        let places = Places::of_machine(options.bin_dir.clone(), Home::npm_dirs(&options.data_dir).into());
        let binaries = places.find(home.account, &home.data, major_of(&home.data))?;
        if !home.data.exists() {
            (options.notice)("Creating the database; this happens only once");
            make(&home, &binaries)?;
        }
        let url = url(&home.sockets);
        let runner = Runner { home, binaries, options };
        let server = runner.start()?;
        let (end, ended) = sync_channel(0);
        let watch = thread::Builder::new()
            .name("postgres-watch".to_owned())
            .spawn(move || {
                let mut server = server;
                while ended.recv_timeout(WATCH_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if server.ended().is_some() {
                        (runner.options.notice)("The database exited unexpectedly; restarting it");
                        match runner.start() {
                            Ok(again) => server = again,
                            Err(error) => {
                                (runner.options.notice)(&format!("Cannot restart the database; retrying: {error}"));
                                // Its cause may pass, as a full disk does.
                                thread::sleep(USUAL_START);
                            }
                        }
                    }
                }
                server.stop();
            })
            .map_err(|error| EmbeddedError::at(Path::new("/proc"), error))?;
        Ok(Self { url, end: Some(end), watch: Some(watch) })
    }

    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}

/// Everything that a start needs, again and again.
struct Runner {
    home: Home,
    binaries: Binaries,
    options: Options,
}

impl Runner {
    /// Starts the server and waits until it takes connections.
    fn start(&self) -> Result<Guarded, EmbeddedError> {
        let since = Instant::now();
        loop {
            take_over(&self.home.data, self.options.notice);
            let log_path = &self.home.log;
            let _ = fs::rename(log_path, log_path.with_extension("log.old"));
            let log = File::create(log_path).map_err(|error| EmbeddedError::at(log_path, error))?;
            let mut server = self.spawn(&log).map_err(|error| EmbeddedError::at(&self.home.data, error))?;
            if self.becomes_ready(&mut server) {
                return Ok(server);
            }
            let printed = fs::read_to_string(log_path).unwrap_or_default();
            // The backends of a killed server notice its death soon, and let go.
            let lingering = printed.contains("is still in use") && since.elapsed() < BACKENDS_LINGER;
            if !lingering {
                return Err(EmbeddedError::printed(&self.home.data, log_path, &printed));
            }
            thread::sleep(WATCH_INTERVAL);
        }
    }

    fn spawn(&self, log: &File) -> std::io::Result<Guarded> {
        let mut args = vec!["-D".to_owned(), self.home.data.display().to_string()];
        let sockets = self.home.sockets.display().to_string();
        let settings = SETTINGS
            .iter()
            .chain(&self.options.settings)
            .copied()
            .chain([("unix_socket_directories", sockets.as_str())])
            .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]);
        args.extend(settings);
        let program = self.binaries.program("postgres");
        Guarded::start(&program, &args, &self.home.data, self.home.account, log)
    }

    fn becomes_ready(&self, server: &mut Guarded) -> bool {
        let since = Instant::now();
        let mut said = false;
        wait_until(Duration::MAX, || {
            if server.ended().is_some() {
                return Some(false);
            }
            if !said && since.elapsed() > USUAL_START {
                said = true;
                (self.options.notice)("The database is recovering from a crash; this may take a while");
            }
            PidFile::read(&self.home.data).is_some_and(|file| file.ready && file.pid == server.pid()).then_some(true)
        })
        .unwrap_or(false)
    }
}

/// Makes the database beside its place and moves it there when it is whole: what a crash or a full
/// disk leaves half-made is thrown away by the next start.
fn make(home: &Home, binaries: &Binaries) -> Result<(), EmbeddedError> {
    let new = home.data.with_extension("new");
    let at_new = |error| EmbeddedError::at(&new, error);
    if new.exists() {
        fs::remove_dir_all(&new).map_err(at_new)?;
    }
    make_private(&new, home.account).map_err(at_new)?;
    let log = File::create(&home.log).map_err(|error| EmbeddedError::at(&home.log, error))?;
    let printed = || {
        let text = fs::read_to_string(&home.log).unwrap_or_default();
        EmbeddedError::printed(&home.data, &home.log, &text)
    };

    let mut args: Vec<String> = [
        "--username",
        USER,
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
        "-D",
    ]
    .map(str::to_owned)
    .into();
    args.push(new.display().to_string());
    let made = Guarded::start(&binaries.program("initdb"), &args, &new, home.account, &log)
        .map(|mut initdb| initdb.wait())
        .map_err(at_new)?;
    if !made.success() || !create_database(&new, binaries, home.account, &log).map_err(at_new)? {
        let error = printed();
        let _ = fs::remove_dir_all(&new);
        return Err(error);
    }
    fs::rename(&new, &home.data).map_err(at_new)
}

/// Creates [`DATABASE`] in single-user mode: the npm package has no client program.
fn create_database(data: &Path, binaries: &Binaries, account: Account, log: &File) -> std::io::Result<bool> {
    let mut command = Command::new(binaries.program("postgres"));
    command
        .args(["--single", "-D"])
        .arg(data)
        .arg("postgres")
        .current_dir(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log.try_clone()?);
    account.run(&mut command);
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().expect("the input was piped");
    writeln!(input, "CREATE DATABASE {DATABASE};")?;
    drop(input);
    Ok(child.wait()?.success())
}

/// The major version that made `data`, if anything is there.
fn major_of(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// `sqlx` and `libpq` both read it so. The port only names the socket; no TCP port is open.
fn url(sockets: &Path) -> String {
    let host: String = sockets
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("postgres://{USER}@localhost:5432/{DATABASE}?host={host}&sslmode=disable")
}

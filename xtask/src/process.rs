//! Runs other programs, to their end or until dropped, and never leaves one running.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal};

use crate::{interrupt, root, step};

const POLL: Duration = Duration::from_millis(20);

/// Time for a program to end before it is killed: the server's own grace period and a margin.
const PATIENCE: Duration = Duration::from_secs(35);

/// The `cargo` that runs this program, with the environment of a shell. The variables that cargo sets for this
/// program's own package are removed: `ring`'s build script depends on them, and half of the dependencies would be
/// rebuilt whenever a command follows a plain `cargo build`.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_this_package(&mut cargo);
    cargo.current_dir(root());
    cargo
}

fn forget_this_package(command: &mut Command) {
    const OF_THIS_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    for (name, _) in std::env::vars() {
        if OF_THIS_PACKAGE.iter().any(|start| name.starts_with(start)) {
            command.env_remove(name);
        }
    }
}

/// Runs `command` to its end and shows its output. An interrupt ends it and all its child processes.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let mut running = Running::start(command)?;
    running.wait()
}

/// Runs `command` to its end, shows its output, and returns it, including the error output.
///
/// # Errors
///
/// When the program could not be run at all. Its success is in the returned status.
pub fn run_and_read(command: &mut Command) -> anyhow::Result<(ExitStatus, String)> {
    if step::colourful() {
        command.env("CARGO_TERM_COLOR", "always").env("FORCE_COLOR", "1");
    }
    let mut running = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let printed = Arc::new(Mutex::new(String::new()));
    let readers = [
        running.child.stdout.take().map(|pipe| show(pipe, &printed)),
        running.child.stderr.take().map(|pipe| show(pipe, &printed)),
    ];
    let status = running.status()?;
    for reader in readers.into_iter().flatten() {
        let _ = reader.join();
    }
    let printed = printed.lock().expect("no reader panics").clone();
    Ok((status, printed))
}

fn show(pipe: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let printed = Arc::clone(printed);
    thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line);
            eprint!("{text}");
            printed.lock().expect("no reader panics").push_str(&text);
            line.clear();
        }
    })
}

/// Runs `command` quietly and returns its standard output.
pub fn read(command: &mut Command) -> anyhow::Result<String> {
    let name = name(command);
    let output = command.output().with_context(|| format!("cannot run `{name}`"))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        bail!("`{name}` failed ({}): {}", output.status, printed.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{name}` printed invalid UTF-8"))
}

/// Runs git in this repository; `None` if git is missing or this is not a clone.
pub fn git(args: &[&str]) -> Option<String> {
    // The owner of the clone may be another user.
    read(Command::new("git").args(["-c", "safe.directory=*"]).args(args).current_dir(root())).ok()
}

/// The path of `program`, if it is installed.
pub fn find(program: &str) -> Option<std::path::PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// A program that runs in a process group of its own. When dropped, it is asked to end with all its child processes.
pub struct Running {
    name: String,
    child: Child,
}

impl Running {
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let name = name(command);
        let child =
            command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("cannot run `{name}`"))?;
        Ok(Self { name, child })
    }

    /// Waits for a successful end.
    pub fn wait(&mut self) -> anyhow::Result<()> {
        let status = self.status()?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.name);
        }
        Ok(())
    }

    /// Waits for the end, or for an interrupt.
    pub fn status(&mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            interrupt::check()?;
            sleep(POLL);
        }
    }

    /// Id of its process, and of the process group of its children.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot get the status of `{}`", self.name))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.signal(Signal::TERM);
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(POLL);
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The command as typed in a shell.
fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(command.get_args().map(std::ffi::OsStr::to_string_lossy));
    words.join(" ")
}

//! PostgreSQL's processes: started so that they end with this program whatever happens to it, stopped, and
//! taken over from a program that was killed.
//!
//! A shell stays behind each process with the reading end of a pipe; we hold the writing end. The kernel closes it when
//! this program ends in any way, and the shell then asks PostgreSQL to stop. A parent-death signal would not do: it is
//! cleared when root changes to another account, and it follows the *thread* that started the child.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::account::Account;

/// Interval of looking at files and processes while waiting.
const POLL: Duration = Duration::from_millis(5);

/// The longest time that a database may take to write out its memory before it is cut off; crash recovery then repairs it.
const FAST_SHUTDOWN: Duration = Duration::from_secs(20);
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(5);

/// The guard forks twice: PostgreSQL takes the death of a child that it does not know for the crash of a backend.
/// `read` fails at the end of the pipe; a line, sent by [`Guarded::dismiss`], lets it succeed.
const GUARD: &str = r#"
exec 3<&0
( ( read -r _ <&3 || kill -INT "$$" ) </dev/null >/dev/null 2>&1 3<&3 & )
exec "$0" "$@" </dev/null 3<&-
"#;

/// A process of PostgreSQL that gets SIGINT (for the server: fast shutdown) when this program ends.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
}

impl Guarded {
    /// Starts `program`, its output going to `log`, under `account`, in a process group of its own: a terminal's
    /// Ctrl-C must not reach the database before the program has answered its last request.
    pub fn start(program: &Path, args: &[String], dir: &Path, account: Account, log: &File) -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(GUARD)
            .arg(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0);
        account.run(&mut command);
        Ok(Self { child: command.spawn()? })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status of the process, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait().expect("the child is ours and not waited for elsewhere");
        if ended.is_some() {
            self.dismiss();
        }
        ended
    }

    /// Waits for the end. Not by `Child::wait`, which begins by closing the pipe that the guard listens to.
    pub fn wait(&mut self) -> ExitStatus {
        wait_until(Duration::MAX, || self.ended()).expect("the wait has no end of its own")
    }

    /// Stops the server: first politely (everything on disk, no recovery needed), in the end by force.
    pub fn stop(mut self) {
        if self.ended().is_some() {
            return;
        }
        let pid = pid_of(self.child.id());
        for (signal, patience) in
            [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN), (Signal::KILL, Duration::MAX)]
        {
            send(pid, signal);
            if wait_until(patience, || self.ended()).is_some() {
                return;
            }
        }
    }

    /// Sends the guard home, so that it does not signal a process that has got our child's number since.
    fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
    }
}

/// The content of `postmaster.pid`: the server that runs, or ran, on a data directory.
#[derive(Debug, PartialEq, Eq)]
pub struct PidFile {
    pub pid: u32,
    pub ready: bool,
}

impl PidFile {
    pub fn path(data: &Path) -> PathBuf {
        data.join("postmaster.pid")
    }

    /// The file's lines are: pid, data directory, start time, port, socket directory, listen address, shared memory,
    /// status. The server rewrites the last one as it comes up.
    pub fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(Self::path(data)).ok()?;
        let mut lines = text.lines();
        Some(Self {
            pid: lines.next()?.trim().parse().ok()?,
            ready: lines.nth(6).is_some_and(|status| status.trim() == "ready"),
        })
    }
}

/// Ends a server that a killed program left on `data`, and removes its pid file if the server is gone already. The caller
/// holds the lock of the directory, so nobody can have started a new one meanwhile.
///
/// Stopping is preferred to adopting: the killed program's transactions end with the server, and the new
/// one is our child, with our settings. It takes as long as one checkpoint.
pub fn take_over(data: &Path, notice: fn(&str)) {
    let Some(file) = PidFile::read(data) else {
        return;
    };
    let pid = pid_of(file.pid);
    if serves(file.pid, data) {
        notice("A database left behind by a killed program is still running; stopping it first");
        for (signal, patience) in
            [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN), (Signal::KILL, IMMEDIATE_SHUTDOWN)]
        {
            send(pid, signal);
            if wait_until(patience, || (!serves(file.pid, data)).then_some(())).is_some() {
                break;
            }
        }
    }
    // A stale file makes PostgreSQL refuse when its number was given to another process, as happens in containers.
    let _ = fs::remove_file(PidFile::path(data));
}

/// Returns whether process `pid` is a server on `data`. A number alone proves nothing: it may have been given away again.
fn serves(pid: u32, data: &Path) -> bool {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).or_else(|_| {
        Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().map(|output| output.stdout)
    });
    let data = data.as_os_str().as_encoded_bytes();
    command_line.is_ok_and(|line| line.windows(data.len()).any(|part| part == data))
}

/// Polls `ready` until it answers or `patience` ends.
pub fn wait_until<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let since = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return Some(answer);
        }
        if since.elapsed() > patience {
            return None;
        }
        sleep(POLL);
    }
}

fn pid_of(number: u32) -> Pid {
    i32::try_from(number).ok().and_then(Pid::from_raw).expect("a process has a positive number")
}

/// A process that has ended meanwhile needs no signal any more.
fn send(pid: Pid, signal: Signal) {
    let _ = rustix::process::kill_process(pid, signal);
}

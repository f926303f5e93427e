//! Processes by id: signals, children and resource usage.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Sends a signal to a process, unless it has ended.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).ok();
    }
}

/// Returns the current children of a process.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

/// Returns the fourth field of `stat`; the second one is a name in parentheses that may contain spaces.
fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Returns a number from `/proc/PID/status`.
pub fn status_of(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Returns the CPU time of a process so far, in user and kernel mode, including threads that have ended.
pub fn cpu_of(pid: u32) -> Option<Duration> {
    /// The clock tick of `/proc`, the same on every Linux.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields 14 and 15 of proc(5); the first one after the parentheses is the third.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

pub fn descriptors_of(pid: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

/// A child process that is killed on drop.
#[derive(Debug, Default)]
pub struct Child(Mutex<Option<(std::process::Child, Instant)>>);

impl Child {
    pub fn replace(&self, child: std::process::Child) {
        let old = self.lock().replace((child, Instant::now()));
        reap(old);
    }

    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(|(child, _)| child.id())
    }

    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            send(pid, signal);
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        let child = self.lock().take();
        reap(child);
    }

    pub fn has_ended(&self) -> bool {
        self.lock().as_mut().is_none_or(|(child, _)| !matches!(child.try_wait(), Ok(None)))
    }

    /// Returns the time since the process was started.
    pub fn age(&self) -> Duration {
        self.lock().as_ref().map_or(Duration::ZERO, |(_, started)| started.elapsed())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(std::process::Child, Instant)>> {
        self.0.lock().expect("nothing panics while it holds a child")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn reap(child: Option<(std::process::Child, Instant)>) {
    if let Some((mut child, _)) = child {
        child.kill().ok();
        child.wait().ok();
    }
}

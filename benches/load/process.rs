//! Resource use of a process as measured by the kernel: reliable even with other load on the machine.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Ticks per second in `/proc`, a constant of the kernel's interface on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns CPU seconds, user and system, of all threads of the process, including ended ones.
pub fn cpu_secs(pid: u32) -> anyhow::Result<f64> {
    Ok(stat(pid)?.own_secs)
}

/// Returns CPU seconds of a process and its child processes, including ended ones.
pub fn tree_cpu_secs(root: u32) -> f64 {
    let mut total = 0.0;
    let mut found = vec![root];
    let all = processes();
    while let Some(pid) = found.pop() {
        if let Ok(stat) = stat(pid) {
            total += stat.own_secs + stat.ended_children_secs;
        }
        found.extend(all.iter().filter(|(_, parent)| *parent == pid).map(|(pid, _)| *pid));
    }
    total
}

/// Returns resident memory in KiB.
pub fn rss_kib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the process has no memory")?;
    line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is not a number")
}

/// Returns the process id in a `postmaster.pid` somewhere under `directory`.
pub fn postmaster(directory: &Path) -> Option<u32> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if let Some(pid) = postmaster(&path) {
                return Some(pid);
            }
        } else if path.file_name()? == "postmaster.pid" {
            return fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok();
        }
    }
    None
}

struct Stat {
    parent: u32,
    own_secs: f64,
    ended_children_secs: f64,
}

fn stat(pid: u32) -> anyhow::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} has ended"))?;
    // The name is in brackets and may contain spaces; the third field of proc(5) is the first after it.
    let (_, fields) = text.rsplit_once(") ").context("a line of /proc has no name")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |at: usize| fields.get(at - 3).and_then(|field| field.parse::<u64>().ok()).context("a short line");
    Ok(Stat {
        parent: number(4)? as u32,
        own_secs: (number(14)? + number(15)?) as f64 / TICKS_PER_SECOND,
        ended_children_secs: (number(16)? + number(17)?) as f64 / TICKS_PER_SECOND,
    })
}

/// Returns every process and its parent.
fn processes() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid).ok()?.parent)))
        .collect()
}

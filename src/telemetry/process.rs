//! What the system says of this process, under the names that every Prometheus client library gives. Where there is
//! no `/proc`, it says nothing.

use std::fs;

/// Ticks of a second in `/proc/self/stat`: `USER_HZ`, which Linux keeps at 100 for programs whatever its own clock does.
const TICKS: u64 = 100;

/// Samples them.
pub fn sample() {
    if let Some(kib) = field("/proc/self/status", "VmRSS:") {
        metrics::gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Some(most) = field("/proc/self/limits", "Max open files") {
        metrics::gauge!("process_max_fds").set(most);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        metrics::gauge!("process_open_fds").set(u32::try_from(open.count()).unwrap_or(u32::MAX));
    }
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_ticks(&stat)) {
        metrics::counter!("process_cpu_seconds_total").absolute(ticks / TICKS);
    }
}

/// The first number behind `name` in a file of `/proc`.
fn field(path: &str, name: &str) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time: the fields 14 and 15, counted behind the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_field() {
        let stat = "7 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (cut) R 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_knows_this_process() {
        assert!(field("/proc/self/status", "VmRSS:").is_some_and(|kib| kib > 100.0));
        assert!(field("/proc/self/limits", "Max open files").is_some_and(|most| most >= 64.0));
    }
}

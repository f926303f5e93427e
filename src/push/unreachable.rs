//! Push services that do not answer, and are left alone for a while: otherwise one of them would take all places for
//! requests, and delay the notifications of the others.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

const LONGEST: Duration = Duration::from_mins(5);
/// Maximum number of hosts remembered. Hosts below one name could be made up by the thousand.
const MOST: usize = 256;

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

/// See the [module](self). In memory: each instance has its own network.
#[derive(Debug)]
pub struct Unreachable {
    hosts: HashMap<String, Pause>,
    /// First pause; each further failure doubles it.
    shortest: Duration,
}

impl Unreachable {
    pub fn new(shortest: Duration) -> Self {
        Self { hosts: HashMap::new(), shortest }
    }

    /// Remembers that a request was not answered. Returns the pause if a new one begins.
    pub fn note_failure(&mut self, host: &str, now: Instant) -> Option<Duration> {
        if let Some(pause) = self.hosts.get_mut(host) {
            // Requests that were sent before the pause began end one by one.
            if pause.until > now {
                return None;
            }
            pause.length = (pause.length * 2).min(LONGEST);
            pause.until = now + pause.length;
            return Some(pause.length);
        }
        if self.hosts.len() >= MOST {
            self.hosts.retain(|_, pause| pause.until > now);
        }
        if self.hosts.len() >= MOST {
            return None;
        }
        self.hosts.insert(host.to_owned(), Pause { until: now + self.shortest, length: self.shortest });
        Some(self.shortest)
    }

    /// Forgets earlier failures.
    pub fn note_answer(&mut self, host: &str) {
        self.hosts.remove(host);
    }

    /// Returns the hosts to leave alone now.
    pub fn paused(&self, now: Instant) -> Vec<String> {
        self.hosts.iter().filter(|(_, pause)| pause.until > now).map(|(host, _)| host.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn pauses_double_and_end_with_an_answer() {
        let (mut hosts, now) = (Unreachable::new(SHORTEST), Instant::now());
        assert_eq!(hosts.note_failure("a", now), Some(SHORTEST));
        assert_eq!(hosts.note_failure("a", now), None, "one pause for all requests that were on their way");
        assert_eq!((hosts.paused(now), hosts.paused(now + SHORTEST)), (vec!["a".to_owned()], Vec::new()));
        assert_eq!(hosts.note_failure("a", now + SHORTEST), Some(2 * SHORTEST));
        hosts.note_answer("a");
        assert!(hosts.paused(now).is_empty());
        let mut at = now;
        let grow = |_| {
            let length = hosts.note_failure("a", at);
            at += LONGEST;
            length
        };
        let lengths: Vec<_> = (0..9).filter_map(grow).collect();
        assert_eq!(lengths.last(), Some(&LONGEST));
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_hosts_take_bounded_memory() {
        let (mut hosts, now) = (Unreachable::new(SHORTEST), Instant::now());
        for n in 0..10 * MOST {
            hosts.note_failure(&n.to_string(), now);
        }
        assert_eq!(hosts.paused(now).len(), MOST);
        hosts.note_failure("later", now + LONGEST);
        assert_eq!(hosts.paused(now + LONGEST), ["later"]);
    }
}

//! TCP timeouts: a vanished peer is released within a minute, and a healthy one on a bad network is never cut.
//!
//! Linux ends a connection by one of three clocks, all of which end at `TCP_USER_TIMEOUT` (tcp(7)):
//!
//! - **Data in flight.** The clock starts at the *first retransmission*, up to [`FIRST_RETRANSMISSION`] after the data
//!   was sent, and no keepalive probe is sent meanwhile. A client that vanished right after it acknowledged something is
//!   noticed by the next heartbeat at the latest, so the worst case is `heartbeat + FIRST_RETRANSMISSION + timeout`.
//! - **A quiet connection.** Once nothing came from the peer for the keepalive time, a probe is sent every
//!   [`PROBE_INTERVAL`], and at the first probe after the time-out the connection ends: within `timeout +
//!   PROBE_INTERVAL`. The count of probes has no effect while `TCP_USER_TIMEOUT` is set.
//! - **A closed window.** The peer's kernel answers, but its program reads nothing. [`stall_timeout`] comes first.
//!
//! The first two add up where heartbeats are further apart than the time-out: data may be sent just before a quiet
//! connection would have ended. [`user_timeout`] therefore is the longest that keeps the sum below [`RELEASED_WITHIN`]:
//!
//! | `HEARTBEAT_SECS` | time-out | keepalive time | worst case, data | worst case, quiet |
//! |---|---|---|---|---|
//! | 1 | 53 s | 18 to 20 s | 1 + 6 + 53 = 60 s | 55 s |
//! | 15 (default) | 39 s | 18 to 20 s | 15 + 6 + 39 = 60 s | 41 s |
//! | 60 | 26 s | 6 to 10 s | 28 + 6 + 26 = 60 s | 28 s |
//!
//! A healthy connection outlasts that because it is tried many times. Within 39 s, at 100 ms there and back, a heartbeat
//! is sent 14 times: at first, as a tail loss probe, seven times at the retransmission time-out (`TCP_THIN_LINEAR_TIMEOUTS`:
//! a thin stream does not back off at once), and five times with back-off. At 10 % loss each way one in five tries fails,
//! and all of them in 8 of 10^11 heartbeats. At a round trip of 2.4 s there are 9 tries. A quiet connection is probed 9
//! times or more (3 of 10^7). (With a time-out of 9 s, as there once was, one lost probe ended a stream.)

use std::io;
use std::time::Duration;

use rand::Rng as _;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Maximum time until a vanished peer is released.
pub const RELEASED_WITHIN: Duration = Duration::from_mins(1);
/// Time from sending data to its first retransmission by timeout, at a round trip of 2.4 s: a tail loss probe after one
/// retransmission timeout (3 s at most), and another one. At 100 ms it is 0.6 s.
const FIRST_RETRANSMISSION: Duration = Duration::from_secs(6);
/// Interval of keepalive probes. It is short, since only their number distinguishes loss from absence.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);
/// Heartbeats at least this frequent keep a healthy connection from being probed at all.
const FREQUENT_HEARTBEAT: Duration = Duration::from_secs(15);
/// The kernel closes a connection whose window stays closed for the timeout. We close it this much earlier, to log the
/// reason.
const BEFORE_THE_KERNEL: Duration = Duration::from_secs(4);
/// Maximum of unsent bytes in the kernel. Without a limit that is up to 4 MB for each stalled reader, and a slow
/// reader's socket would accept no more before a third of it is acknowledged.
const MOST_UNSENT: u32 = 64 * 1024;

/// Configures an accepted socket.
pub fn prepare(socket: &TcpStream, heartbeat: Duration) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(keepalive_time(heartbeat)).with_interval(PROBE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(user_timeout(heartbeat)))?;
        socket.set_tcp_thin_linear_timeouts(true)?;
        socket.set_tcp_notsent_lowat(MOST_UNSENT)?;
    }
    Ok(())
}

/// Value of `TCP_USER_TIMEOUT`.
fn user_timeout(heartbeat: Duration) -> Duration {
    let remaining = RELEASED_WITHIN.saturating_sub(FIRST_RETRANSMISSION);
    // For long heartbeats: silence until just before the end, then data.
    let twice = remaining.saturating_sub(PROBE_INTERVAL) / 2;
    remaining.saturating_sub(heartbeat).max(twice)
}

/// Keepalive time, different for each connection. Thousands are opened in the same second after a restart, and the
/// kernel fires timers of this length in batches, in steps of up to 2 s: their probes would be sent in one millisecond,
/// and a backlog of 1,000 packets would drop most of them. With frequent heartbeats the time is longer than a heartbeat
/// plus the delay of its acknowledgement, so that a healthy stream is never probed.
fn keepalive_time(heartbeat: Duration) -> Duration {
    let secs = if heartbeat <= FREQUENT_HEARTBEAT { 18..=20 } else { 6..=10 };
    Duration::from_secs(rand::rng().random_range(secs))
}

/// Time after which a socket that accepts no data is considered stalled.
pub fn stall_timeout(heartbeat: Duration) -> Duration {
    user_timeout(heartbeat).saturating_sub(BEFORE_THE_KERNEL)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::net::TcpListener;

    use super::*;

    /// All allowed settings, and those used by tests.
    fn heartbeats() -> impl Iterator<Item = Duration> {
        [Duration::from_millis(50)].into_iter().chain((1..=60).map(Duration::from_secs))
    }

    #[test]
    fn a_peer_that_is_gone_is_released_within_a_minute() {
        for heartbeat in heartbeats() {
            let timeout = user_timeout(heartbeat);
            // The kernel checks when a probe is due.
            let quiet = timeout + PROBE_INTERVAL;
            let busy = heartbeat.min(quiet) + FIRST_RETRANSMISSION + timeout;
            assert!(quiet.max(busy) <= RELEASED_WITHIN, "{heartbeat:?}: {quiet:?}, {busy:?}");
        }
    }

    #[test]
    fn a_healthy_peer_has_many_chances_to_answer() {
        let round_trip = Duration::from_millis(2_400);
        for heartbeat in heartbeats() {
            let timeout = user_timeout(heartbeat);
            for _ in 0..100 {
                let answerable = timeout.saturating_sub(keepalive_time(heartbeat) + round_trip);
                let probes = 1 + answerable.as_secs() / PROBE_INTERVAL.as_secs();
                assert!(probes >= 7, "{heartbeat:?}: {probes} probes");
            }
            assert!(timeout >= Duration::from_secs(26), "{heartbeat:?}: {timeout:?}");
        }
        let by_default = user_timeout(Duration::from_secs(15));
        assert_eq!(by_default, Duration::from_secs(39));
        assert_eq!(stall_timeout(Duration::from_secs(15)), Duration::from_secs(35));
    }

    #[tokio::test]
    async fn accepted_sockets_have_these_options_and_differ_in_their_timers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (heartbeat, earliest, latest) in [(15, 18, 20), (60, 6, 10)] {
            let heartbeat = Duration::from_secs(heartbeat);
            let mut times = HashSet::new();
            for _ in 0..100 {
                let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let (accepted, _) = listener.accept().await.unwrap();
                prepare(&accepted, heartbeat).unwrap();
                let socket = SockRef::from(&accepted);
                assert!(accepted.nodelay().unwrap() && socket.keepalive().unwrap());
                assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_INTERVAL);
                #[cfg(target_os = "linux")]
                {
                    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(user_timeout(heartbeat)));
                    assert!(socket.tcp_thin_linear_timeouts().unwrap());
                    assert_eq!(socket.tcp_notsent_lowat().unwrap(), MOST_UNSENT);
                }
                times.insert(socket.tcp_keepalive_time().unwrap().as_secs());
                drop(client);
            }
            assert_eq!(times, (earliest..=latest).collect(), "each of them is used");
        }
    }
}

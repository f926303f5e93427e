//! Streams on realistic networks: packets get lost, a phone's radio wakes up for two seconds, thousands of timers
//! expire at once. None of that ends a healthy stream, and a vanished client is released within a minute.

use std::time::{Duration, Instant};

use gapless::event::Room;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{founder, people, rooms};
use crate::actors::network::{BadWire, Conditions, is_own_network};
use crate::actors::{Database, Guest, Launch, PrivatePostgres, Program, Wire, free_port};

/// The production default.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Four heartbeats of every stream.
const QUIET: Duration = Duration::from_mins(1);
/// Maximum time until the greeting over the worst of these networks: several round trips, some of them lost.
const GREETED_WITHIN: Duration = Duration::from_secs(45);
/// Maximum time until a message over the worst of these networks: lost several times in a row.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
const RELEASED_WITHIN: Duration = Duration::from_mins(1);
/// More connections than the default backlog of common servers.
const BURST: usize = 1_500;

const fn conditions(delay: u32, jitter: u32, loss: u32) -> Conditions {
    Conditions { delay, jitter, loss }
}

/// Networks for healthy streams, and the number of streams on each.
const NETWORKS: [(&str, Conditions, usize); 4] = [
    ("2 % loss, 150 ± 100 ms each way", conditions(150, 100, 2), 100),
    ("round trips of 2.4 s", conditions(1_200, 0, 0), 50),
    ("10 % loss, 50 ms each way", conditions(50, 0, 10), 100),
    ("a pause of 2 s every 13 s", conditions(20, 5, 0), 50),
];
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_EVERY: Duration = Duration::from_secs(13);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy_streams_on_bad_networks_are_never_cut() {
    if !is_own_network("faults::network::healthy_streams_on_bad_networks_are_never_cut") {
        return;
    }
    let postgres = PrivatePostgres::start().await;
    let server = serve(&postgres).await;
    let rooms = rooms(&founder(&server).await, &["quiet"]).await;
    let alice = people(&server, 1).await.remove(0);

    let mut wires: Vec<_> = (1..).zip(NETWORKS).map(|(number, (_, how, _))| BadWire::lay(number, how)).collect();
    let mut readers = JoinSet::new();
    let is_message_due = watch::Sender::new(false);
    // Closed once every stream has received its greeting.
    let (greeted, mut all_greeted) = mpsc::channel::<()>(1);
    for (network, (wire, (_, _, count))) in wires.iter().zip(NETWORKS).enumerate() {
        for _ in 0..count {
            let stream = Reader { address: wire.to(server.address.port()), guest: server.guest() };
            let (room, greeted, due) = (rooms[0].clone(), greeted.clone(), is_message_due.subscribe());
            readers.spawn(async move { (network, stream.hears_one_message(&room, greeted, due).await) });
        }
    }
    drop(greeted);
    let mut pausing = wires.pop().expect("the last network pauses");
    let pausing = tokio::spawn(async move {
        let (_, usual, _) = NETWORKS[NETWORKS.len() - 1];
        loop {
            tokio::time::sleep(PAUSE_EVERY.saturating_sub(PAUSE)).await;
            pausing.change(Conditions { loss: 100, ..usual });
            tokio::time::sleep(PAUSE).await;
            pausing.change(usual);
        }
    });

    let mut outcomes = Vec::new();
    let quiet = async {
        while let Some(ended) = readers.join_next().await {
            outcomes.push(ended.expect("no panic"));
        }
    };
    all_greeted.recv().await;
    tokio::time::timeout(QUIET, quiet).await.ok();
    let cut = server.metric("gapless_streams_ended_total", "").await;
    is_message_due.send_replace(true);
    alice.post(&rooms[0], "still here").await;
    while let Some(ended) = readers.join_next().await {
        outcomes.push(ended.expect("no panic"));
    }
    pausing.abort();
    let mut faults = Vec::new();
    for (network, (name, _, count)) in NETWORKS.into_iter().enumerate() {
        let of_it = outcomes.iter().filter(|(of, _)| *of == network);
        let failed: Vec<_> = of_it.filter_map(|(_, outcome)| outcome.as_ref().err()).collect();
        println!("figure: {name}: {} of {count} streams cut within {QUIET:?}", failed.len());
        faults.extend(failed.first().map(|first| format!("{name}: {} of {count}, such as: {first}", failed.len())));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(cut < 0.5, "{cut} streams were ended by the server before the message");
}

/// Starts a server in this network, reachable over every wire, with the production heartbeat.
async fn serve(postgres: &PrivatePostgres) -> Program {
    let launch = Launch::on(postgres.url()).with("HOST", "0.0.0.0").with("HEARTBEAT_SECS", HEARTBEAT.as_secs());
    launch.start().await
}

struct Reader {
    address: std::net::SocketAddr,
    guest: Guest,
}

impl Reader {
    async fn open(&self, room: &Room) -> std::io::Result<Wire> {
        let mut wire = Wire::connect(self.address).await?;
        wire.ask_for_stream(&self.guest, &format!("room={}", room.id), None).await?;
        wire.head().await?;
        wire.next().await?;
        Ok(wire)
    }

    /// Keeps one stream open until a message arrives, or returns why it did not.
    async fn hears_one_message(
        self,
        room: &Room,
        greeted: mpsc::Sender<()>,
        mut is_due: watch::Receiver<bool>,
    ) -> Result<(), String> {
        let opened = tokio::time::timeout(GREETED_WITHIN, self.open(room)).await;
        let mut wire = opened.map_err(|_| "no greeting")?.map_err(|error| format!("no stream: {error}"))?;
        drop(greeted);
        let since = Instant::now();
        let listening = async {
            loop {
                match wire.next().await {
                    Ok(Some(event)) if event.name == "message.posted" => return Ok(()),
                    Ok(Some(_)) => {}
                    ended => return Err(format!("{ended:?} after {:?}", since.elapsed())),
                }
            }
        };
        let too_late = async {
            is_due.wait_for(|due| *due).await.ok();
            tokio::time::sleep(HEARD_WITHIN).await;
        };
        tokio::select! {
            heard = listening => heard,
            () = too_late => Err("the message did not arrive".to_owned()),
        }
    }
}

/// Simulates a phone that leaves the network: no more packets arrive from it, not even from its kernel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_vanished_is_released_within_a_minute() {
    const CLIENTS: u32 = 20;
    if !is_own_network("faults::network::a_client_that_has_vanished_is_released_within_a_minute") {
        return;
    }
    let postgres = PrivatePostgres::start().await;
    let server = serve(&postgres).await;
    let rooms = rooms(&founder(&server).await, &["quiet"]).await;
    let mut wire = BadWire::lay(1, conditions(100, 0, 0));
    let reader = Reader { address: wire.to(server.address.port()), guest: server.guest() };
    let mut streams = Vec::new();
    for _ in 0..CLIENTS {
        streams.push(reader.open(&rooms[0]).await.expect("a stream"));
    }

    wire.change(conditions(100, 0, 100));
    let vanished = Instant::now();
    let mut first = None;
    loop {
        let open = server.metric("gapless_streams", "").await;
        let elapsed = vanished.elapsed();
        if open < f64::from(CLIENTS) {
            first.get_or_insert(elapsed);
        }
        if open < 0.5 {
            break;
        }
        assert!(elapsed < RELEASED_WITHIN, "{open} streams of vanished clients are still held");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (first, last) = (first.expect("one is the first"), vanished.elapsed());
    println!("figure: {CLIENTS} streams whose clients vanished are released after {first:.1?} to {last:.1?}");
    assert!(first > Duration::from_secs(30), "the network might have come back: {first:?}");
    for (reason, count) in [("gone", f64::from(CLIENTS)), ("slow", 0.0)] {
        let ended = server.metric("gapless_streams_ended_total", reason).await;
        assert!((ended - count).abs() < 0.5, "{ended} of {count} ended as {reason}");
    }
}

/// After a restart everyone connects in the same second, and a connection that does not fit is retried after one, three
/// and seven seconds. A stopped program accepts nothing, so all of them must fit into the backlog.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_connections_fits_into_the_backlog() {
    let cap = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    if cap.trim().parse::<usize>().is_ok_and(|cap| cap < BURST) {
        eprintln!("the burst is skipped: net.core.somaxconn is {}, below {BURST}", cap.trim());
        return;
    }
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("up to the maximum");
    let database = Database::create().await;
    let metrics_port = free_port();
    let server = Launch::on(&database.url()).with("METRICS_PORT", metrics_port).start().await;
    server.signal(Signal::STOP);
    for (what, port) in [("PORT", server.address.port()), ("METRICS_PORT", metrics_port)] {
        let mut burst = JoinSet::new();
        for _ in 0..BURST {
            burst.spawn(TcpStream::connect((server.address.ip(), port)));
        }
        let began = Instant::now();
        let all = tokio::time::timeout(Duration::from_secs(5), burst.join_all()).await;
        let all = all.unwrap_or_else(|_| panic!("{what}: some of {BURST} connections did not fit into the backlog"));
        assert!(all.iter().all(Result::is_ok), "{what}: a connection was refused");
        println!("figure: {what}: {BURST} connections to a stopped program established in {:?}", began.elapsed());
    }
    server.signal(Signal::CONT);
    server.is_ready().await;
}

/// Streams that begin at the same moment send heartbeats at different moments, even after the whole instance was
/// paused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_of_streams_that_began_together_are_spread() {
    const STREAMS: usize = 200;
    const EVERY: Duration = Duration::from_secs(2);
    let database = Database::create().await;
    let server = Launch::on(&database.url()).with("HEARTBEAT_SECS", EVERY.as_secs()).start().await;
    let rooms = rooms(&founder(&server).await, &["quiet"]).await;
    let reader = Reader { address: server.address, guest: server.guest() };
    let opened = (0..STREAMS).map(|_| reader.open(&rooms[0]));
    let mut streams: Vec<_> =
        futures_util::future::join_all(opened).await.into_iter().map(|stream| stream.expect("a stream")).collect();

    let fresh = largest_share(&mut streams, EVERY).await;
    server.signal(Signal::STOP);
    tokio::time::sleep(EVERY * 2).await;
    server.signal(Signal::CONT);
    // Missed heartbeats arrive at once, and the next ones at different moments again.
    next_beats(&mut streams).await;
    let after_pause = largest_share(&mut streams, EVERY).await;
    println!(
        "figure: of {STREAMS} heartbeats every {EVERY:?}, at most {fresh} arrive within a tenth of it, {after_pause} after a pause"
    );
    // A fair share is a tenth, 20. Without phases, all heartbeats fell into one tenth, permanently so after a pause.
    assert!(fresh.max(after_pause) < STREAMS / 3, "{fresh}, {after_pause}");
}

/// Returns how many of the next heartbeats, one of each stream, fall within the same tenth of the interval.
async fn largest_share(streams: &mut [Wire], interval: Duration) -> usize {
    let mut moments = next_beats(streams).await;
    moments.sort();
    let in_tenth = |from: &Instant| moments.iter().filter(|at| **at >= *from && **at - *from < interval / 10).count();
    moments.iter().map(in_tenth).max().expect("there are streams")
}

async fn next_beats(streams: &mut [Wire]) -> Vec<Instant> {
    let beats = streams.iter_mut().map(async |stream| {
        loop {
            let event = stream.next().await.expect("it is open").expect("it continues");
            if event.name == "heartbeat" {
                return Instant::now();
            }
        }
    });
    futures_util::future::join_all(beats).await
}

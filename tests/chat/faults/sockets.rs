//! Connections that do not behave: silent, slow, too large, half-open. None stays, and each that can be told is
//! told. (A reader that is merely stopped is another matter, since its kernel answers: see [`super::slow`].)

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::actors::{Chat, Launch, PrivatePostgres, Program, Wire};

/// A head that does not come, or comes slowly, is waited for no longer.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// A peer that has vanished is let go within this.
const FREED_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_slow_connections_are_closed() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let address = alice.address;
    let silent = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        closes(&mut wire, None).await
    };
    let slow_head = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        wire.send("GET /livez HTTP/1.1\r\nHost: chat.test\r\nX-Slow: ").await.expect("it reads");
        closes(&mut wire, Some("a")).await
    };
    let second_head = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        wire.send("GET /livez HTTP/1.1\r\nHost: chat.test\r\n\r\n").await.expect("it reads");
        assert_eq!(wire.head().await.expect("an answer").0, 200);
        closes(&mut wire, Some("a")).await
    };
    let slow_body = async {
        let mut wire = Wire::connect(address).await.expect("it listens");
        let body = json!({"room_id": alice.id, "body": "x".repeat(200)}).to_string();
        let request = Wire::post(&alice, "/messages", &body);
        wire.send(&request[..request.len() - 180]).await.expect("it reads");
        let began = Instant::now();
        let (status, head) = tokio::time::timeout(CLOSED_WITHIN, wire.head()).await.expect("in time").expect("a head");
        assert_eq!(status, 408, "{head}");
        closes(&mut wire, None).await;
        began.elapsed()
    };
    let (silent, slow_head, second_head, slow_body) = tokio::join!(silent, slow_head, second_head, slow_body);
    for (what, took) in [
        ("a silent connection", silent),
        ("a slow head", slow_head),
        ("a slow second head", second_head),
        ("a slow body (408)", slow_body),
    ] {
        println!("figure: {what} is closed after {} ms", took.as_millis());
    }
}

/// Waits for the end, sending `drip` twice a second. How long it took.
async fn closes(wire: &mut Wire, drip: Option<&str>) -> Duration {
    let began = Instant::now();
    while !wire.ends_within(Duration::from_millis(500)).await {
        assert!(began.elapsed() < CLOSED_WITHIN, "the connection is still open");
        if let Some(drip) = drip {
            wire.send(drip).await.ok();
        }
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_and_said_so() {
    let chat = Chat::start().await;
    let alice = chat.user("alice").await;
    let long = "x".repeat(100_000);
    let head = |name: &str| format!("GET /{name} HTTP/1.1\r\nHost: chat.test\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunked = format!(
        "POST /messages HTTP/1.1\r\nHost: chat.test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
        alice.access_token(),
        chunk(&long),
        chunk(&long),
    );
    let too_large = [
        ("a header of 100,000 bytes", head("livez") + "X-Long: " + &long + "\r\n\r\n", 431),
        ("an address of 100,000 bytes", head(&long) + "\r\n", 414),
        ("2,000 headers", head("livez") + &"X-Many: y\r\n".repeat(2_000) + "\r\n", 431),
        ("a body of 100,000 bytes", Wire::post(&alice, "/messages", &long), 413),
        ("a body of 200,000 bytes in chunks", chunked, 413),
        ("a body of 10 MB", Wire::post(&alice, "/messages", &long.repeat(100)), 413),
    ];
    for (what, request, expected) in too_large {
        let mut wire = Wire::connect(alice.address).await.expect("it listens");
        // It may be refused before it was read to the end.
        wire.send(request).await.ok();
        let answered = wire.head().await;
        let (status, _) = answered.unwrap_or_else(|error| panic!("{what} gets no answer: {error}"));
        let is_refused = status == expected || (expected == 414 && status == 431);
        assert!(is_refused, "{what} gets {status}");
        assert!(wire.ends_within(CLOSED_WITHIN).await, "the connection is still open after {what}");
        println!("figure: {what}: {status}");
    }
    assert_eq!(alice.get("/users/me").await.status, 200, "everybody else notices nothing");
}

/// Both ends live in a network of their own, in which the address between them is taken away: from then on each
/// talks into the void, as when a phone leaves the network. Needs root (`unshare`, `ip`); elsewhere it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_freed() {
    if !Command::new("unshare").args(["-n", "ip", "link"]).stdout(Stdio::null()).status().is_ok_and(|it| it.success()) {
        eprintln!("not run, because making a network needs root and iproute2");
        return;
    }
    let postgres = PrivatePostgres::start().await;
    // Whoever leaves `lo` is sent to a device that swallows everything.
    let network = "ip link set lo up && ip addr add 10.9.9.1/32 dev lo && \
                   { ip link add void type dummy || ip link add void type ifb; } 2>/dev/null && \
                   ip link set void up && ip route add 10.9.9.0/24 dev void && exec \"$0\"";
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", network, env!("CARGO_BIN_EXE_gapless")]);
    let server = Launch::on(postgres.url()).with("HOST", "0.0.0.0").with("HEARTBEAT_SECS", 8).spawn_through(command);
    let inside = |script: &str| {
        let mut command = Command::new("nsenter");
        command.args(["-t", &server.pid().to_string(), "-n", "bash", "-c", script]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    // Until it has its network, whoever enters that enters ours.
    let network_of = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).expect("it runs");
    let began = Instant::now();
    while network_of(&server.pid().to_string()) == network_of("self") {
        assert!(began.elapsed() < FREED_WITHIN, "there is no network of its own");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let port = server.address.port();
    // The worst case: one heartbeat is sent shortly before a quiet connection would be found out.
    // One stream and one connection that has said nothing since its answer.
    let ask = format!(
        "until exec 3<>/dev/tcp/10.9.9.1/{port}; do sleep 0.1; done; exec 4<>/dev/tcp/10.9.9.1/{port}; \
         printf 'GET /sse HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3; cat <&3 >/dev/null & sleep 60"
    );
    let mut client = inside(&ask).spawn().expect("a client");
    let sockets = |server: &Program| established(server.pid(), port);
    let began = Instant::now();
    while sockets(&server) < 2 {
        assert!(began.elapsed() < FREED_WITHIN, "the client does not come: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    assert!(inside("ip addr del 10.9.9.1/32 dev lo").status().is_ok_and(|it| it.success()), "root may");
    let vanished = Instant::now();
    while sockets(&server) > 0 {
        assert!(vanished.elapsed() < FREED_WITHIN, "{} half-open connections are still held", sockets(&server));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!(
        "figure: a stream and a connection whose client vanished are freed after {} ms",
        vanished.elapsed().as_millis()
    );
    client.kill().ok();
    client.wait().ok();
}

/// Accepted connections that a process still holds: sockets of its `net/tcp` table whose inode is among its
/// descriptors. (Its own table: each network has one.)
fn established(pid: u32, port: u16) -> usize {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    let local = format!(":{port:04X}");
    let ours = table.lines().filter(|line| {
        let mut fields = line.split_whitespace();
        fields.nth(1).is_some_and(|address| address.ends_with(&local)) && fields.nth(1) != Some("0A")
    });
    let inodes: Vec<_> =
        ours.filter_map(|line| line.split_whitespace().nth(9)).map(|it| format!("socket:[{it}]")).collect();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
        .count()
}

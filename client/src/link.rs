//! A link with injected faults: a TCP proxy between a program and its clients, database or Redis.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Maximum number of bytes per read. Small, so that connections are cut within answers.
const CHUNK: usize = 4096;

/// A fault of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    None,
    /// Each chunk is delayed by `least` and up to `jitter` more, in both directions. Chunks of one connection stay in
    /// order; those of different connections may overtake each other.
    Delay {
        least: Duration,
        jitter: Duration,
    },
    /// Bandwidth in bytes per second, for each connection and direction.
    Rate(u32),
    /// Connections stay open and carry nothing; data that was sent arrives when the fault is healed.
    BlackHole,
    /// Existing connections are reset, and new ones as soon as they are accepted.
    Reset,
    /// The next answer on each connection is replaced by the end of that direction; requests still pass.
    HalfClose,
    /// Each connection is reset after a random number of answered bytes, at most this one.
    CutAfter(usize),
    /// Requests pass; each connection is reset in place of the next answer.
    SwallowAnswers,
}

/// Target of a link.
#[derive(Debug, Clone)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// See the [module](self). Dropping it ends its connections.
#[derive(Debug)]
pub struct Link {
    pub address: SocketAddr,
    fault: watch::Sender<LinkFault>,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Link {
    pub async fn to(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let fault = watch::Sender::new(LinkFault::None);
        let connections = Arc::<AtomicUsize>::default();
        let accepting = tokio::spawn(accept(listener, upstream, fault.subscribe(), Arc::clone(&connections)));
        Ok(Self { address, fault, connections, accepting: Some(accepting) })
    }

    /// Returns the target's own address in place of a proxy: faults have no effect.
    pub fn direct(address: SocketAddr) -> Self {
        let fault = watch::Sender::new(LinkFault::None);
        Self { address, fault, connections: Arc::default(), accepting: None }
    }

    /// Returns the number of accepted connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn inject(&self, fault: LinkFault) {
        self.fault.send_replace(fault);
    }

    pub fn heal(&self) {
        self.inject(LinkFault::None);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

async fn accept(
    listener: TcpListener,
    upstream: Upstream,
    fault: watch::Receiver<LinkFault>,
    connections: Arc<AtomicUsize>,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connect(client, upstream.clone(), fault.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Makes the socket send RST instead of FIN when it is dropped.
pub fn end_by_reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).ok();
}

async fn connect(client: TcpStream, upstream: Upstream, mut fault: watch::Receiver<LinkFault>) {
    client.set_nodelay(true).ok();
    end_by_reset(&client);
    if *fault.borrow_and_update() == LinkFault::Reset {
        return;
    }
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                server.set_nodelay(true).ok();
                end_by_reset(&server);
                join(client, server, fault).await;
            }
        }
        Upstream::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                join(client, server, fault).await;
            }
        }
    }
}

async fn join<S: AsyncRead + AsyncWrite>(client: TcpStream, server: S, fault: watch::Receiver<LinkFault>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let mut requests = Direction::new(fault.clone(), false);
    let mut answers = Direction::new(fault.clone(), true);
    let mut resets = fault;
    let is_reset = async { resets.wait_for(|now| *now == LinkFault::Reset).await.map(drop) };
    let both = async {
        tokio::try_join!(
            requests.forward(&mut from_client, &mut to_server),
            answers.forward(&mut from_server, &mut to_client),
        )
        .ok();
    };
    tokio::select! {
        _ = is_reset => {}
        () = both => {}
    }
    // Dropping the sockets resets them, unless both sides have already ended.
}

/// One direction of one connection.
struct Direction {
    fault: watch::Receiver<LinkFault>,
    are_answers: bool,
    /// Remaining number of bytes before [`LinkFault::CutAfter`] resets the connection.
    left: Option<usize>,
}

impl Direction {
    const fn new(fault: watch::Receiver<LinkFault>, are_answers: bool) -> Self {
        Self { fault, are_answers, left: None }
    }

    /// Forwards data until its end, which is forwarded too, or until a fault ends the connection.
    async fn forward(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                return to.shutdown().await;
            }
            let passing = self.pass(read).await?;
            let Some(passing) = passing else { return to.shutdown().await };
            to.write_all(&chunk[..passing]).await?;
            if passing < read {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }

    /// Waits as long as the fault requires; returns how many of `read` bytes may pass, or `None` to end the direction.
    async fn pass(&mut self, read: usize) -> io::Result<Option<usize>> {
        let now = *self.fault.wait_for(|now| *now != LinkFault::BlackHole).await.map_err(io::Error::other)?;
        if !matches!(now, LinkFault::CutAfter(_)) {
            self.left = None;
        }
        match now {
            LinkFault::Delay { least, jitter } => {
                let wait = least + jitter.mul_f64(rand::rng().random());
                tokio::time::sleep(wait).await;
            }
            LinkFault::Rate(bytes_per_second) => {
                let bytes = u32::try_from(read).expect("a chunk is small");
                tokio::time::sleep(Duration::from_secs(1) * bytes / bytes_per_second).await;
            }
            LinkFault::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            LinkFault::HalfClose if self.are_answers => return Ok(None),
            LinkFault::SwallowAnswers if self.are_answers => return Err(io::ErrorKind::ConnectionReset.into()),
            LinkFault::CutAfter(bytes) if self.are_answers => {
                // The limit is random for each connection, so that connections are cut at any byte.
                let left = self.left.unwrap_or_else(|| rand::rng().random_range(1..=bytes));
                self.left = Some(left.saturating_sub(read));
                return Ok(Some(left.min(read)));
            }
            _ => {}
        }
        Ok(Some(read))
    }
}

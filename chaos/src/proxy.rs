//! A link that can be made to fail: a TCP proxy between a program and what it talks to. The tests of the chat use this
//! file, too.

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

/// Bytes carried at once. Small, so that cuts fall in the middle of things.
const PIECE: usize = 4096;

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    None,
    /// Each piece takes so much longer, and up to `jitter` more, in either direction. What comes later on the same
    /// connection waits behind it; what comes on another may overtake.
    Delay {
        least: Duration,
        jitter: Duration,
    },
    /// So many bytes a second, for each connection and direction.
    Rate(u32),
    /// Connections stay open and carry nothing; what was sent arrives when this ends.
    BlackHole,
    /// Connections are reset, new ones at once.
    Reset,
    /// The next answer of each connection ends it in that direction; the other goes on.
    HalfClose,
    /// Each connection is reset after so many more bytes of answers.
    CutAfter(usize),
    /// Requests arrive; the answer does not, and the connection is reset in its place.
    SwallowAnswers,
}

/// Where a link leads.
#[derive(Debug, Clone)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// See the [module](self). Connections end with it.
#[derive(Debug)]
pub struct Link {
    pub address: SocketAddr,
    disturbance: watch::Sender<Disturbance>,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

impl Link {
    pub async fn to(upstream: Upstream) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let disturbance = watch::Sender::new(Disturbance::None);
        let connections = Arc::<AtomicUsize>::default();
        let accepting = tokio::spawn(accept(listener, upstream, disturbance.subscribe(), Arc::clone(&connections)));
        Ok(Self { address, disturbance, connections, accepting: Some(accepting) })
    }

    /// Nothing between: what cannot be made to fail.
    pub fn none(address: SocketAddr) -> Self {
        let disturbance = watch::Sender::new(Disturbance::None);
        Self { address, disturbance, connections: Arc::default(), accepting: None }
    }

    /// How many came through so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn disturb(&self, disturbance: Disturbance) {
        self.disturbance.send_replace(disturbance);
    }

    pub fn heal(&self) {
        self.disturb(Disturbance::None);
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
    disturbance: watch::Receiver<Disturbance>,
    connections: Arc<AtomicUsize>,
) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connect(client, upstream.clone(), disturbance.clone()));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// A socket that is dropped sends RST instead of FIN from here on.
pub fn end_by_reset(socket: &TcpStream) {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).ok();
}

async fn connect(client: TcpStream, upstream: Upstream, mut disturbance: watch::Receiver<Disturbance>) {
    client.set_nodelay(true).ok();
    end_by_reset(&client);
    if *disturbance.borrow_and_update() == Disturbance::Reset {
        return;
    }
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                server.set_nodelay(true).ok();
                end_by_reset(&server);
                join(client, server, disturbance).await;
            }
        }
        Upstream::Unix(path) => {
            if let Ok(server) = UnixStream::connect(path).await {
                join(client, server, disturbance).await;
            }
        }
    }
}

async fn join<S: AsyncRead + AsyncWrite>(client: TcpStream, server: S, disturbance: watch::Receiver<Disturbance>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let mut requests = Direction::new(disturbance.clone(), false);
    let mut answers = Direction::new(disturbance.clone(), true);
    let mut resets = disturbance;
    let is_reset = async { resets.wait_for(|now| *now == Disturbance::Reset).await.map(drop) };
    let both = async {
        tokio::try_join!(
            requests.carry(&mut from_client, &mut to_server),
            answers.carry(&mut from_server, &mut to_client),
        )
        .ok();
    };
    tokio::select! {
        _ = is_reset => {}
        () = both => {}
    }
    // Dropped with the linger of zero, unless both ends had said goodbye already.
}

/// One direction of one connection.
struct Direction {
    disturbance: watch::Receiver<Disturbance>,
    are_answers: bool,
    /// Left to carry, while the link cuts.
    left: Option<usize>,
}

impl Direction {
    const fn new(disturbance: watch::Receiver<Disturbance>, are_answers: bool) -> Self {
        Self { disturbance, are_answers, left: None }
    }

    /// Until the end of what comes (which is passed on), or a fault that ends the connection.
    async fn carry(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = from.read(&mut piece).await?;
            if read == 0 {
                return to.shutdown().await;
            }
            let passing = self.pass(read).await?;
            let Some(passing) = passing else { return to.shutdown().await };
            to.write_all(&piece[..passing]).await?;
            if passing < read {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
        }
    }

    /// How many of `read` bytes may pass, once they may; `None` ends the direction.
    async fn pass(&mut self, read: usize) -> io::Result<Option<usize>> {
        let now = *self.disturbance.wait_for(|now| *now != Disturbance::BlackHole).await.map_err(io::Error::other)?;
        if !matches!(now, Disturbance::CutAfter(_)) {
            self.left = None;
        }
        match now {
            Disturbance::Delay { least, jitter } => {
                let wait = least + jitter.mul_f64(rand::rng().random());
                tokio::time::sleep(wait).await;
            }
            Disturbance::Rate(bytes_per_second) => {
                let bytes = u32::try_from(read).expect("a piece is small");
                tokio::time::sleep(Duration::from_secs(1) * bytes / bytes_per_second).await;
            }
            Disturbance::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            Disturbance::HalfClose if self.are_answers => return Ok(None),
            Disturbance::SwallowAnswers if self.are_answers => return Err(io::ErrorKind::ConnectionReset.into()),
            Disturbance::CutAfter(bytes) if self.are_answers => {
                // Each connection has a length of its own, so that cuts fall anywhere.
                let left = self.left.unwrap_or_else(|| rand::rng().random_range(1..=bytes));
                self.left = Some(left.saturating_sub(read));
                return Ok(Some(left.min(read)));
            }
            _ => {}
        }
        Ok(Some(read))
    }
}

//! A link that can be made to fail: a TCP proxy between a program and what it talks to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// What is wrong with the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Each piece takes this much longer, in either direction.
    Delay(Duration),
    /// Connections stay open and carry nothing; what was sent arrives when the fault ends.
    BlackHole,
    /// Connections are reset, new ones at once.
    Reset,
    /// A connection that begins now is reset after so many bytes of answers.
    CutAfter(usize),
    /// Requests arrive; answers do not, and the connection is reset in their place.
    SwallowAnswers,
}

/// Where the link leads.
#[derive(Debug, Clone)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Upstream {
    /// Where a database listens.
    pub async fn of_database(options: &PgConnectOptions) -> Self {
        let (host, port) = (options.get_host(), options.get_port());
        let directory = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
        if let Some(directory) = directory {
            return Self::Unix(directory.join(format!(".s.PGSQL.{port}")));
        }
        let mut found = tokio::net::lookup_host((host, port)).await.expect("the database has an address");
        Self::Tcp(found.next().expect("the database has an address"))
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct FaultProxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    connections: Arc<AtomicUsize>,
}

impl FaultProxy {
    pub async fn to(upstream: Upstream) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let fault = watch::Sender::new(Fault::None);
        let connections = Arc::<AtomicUsize>::default();
        tokio::spawn(accept(listener, upstream, fault.subscribe(), Arc::clone(&connections)));
        Self { address, fault, connections }
    }

    /// How many came through so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: Upstream,
    fault: watch::Receiver<Fault>,
    connections: Arc<AtomicUsize>,
) {
    // Ends with the proxy, whose dropping closes the channel.
    while let Ok((client, _)) = listener.accept().await {
        if fault.has_changed().is_err() {
            return;
        }
        connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(connect(client, upstream.clone(), fault.clone()));
    }
}

async fn connect(client: TcpStream, upstream: Upstream, fault: watch::Receiver<Fault>) {
    client.set_nodelay(true).ok();
    // A socket that is dropped with this set sends RST instead of FIN.
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).ok();
    if *fault.borrow() == Fault::Reset {
        return;
    }
    match upstream {
        Upstream::Tcp(address) => {
            if let Ok(server) = TcpStream::connect(address).await {
                server.set_nodelay(true).ok();
                socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).ok();
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

async fn join<S: AsyncRead + AsyncWrite>(client: TcpStream, server: S, fault: watch::Receiver<Fault>) {
    let left = match *fault.borrow() {
        Fault::CutAfter(bytes) => bytes,
        _ => usize::MAX,
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let mut resets = fault.clone();
    tokio::select! {
        () = async { drop(resets.wait_for(|fault| *fault == Fault::Reset).await) } => {}
        _ = carry(&mut from_client, &mut to_server, fault.clone(), usize::MAX, false) => {}
        _ = carry(&mut from_server, &mut to_client, fault, left, true) => {
            // Without a fault the end of the answers is an end like any other.
            if left == usize::MAX {
                to_client.shutdown().await.ok();
            }
        }
    }
    // Without this, dropping it would say FIN before the RST.
    to_client.forget();
}

async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut fault: watch::Receiver<Fault>,
    mut left: usize,
    are_answers: bool,
) -> io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    while left > 0 {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        let now = *fault.wait_for(|fault| *fault != Fault::BlackHole).await.map_err(io::Error::other)?;
        if let Fault::Delay(delay) = now {
            tokio::time::sleep(delay).await;
        }
        if are_answers && now == Fault::SwallowAnswers {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let carried = read.min(left);
        to.write_all(&piece[..carried]).await?;
        left = left.saturating_sub(if left == usize::MAX { 0 } else { carried });
    }
    Ok(())
}

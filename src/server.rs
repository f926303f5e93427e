//! The accept loop: sockets in, HTTP/1.1 spoken by hyper, streams taken over.
//!
//! It is our own because `axum::serve` waits for ever for a request's head and keeps hyper's buffers (16 KiB
//! and more) for as long as a stream is open. Here a head has a deadline, and a connection that turned out to
//! be a stream leaves hyper: its socket is handed to [`crate::stream`], which writes shared bytes and nothing else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::Service as _;

use crate::app::App;
use crate::stream::{OpenStream, Stream};

/// A request's head must be here this long after the connection, or after the answer before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// hyper's buffer for one head; beyond it the answer is 431.
const HEAD_BYTES: usize = 16 * 1024;
/// Data that the peer's kernel has not acknowledged for this long means that the peer is gone. A quiet connection
/// is probed after [`KEEPALIVE_IDLE`] and gone one interval later. While data is on its way nothing is probed, so
/// the worst case is a heartbeat sent right before that: the two add up, and still free a half-open connection
/// within 20 s.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(9);
const KEEPALIVE_IDLE: Duration = Duration::from_secs(8);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after `accept` failed, usually for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the app leaves. Each runs as a task of `lifecycle.connections`.
pub async fn serve(listener: TcpListener, app: App, router: Router) {
    let leaving = app.lifecycle.leaving.clone();
    while let Some(accepted) = leaving.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                let connection = converse(socket, peer, app.clone(), router.clone());
                app.lifecycle.connections.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(socket: TcpStream, peer: SocketAddr, app: App, router: Router) {
    let Ok(_place) = app.limits.connect(peer.ip()) else { return };
    if let Err(error) = prepare(&socket) {
        tracing::debug!(%error, "a socket is gone before its first request");
        return;
    }
    // Boxed, so that its memory is given back while a stream runs.
    if let Some(TakenOver { socket, head, stream }) = Box::pin(speak_http(socket, peer, &app, router)).await {
        stream.run(socket, head).await;
    }
}

fn prepare(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = socket2::SockRef::from(socket);
    socket
        .set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    Ok(())
}

/// Speaks HTTP until the connection ends (`None`) or becomes a stream.
async fn speak_http(socket: TcpStream, peer: SocketAddr, app: &App, router: Router) -> Option<TakenOver> {
    let (take_over, stream_comes) = oneshot::channel();
    let take_over = Arc::new(Mutex::new(Some(take_over)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (mut router, take_over) = (router.clone(), Arc::clone(&take_over));
        // Boxed, because hyper gives a connection back only when it need not stay where it is.
        Box::pin(async move {
            request.extensions_mut().insert(ConnectInfo(peer));
            // A router is always ready.
            let Ok(mut response) = router.call(request.map(Body::new)).await;
            if let Some(stream) = response.extensions_mut().remove::<OpenStream>().and_then(|open| open.take()) {
                let take_over = take_over.lock().expect("nothing panics while it holds this").take();
                if let Some(take_over) = take_over {
                    take_over.send((head_of(&response), stream)).ok();
                    // hyper must write nothing more; the connection is taken from it while this waits.
                    std::future::pending::<()>().await;
                }
            }
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service);
    let leaving = app.lifecycle.leaving.clone();
    let mut is_leaving = false;
    tokio::pin!(stream_comes);
    loop {
        tokio::select! {
            ended = std::future::poll_fn(|context| connection.poll_without_shutdown(context)) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                let socket = connection.into_parts().io.into_inner();
                // What was answered goes out before the end; a peer that reads nothing ends by its time-out.
                tokio::io::AsyncWriteExt::shutdown(&mut { socket }).await.ok();
                return None;
            }
            Ok((head, stream)) = &mut stream_comes => {
                let socket = connection.into_parts().io.into_inner();
                return Some(TakenOver { socket, head, stream });
            }
            () = leaving.cancelled(), if !is_leaving => {
                is_leaving = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// A connection that became a stream.
struct TakenOver {
    socket: TcpStream,
    /// The answer's head, still to be written.
    head: Bytes,
    stream: Stream,
}

/// The answer's head as bytes. The body that follows ends with the connection (RFC 9112, section 6.3), so it
/// needs no chunks around its frames.
fn head_of(response: &Response) -> Bytes {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    // The handler's body was empty, and axum has said so.
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head.into()
}

//! The accept loop: accepts sockets, lets hyper speak HTTP/1.1, and takes over streams.
//!
//! It exists because `axum::serve` waits for a request's head without a time limit and keeps hyper's buffers (16 KiB
//! and more) for as long as a stream is open. Here a head has a deadline, and a connection that becomes a stream leaves
//! hyper: its socket is handed to [`crate::stream`], which writes shared bytes and nothing else.
//!
//! In front of hyper, [`intake`] enforces the deadlines and is stricter about line ends; behind it, [`borrowed_body`] keeps
//! a connection usable after a refusal.

mod borrowed_body;
mod framing;
mod intake;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Context;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tower::Service as _;

use crate::app::App;
use crate::error::Error;
use crate::liveness;
use crate::stream::{OpenStream, Stream};

use intake::{Intake, Progress, Timeouts};

/// hyper's buffer for one head; a longer head is answered with 431.
const HEAD_BYTES: usize = 16 * 1024;
/// Length of the accept queue: after a restart thousands of clients connect in the same second, and one that does not
/// fit retries after one, three and seven seconds. `net.core.somaxconn` caps it.
pub const BACKLOG: u32 = 4_096;
/// Pause after a failed `accept`, usually because no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Opens a listening socket with a queue for bursts of connections.
pub fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Without it, a restart would have to wait for connections of the previous process (RFC 9293, TIME-WAIT).
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until shutdown. Each runs as a task of `lifecycle.connections`.
pub async fn serve(listener: TcpListener, app: App, router: Router) {
    let leaving = app.lifecycle.leaving.clone();
    while let Some(accepted) = leaving.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((socket, peer)) => {
                let connection = converse(socket, peer, app.clone(), router.clone());
                app.lifecycle.connections.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; retrying in 50 ms");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(socket: TcpStream, peer: SocketAddr, app: App, router: Router) {
    let Ok(_permit) = app.limits.connect(peer.ip()) else { return };
    if let Err(error) = liveness::prepare(&socket, app.config.heartbeat) {
        tracing::debug!(%error, "a connection was closed before its first request");
        return;
    }
    // Boxed, so that its memory is freed while a stream runs.
    if let Some(StreamConnection { socket, head, stream }) = Box::pin(speak_http(socket, peer, &app, router)).await {
        stream.run(socket, head).await;
    }
}

/// Speaks HTTP until the connection ends (`None`) or becomes a stream.
async fn speak_http(socket: TcpStream, peer: SocketAddr, app: &App, router: Router) -> Option<StreamConnection> {
    let (take_over, stream_comes) = oneshot::channel();
    let take_over = Arc::new(Mutex::new(Some(take_over)));
    let progress = Progress::new(Timeouts { head: app.config.head_timeout, idle: app.config.keep_alive });
    let answering = Arc::clone(&progress);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, take_over, progress) = (router.clone(), Arc::clone(&take_over), Arc::clone(&answering));
        // Immediately, before hyper continues to read.
        progress.begin(request.body());
        // Boxed, because hyper returns a connection only if it is `Unpin`.
        Box::pin(async move {
            let mut response = answer(router, peer, request).await;
            if let Some(stream) = response.extensions_mut().remove::<OpenStream>().and_then(|open| open.take()) {
                let take_over = take_over.lock().expect("nothing panics while it holds this").take();
                if let Some(take_over) = take_over {
                    take_over.send((head_of(&response), stream)).ok();
                    // hyper must write nothing more; the connection is taken from it while this future is pending.
                    std::future::pending::<()>().await;
                }
            }
            progress.answered();
            Ok::<_, Infallible>(response)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // `intake` enforces the deadlines; it knows more about the connection than hyper does.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Intake::new(socket, Arc::clone(&progress))), service);
    let leaving = app.lifecycle.leaving.clone();
    let mut is_leaving = false;
    let alarm = tokio::time::sleep(app.config.head_timeout);
    tokio::pin!(stream_comes, alarm);
    let overdue = |context: &mut Context<'_>, alarm: Pin<&mut Sleep>| {
        progress.poll_overdue(context, alarm, || app.limits.is_crowded(peer.ip()))
    };
    loop {
        tokio::select! {
            // Poll the connection first: its reads and writes move the deadline.
            biased;
            ended = std::future::poll_fn(|context| connection.poll_without_shutdown(context)) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                let intake = connection.into_parts().io.into_inner();
                // Send pending responses before closing; a peer that reads nothing runs into its timeout.
                intake.close(is_leaving).await;
                return None;
            }
            Ok((head, stream)) = &mut stream_comes => {
                let socket = connection.into_parts().io.into_inner().into_socket();
                return Some(StreamConnection { socket, head, stream });
            }
            () = leaving.cancelled(), if !is_leaving => {
                is_leaving = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            () = std::future::poll_fn(|context| overdue(context, alarm.as_mut())) => return None,
        }
    }
}

/// Answers one request. Afterwards the connection is usable for the next request, or the response announces that it
/// will be closed.
async fn answer(mut router: Router, peer: SocketAddr, request: Request<Incoming>) -> Response {
    let (mut head, body) = request.into_parts();
    if !names_one_host(head.version, &head.headers) {
        let said = "Send one Host header, with the name of a host (RFC 9112, section 3.2).";
        return closing(Error::Malformed(said.to_owned()).into_response());
    }
    head.extensions.insert(ConnectInfo(peer));
    let (body, loan) = if body.is_end_stream() {
        (Body::empty(), None)
    } else {
        let (body, loan) = borrowed_body::lend(body, head.headers.contains_key(header::EXPECT));
        (Body::new(body), Some(loan))
    };
    // A router is always ready.
    let Ok(response) = router.call(Request::from_parts(head, body)).await;
    let Some(loan) = loan else { return response };
    // Do not wait again for a body that has already timed out.
    let is_settled = response.status() != StatusCode::REQUEST_TIMEOUT && loan.settle().await;
    if is_settled { response } else { closing(response) }
}

/// Adds `Connection: close`, after which hyper closes the connection.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Returns whether the request names exactly one host. Two servers may route a request without a host, or with two,
/// differently, so RFC 9112, section 3.2, requires refusing it. HTTP/1.0 had no `Host`.
fn names_one_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version < Version::HTTP_11,
        (Some(host), None) => {
            let host = host.as_bytes();
            // Empty if the URL has no host.
            host.is_empty() || (Authority::try_from(host).is_ok() && !host.contains(&b'@'))
        }
        (Some(_), Some(_)) => false,
    }
}

/// A connection that became a stream.
struct StreamConnection {
    socket: TcpStream,
    /// The response's head, not yet written.
    head: Bytes,
    stream: Stream,
}

/// Returns the response's head as bytes. The body ends with the connection (RFC 9112, section 6.3), so its frames need
/// no chunked encoding.
fn head_of(response: &Response) -> Bytes {
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    // axum set the length of the handler's empty body.
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(b"connection: close\r\n\r\n");
    head.into()
}

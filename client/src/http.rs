//! Requests over explicit connections, and event streams. Hyper's connection neither retries nor pools, so the caller sees
//! each failure; a stream exposes its socket, so that its reader can read slowly, reset it or leave it half-open.

use std::io;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::frame::{Event, Frames};

/// Maximum size of an answer's body.
const LARGEST: usize = 8 << 20;

/// A request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub method: &'static str,
    pub path: String,
    pub token: Option<&'a str>,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    None,
    Json(Value),
    /// Sent as JSON without being checked.
    Raw(&'static str),
}

impl<'a> Request<'a> {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), token: None, body: Body::None }
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: "POST", path: path.into(), token: None, body: Body::Json(body) }
    }

    #[must_use]
    pub fn by(mut self, token: &'a str) -> Self {
        self.token = Some(token);
        self
    }

    fn build(&self) -> io::Result<hyper::Request<Full<Bytes>>> {
        let mut request = hyper::Request::builder().method(self.method).uri(&self.path).header(HOST, "chat");
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match &self.body {
            Body::None => return request.body(Full::default()).map_err(io::Error::other),
            Body::Json(value) => Bytes::from(value.to_string()),
            Body::Raw(text) => Bytes::from(*text),
        };
        request.header(CONTENT_TYPE, "application/json").body(Full::new(body)).map_err(io::Error::other)
    }
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub retry_after: bool,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.body).map_err(io::Error::other)
    }

    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// A connection for consecutive requests. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    requests: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
    /// The last answer had `Connection: close`.
    is_over: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(socket)).await.map_err(io::Error::other)?;
        // The request in progress reports the connection's failures.
        let driver = tokio::spawn(async { drop(connection.await) });
        Ok(Self { requests, _driver: AbortOnDropHandle::new(driver), is_over: false })
    }

    pub async fn ask(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        self.requests.ready().await.map_err(io::Error::other)?;
        let answer = self.requests.send_request(request.build()?).await.map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        self.is_over =
            head.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
        let body = Limited::new(body, LARGEST).collect().await.map_err(io::Error::other)?;
        Ok(Answer {
            status: head.status.as_u16(),
            retry_after: head.headers.contains_key(RETRY_AFTER),
            body: body.to_bytes().into(),
        })
    }
}

/// Sends a request over the connection in `kept`, or over a new one, which is kept unless it fails or the server closes it.
pub async fn ask_over(kept: &mut Option<Connection>, address: SocketAddr, request: &Request<'_>) -> io::Result<Answer> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let answer = connection.ask(request).await?;
    *kept = Some(connection).filter(|connection| !connection.is_over);
    Ok(answer)
}

/// Sends a request over a new connection.
pub async fn ask(address: SocketAddr, request: &Request<'_>) -> io::Result<Answer> {
    Connection::open(address).await?.ask(request).await
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    socket: TcpStream,
    frames: Frames,
    /// Maximum number of bytes per read; small for slow readers.
    read_most: usize,
}

/// Reason why a stream was not opened.
#[derive(Debug)]
pub enum Refused {
    Status(u16),
    Broken,
}

impl From<io::Error> for Refused {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl EventStream {
    /// Opens a stream. `receive_buffer` limits the kernel's buffer, for slow readers.
    pub async fn open(
        address: SocketAddr,
        query: &str,
        last_event_id: Option<&str>,
        receive_buffer: Option<u32>,
    ) -> Result<Self, Refused> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let mut socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        let last = last_event_id.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let head = format!("GET /sse?{query} HTTP/1.1\r\nhost: chat\r\naccept: text/event-stream\r\n{last}\r\n");
        socket.write_all(head.as_bytes()).await?;
        let mut stream =
            Self { socket, frames: Frames::default(), read_most: if receive_buffer.is_some() { 1024 } else { 8192 } };
        let status = stream.read_head().await?;
        if status == 200 { Ok(stream) } else { Err(Refused::Status(status)) }
    }

    /// Reads the head of the answer and returns its status.
    async fn read_head(&mut self) -> io::Result<u16> {
        loop {
            self.read().await?;
            let bytes = self.frames.buffer();
            if let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") {
                let head: Vec<u8> = bytes.drain(..end + 4).collect();
                let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| str::from_utf8(rest.get(..3)?).ok());
                return status.and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData.into());
            }
        }
    }

    /// Returns the next event, or an error at the end of the stream.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(frame) = self.frames.next_frame().map_err(io::Error::other)? {
                return frame.to_event().map_err(io::Error::other);
            }
            self.read().await?;
        }
    }

    /// Reads and discards everything until the end of the stream.
    pub async fn drain(mut self) {
        while self.read().await.is_ok() {
            self.frames.buffer().clear();
        }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    async fn read(&mut self) -> io::Result<()> {
        let bytes = self.frames.buffer();
        bytes.reserve_exact(self.read_most);
        let read = self.socket.read_buf(bytes).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

//! The least of HTTP/1.1 and of event streams (WHATWG HTML, section 9.2) that a client needs, over plain sockets: a cut
//! must be seen as it is, and no library may retry behind our back.

use std::io;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// An answer larger than this is not one of ours.
const LARGEST: usize = 8 << 20;

/// What is asked.
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
    /// Sent as JSON, whatever it is.
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

    fn encode(&self) -> Vec<u8> {
        let Self { method, path, .. } = self;
        let token = self.token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let head = format!("{method} {path} HTTP/1.1\r\nhost: chat\r\n{token}");
        let body = match &self.body {
            Body::None => None,
            Body::Json(value) => Some(value.to_string()),
            Body::Raw(text) => Some((*text).to_owned()),
        };
        let Some(body) = body else { return (head + "\r\n").into_bytes() };
        let length = body.len();
        format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    }
}

/// What is answered.
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

/// A connection that asks one thing after the other.
#[derive(Debug)]
pub struct Connection {
    socket: BufReader<TcpStream>,
    /// The server has said that it ends.
    pub is_over: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket: BufReader::new(socket), is_over: false })
    }

    pub async fn ask(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        self.socket.get_mut().write_all(&request.encode()).await?;
        let head = Head::read(&mut self.socket).await?;
        self.is_over = head.closes;
        let mut body = Vec::new();
        if head.is_chunked {
            loop {
                let size = line(&mut self.socket).await?;
                let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16);
                let size = size.ok().filter(|size| *size <= LARGEST).ok_or(io::ErrorKind::InvalidData)?;
                let begin = body.len();
                body.resize(begin + size, 0);
                self.socket.read_exact(&mut body[begin..]).await?;
                line(&mut self.socket).await?;
                if size == 0 {
                    break;
                }
            }
        } else if head.status != 204 && head.length > 0 {
            body.resize(head.length.min(LARGEST), 0);
            self.socket.read_exact(&mut body).await?;
        }
        Ok(Answer { status: head.status, retry_after: head.retry_after, body })
    }
}

/// Asks one thing over a connection of its own.
pub async fn ask(address: SocketAddr, request: &Request<'_>) -> io::Result<Answer> {
    Connection::open(address).await?.ask(request).await
}

#[derive(Debug, Default)]
struct Head {
    status: u16,
    length: usize,
    is_chunked: bool,
    closes: bool,
    retry_after: bool,
}

impl Head {
    async fn read(socket: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let first = line(socket).await?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let mut head = Self { status: status.ok_or(io::ErrorKind::InvalidData)?, ..Self::default() };
        loop {
            let field = line(socket).await?;
            if field.is_empty() {
                return Ok(head);
            }
            let (name, value) = field.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            match (name.to_ascii_lowercase().as_str(), value.trim()) {
                ("content-length", value) => head.length = value.parse().map_err(io::Error::other)?,
                ("transfer-encoding", value) => head.is_chunked = value.eq_ignore_ascii_case("chunked"),
                ("connection", value) => head.closes = value.eq_ignore_ascii_case("close"),
                ("retry-after", _) => head.retry_after = true,
                _ => {}
            }
        }
    }
}

/// A line without its end. An end of the connection in its middle is an error.
async fn line(socket: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    socket.read_line(&mut line).await?;
    if line.pop() != Some('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.ends_with('\r') {
        line.pop();
    }
    Ok(line)
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    pub name: String,
    pub id: Option<String>,
    pub data: String,
    /// Milliseconds to wait before coming back.
    pub retry: Option<u64>,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream(BufReader<TcpStream>);

/// Why there is no stream.
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
    /// `receive_buffer`: what the kernel may hold for a slow reader.
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
        let socket = socket.connect(address).await?;
        socket.set_nodelay(true)?;
        let mut socket = BufReader::with_capacity(if receive_buffer.is_some() { 1024 } else { 8192 }, socket);
        let last = last_event_id.map_or(String::new(), |id| format!("last-event-id: {id}\r\n"));
        let head = format!("GET /sse?{query} HTTP/1.1\r\nhost: chat\r\naccept: text/event-stream\r\n{last}\r\n");
        socket.get_mut().write_all(head.as_bytes()).await?;
        match Head::read(&mut socket).await? {
            Head { status: 200, .. } => Ok(Self(socket)),
            Head { status, .. } => Err(Refused::Status(status)),
        }
    }

    /// The next whole event; an error is the end of the stream.
    pub async fn next(&mut self) -> io::Result<StreamEvent> {
        let mut event = StreamEvent::default();
        loop {
            let line = line(&mut self.0).await?;
            if line.is_empty() {
                if !event.name.is_empty() {
                    return Ok(event);
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut event.name),
                "id" => event.id = Some(value.to_owned()),
                "data" => event.data.push_str(value),
                "retry" => event.retry = value.parse().ok(),
                _ => {}
            }
        }
    }

    /// Reads whatever comes and forgets it, until the end of the stream.
    pub async fn drain(mut self) {
        while let Ok(read) = self.0.fill_buf().await.map(<[u8]>::len)
            && read > 0
        {
            self.0.consume(read);
        }
    }

    pub fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }
}

//! A raw connection: it sends exactly the given bytes, and reads only when told to.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gapless_client::frame::Frames;
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::Guest;
use super::stream::Heard;

/// See the [module](self).
#[derive(Debug)]
pub struct Wire {
    pub socket: TcpStream,
    frames: Frames,
    /// Received bytes, including the response's head.
    pub received: usize,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::on(TcpStream::connect(address).await?))
    }

    /// Connects with a small receive buffer, so that it is soon full if the reader does not read.
    pub async fn connect_narrow(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Ok(Self::on(socket.connect(address).await?))
    }

    fn on(socket: TcpStream) -> Self {
        socket.set_nodelay(true).ok();
        Self { socket, frames: Frames::default(), received: 0 }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.socket.write_all(bytes.as_ref()).await
    }

    /// Requests a stream as `guest`; the guest's own address is not used.
    pub async fn ask_for_stream(&mut self, guest: &Guest, query: &str, cursor: Option<&str>) -> io::Result<()> {
        let header =
            |name: &str, value: Option<&str>| value.map(|value| format!("{name}: {value}\r\n")).unwrap_or_default();
        let token = guest.token.as_ref().map(|token| format!("Bearer {token}"));
        let headers = header("Authorization", token.as_deref()) + &header("Last-Event-ID", cursor);
        let request = format!("GET /sse?{query} HTTP/1.1\r\nHost: chat.test\r\n{headers}\r\n");
        self.send(request).await
    }

    /// Builds the bytes of a whole `POST`.
    pub fn post(guest: &Guest, path: &str, body: &str) -> String {
        let token = guest.token.as_deref().unwrap_or_default();
        format!(
            "POST {path} HTTP/1.1\r\nHost: chat.test\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Returns the status and head of a response.
    pub async fn head(&mut self) -> io::Result<(u16, String)> {
        let end = loop {
            if let Some(end) = memmem::find(self.frames.buffer(), b"\r\n\r\n") {
                break end + 4;
            }
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let head = self.frames.buffer().drain(..end).collect();
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        Ok((status, head))
    }

    /// Returns the status and head of a response; its body is read and discarded.
    pub async fn answer(&mut self) -> io::Result<(u16, String)> {
        let (status, head) = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        while self.frames.buffer().len() < length {
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.frames.buffer().drain(..length);
        Ok((status, head))
    }

    /// Returns the next event; `None` if the stream has ended, even within an event.
    pub async fn next(&mut self) -> io::Result<Option<Heard>> {
        loop {
            if let Some(frame) = self.frames.next_frame().map_err(io::Error::other)? {
                return Ok(Some(Heard::of(frame)));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Returns whether the other side closes the connection within `patience`; ignores what it sends before.
    pub async fn ends_within(&mut self, patience: Duration) -> bool {
        let to_the_end = async { while self.more().await.is_ok_and(|more| more > 0) {} };
        tokio::time::timeout(patience, to_the_end).await.is_ok()
    }

    /// Returns everything until the other side closes the connection; `None` if it does not within `patience`.
    pub async fn all_within(&mut self, patience: Duration) -> Option<String> {
        let has_ended = self.ends_within(patience).await;
        has_ended.then(|| String::from_utf8_lossy(self.frames.buffer()).into_owned())
    }

    async fn more(&mut self) -> io::Result<usize> {
        let read = self.socket.read_buf(self.frames.buffer()).await?;
        self.received += read;
        Ok(read)
    }
}

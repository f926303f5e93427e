//! A minimal HTTP/1.1 client: requests on keep-alive connections, responses with a length.
//!
//! A client library would use more CPU than the server under test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use serde_json::Value;

/// One keep-alive connection, one request at a time.
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the response is not JSON")
    }

    /// # Errors
    ///
    /// When the response is not a success; the error contains its status and body.
    pub fn success(self) -> anyhow::Result<Self> {
        ensure!((200..300).contains(&self.status), "answered {}: {}", self.status, String::from_utf8_lossy(&self.body));
        Ok(self)
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { socket, buffer: Vec::new() })
    }

    pub fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.send(&request("GET", path, None, ""))
    }

    pub fn post(&mut self, path: &str, token: Option<&str>, body: &Value) -> anyhow::Result<Answer> {
        self.send(&request("POST", path, token, &body.to_string()))
    }

    pub fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.socket.write_all(request)?;
        self.buffer.clear();
        let mut part = [0; 16 * 1024];
        loop {
            if let Some((status, head, length)) = answer(&self.buffer)? {
                return Ok(Answer { status, body: self.buffer[head..length].to_vec() });
            }
            let read = self.socket.read(&mut part)?;
            ensure!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&part[..read]);
        }
    }
}

pub fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    if let Some(token) = token {
        request.push_str("Authorization: Bearer ");
        request.push_str(token);
        request.push_str("\r\n");
    }
    if !body.is_empty() {
        request.push_str("Content-Type: application/json\r\nContent-Length: ");
        request.push_str(&body.len().to_string());
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.push_str(body);
    request.into_bytes()
}

/// Returns the status, the length of the head and the length of the whole response, once it is complete.
pub fn answer(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(head) = memmem::find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let text = str::from_utf8(&buffer[..head]).context("a response's head is not text")?;
    let status = text.get(9..12).and_then(|status| status.parse().ok()).context("a response has no status")?;
    let mut length = 0;
    for line in text.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').context("a header has no colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().context("a content-length is not a number")?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a response is chunked; a content-length was expected");
        }
    }
    let whole = head + 4 + length;
    Ok((buffer.len() >= whole).then_some((status, head + 4, whole)))
}
